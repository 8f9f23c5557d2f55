// The thread pool: one caller at a time, and workers that spin briefly and then sleep.
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#include "runtime.h"

// The floating-point control register, so that a worker can compute under its caller's rules.
static inline uint64_t floating_point_control(void) {
#if defined(__x86_64__)
  return __builtin_ia32_stmxcsr() & 0xffc0;  // all but the sticky flags
#elif defined(__aarch64__)
  uint64_t value;
  __asm__ volatile("mrs %0, fpcr" : "=r"(value));
  return value;
#else
  return 0;
#endif
}

static inline void set_floating_point_control(uint64_t value) {
#if defined(__x86_64__)
  __builtin_ia32_ldmxcsr((unsigned)value);
#elif defined(__aarch64__)
  __asm__ volatile("msr fpcr, %0" : : "r"(value));
#endif
}

void ck_flush_denormals(void) {
#if defined(__x86_64__)
  set_floating_point_control(floating_point_control() | 0x8040);  // FTZ and DAZ
#elif defined(__aarch64__)
  set_floating_point_control(floating_point_control() | (1u << 24));  // FZ
#endif
}

// ---------------------------------------------------------------- the pool

// A task is cut into shares, of which any free thread claims the next: a worker that sleeps, wakes up or
// has lost its core is not waited for. How a task is cut does not depend on who runs what.

enum { SPIN_NANOSECONDS = 30000, CACHE_LINE = 128 };

struct worker {
  _Alignas(CACHE_LINE) atomic_bool asleep;
  pthread_mutex_t lock;
  pthread_cond_t wake;
};

// A share has its own line, and each thread begins with the share of its number: the same thread mostly
// processes the same part of an array, which is then in its cache.
struct share {
  // The number of the last task in which it was claimed.
  _Alignas(CACHE_LINE) atomic_uint_least64_t claimed;
};

static struct {
  pthread_mutex_t busy;  // held by the caller whose task is running
  atomic_int wanted;     // threads, the caller included
  int started;           // workers, guarded by busy
  int processors;        // that this process may run on
  uint64_t tasks;        // begun so far, guarded by busy
  // The task: constant while one of its shares is claimed and unfinished.
  void (*task)(void *, int);
  void *context;
  int parts;
  uint64_t floating_point_control;
  // The task's number and its shares, in one word, so that a worker that comes late sees which task it
  // comes late for.
  _Alignas(CACHE_LINE) atomic_uint_least64_t posted;
  _Alignas(CACHE_LINE) atomic_int unfinished;  // shares
} pool = {.busy = PTHREAD_MUTEX_INITIALIZER, .wanted = 1};
static struct worker workers[CK_MAX_THREADS];
static struct share shares[CK_MAX_THREADS];
static _Thread_local bool inside_task;

