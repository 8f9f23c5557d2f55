// What a processor and its memory can do at most, to be timed.
#pragma once

// Enough chains to hide the latency of a multiply-add with two units, and few enough for the registers.
// All stay between 1 and 2, so that no number is denormal.
template <typename T> double multiply_add_chains(T *y, size_t rounds) {
  constexpr size_t chains = VECTOR_BYTES == 64 ? 16 : 12;
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

template <typename T> void triad(T *y, const T *a, const T *b, size_t n, double s) {
  const auto factor = Number<T>(s);
  map(y, a, b, n, GRAIN_MEMORY, [=](auto a, auto b) { return a + factor * b; });
}
KERNEL(triad, float)
