// The kernels for AVX-512: vectors of 64 bytes.
#include "runtime.h"
#if defined(__x86_64__)
#define ISA ISA_AVX512
#define VECTOR_BYTES 64
#pragma clang attribute push(                                                        \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#include "kernels/all.hpp"
#pragma clang attribute pop
extern "C" const char *const ck_name_of_avx512 = "avx512";
#endif
