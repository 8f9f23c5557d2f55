// Shows ThreadSanitizer the mutexes of Swift's module Synchronization.
//
// Where no other thread waits, our own code locks and unlocks such a mutex with atomic operations,
// which are instrumented. Where one waits, Swift's runtime does it in three functions, which are not:
// ThreadSanitizer would report what the mutex protects as a race. These replace the three.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer) && defined(__linux__)
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>
#include <stdbool.h>
#include <stdint.h>

// Methods of the struct _MutexHandle: Swift passes `self`, the address of the mutex, in a register
// of its own.
#define METHOD __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *mutex

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

METHOD void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
METHOD bool try_lock_slow(SELF) __asm__(TRY_LOCK);
METHOD void unlock_slow(SELF) __asm__(UNLOCK);

METHOD void lock_slow(uint32_t thread, SELF) {
  METHOD void (*original)(uint32_t, SELF) = dlsym(RTLD_NEXT, LOCK);
  original(thread, mutex);
  __tsan_acquire(mutex);
}

METHOD bool try_lock_slow(SELF) {
  METHOD bool (*original)(SELF) = dlsym(RTLD_NEXT, TRY_LOCK);
  const bool locked = original(mutex);
  if (locked) __tsan_acquire(mutex);
  return locked;
}

METHOD void unlock_slow(SELF) {
  METHOD void (*original)(SELF) = dlsym(RTLD_NEXT, UNLOCK);
  __tsan_release(mutex);
  original(mutex);
}
#endif
#endif
