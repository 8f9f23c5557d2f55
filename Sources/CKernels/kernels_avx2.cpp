// The kernels for AVX2 with FMA: vectors of 32 bytes.
#include "runtime.h"
#if defined(__x86_64__)
#define ISA ISA_AVX2
#define VECTOR_BYTES 32
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "kernels/all.hpp"
#pragma clang attribute pop
extern "C" const char *const ck_name_of_avx2 = "avx2";
#endif
