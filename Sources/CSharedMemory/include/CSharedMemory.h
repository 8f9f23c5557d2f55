// Memory that the processes of one machine share, and what they do in it without locks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// ---------------------------------------------------------------- memory

// Maps `size` bytes of zeros that belong to no file, and sets `descriptor`, through which other
// processes find them. Returns NULL and sets errno when that fails.
void *csm_create(size_t size, int *descriptor);

// Maps the memory that process `process` has created under `descriptor`. Returns NULL and sets
// errno when that fails.
void *csm_open(int process, int descriptor, size_t size);

// Gives up a mapping. The memory is gone when all processes have done so or have ended.
void csm_unmap(void *memory, size_t size);
void csm_close(int descriptor);

// ---------------------------------------------------------------- meeting

// Where participants wait for each other, in shared memory; zeros to begin with.
struct csm_barrier {
  uint32_t arrived;
  uint32_t padding[15];  // arrivals shall not disturb those who look at the generation
  uint32_t generation;
};

// Says that one more has arrived and returns the ticket to wait with.
uint32_t csm_arrive(struct csm_barrier *barrier, uint32_t size);

// Whether all have arrived. Looks again for about `spins` pauses before it says no.
bool csm_has_passed(const struct csm_barrier *barrier, uint32_t ticket, int spins);

// ---------------------------------------------------------------- counting

// Publishes `value`, and all that was written before it.
void csm_publish(uint64_t *counter, uint64_t value);

// The published value; what was written before it can be read.
uint64_t csm_published(const uint64_t *counter);
