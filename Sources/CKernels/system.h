// What the C files share: system headers, the thread pool's inner entry, the table of kernels.
#pragma once
#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "CKernels.h"
#include "kernel_list.h"

// body(job, begin, end) does elements (or rows) begin..<end of some work.
typedef void ck_range_body(const void *job, size_t begin, size_t end);

// Does 0..<count in one contiguous range per thread, each of at least `grain` (the last may be
// shorter). Only for work whose results do not depend on where it is cut.
void ck_parallel_range(ck_range_body *body, const void *job, size_t count, size_t grain);

// One pointer per kernel; one table per instruction set.
struct ck_kernels {
#define KERNEL(R, name, parameters, arguments) R(*name) parameters;
  CK_KERNELS(KERNEL)
#undef KERNEL
};
#if defined(__x86_64__)
extern const struct ck_kernels ck_kernels_avx512, ck_kernels_avx2;
#endif
extern const struct ck_kernels ck_kernels_plain;
