#define _GNU_SOURCE
#include "CSharedMemory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *map(int descriptor, size_t size) {
  void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory == MAP_FAILED) return NULL;
  // Has an effect where the system allows huge pages for shared memory, which few do.
  if (size >= (size_t)2 << 20) madvise(memory, size, MADV_HUGEPAGE);
  return memory;
}

// An anonymous file rather than one in /dev/shm, which has 64 MB in many containers, and where files
// of killed processes stay behind.
void *csm_create(size_t size, int *descriptor) {
  *descriptor = memfd_create("lockstep", MFD_CLOEXEC);
  if (*descriptor < 0) return NULL;
  void *memory = NULL;
  if (ftruncate(*descriptor, (off_t)size) == 0) memory = map(*descriptor, size);
  if (memory == NULL) {
    const int error = errno;
    close(*descriptor);
    errno = error;
  }
  return memory;
}

void *csm_open(int process, int descriptor, size_t size) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/fd/%d", process, descriptor);
  // In another PID namespace the number may be another process's, and the descriptor a pipe.
  const int own = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (own < 0) return NULL;
  struct stat information;
  void *memory = NULL;
  errno = ESTALE;
  if (fstat(own, &information) == 0 && S_ISREG(information.st_mode) &&
      (size_t)information.st_size >= size) {
    memory = map(own, size);
  }
  const int error = errno;
  close(own);
  errno = error;
  return memory;
}

void csm_unmap(void *memory, size_t size) { munmap(memory, size); }

void csm_close(int descriptor) { close(descriptor); }

static inline void pause_processor(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

uint32_t csm_arrive(struct csm_barrier *barrier, uint32_t size) {
  // The generation cannot change before this one has arrived.
  const uint32_t ticket = __atomic_load_n(&barrier->generation, __ATOMIC_RELAXED);
  if (__atomic_add_fetch(&barrier->arrived, 1, __ATOMIC_ACQ_REL) == size) {
    __atomic_store_n(&barrier->arrived, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&barrier->generation, ticket + 1, __ATOMIC_RELEASE);
  }
  return ticket;
}

bool csm_has_passed(const struct csm_barrier *barrier, uint32_t ticket, int spins) {
  do {
    if (__atomic_load_n(&barrier->generation, __ATOMIC_ACQUIRE) != ticket) return true;
    pause_processor();
  } while (spins-- > 0);
  return false;
}
