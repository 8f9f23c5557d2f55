// One result from each element, or from equal elements of several arrays.

struct unary_job {
  void *y;
  const void *x;
};

#define DEFINE_UNARY(name, T, V, grain, formula)                                   \
  static void name##_range(const void *context, size_t begin, size_t end) {        \
    const struct unary_job *job = context;                                         \
    T *y = job->y;                                                                 \
    const T *source = job->x;                                                      \
    FOR_VECTORS(LANES(V, y), begin, end, {                                         \
      const V x = GET(V, source);                                                  \
      PUT(y, (V)(formula));                                                        \
    });                                                                            \
  }                                                                                \
  static void name(T *y, const T *x, size_t n) {                                   \
    const struct unary_job job = {y, x};                                           \
    for_range(name##_range, &job, n, grain);                                       \
  }
#define DEFINE_UNARY_BOTH(name, grain, formula)           \
  DEFINE_UNARY(name##_f32, float, vf, grain, formula)     \
  DEFINE_UNARY(name##_f64, double, vd, grain, formula)
#define DEFINE_UNARY_FUNCTION(name)                                     \
  DEFINE_UNARY(name##_f32, float, vf, GRAIN_MATHEMATICS, name##_vf(x))  \
  DEFINE_UNARY(name##_f64, double, vd, GRAIN_MATHEMATICS, name##_vd(x))

DEFINE_UNARY_BOTH(neg, GRAIN_MEMORY, -x)
DEFINE_UNARY_BOTH(abs, GRAIN_MEMORY, __builtin_elementwise_abs(x))
DEFINE_UNARY_BOTH(sign, GRAIN_MEMORY, x > 0 ? 1 : x < 0 ? -1 : x)
DEFINE_UNARY_BOTH(square, GRAIN_MEMORY, x * x)
DEFINE_UNARY_BOTH(sqrt, GRAIN_MEMORY, __builtin_elementwise_sqrt(x))
DEFINE_UNARY_BOTH(reciprocal, GRAIN_MEMORY, 1 / x)
DEFINE_UNARY_BOTH(relu, GRAIN_MEMORY, x <= 0 ? 0 : x)
DEFINE_UNARY_BOTH(floor, GRAIN_MEMORY, __builtin_elementwise_floor(x))
DEFINE_UNARY_BOTH(round, GRAIN_MEMORY, __builtin_elementwise_roundeven(x))
DEFINE_UNARY_FUNCTION(exp)
DEFINE_UNARY_FUNCTION(log)
DEFINE_UNARY_FUNCTION(sin)
DEFINE_UNARY_FUNCTION(cos)
DEFINE_UNARY_FUNCTION(tanh)
DEFINE_UNARY_FUNCTION(sigmoid)
DEFINE_UNARY(neg_i32, int32_t, vi, GRAIN_MEMORY, -(vu)x)
DEFINE_UNARY(abs_i32, int32_t, vi, GRAIN_MEMORY, x < 0 ? -(vu)x : (vu)x)

// ---------------------------------------------------------------- with constants

#define DEFINE_UNARY_WITH_TWO(name, T, V, first, second, formula)                    \
  struct name##_job {                                                                \
    T *y;                                                                            \
    const T *x;                                                                      \
    T first, second;                                                                 \
  };                                                                                 \
  static void name##_range(const void *context, size_t begin, size_t end) {          \
    const struct name##_job *job = context;                                          \
    T *y = job->y;                                                                   \
    const T *source = job->x;                                                        \
    const V first = job->first, second = job->second;                                \
    FOR_VECTORS(LANES(V, y), begin, end, {                                           \
      V x = GET(V, source);                                                          \
      PUT(y, formula);                                                               \
    });                                                                              \
  }                                                                                  \
  static void name(T *y, const T *x, size_t n, T first, T second) {                  \
    const struct name##_job job = {y, x, first, second};                             \
    for_range(name##_range, &job, n, GRAIN_MEMORY);                                  \
  }
#define CLAMPED (x = x < low ? low : x, x > high ? high : x)
DEFINE_UNARY_WITH_TWO(clamp_f32, float, vf, low, high, CLAMPED)
DEFINE_UNARY_WITH_TWO(clamp_f64, double, vd, low, high, CLAMPED)
DEFINE_UNARY_WITH_TWO(affine_f32, float, vf, a, b, a * x + b)
DEFINE_UNARY_WITH_TWO(affine_f64, double, vd, a, b, a * x + b)

#define DEFINE_POW_SCALAR(suffix, T, power)                                                \
  struct pow_scalar_##suffix##_job {                                                       \
    T *y;                                                                                  \
    const T *x;                                                                            \
    T exponent;                                                                            \
  };                                                                                       \
  static void pow_scalar_##suffix##_range(const void *context, size_t begin, size_t end) { \
    const struct pow_scalar_##suffix##_job job =                                           \
        *(const struct pow_scalar_##suffix##_job *)context;                                \
    for (size_t i = begin; i < end; i++) job.y[i] = power(job.x[i], job.exponent);         \
  }                                                                                        \
  static void pow_scalar_##suffix(T *y, const T *x, size_t n, T exponent) {                \
    if (exponent == 2) {                                                                   \
      square_##suffix(y, x, n);                                                            \
    } else if (exponent == -1) {                                                           \
      reciprocal_##suffix(y, x, n);                                                        \
    } else {                                                                               \
      const struct pow_scalar_##suffix##_job job = {y, x, exponent};                       \
      for_range(pow_scalar_##suffix##_range, &job, n, GRAIN_MATHEMATICS);                  \
    }                                                                                      \
  }
DEFINE_POW_SCALAR(f32, float, powf)
DEFINE_POW_SCALAR(f64, double, pow)

// ---------------------------------------------------------------- from several arrays of n

#define DEFINE_PAIRWISE(name, T, V, grain, first, second, formula)             \
  struct name##_job {                                                          \
    T *y;                                                                      \
    const T *first, *second;                                                   \
  };                                                                           \
  static void name##_range(const void *context, size_t begin, size_t end) {    \
    const struct name##_job job = *(const struct name##_job *)context;         \
    FOR_VECTORS(LANES(V, job.y), begin, end, {                                 \
      const V first = GET(V, job.first);                                       \
      const V second = GET(V, job.second);                                     \
      PUT(job.y, (V)(formula));                                                \
    });                                                                        \
  }                                                                            \
  static void name(T *y, const T *first, const T *second, size_t n) {          \
    const struct name##_job job = {y, first, second};                          \
    for_range(name##_range, &job, n, grain);                                   \
  }
#define DEFINE_PAIRWISE_BOTH(name, grain, first, second, formula)             \
  DEFINE_PAIRWISE(name##_f32, float, vf, grain, first, second, formula)       \
  DEFINE_PAIRWISE(name##_f64, double, vd, grain, first, second, formula)

DEFINE_PAIRWISE_BOTH(relu_backward, GRAIN_MEMORY, dy, s, s > 0 ? dy : 0)
DEFINE_PAIRWISE_BOTH(sigmoid_backward, GRAIN_MEMORY, dy, s, dy * s * (1 - s))
DEFINE_PAIRWISE_BOTH(tanh_backward, GRAIN_MEMORY, dy, s, dy * (1 - s * s))

// max(log x, -100)
#define CLAMPED_LOG(x)                \
  ({                                  \
    const __auto_type log_ = LOG(x);  \
    log_ < -100 ? -100 : log_;        \
  })
DEFINE_PAIRWISE_BOTH(bce, GRAIN_MATHEMATICS, p, t,
                     -(t * CLAMPED_LOG(p) + (1 - t) * CLAMPED_LOG(1 - p)))
DEFINE_PAIRWISE_BOTH(bce_logits, GRAIN_MATHEMATICS, x, t,
                     (x < 0 ? 0 : x) - x * t + LOG1P_EXP_NEGATIVE(x))

// The same with a gradient that may be one number for all (dy_stride 0).
#define DEFINE_LOSS_BACKWARD(name, T, V, first, t, formula)                                \
  struct name##_job {                                                                      \
    T *dx;                                                                                 \
    const T *dy;                                                                           \
    ptrdiff_t dy_stride;                                                                   \
    const T *first, *t;                                                                    \
  };                                                                                       \
  static void name##_range(const void *context, size_t begin, size_t end) {                \
    const struct name##_job job = *(const struct name##_job *)context;                     \
    FOR_VECTORS(LANES(V, job.dx), begin, end, {                                            \
      const V dy = job.dy_stride == 0 ? (V)job.dy[0] : GET(V, job.dy);                     \
      const V first = GET(V, job.first);                                                   \
      const V t = GET(V, job.t);                                                           \
      PUT(job.dx, (V)(formula));                                                           \
    });                                                                                    \
  }                                                                                        \
  static void name(T *dx, const T *dy, ptrdiff_t dy_stride, const T *first, const T *t,    \
                   size_t n) {                                                             \
    const struct name##_job job = {dx, dy, dy_stride, first, t};                           \
    for_range(name##_range, &job, n, GRAIN_MATHEMATICS);                                   \
  }
#define DEFINE_LOSS_BACKWARD_BOTH(name, first, t, formula)         \
  DEFINE_LOSS_BACKWARD(name##_f32, float, vf, first, t, formula)   \
  DEFINE_LOSS_BACKWARD(name##_f64, double, vd, first, t, formula)

#define AT_LEAST(least, x)         \
  ({                               \
    const __auto_type x_ = (x);    \
    x_ < least ? least : x_;       \
  })
DEFINE_LOSS_BACKWARD_BOTH(bce_backward, p, t, dy * (p - t) / AT_LEAST(1e-12f, p * (1 - p)))
DEFINE_LOSS_BACKWARD_BOTH(bce_logits_backward, x, t, dy * (SIGMOID(x) - t))

// y[i] = condition[i] != 0 ? a[i] : b[i]
#define DEFINE_WHERE(name, T, V, condition_V, mask_V)                                          \
  struct name##_job {                                                                          \
    T *y;                                                                                      \
    const int32_t *condition;                                                                  \
    const T *a, *b;                                                                            \
  };                                                                                           \
  static void name##_range(const void *context, size_t begin, size_t end) {                    \
    const struct name##_job job = *(const struct name##_job *)context;                         \
    FOR_VECTORS(LANES(V, job.y), begin, end, {                                                 \
      const condition_V condition = GET(condition_V, job.condition);                           \
      const V a = GET(V, job.a);                                                               \
      const V b = GET(V, job.b);                                                               \
      PUT(job.y, __builtin_convertvector(condition, mask_V) != 0 ? a : b);                     \
    });                                                                                        \
  }                                                                                            \
  static void name(void *y, const int32_t *condition, const void *a, const void *b, size_t n) {\
    const struct name##_job job = {y, condition, a, b};                                        \
    for_range(name##_range, &job, n, GRAIN_MEMORY);                                            \
  }
DEFINE_WHERE(where_b32, int32_t, vi, vi, vi)
DEFINE_WHERE(where_b64, int64_t, vl, half_vi, vl)

// y[i] += x[i]
DEFINE_PAIRWISE(sum_of_two_f32, float, vf, GRAIN_MEMORY, a, b, a + b)
DEFINE_PAIRWISE(sum_of_two_f64, double, vd, GRAIN_MEMORY, a, b, a + b)
static void accumulate_f32(float *y, const float *x, size_t n) { sum_of_two_f32(y, y, x, n); }
static void accumulate_f64(double *y, const double *x, size_t n) { sum_of_two_f64(y, y, x, n); }

// The pairs are those that carry in a binary counter: term k completes as many sums as it ends in ones.
enum { MAX_LEVELS = 32 };
struct sum_tree_job {
  float *y;
  const float *const *x;
  size_t terms;
};
static void sum_tree_range(const void *context, size_t begin, size_t end) {
  const struct sum_tree_job job = *(const struct sum_tree_job *)context;
  FOR_VECTORS(F32_LANES, begin, end, {
    vf waiting[MAX_LEVELS];
    int levels = 0;
    for (size_t k = 0; k < job.terms; k++) {
      FETCH_AHEAD(job.x[k] + i);
      vf sum = GET(vf, job.x[k]);
      for (size_t carry = k; carry & 1; carry >>= 1) sum = waiting[--levels] + sum;
      waiting[levels++] = sum;
    }
    vf sum = waiting[--levels];
    while (levels > 0) sum = waiting[--levels] + sum;
    PUT(job.y, sum);
  });
}
static void sum_of_two_ahead_range(const void *context, size_t begin, size_t end) {
  const struct sum_tree_job job = *(const struct sum_tree_job *)context;
  const float *a = job.x[0], *b = job.x[1];
  FOR_VECTORS(F32_LANES, begin, end, {
    FETCH_AHEAD(a + i);
    FETCH_AHEAD(b + i);
    PUT(job.y, GET(vf, a) + GET(vf, b));
  });
}
static void sum_tree_f32(float *y, const float *const *x, size_t terms, size_t n) {
  if (terms == 2) {
    const struct sum_tree_job job = {y, x, terms};
    for_range(sum_of_two_ahead_range, &job, n, GRAIN_MEMORY);
  } else if (terms > 0) {
    const struct sum_tree_job job = {y, x, terms};
    for_range(sum_tree_range, &job, n, GRAIN_MEMORY);
  }
}

// y[i] = value
#define DEFINE_FILL(name, T, V)                                              \
  struct name##_job {                                                        \
    T *y;                                                                    \
    T value;                                                                 \
  };                                                                         \
  static void name##_range(const void *context, size_t begin, size_t end) {  \
    const struct name##_job *job = context;                                  \
    T *y = job->y;                                                           \
    const V value = job->value;                                              \
    FOR_VECTORS(LANES(V, y), begin, end, PUT(y, value););                    \
  }                                                                          \
  static void name(T *y, size_t n, T value) {                                \
    const struct name##_job job = {y, value};                                \
    for_range(name##_range, &job, n, GRAIN_MEMORY);                          \
  }
DEFINE_FILL(fill_f32, float, vf)
DEFINE_FILL(fill_f64, double, vd)
DEFINE_FILL(fill_i32, int32_t, vi)

// ---------------------------------------------------------------- conversions

#define DEFINE_CONVERSION(name, T, TV, S, SV, formula)                                    \
  static void name##_range(const void *context, size_t begin, size_t end) {               \
    const struct unary_job *job = context;                                                \
    T *y = job->y;                                                                        \
    const S *source = job->x;                                                             \
    FOR_VECTORS(sizeof(TV) / sizeof(T), begin, end, {                                     \
      const SV x = GET(SV, source);                                                       \
      PUT(y, formula);                                                                    \
    });                                                                                   \
  }                                                                                       \
  static void name(T *y, const S *x, size_t n) {                                          \
    const struct unary_job job = {y, x};                                                  \
    for_range(name##_range, &job, n, GRAIN_MEMORY);                                       \
  }
#define CONVERTED(V) __builtin_convertvector(x, V)
DEFINE_CONVERSION(convert_f32_f64, double, vd, float, half_vf, CONVERTED(vd))
DEFINE_CONVERSION(convert_f64_f32, float, half_vf, double, vd, CONVERTED(half_vf))
DEFINE_CONVERSION(convert_i32_f32, float, vf, int32_t, vi, CONVERTED(vf))
DEFINE_CONVERSION(convert_i32_f64, double, vd, int32_t, half_vi, CONVERTED(vd))

// Brought into range before it is converted: out of range the conversion is undefined.
INLINE vi saturated_vf(vf x) {
  const vf inside = x >= 0x1p31f ? 0 : x < -0x1p31f ? -0x1p31f : x != x ? 0 : x;
  const vi y = __builtin_convertvector(inside, vi);
  return x >= 0x1p31f ? (vi)INT32_MAX : y;
}
INLINE half_vi saturated_vd(vd x) {
  const vd inside = x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x != x ? 0 : x;
  return __builtin_convertvector(inside, half_vi);
}
DEFINE_CONVERSION(convert_f32_i32, int32_t, vi, float, vf, saturated_vf(x))
DEFINE_CONVERSION(convert_f64_i32, int32_t, half_vi, double, vd, saturated_vd(x))
