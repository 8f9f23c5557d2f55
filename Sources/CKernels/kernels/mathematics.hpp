// Functions of vectors and of single numbers. In double they are the C library's. In float, exp, log,
// sin, cos and tanh use the coefficients of Cephes' single-precision functions (S. Moshier,
// https://www.netlib.org/cephes); the polynomial of erf near zero agrees with Cephes' to five digits.
#pragma once

// f of every lane.
template <typename V, typename F> INLINE V lanewise(V x, F f) {
  for (size_t l = 0; l < sizeof x / sizeof x[0]; l++) x[l] = f(x[l]);
  return x;
}
template <typename V, typename F> INLINE V lanewise(V a, V b, F f) {
  for (size_t l = 0; l < sizeof a / sizeof a[0]; l++) a[l] = f(a[l], b[l]);
  return a;
}

INLINE double sqrt(double x) { return __builtin_sqrt(x); }
INLINE float sqrt(float x) { return __builtin_sqrtf(x); }
INLINE double pow(double x, double y) { return __builtin_pow(x, y); }
INLINE float pow(float x, float y) { return __builtin_powf(x, y); }
INLINE double next_after(double x, double y) { return __builtin_nextafter(x, y); }
INLINE float next_after(float x, float y) { return __builtin_nextafterf(x, y); }
INLINE double exp(double x) { return __builtin_exp(x); }
INLINE double log(double x) { return __builtin_log(x); }

INLINE vd exp(vd x) { return lanewise(x, [](double v) { return __builtin_exp(v); }); }
INLINE vd log(vd x) { return lanewise(x, [](double v) { return __builtin_log(v); }); }
INLINE vd sin(vd x) { return lanewise(x, [](double v) { return __builtin_sin(v); }); }
INLINE vd cos(vd x) { return lanewise(x, [](double v) { return __builtin_cos(v); }); }
INLINE vd tanh(vd x) { return lanewise(x, [](double v) { return __builtin_tanh(v); }); }
INLINE vd erf(vd x) { return lanewise(x, [](double v) { return __builtin_erf(v); }); }
INLINE vd expm1(vd x) { return lanewise(x, [](double v) { return __builtin_expm1(v); }); }

// ---------------------------------------------------------------- exponential and logarithm

// 2^n for n in -126...127
INLINE vf power_of_two(vi n) { return (vf)((n + 127) << 23); }

// e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2.
INLINE vf exp(vf x) {
  x = x > 89.0f ? (vf)89.0f : x;
  x = x < -105.0f ? (vf)-105.0f : x;
  const float rounder = 12582912.0f;  // 1.5 * 2^23: adding it leaves the integer in the low bits
  const vf shifted = x * 1.44269504088896341f + rounder;
  const vf n = shifted - rounder;
  vf r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // In two factors, so that the result may overflow or be denormal.
  const vi exponent = (vi)shifted - (vi)(vf)rounder;
  const vi half = exponent >> 1;
  return p * power_of_two(half) * power_of_two(exponent - half);
}
INLINE float exp(float x) { return exp((vf)x)[0]; }

// log x = e ln 2 + log(1 + f) with 1 + f in sqrt(1/2)...sqrt(2).
INLINE vf log(vf x) {
  const vi small = x < 0x1p-126f;  // denormals are scaled by 2^23 first
  const vi bits = (vi)(small ? x * 8388608.0f : x);
  const vi exponent = (bits - 0x3f3504f3) >> 23;
  const vf f = (vf)(bits - (exponent << 23)) - 1.0f;
  const vf e = __builtin_convertvector(exponent - (small & 23), vf);
  const vf z = f * f;
  vf p = f * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  p = p * f * z;
  p = p + e * -2.12194440e-4f;
  p = p - 0.5f * z;
  vf y = f + p + e * 0.693359375f;
  y = x == infinity<float> ? x : y;
  y = x == 0.0f ? (vf)-infinity<float> : y;
  return ((x < 0.0f) | (x != x)) ? (vf)__builtin_nanf("") : y;
}
INLINE float log(float x) { return log((vf)x)[0]; }

// e^x - 1: the error of u = e^x cancels in (u - 1) x / log u.
INLINE vf expm1(vf x) {
  const vf u = exp(x);
  const vf y = (u - 1.0f) * (x / log(u));
  return u == 1.0f ? x : u == 0.0f ? (vf)-1.0f : y;
}

// log(1 + e^-|x|), accurate also when e^-|x| is tiny.
INLINE vf log1p_exp_negative(vf x) {
  const vf e = exp(-__builtin_elementwise_abs(x));
  const vf u = 1.0f + e;
  return log(u) - ((u - 1.0f) - e) / u;
}
INLINE vd log1p_exp_negative(vd x) {
  return lanewise(exp(-__builtin_elementwise_abs(x)), [](double v) { return __builtin_log1p(v); });
}

// ---------------------------------------------------------------- circular functions

// sin and cos of |r| <= pi/4.
INLINE vf sin_of_small(vf r) {
  const vf z = r * r;
  const vf p = (z * -1.9515295891e-4f + 8.3321608736e-3f) * z - 1.6666654611e-1f;
  return p * z * r + r;
}
INLINE vf cos_of_small(vf r) {
  const vf z = r * r;
  const vf p = (z * 2.443315711809948e-5f - 1.388731625493765e-3f) * z + 4.166664568298827e-2f;
  return p * (z * z) - 0.5f * z + 1.0f;
}

