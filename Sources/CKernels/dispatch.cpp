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

namespace {
struct Choice {
  int isa = ISA_PLAIN;
  bool bfloat16_dot = false;
};
}  // namespace

static Choice choose() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  const char *limit = getenv("LOCKSTEP_ISA");
  const bool plain = limit && strcmp(limit, "plain") == 0;
  const bool at_most_avx2 = plain || (limit && strcmp(limit, "avx2") == 0);
  const bool at_most_avx512 = at_most_avx2 || (limit && strcmp(limit, "avx512") == 0);
  // These also ask whether the operating system saves the wider registers.
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && !at_most_avx2) {
    return {ISA_AVX512, __builtin_cpu_supports("avx512bf16") && !at_most_avx512};
  }
  if (has_avx2 && !plain) return {ISA_AVX2, false};
#endif
  return {};
}

// Called by the initializers of other files, in any order.
static const Choice &choice() {
  static const Choice chosen = choose();
  return chosen;
}
int ck_chosen_isa(void) { return choice().isa; }
bool ck_has_bfloat16_dot(void) { return choice().bfloat16_dot; }

const char *ck_isa(void) {
#if defined(__x86_64__)
  if (ck_has_bfloat16_dot()) return "avx512-bf16";
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
