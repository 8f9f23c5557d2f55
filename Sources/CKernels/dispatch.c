// Chooses an instruction set before main and forwards every public kernel to it.
#include <stdlib.h>

#include "system.h"

static const struct ck_kernels *kernels = &ck_kernels_plain;
static const char *isa = "plain";

#if defined(__x86_64__)
__attribute__((constructor)) static void choose_kernels(void) {
  __builtin_cpu_init();
  const char *wish = getenv("LOCKSTEP_ISA");
  const bool plain = wish && strcmp(wish, "plain") == 0;
  const bool at_most_avx2 = plain || (wish && strcmp(wish, "avx2") == 0);
  // These also ask whether the operating system saves the wider registers.
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  const bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  if (has_avx512 && !at_most_avx2) {
    kernels = &ck_kernels_avx512;
    isa = "avx512";
  } else if (has_avx2 && !plain) {
    kernels = &ck_kernels_avx2;
    isa = "avx2";
  }
}
#endif

const char *ck_isa(void) { return isa; }

#define KERNEL(R, name, parameters, arguments) \
  R ck_##name parameters { return kernels->name arguments; }
CK_KERNELS(KERNEL)
#undef KERNEL
