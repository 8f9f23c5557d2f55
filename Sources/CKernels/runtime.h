// What the files of this target share: system headers, the thread pool's inner entry, the choice of
// the instruction set.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "CKernels.h"

#ifdef __cplusplus
extern "C" {
#endif

// Calls ck_parallel, and measures whether workers are of use to this loop: `body` is its code and `count`
// its length, which tell it apart from others.
void ck_parallel_loop(void (*task)(void *context, int part), void *context, int parts,
                      const void *body, size_t count);

// body(job, begin, end) processes elements (or rows) begin..<end.
typedef void ck_range_body(const void *job, size_t begin, size_t end);

// Processes 0..<count in one contiguous range per thread, each of at least `grain` (the last may be
// shorter). Only for work whose results do not depend on where it is cut.
void ck_parallel_range(ck_range_body *body, const void *job, size_t count, size_t grain);

enum { ISA_PLAIN, ISA_AVX2, ISA_AVX512 };
// The instruction set whose kernels are used.
int ck_chosen_isa(void);
// Whether they may multiply by AVX512_BF16's instruction.
bool ck_has_bfloat16_dot(void);

// Stops the program: `kernel` is not instantiated for `type`.
__attribute__((noreturn, cold)) void ck_unsupported(const char *kernel, ck_type type);

#ifdef __cplusplus
}
#endif
