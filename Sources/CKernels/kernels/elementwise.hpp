// One result from each element, or from the elements of several arrays at the same index.
#pragma once

// ---------------------------------------------------------------- y = f(x)

template <typename T> void neg(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return decltype(v)(-wrapping(v)); });
}
KERNEL(neg, float, double, int32_t, int64_t, bfloat16)

template <typename T> void abs(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) {
    if constexpr (same<T, int32_t> || same<T, int64_t>) {
      return v < 0 ? decltype(v)(-wrapping(v)) : v;
    } else {
      return __builtin_elementwise_abs(v);
    }
  });
}
KERNEL(abs, float, double, int32_t, int64_t, bfloat16)

template <typename T> void sign(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) {
    const decltype(v) one = 1;
    return v > 0 ? one : v < 0 ? -one : v;
  });
}
KERNEL(sign, float, double, bfloat16)

template <typename T> void square(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return v * v; });
}
KERNEL(square, float, double, bfloat16)

template <typename T> void sqrt(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return __builtin_elementwise_sqrt(v); });
}
KERNEL(sqrt, float, double, bfloat16)

template <typename T> void reciprocal(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return 1 / v; });
}
KERNEL(reciprocal, float, double, bfloat16)

template <typename T> void floor(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return __builtin_elementwise_floor(v); });
}
KERNEL(floor, float, double, bfloat16)

template <typename T> void round(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return __builtin_elementwise_roundeven(v); });
}
KERNEL(round, float, double, bfloat16)

template <typename T> void exp(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return exp(v); });
}
KERNEL(exp, float, double, bfloat16)

template <typename T> void log(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return log(v); });
}
KERNEL(log, float, double, bfloat16)

template <typename T> void sin(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return sin(v); });
}
KERNEL(sin, float, double, bfloat16)

template <typename T> void cos(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return cos(v); });
}
KERNEL(cos, float, double, bfloat16)

template <typename T> void erf(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return erf(v); });
}
KERNEL(erf, float, double, bfloat16)

// ---------------------------------------------------------------- with constants

template <typename T> void clamp(T *y, const T *x, size_t n, double low, double high) {
  const auto least = Number<T>(low), most = Number<T>(high);
  map(y, x, n, GRAIN_MEMORY, [=](auto v) {
    v = v < least ? least : v;
    return v > most ? most : v;
  });
}
KERNEL(clamp, float, double, bfloat16)

template <typename T> void affine(T *y, const T *x, size_t n, double a, double b) {
  const auto factor = Number<T>(a), summand = Number<T>(b);
  map(y, x, n, GRAIN_MEMORY, [=](auto v) { return factor * v + summand; });
}
KERNEL(affine, float, double, bfloat16)

template <typename T> void pow_scalar(T *y, const T *x, size_t n, double exponent) {
  const auto e = Number<T>(exponent);
  if (e == 2) return square(y, x, n);
  if (e == -1) return reciprocal(y, x, n);
  parallel_for(n, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) put(y + i, pow(get(x + i), e));
  });
}
KERNEL(pow_scalar, float, double, bfloat16)

// ---------------------------------------------------------------- several arrays

template <typename T>
void where(T *y, const uint8_t *condition, const T *a, const T *b, size_t n) {
  typedef Bits<T> U;
  constexpr size_t width = VECTOR_BYTES / (sizeof(U) < 4 ? 4 : sizeof(U));
  const U *from_a = (const U *)a, *from_b = (const U *)b;
  U *to = (U *)y;
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<width>(begin, end, [&](size_t i, size_t count) {
      const auto c = load<uint8_t, width>(condition + i, count);
      const auto if_true = load<U, width>(from_a + i, count);
      const auto if_false = load<U, width>(from_b + i, count);
      const auto chosen = __builtin_convertvector(c != 0, VectorOf<U, width>);
      store(to + i, chosen ? if_true : if_false, count);
    });
  });
}
KERNEL(where, float, double, int32_t, int64_t, uint8_t, bfloat16)

template <typename T> void accumulate(T *y, const T *x, size_t n) {
  map(y, y, x, n, GRAIN_MEMORY, [](auto a, auto b) { return a + b; });
}
KERNEL(accumulate, float, double, bfloat16)

// The pairs are those that carry in a binary counter: term k completes as many sums as the binary
// number k ends in ones.
template <typename T> void sum_tree(T *y, const void *const *terms, size_t count, size_t n) {
  const T *const *x = (const T *const *)terms;
  if (count == 0) return;
  if (count == 2) {
    parallel_for(n, GRAIN_MEMORY, [=, a = x[0], b = x[1]](size_t begin, size_t end) {
      for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t width) {
        prefetch(a + i);
        prefetch(b + i);
        store(y + i, load(a + i, width) + load(b + i, width), width);
      });
    });
    return;
  }
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t width) {
      Vector<T> waiting[32];
      int levels = 0;
      for (size_t k = 0; k < count; k++) {
        prefetch(x[k] + i);
        Vector<T> sum = load(x[k] + i, width);
        for (size_t carry = k; carry & 1; carry >>= 1) sum = waiting[--levels] + sum;
        waiting[levels++] = sum;
      }
      Vector<T> sum = waiting[--levels];
      while (levels > 0) sum = waiting[--levels] + sum;
      store(y + i, sum, width);
    });
  });
}
KERNEL(sum_tree, float, double)

// As above, with the carries that the caller says.
template <typename T>
void sum_stacked(T *y, const void *const *terms, const uint8_t *merges, size_t count, size_t n) {
  const T *const *x = (const T *const *)terms;
  if (count == 0) return;
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t width) {
      Vector<T> waiting[32];
      int levels = 0;
      for (size_t k = 0; k < count; k++) {
        prefetch(x[k] + i);
        Vector<T> sum = load(x[k] + i, width);
        for (int left = merges[k]; left > 0; left--) sum = waiting[--levels] + sum;
        waiting[levels++] = sum;
      }
      store(y + i, waiting[0], width);
    });
  });
}
KERNEL(sum_stacked, float, double)