static inline void pause_processor(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

// Whether more threads than processors take part: then whoever waits must give way at once.
static bool oversubscribed(void) {
  return atomic_load_explicit(&pool.wanted, memory_order_relaxed) > pool.processors;
}

enum { SHARE_BITS = 16 };  // of a posted word; CK_MAX_THREADS fits

static int share_count(uint64_t posted) { return (int)(posted & ((1 << SHARE_BITS) - 1)); }

static bool claim(int share, uint64_t task) {
  uint64_t last = atomic_load_explicit(&shares[share].claimed, memory_order_relaxed);
  return last < task &&
         atomic_compare_exchange_strong_explicit(&shares[share].claimed, &last, task,
                                                 memory_order_acq_rel, memory_order_relaxed);
}

// Runs the shares of a posted task that nobody has claimed, and returns how many those were.
static int run_shares(uint64_t posted, int thread) {
  const int count = share_count(posted);
  int done = 0;
  for (int i = 0; i < count; i++) {
    const int share = (thread + i) % count;
    if (!claim(share, posted >> SHARE_BITS)) continue;
    if (thread > 0) set_floating_point_control(pool.floating_point_control);
    for (int part = share; part < pool.parts; part += count) pool.task(pool.context, part);
    atomic_fetch_sub_explicit(&pool.unfinished, 1, memory_order_release);
    done++;
  }
  return done;
}

// Whether a task that was posted after `seen` has a share for this thread.
static bool concerns(uint64_t posted, uint64_t seen, int thread) {
  return posted != seen && thread < share_count(posted);
}

// Waits for a task with a share for this worker, and returns what is posted.
static uint64_t wait_for_task(struct worker *worker, uint64_t seen) {
  const int thread = (int)(worker - workers);
  uint64_t posted;
  if (!oversubscribed()) {
    const int64_t deadline = nanoseconds() + SPIN_NANOSECONDS;
    do {
      for (int i = 0; i < 32; i++) {
        posted = atomic_load_explicit(&pool.posted, memory_order_acquire);
        if (concerns(posted, seen, thread)) return posted;
        pause_processor();
      }
    } while (nanoseconds() < deadline);
  }
  pthread_mutex_lock(&worker->lock);
  for (;;) {
    atomic_store(&worker->asleep, true);
    posted = atomic_load(&pool.posted);
    if (concerns(posted, seen, thread)) break;
    pthread_cond_wait(&worker->wake, &worker->lock);
  }
  atomic_store(&worker->asleep, false);
  pthread_mutex_unlock(&worker->lock);
  return posted;
}

static void *work(void *argument) {
  struct worker *worker = argument;
  inside_task = true;
  for (uint64_t posted = 0;;) {
    posted = wait_for_task(worker, posted);
    run_shares(posted, (int)(worker - workers));
  }
  return NULL;
}

static void wake(struct worker *worker) {
  // Sequentially consistent like the store of what is posted and the worker's accesses: one of us sees
  // the other. Only the first caller that finds it asleep pays for waking it.
  if (!atomic_load(&worker->asleep) || !atomic_exchange(&worker->asleep, false)) return;
  pthread_mutex_lock(&worker->lock);
  pthread_cond_signal(&worker->wake);
  pthread_mutex_unlock(&worker->lock);
}

// Starts workers until `threads` threads exist, or no more can be had.
static void start_workers(int threads) {
  if (pool.processors == 0) {
    pool.processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
#if defined(__linux__)
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) pool.processors = CPU_COUNT(&allowed);
#endif
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for the program's own threads
  while (pool.started + 1 < threads) {
    struct worker *worker = &workers[pool.started + 1];
    pthread_mutex_init(&worker->lock, NULL);
    pthread_cond_init(&worker->wake, NULL);
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, worker) != 0) break;
    pthread_detach(thread);
    pool.started++;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void wait_for_workers(void) {
  const int64_t start = nanoseconds();
  for (int64_t waited = 0; atomic_load_explicit(&pool.unfinished, memory_order_acquire) != 0;) {
    for (int i = 0; i < 32; i++) {
      if (atomic_load_explicit(&pool.unfinished, memory_order_acquire) == 0) return;
      pause_processor();
    }
    if (waited > SPIN_NANOSECONDS || oversubscribed()) sched_yield();
    waited = nanoseconds() - start;
  }
}

// ---------------------------------------------------------------- which loops are worth workers

// A short loop ends before a sleeping worker is awake, and beside a busy process a worker loses its core
// in the middle of a share. So loops are measured with workers and without, and take the faster way.
// Guarded by busy.

// A loop is known by its code and its length.
struct loop {
  const void *body;
  size_t count;
  // Moving averages of the nanoseconds, 0 before the first time.
  int64_t alone, together;
  int slow_runs;  // runs with workers that were hardly faster, less those that were
  bool runs_alone;
  uint8_t unmeasured;  // runs since the last one that was measured
};

enum {
  LOOP_BITS = 10,  // of an index in the table of loops
  MOST_SLOW_RUNS = 4,  // then the loop is measured without workers
  MEASURED_EVERY = 16,  // of the runs of a loop that runs alone: looking at the clock takes time, too
  TRIAL_NANOSECONDS = 2000000,
  SHORTEST_PAUSE = 20000000,
  LONGEST_PAUSE = 1000000000,
};
static struct loop loops[1 << LOOP_BITS];

// Times in which all loops are tried with workers: a single one would always find them asleep.
static struct {
  int64_t begin, end, pause;
  bool is_under_way;
  bool has_changed;  // whether a loop has changed between alone and together
} trial = {.pause = SHORTEST_PAUSE};

static struct loop *loop_of(const void *body, size_t count) {
  const uint64_t key = ((uint64_t)(uintptr_t)body ^ (uint64_t)count << 20) * UINT64_C(0x9e3779b97f4a7c15);
  struct loop *loop = &loops[key >> (64 - LOOP_BITS)];
  if (loop->body != body || loop->count != count) *loop = (struct loop){.body = body, .count = count};
  return loop;
}

static void average(int64_t *value, int64_t sample) {
  *value = *value == 0 ? sample : *value + (sample - *value) / 8;
}

// Whether a trial is under way. They become rarer as long as they change nothing.
static bool in_trial(int64_t now) {
  if (now < trial.begin) return false;
  if (trial.end == 0) trial.end = now + TRIAL_NANOSECONDS;
  trial.is_under_way = now < trial.end;
  if (trial.is_under_way) return true;
  if (trial.has_changed) {
    trial.pause = SHORTEST_PAUSE;
  } else if (trial.pause < LONGEST_PAUSE) {
    trial.pause *= 2;
  }
  trial.begin = now + trial.pause;
  trial.end = 0;
  trial.has_changed = false;
  return false;
}

static bool should_run_alone(struct loop *loop, int64_t now) {
  if (loop->runs_alone) return !in_trial(now);
  return loop->slow_runs >= MOST_SLOW_RUNS;
}

static void choose(struct loop *loop) {
  const bool alone = loop->alone > 0 && loop->alone < loop->together;
  if (alone != loop->runs_alone) trial.has_changed = true;
  loop->runs_alone = alone;
}

static void note_alone(struct loop *loop, int64_t elapsed) {
  average(&loop->alone, elapsed);
  loop->slow_runs = 0;
  choose(loop);
}

// `estimate` is what the loop would have taken alone, judged by the caller's own shares.
static void note_together(struct loop *loop, int64_t elapsed, int64_t estimate) {
  average(&loop->together, elapsed);
  if (elapsed > estimate * 3 / 4) {
    loop->slow_runs++;
  } else if (loop->slow_runs > 0) {
    loop->slow_runs--;
  }
  choose(loop);
}

// ---------------------------------------------------------------- what kernels call

void ck_set_threads(int count) {
  const int bounded = count < 1 ? 1 : count > CK_MAX_THREADS ? CK_MAX_THREADS : count;
  atomic_store(&pool.wanted, bounded);
}

int ck_threads(void) { return atomic_load_explicit(&pool.wanted, memory_order_relaxed); }

static void run_alone(void (*task)(void *, int), void *context, int parts) {
  for (int part = 0; part < parts; part++) task(context, part);
}

// Runs a task on several threads, and returns the caller's own shares. The caller holds `busy`.
static int run_together(void (*task)(void *, int), void *context, int parts, int threads) {
  if (pool.started + 1 < threads) start_workers(threads);
  pool.task = task;
  pool.context = context;
  pool.parts = parts;
  pool.floating_point_control = floating_point_control();
  atomic_store_explicit(&pool.unfinished, threads, memory_order_relaxed);
  const uint64_t posted = ++pool.tasks << SHARE_BITS | (uint64_t)threads;
  atomic_store(&pool.posted, posted);
  for (int thread = 1; thread < threads && thread <= pool.started; thread++) wake(&workers[thread]);
  return run_shares(posted, 0);
}

void ck_parallel_loop(void (*task)(void *context, int part), void *context, int parts,
                      const void *body, size_t count) {
  int threads = ck_threads();
  if (threads > parts) threads = parts;
  if (threads <= 1 || inside_task || pthread_mutex_trylock(&pool.busy) != 0) {
    run_alone(task, context, parts);
    return;
  }
  struct loop *loop = loop_of(body, count);
  inside_task = true;
  if (loop->runs_alone && !trial.is_under_way && ++loop->unmeasured < MEASURED_EVERY) {
    run_alone(task, context, parts);
    inside_task = false;
    pthread_mutex_unlock(&pool.busy);
    return;
  }
  loop->unmeasured = 0;
  const int64_t start = nanoseconds();
  if (should_run_alone(loop, start)) {
    run_alone(task, context, parts);
    note_alone(loop, nanoseconds() - start);
  } else {
    const int own = run_together(task, context, parts, threads);
    const int64_t working = nanoseconds() - start;
    wait_for_workers();
    note_together(loop, nanoseconds() - start, own > 0 ? working * threads / own : INT64_MAX / 4);
  }
  inside_task = false;
  pthread_mutex_unlock(&pool.busy);
}

void ck_parallel(void (*task)(void *context, int part), void *context, int parts) {
  ck_parallel_loop(task, context, parts, (const void *)task, (size_t)parts);
}

// ---------------------------------------------------------------- ranges

struct range_task {
  ck_range_body *body;
  const void *job;
  size_t count, chunk;
};

static void run_range(void *context, int part) {
  const struct range_task *task = context;
  const size_t begin = (size_t)part * task->chunk;
  const size_t end = task->count - begin < task->chunk ? task->count : begin + task->chunk;
  task->body(task->job, begin, end);
}

void ck_parallel_range(ck_range_body *body, const void *job, size_t count, size_t grain) {
  size_t parts = (size_t)ck_threads();
  if (parts > count / grain) parts = count / grain;
  if (parts <= 1) {
    body(job, 0, count);
    return;
  }
  size_t chunk = (count + parts - 1) / parts;
  if (chunk > 256) chunk = (chunk + 63) / 64 * 64;  // whole cache lines
  struct range_task task = {body, job, count, chunk};
  ck_parallel_loop(run_range, &task, (int)((count + chunk - 1) / chunk), (const void *)body, count);
}
