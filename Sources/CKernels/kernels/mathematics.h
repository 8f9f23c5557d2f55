// Functions of vectors. Those of float are polynomials of our own, those of double the C library's.

// Chooses between the float and the double version of a function by its argument.
#define BY_TYPE(name, x) _Generic((x), vf: name##_vf, vd: name##_vd)(x)
#define EXP(x) BY_TYPE(exp, x)
#define LOG(x) BY_TYPE(log, x)
#define SIGMOID(x) BY_TYPE(sigmoid, x)
#define LOG1P_EXP_NEGATIVE(x) BY_TYPE(log1p_exp_negative, x)

// Of one number.
#define EXP_OF_ONE(x) _Generic((x), float: exp_vf((vf)(float)(x))[0], double: exp(x))
#define LOG_OF_ONE(x) _Generic((x), float: log_vf((vf)(float)(x))[0], double: log(x))

// f of every lane.
#define LANEWISE(f, x)                                                             \
  ({                                                                               \
    __typeof__(x) lanes_ = (x);                                                    \
    for (size_t l_ = 0; l_ < sizeof lanes_ / sizeof lanes_[0]; l_++) lanes_[l_] = f(lanes_[l_]); \
    lanes_;                                                                        \
  })

INLINE vd exp_vd(vd x) { return LANEWISE(exp, x); }
INLINE vd log_vd(vd x) { return LANEWISE(log, x); }
INLINE vd sin_vd(vd x) { return LANEWISE(sin, x); }
INLINE vd cos_vd(vd x) { return LANEWISE(cos, x); }
INLINE vd tanh_vd(vd x) { return LANEWISE(tanh, x); }

// 2^n for n in -126...127
INLINE vf power_of_two(vi n) { return (vf)((n + 127) << 23); }

// e^x = 2^n e^r with n = round(x / ln 2) and |r| <= ln 2 / 2.
INLINE vf exp_vf(vf x) {
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

// log x = e ln 2 + log(1 + f) with 1 + f in sqrt(1/2)...sqrt(2).
INLINE vf log_vf(vf x) {
  const vi small = x < FLT_MIN;  // denormals are scaled by 2^23 first
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
  y = x == INFINITY ? x : y;
  y = x == 0.0f ? (vf)-INFINITY : y;
  return ((x < 0.0f) | (x != x)) ? (vf)NAN : y;
}

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

// Lanes of half the vector, reduced in double precision: r = x - quadrant * pi/2.
INLINE vd reduce_angle(vd x, vl *quadrant) {
  const double rounder = 6755399441055744.0;  // 1.5 * 2^52
  const vd shifted = x * 0.63661977236758134308 + rounder;
  const vd n = shifted - rounder;
  *quadrant = (vl)shifted & 3;
  // pi/2 in two parts, the first of 33 bits, so that its product with n is exact.
  return (x - n * 1.57079632673412561417e+00) - n * 6.07710050650619224932e-11;
}

// sin(x + first_quadrant * pi/2); `far` does the angles that the reduction is not meant for.
INLINE vf sin_vf_from(vf x, int first_quadrant, float far(float)) {
  const vi near = __builtin_elementwise_abs(x) < 1e5f;
  const vf inside = near ? x : (vf)0.0f;
  vl low_quadrant, high_quadrant;
  const vd low = reduce_angle(__builtin_convertvector(inside.lo, vd), &low_quadrant);
  const vd high = reduce_angle(__builtin_convertvector(inside.hi, vd), &high_quadrant);
  vf r;
  vi quadrant;
  r.lo = __builtin_convertvector(low, half_vf);
  r.hi = __builtin_convertvector(high, half_vf);
  quadrant.lo = __builtin_convertvector(low_quadrant, half_vi);
  quadrant.hi = __builtin_convertvector(high_quadrant, half_vi);
  vf y = sin_in_quadrant(r, quadrant + first_quadrant);
  if (first_quadrant == 0) y = x == 0.0f ? x : y;  // the sign of zero
  if (__builtin_reduce_and(near) == 0) y = near ? y : LANEWISE(far, x);
  return y;
}
INLINE vf sin_vf(vf x) { return sin_vf_from(x, 0, sinf); }
INLINE vf cos_vf(vf x) { return sin_vf_from(x, 1, cosf); }

// Near zero a polynomial, elsewhere 1 - 2 / (e^2|x| + 1) with the sign of x.
INLINE vf tanh_vf(vf x) {
  const vf size = __builtin_elementwise_abs(x);
  const vf z = size * size;
  vf p = z * -5.70498872745e-3f + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const vf near = p * z * size + size;
  const vf far = 1.0f - 2.0f / (exp_vf(2.0f * size) + 1.0f);
  const vi sign = (vi)x & INT32_MIN;
  return (vf)((vi)(size < 0.625f ? near : far) | sign);
}

// e^-|x| cannot overflow: 1 / (1 + e^-x) for x >= 0, e^x / (1 + e^x) below.
#define DEFINE_SIGMOID(V)                                            \
  INLINE V sigmoid_##V(V x) {                                        \
    const V e = exp_##V(-__builtin_elementwise_abs(x));              \
    const V one = 1;                                                 \
    return (x < 0 ? e : one) / (one + e);                            \
  }
DEFINE_SIGMOID(vf)
DEFINE_SIGMOID(vd)
#undef DEFINE_SIGMOID

// log(1 + e^-|x|), accurate also when e^-|x| is tiny.
INLINE vf log1p_exp_negative_vf(vf x) {
  const vf e = exp_vf(-__builtin_elementwise_abs(x));
  const vf u = 1.0f + e;
  return log_vf(u) - ((u - 1.0f) - e) / u;
}
INLINE vd log1p_exp_negative_vd(vd x) {
  return LANEWISE(log1p, exp_vd(-__builtin_elementwise_abs(x)));
}
