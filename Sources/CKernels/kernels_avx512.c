// The kernels for AVX-512: vectors of 64 bytes.
#include "system.h"
#if defined(__x86_64__)
#pragma clang attribute push(                                                        \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#define VECTOR_BYTES 64
#define KERNEL_TABLE ck_kernels_avx512
#include "kernels/all.h"
#pragma clang attribute pop
#endif
