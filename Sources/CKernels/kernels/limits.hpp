// What a processor and its memory can do at most, to be timed.
#pragma once

// Enough chains to hide the latency of a multiply-add with two units, and few enough for the registers.
// All stay between 1 and 2, so that no number is denormal.
constexpr size_t chains = VECTOR_BYTES == 64 ? 16 : 12;
template <typename T> double multiply_add_chains(T *y, size_t rounds) {
  const Vector<T> a = y[0], b = y[1];
  Vector<T> x[chains];
#pragma clang loop unroll(full)
  for (size_t j = 0; j < chains; j++) x[j] = 1 + T(j) / T(chains);
  for (size_t round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
    for (size_t j = 0; j < chains; j++) x[j] = x[j] * a + b;
  }
  Vector<T> sum = 0;
  for (size_t j = 0; j < chains; j++) sum += x[j];
  y[2] = sum[0];
  return 2.0 * lanes<T> * chains * double(rounds);
}
KERNEL(multiply_add_chains, float)

// The same with products of bfloat16 that are added to float32: x = x + 1 * y[0] + 1 * y[0], with the upper
// half of y[0].
template <bool dot> double pair_chains(float *y, size_t rounds) {
  vf x[chains];
  uint32_t bits;
  memcpy(&bits, y, sizeof bits);
  const vu factor = bits >> 16 | (bits & 0xffff0000u);
#pragma clang loop unroll(full)
  for (size_t j = 0; j < chains; j++) x[j] = 1 + float(j) / chains;
  for (size_t round = 0; round < rounds; round++) {
#pragma clang loop unroll(full)
    for (size_t j = 0; j < chains; j++) x[j] = multiply_add<dot>(x[j], 0x3f803f80u, factor);
  }
  vf sum = 0;
  for (size_t j = 0; j < chains; j++) sum += x[j];
  y[1] = sum[0];
  return 4.0 * lanes<float> * chains * double(rounds);
}
static double bfloat16_chains(float *y, size_t rounds) {
  return uses_dot<bfloat16>() ? pair_chains<VECTOR_BYTES == 64>(y, rounds) : pair_chains<false>(y, rounds);
}
UNTYPED_KERNEL(bfloat16_chains)

template <typename T> void triad(T *y, const T *a, const T *b, size_t n, double s) {
  const auto factor = Number<T>(s);
  map(y, a, b, n, GRAIN_MEMORY, [=](auto a, auto b) { return a + factor * b; });
}
KERNEL(triad, float)
