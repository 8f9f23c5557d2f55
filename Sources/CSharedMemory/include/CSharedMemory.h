// Memory that the processes of one node share, and a barrier in it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---------------------------------------------------------------- memory

// Maps `size` bytes of zeros that belong to no file, and sets `descriptor`, under which other
// processes open them. Returns NULL and sets errno on failure.
void *csm_create(size_t size, int *descriptor);

// Maps the memory that process `process` has created under `descriptor`. Returns NULL and sets
// errno on failure.
void *csm_open(int process, int descriptor, size_t size);

// Removes a mapping. The memory is freed when all processes have done so or have ended.
void csm_unmap(void *memory, size_t size);
void csm_close(int descriptor);

// ---------------------------------------------------------------- barrier

// A barrier in shared memory; all zeros to begin with.
struct csm_barrier {
  uint32_t arrived;
  uint32_t padding[15];  // arrivals must not disturb those who read the generation
  uint32_t generation;
};

// Arrives at the barrier, as one of `size`, and returns the ticket to wait with.
uint32_t csm_arrive(struct csm_barrier *barrier, uint32_t size);

// Whether all have arrived. Looks again for about `spins` pauses before it says no.
bool csm_has_passed(const struct csm_barrier *barrier, uint32_t ticket, int spins);
