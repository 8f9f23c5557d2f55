// Chooses an instruction set before main. The kernels of that set install themselves.
#include <stdio.h>
#include <stdlib.h>

// The header's declarations become the definitions here.
#define CK_KERNEL
#include "runtime.h"

// Defined beside the kernels, which keeps a linker from leaving them out.
extern "C" {
extern const char *const ck_name_of_plain, *const ck_name_of_avx2, *const ck_name_of_avx512;
}

static int choose_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const char *limit = getenv("LOCKSTEP_ISA");
  const bool plain = limit && strcmp(limit, "plain") == 0;
  const bool at_most_avx2 = plain || (limit && strcmp(limit, "avx2") == 0);
  // These also ask whether the operating system saves the wider registers.
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && !at_most_avx2) return ISA_AVX512;
  if (has_avx2 && !plain) return ISA_AVX2;
#endif
  return ISA_PLAIN;
}

// Called by the initializers of other files, in any order.
int ck_chosen_isa(void) {
  static int chosen = -1;
  if (chosen < 0) chosen = choose_isa();
  return chosen;
}

const char *ck_isa(void) {
#if defined(__x86_64__)
  if (ck_chosen_isa() == ISA_AVX512) return ck_name_of_avx512;
  if (ck_chosen_isa() == ISA_AVX2) return ck_name_of_avx2;
#endif
  return ck_name_of_plain;
}

void ck_unsupported(const char *kernel, ck_type type) {
  const char *const names[] = {"float32", "float64", "int32", "bfloat16"};
  const bool known = type >= 0 && (size_t)type < sizeof names / sizeof *names;
  fprintf(stderr, "CKernels: %s does not support elements of type %s\n", kernel,
          known ? names[type] : "(unknown)");
  __builtin_trap();
}
