// The thread pool: one caller at a time, workers that spin briefly and then sleep.
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

enum { SPIN_NANOSECONDS = 30000, CACHE_LINE = 128 };

// What a worker waits for: its own line, so that only the threads of a task are disturbed.
struct worker {
  _Alignas(CACHE_LINE) atomic_uint posted;  // counts the tasks given to this worker
  atomic_bool asleep;
  pthread_mutex_t lock;
  pthread_cond_t wake;
};

static struct {
  pthread_mutex_t busy;  // held by the caller whose task is running
  atomic_int wanted;     // threads, the caller included
  int started;           // workers, guarded by busy
  int processors;        // that this process may run on
  // The task: written before the workers are posted, constant until unfinished is 0 again.
  void (*task)(void *, int);
  void *context;
  int parts, threads;
  uint64_t floating_point_control;
  _Alignas(CACHE_LINE) atomic_int unfinished;  // workers still at the task
} pool = {.busy = PTHREAD_MUTEX_INITIALIZER, .wanted = 1};
static struct worker workers[CK_MAX_THREADS];
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

static void run_parts(int thread) {
  for (int part = thread; part < pool.parts; part += pool.threads) pool.task(pool.context, part);
}

// Returns as soon as `worker` has been posted something else than `seen`.
static void wait_for_post(struct worker *worker, unsigned seen) {
  if (!oversubscribed()) {
    const int64_t deadline = nanoseconds() + SPIN_NANOSECONDS;
    do {
      for (int i = 0; i < 32; i++) {
        if (atomic_load_explicit(&worker->posted, memory_order_acquire) != seen) return;
        pause_processor();
      }
    } while (nanoseconds() < deadline);
  }
  pthread_mutex_lock(&worker->lock);
  atomic_store(&worker->asleep, true);
  while (atomic_load(&worker->posted) == seen) pthread_cond_wait(&worker->wake, &worker->lock);
  atomic_store(&worker->asleep, false);
  pthread_mutex_unlock(&worker->lock);
}

static void *work(void *argument) {
  struct worker *worker = argument;
  const int thread = (int)(worker - workers);
  inside_task = true;
  for (unsigned seen = 0;; seen++) {
    wait_for_post(worker, seen);
    set_floating_point_control(pool.floating_point_control);
    run_parts(thread);
    atomic_fetch_sub_explicit(&pool.unfinished, 1, memory_order_release);
  }
  return NULL;
}

static void post(struct worker *worker) {
  atomic_fetch_add(&worker->posted, 1);
  // Sequentially consistent like the store above and the worker's two: one of us sees the other.
  if (atomic_load(&worker->asleep)) {
    pthread_mutex_lock(&worker->lock);
    pthread_cond_signal(&worker->wake);
    pthread_mutex_unlock(&worker->lock);
  }
}

// Starts workers until `threads` threads exist, and returns how many there are.
static int start_workers(int threads) {
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
  return pool.started + 1;
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

void ck_set_threads(int count) {
  const int bounded = count < 1 ? 1 : count > CK_MAX_THREADS ? CK_MAX_THREADS : count;
  atomic_store(&pool.wanted, bounded);
}

int ck_threads(void) { return atomic_load_explicit(&pool.wanted, memory_order_relaxed); }

void ck_parallel(void (*task)(void *context, int part), void *context, int parts) {
  int threads = ck_threads();
  if (threads > parts) threads = parts;
  if (threads <= 1 || inside_task || pthread_mutex_trylock(&pool.busy) != 0) {
    for (int part = 0; part < parts; part++) task(context, part);
    return;
  }
  if (pool.started + 1 < threads) {
    const int available = start_workers(threads);
    if (threads > available) threads = available;
  }
  pool.task = task;
  pool.context = context;
  pool.parts = parts;
  pool.threads = threads;
  pool.floating_point_control = floating_point_control();
  atomic_store_explicit(&pool.unfinished, threads - 1, memory_order_relaxed);
  for (int thread = 1; thread < threads; thread++) post(&workers[thread]);
  inside_task = true;
  run_parts(0);
  inside_task = false;
  wait_for_workers();
  pthread_mutex_unlock(&pool.busy);
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
  ck_parallel(run_range, &task, (int)((count + chunk - 1) / chunk));
}
