// Jobs that are claimed by whichever thread is free, and memory of each thread's own.
#pragma once

constexpr INLINE size_t larger(size_t a, size_t b) { return a > b ? a : b; }
constexpr INLINE ptrdiff_t at_least(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
constexpr INLINE ptrdiff_t at_most(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }
template <typename I> constexpr INLINE I divide_up(I a, I b) { return (a + b - 1) / b; }

// Calls body(job, slot) for every job in 0..<count. `slot` is less than `threads` and tells the threads
// apart, for scratch memory. Results must not depend on which thread runs a job.
template <typename F> INLINE void parallel_jobs(size_t count, size_t threads, const F &body) {
  if (count <= 1 || threads == 1) {
    for (size_t job = 0; job < count; job++) body(job, (size_t)0);
    return;
  }
  struct Claims {
    const F *body;
    size_t next, count;
  } claims = {&body, 0, count};
  void (*const run)(void *, int) = [](void *context, int slot) {
    Claims *claims = (Claims *)context;
    for (;;) {
      const size_t job = __atomic_fetch_add(&claims->next, 1, __ATOMIC_RELAXED);
      if (job >= claims->count) return;
      (*claims->body)(job, (size_t)slot);
    }
  };
  ck_parallel_loop(run, &claims, (int)smaller(threads, count), (const void *)run, count);
}

// Hands out parts of a workspace, aligned to cache lines. With no memory it only counts.
struct Workspace {
  char *memory = NULL;
  size_t used = 0;

  template <typename T> T *take(size_t count) {
    T *part = (T *)(memory + used);
    used += (count * sizeof(T) + 127) / 128 * 128;
    return part;
  }
};

// Scratch memory of every thread, at the end of a workspace: what the constructor of Scratch takes.
template <typename Scratch, typename... A> void take_scratch(Workspace &w, size_t threads, A... a) {
  for (size_t i = 0; i < threads; i++) Scratch scratch(w, a...);
}
template <typename Scratch, typename... A> Scratch scratch_of(Workspace rest, size_t slot, A... a) {
  for (size_t i = 0; i < slot; i++) Scratch skipped(rest, a...);
  return Scratch(rest, a...);
}
