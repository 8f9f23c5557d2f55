// The kernels for every processor: vectors of 16 bytes.
#include "system.h"
#define VECTOR_BYTES 16
#define KERNEL_TABLE ck_kernels_plain
#include "kernels/all.h"
