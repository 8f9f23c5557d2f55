// Mathematical functions that are used less often: mostly the C library's, lane by lane.
#pragma once

INLINE float ceil(float x) { return __builtin_ceilf(x); }
INLINE double ceil(double x) { return __builtin_ceil(x); }
INLINE float tan(float x) { return __builtin_tanf(x); }
INLINE double tan(double x) { return __builtin_tan(x); }
INLINE float asin(float x) { return __builtin_asinf(x); }
INLINE double asin(double x) { return __builtin_asin(x); }
INLINE float acos(float x) { return __builtin_acosf(x); }
INLINE double acos(double x) { return __builtin_acos(x); }
INLINE float atan(float x) { return __builtin_atanf(x); }
INLINE double atan(double x) { return __builtin_atan(x); }
INLINE float sinh(float x) { return __builtin_sinhf(x); }
INLINE double sinh(double x) { return __builtin_sinh(x); }
INLINE float cosh(float x) { return __builtin_coshf(x); }
INLINE double cosh(double x) { return __builtin_cosh(x); }
INLINE float asinh(float x) { return __builtin_asinhf(x); }
INLINE double asinh(double x) { return __builtin_asinh(x); }
INLINE float acosh(float x) { return __builtin_acoshf(x); }
INLINE double acosh(double x) { return __builtin_acosh(x); }
INLINE float atanh(float x) { return __builtin_atanhf(x); }
INLINE double atanh(double x) { return __builtin_atanh(x); }
INLINE float log1p(float x) { return __builtin_log1pf(x); }
INLINE double log1p(double x) { return __builtin_log1p(x); }
INLINE float exact_expm1(float x) { return __builtin_expm1f(x); }
INLINE double exact_expm1(double x) { return __builtin_expm1(x); }
INLINE float log2(float x) { return __builtin_log2f(x); }
INLINE double log2(double x) { return __builtin_log2(x); }
INLINE float log10(float x) { return __builtin_log10f(x); }
INLINE double log10(double x) { return __builtin_log10(x); }
INLINE float erfc(float x) { return __builtin_erfcf(x); }
INLINE double erfc(double x) { return __builtin_erfc(x); }
INLINE float lgamma(float x) { return __builtin_lgammaf(x); }
INLINE double lgamma(double x) { return __builtin_lgamma(x); }
INLINE float atan2(float y, float x) { return __builtin_atan2f(y, x); }
INLINE double atan2(double y, double x) { return __builtin_atan2(y, x); }
INLINE float fmod(float a, float b) { return __builtin_fmodf(a, b); }
INLINE double fmod(double a, double b) { return __builtin_fmod(a, b); }
INLINE float hypot(float a, float b) { return __builtin_hypotf(a, b); }
INLINE double hypot(double a, double b) { return __builtin_hypot(a, b); }

template <typename T> void ceil(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return __builtin_elementwise_ceil(v); });
}
KERNEL(ceil, float, double, bfloat16)

template <typename T> void trunc(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return __builtin_elementwise_trunc(v); });
}
KERNEL(trunc, float, double, bfloat16)

template <typename T> void rsqrt(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return 1 / __builtin_elementwise_sqrt(v); });
}
KERNEL(rsqrt, float, double, bfloat16)

template <typename T> void tan(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return tan(e); }); });
}
KERNEL(tan, float, double, bfloat16)

template <typename T> void asin(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return asin(e); }); });
}
KERNEL(asin, float, double, bfloat16)

template <typename T> void acos(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return acos(e); }); });
}
KERNEL(acos, float, double, bfloat16)

template <typename T> void atan(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return atan(e); }); });
}
KERNEL(atan, float, double, bfloat16)

template <typename T> void sinh(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return sinh(e); }); });
}
KERNEL(sinh, float, double, bfloat16)

template <typename T> void cosh(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return cosh(e); }); });
}
KERNEL(cosh, float, double, bfloat16)

template <typename T> void asinh(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return asinh(e); }); });
}
KERNEL(asinh, float, double, bfloat16)

template <typename T> void acosh(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return acosh(e); }); });
}
KERNEL(acosh, float, double, bfloat16)

template <typename T> void atanh(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return atanh(e); }); });
}
KERNEL(atanh, float, double, bfloat16)

template <typename T> void log1p(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return log1p(e); }); });
}
KERNEL(log1p, float, double, bfloat16)

template <typename T> void expm1(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) {
    return lanewise(v, [](auto e) { return exact_expm1(e); });
  });
}
KERNEL(expm1, float, double, bfloat16)

template <typename T> void log2(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return log2(e); }); });
}
KERNEL(log2, float, double, bfloat16)

template <typename T> void log10(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return log10(e); }); });
}
KERNEL(log10, float, double, bfloat16)

template <typename T> void erfc(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return erfc(e); }); });
}
KERNEL(erfc, float, double, bfloat16)

template <typename T> void lgamma(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return lanewise(v, [](auto e) { return lgamma(e); }); });
}
KERNEL(lgamma, float, double, bfloat16)