// sin(r + quadrant * pi/2) for |r| <= pi/4.
INLINE vf sin_in_quadrant(vf r, vi quadrant) {
  const vf y = (quadrant & 1) != 0 ? cos_of_small(r) : sin_of_small(r);
  return (vf)((vi)y ^ ((quadrant & 2) << 30));
}

// r = x - quadrant * pi/2 in double precision.
INLINE vd reduce_angle(vd x, vl &quadrant) {
  const double rounder = 6755399441055744.0;  // 1.5 * 2^52
  const vd shifted = x * 0.63661977236758134308 + rounder;
  const vd n = shifted - rounder;
  quadrant = (vl)shifted & 3;
  // pi/2 in two parts, the first of 33 bits, so that its product with n is exact.
  return (x - n * 1.57079632673412561417e+00) - n * 6.07710050650619224932e-11;
}

// sin(x + first_quadrant * pi/2); `far` computes it for angles too large for the reduction.
template <typename F> INLINE vf sin_from(vf x, int first_quadrant, F far) {
  typedef VectorOf<float, lanes<double>> half_vf;
  typedef VectorOf<int32_t, lanes<double>> half_vi;
  const vi near = __builtin_elementwise_abs(x) < 1e5f;
  const vf inside = near ? x : (vf)0.0f;
  vl low_quadrant, high_quadrant;
  const vd low = reduce_angle(__builtin_convertvector(inside.lo, vd), low_quadrant);
  const vd high = reduce_angle(__builtin_convertvector(inside.hi, vd), high_quadrant);
  vf r;
  vi quadrant;
  r.lo = __builtin_convertvector(low, half_vf);
  r.hi = __builtin_convertvector(high, half_vf);
  quadrant.lo = __builtin_convertvector(low_quadrant, half_vi);
  quadrant.hi = __builtin_convertvector(high_quadrant, half_vi);
  vf y = sin_in_quadrant(r, quadrant + first_quadrant);
  if (first_quadrant == 0) y = x == 0.0f ? x : y;  // the sign of zero
  if (__builtin_reduce_and(near) == 0) y = near ? y : lanewise(x, far);
  return y;
}
INLINE vf sin(vf x) {
  return sin_from(x, 0, [](float v) { return __builtin_sinf(v); });
}
INLINE vf cos(vf x) {
  return sin_from(x, 1, [](float v) { return __builtin_cosf(v); });
}

// ---------------------------------------------------------------- sigmoids

// Near zero a polynomial, elsewhere 1 - 2 / (e^2|x| + 1) with the sign of x.
INLINE vf tanh(vf x) {
  const vf size = __builtin_elementwise_abs(x);
  const vf z = size * size;
  vf p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const vf near = p * z * size + size;
  const vf far = 1.0f - 2.0f / (exp(2.0f * size) + 1.0f);
  const vi sign = (vi)x & INT32_MIN;
  return (vf)((vi)(size < 0.625f ? near : far) | sign);
}

// 1 / (1 + e^-x) for x >= 0 and e^x / (1 + e^x) below: e^-|x| cannot overflow.
template <typename V> INLINE V sigmoid(V x) {
  const V e = exp(-__builtin_elementwise_abs(x));
  const V one = 1;
  return (x < 0 ? e : one) / (one + e);
}

// ---------------------------------------------------------------- the error function

// erfc(z) for z >= 0, given exp(-z^2): t q(t) exp(-z^2) with t = 1 / (1 + 0.6 z).
INLINE vf scaled_erfc(vf z, vf exp_of_minus_square) {
  const vf t = 1.0f / (1.0f + 0.6f * z);
  vf q = t * -0.0561778322f + 0.380721629f;
  q = q * t - 1.08699286f;
  q = q * t + 1.63518631f;
  q = q * t - 1.27949882f;
  q = q * t + 0.419638366f;
  q = q * t - 0.150096089f;
  q = q * t + 0.186088353f;
  q = q * t + 0.273850381f;
  q = q * t + 0.338774741f;
  q = q * t + 0.338505864f;
  return q * t * exp_of_minus_square;
}

INLINE vf erf(vf x) {
  const vf size = __builtin_elementwise_abs(x);
  const vf z = x * x;
  vf p = z * 7.85384691e-05f - 0.000801018905f;
  p = p * z + 0.00518832728f;
  p = p * z - 0.026853811f;
  p = p * z + 0.112835854f;
  p = p * z - 0.37612626f;
  p = p * z + 1.12837911f;
  const vf far = 1.0f - scaled_erfc(size, exp(-z));
  const vi sign = (vi)x & INT32_MIN;
  return size < 1.0f ? p * x : (vf)((vi)far | sign);
}

// The normal distribution's P(X <= x).
INLINE vf normal_cdf(vf x) {
  const vf size = __builtin_elementwise_abs(x);
  const vf tail = 0.5f * scaled_erfc(size * 0.707106781f, exp(x * x * -0.5f));
  return x < 0.0f ? tail : 1.0f - tail;
}
INLINE vd normal_cdf(vd x) {
  x *= -0.70710678118654752440;
  return 0.5 * lanewise(x, [](double v) { return __builtin_erfc(v); });
}
