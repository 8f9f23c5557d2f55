// The kernels for AVX-512: vectors of 64 bytes. Compilers use AVX512_BF16 only where its intrinsic stands,
// behind ck_has_bfloat16_dot().
#include "runtime.h"
#if defined(__x86_64__)
#define ISA ISA_AVX512
#define VECTOR_BYTES 64
#pragma clang attribute push(                                                        \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma"))), apply_to = function)
#include "kernels/all.hpp"
#pragma clang attribute pop
extern "C" const char *const ck_name_of_avx512 = "avx512";
#endif