// The x with erf(x) = y: a rational approximation (P. Lea's, from "A family of rational approximations of
// the inverse error function", as in PyTorch), made exact by two steps of Newton's method.
INLINE double inverse_erf(double y) {
  const double size = __builtin_fabs(y);
  if (!(size <= 1)) return __builtin_nan("");
  if (size == 1) return __builtin_copysign(__builtin_inf(), y);
  double x;
  if (size <= 0.7) {
    const double z = y * y;
    const double p = ((-0.140543331 * z + 0.914624893) * z - 1.645349621) * z + 0.886226899;
    const double q = (((0.012229801 * z - 0.329097515) * z + 1.442710462) * z - 2.118377725) * z + 1;
    x = y * p / q;
  } else {
    const double z = __builtin_sqrt(-__builtin_log((1 - size) / 2));
    const double p = ((1.641345311 * z + 3.429567803) * z - 1.624906493) * z - 1.970840454;
    const double q = (1.637067800 * z + 3.543889200) * z + 1;
    x = __builtin_copysign(p / q, y);
  }
  const double slope = 1.1283791670955126;  // 2 / sqrt(pi)
  for (int step = 0; step < 2; step++) {
    x -= (__builtin_erf(x) - y) / (slope * __builtin_exp(-x * x));
  }
  return x;
}

template <typename T> void erfinv(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) {
    return lanewise(v, [](auto e) { return decltype(e)(inverse_erf(e)); });
  });
}
KERNEL(erfinv, float, double, bfloat16)

// The derivative of log gamma: moved to x >= 10, where the asymptotic series is exact; negative x by
// reflection.
INLINE double digamma(double x) {
  if (x == 0) return __builtin_copysign(__builtin_inf(), -x);
  if (x < 0) {
    if (x == __builtin_trunc(x)) return __builtin_nan("");
    const double fraction = x - __builtin_trunc(x), pi = 3.14159265358979323846;
    return digamma(1 - x) - pi / __builtin_tan(pi * fraction);
  }
  double y = 0;
  for (; x < 10; x++) y -= 1 / x;
  const double z = 1 / (x * x);
  double p = 1.0 / 12;
  p = p * z - 691.0 / 32760;
  p = p * z + 1.0 / 132;
  p = p * z - 1.0 / 240;
  p = p * z + 1.0 / 252;
  p = p * z - 1.0 / 120;
  p = p * z + 1.0 / 12;
  return y + __builtin_log(x) - 0.5 / x - z * p;
}

// Hurwitz' zeta function, the sum over k >= 0 of (q + k)^-s, by the formula of Euler and Maclaurin.
INLINE double hurwitz_zeta(double s, double q) {
  if (q <= 0 && q == __builtin_floor(q)) return __builtin_inf();
  double sum = 0;
  for (int k = 0; k < 12 || q < 12; k++, q++) sum += __builtin_pow(q, -s);
  const double power = __builtin_pow(q, -s);
  sum += power * q / (s - 1) + 0.5 * power;
  // The Bernoulli numbers B(2j) / (2j)!
  const double coefficients[] = {1.0 / 12,          -1.0 / 720,          1.0 / 30240,
                                 -1.0 / 1209600,    1.0 / 47900160,      -691.0 / 1307674368000.0,
                                 1.0 / 74724249600.0};
  double factor = s * power / q;
  for (int j = 0; j < 7; j++) {
    sum += coefficients[j] * factor;
    factor *= (s + 2 * j + 1) * (s + 2 * j + 2) / (q * q);
  }
  return sum;
}

// The derivative of the given order of digamma.
template <typename T> void polygamma(T *y, const T *x, size_t n, size_t order) {
  double factor = order % 2 == 0 ? -1 : 1;
  for (size_t k = 2; k <= order; k++) factor *= (double)k;
  map(y, x, n, GRAIN_MATHEMATICS, [=](auto v) {
    return lanewise(v, [=](auto e) {
      return decltype(e)(order == 0 ? digamma(e) : factor * hurwitz_zeta((double)order + 1, e));
    });
  });
}
KERNEL(polygamma, float, double, bfloat16)

// ---------------------------------------------------------------- two operands

template <typename T> void atan2(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MATHEMATICS, [](auto a, auto b) {
    return lanewise(a, b, [](auto y, auto x) { return atan2(y, x); });
  });
}
KERNEL(atan2, float, double, bfloat16)

template <typename T> void hypot(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MATHEMATICS, [](auto a, auto b) {
    return lanewise(a, b, [](auto x, auto y) { return hypot(x, y); });
  });
}
KERNEL(hypot, float, double, bfloat16)

// An integer modulo 0 is 0 here; the caller refuses it.
INLINE int32_t fmod(int32_t a, int32_t b) { return b == 0 || b == -1 ? 0 : a % b; }
INLINE int64_t fmod(int64_t a, int64_t b) { return b == 0 || b == -1 ? 0 : a % b; }

template <typename T> void fmod(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MATHEMATICS, [](auto a, auto b) {
    return lanewise(a, b, [](auto x, auto m) { return fmod(x, m); });
  });
}
KERNEL(fmod, float, double, int32_t, int64_t, bfloat16)

template <typename T> void remainder(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MATHEMATICS, [](auto a, auto b) {
    return lanewise(a, b, [](auto x, auto m) {
      const auto rest = fmod(x, m);
      return rest != 0 && (rest < 0) != (m < 0) ? decltype(rest)(rest + m) : rest;
    });
  });
}
KERNEL(remainder, float, double, int32_t, int64_t, bfloat16)
