// The kernels for AVX2 with FMA: vectors of 32 bytes.
#include "system.h"
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define VECTOR_BYTES 32
#define KERNEL_TABLE ck_kernels_avx2
#include "kernels/all.h"
#pragma clang attribute pop
#endif
