// Smooth activations, normalisation, embeddings and attention.

// ---------------------------------------------------------------- the error function

// erfc(z) for z >= 0, given exp(-z^2): t q(t) exp(-z^2) with t = 1 / (1 + 0.6 z).
INLINE vf scaled_erfc_vf(vf z, vf exp_of_minus_square) {
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

INLINE vf erf_vf(vf x) {
  const vf size = __builtin_elementwise_abs(x);
  const vf z = x * x;
  vf p = z * 7.85384691e-05f - 0.000801018905f;
  p = p * z + 0.00518832728f;
  p = p * z - 0.026853811f;
  p = p * z + 0.112835854f;
  p = p * z - 0.37612626f;
  p = p * z + 1.12837911f;
  const vf far = 1.0f - scaled_erfc_vf(size, exp_vf(-z));
  const vi sign = (vi)x & INT32_MIN;
  return size < 1.0f ? p * x : (vf)((vi)far | sign);
}
INLINE vd erf_vd(vd x) { return LANEWISE(erf, x); }

// The normal distribution's P(X <= x).
INLINE vf normal_cdf_vf(vf x) {
  const vf size = __builtin_elementwise_abs(x);
  const vf tail = 0.5f * scaled_erfc_vf(size * 0.707106781f, exp_vf(x * x * -0.5f));
  return x < 0.0f ? tail : 1.0f - tail;
}
INLINE vd normal_cdf_vd(vd x) {
  x *= -0.70710678118654752440;
  return 0.5 * LANEWISE(erfc, x);
}

// e^x - 1: the error of u = e^x cancels in (u - 1) x / log u.
INLINE vf expm1_vf(vf x) {
  const vf u = exp_vf(x);
  const vf y = (u - 1.0f) * (x / log_vf(u));
  return u == 1.0f ? x : u == 0.0f ? (vf)-1.0f : y;
}
INLINE vd expm1_vd(vd x) { return LANEWISE(expm1, x); }

// ---------------------------------------------------------------- activations

// Each with its derivative.
#define DEFINE_SMOOTH(T, V)                                                              \
  INLINE V gelu_##V(V x) { return x * normal_cdf_##V(x); }                               \
  INLINE V gelu_slope_##V(V x) {                                                         \
    return normal_cdf_##V(x) + x * (exp_##V(x * x * (T)-0.5) * (T)0.39894228040143267794); \
  }                                                                                      \
  /* 1/2 (1 + tanh u) = sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3). */        \
  INLINE V gelu_gate_##V(V x) {                                                          \
    return sigmoid_##V(x * (x * x * (T)0.044715 + 1) * (T)1.5957691216057307117);        \
  }                                                                                      \
  INLINE V gelu_tanh_##V(V x) { return x * gelu_gate_##V(x); }                           \
  INLINE V gelu_tanh_slope_##V(V x) {                                                    \
    const V s = gelu_gate_##V(x);                                                        \
    const V inner = (x * x * (T)0.134145 + 1) * (T)1.5957691216057307117;                \
    return s + x * s * (1 - s) * inner;                                                  \
  }                                                                                      \
  INLINE V silu_##V(V x) { return x * sigmoid_##V(x); }                                  \
  INLINE V silu_slope_##V(V x) {                                                         \
    const V s = sigmoid_##V(x);                                                          \
    return s * (1 + x * (1 - s));                                                        \
  }                                                                                      \
  INLINE V softplus_##V(V x) { return (x <= 0 ? 0 : x) + log1p_exp_negative_##V(x); }    \
  INLINE V softplus_slope_##V(V x) { return sigmoid_##V(x); }
DEFINE_SMOOTH(float, vf)
DEFINE_SMOOTH(double, vd)

DEFINE_UNARY_FUNCTION(erf)
#define DEFINE_SMOOTH_KERNELS(name)                                                             \
  DEFINE_UNARY_FUNCTION(name)                                                                   \
  DEFINE_PAIRWISE(name##_backward_f32, float, vf, GRAIN_MATHEMATICS, dy, s,                     \
                  dy * name##_slope_vf(s))                                                      \
  DEFINE_PAIRWISE(name##_backward_f64, double, vd, GRAIN_MATHEMATICS, dy, s,                    \
                  dy * name##_slope_vd(s))
DEFINE_SMOOTH_KERNELS(gelu)
DEFINE_SMOOTH_KERNELS(gelu_tanh)
DEFINE_SMOOTH_KERNELS(silu)
DEFINE_SMOOTH_KERNELS(softplus)

// y = f(x, c) and dx = g(dy, x, c).
#define DEFINE_WITH_CONSTANT(name, T, V, forward, backward)                                     \
  struct name##_job {                                                                           \
    T *y;                                                                                       \
    const T *dy, *x;                                                                            \
    T c;                                                                                        \
  };                                                                                            \
  static void name##_range(const void *context, size_t begin, size_t end) {                     \
    const struct name##_job job = *(const struct name##_job *)context;                          \
    const V c = job.c;                                                                          \
    if (job.dy) {                                                                               \
      FOR_VECTORS(LANES(V, job.y), begin, end, {                                                \
        const V x = GET(V, job.x);                                                              \
        const V dy = GET(V, job.dy);                                                            \
        PUT(job.y, (V)(backward));                                                              \
      });                                                                                       \
    } else {                                                                                    \
      FOR_VECTORS(LANES(V, job.y), begin, end, {                                                \
        const V x = GET(V, job.x);                                                              \
        PUT(job.y, (V)(forward));                                                               \
      });                                                                                       \
    }                                                                                           \
  }
#define DEFINE_WITH_CONSTANT_BOTH(name, suffix, T, V, forward, backward)                        \
  DEFINE_WITH_CONSTANT(name##_##suffix, T, V, forward, backward)                                \
  static void name##_##suffix(T *y, const T *x, size_t n, T c) {                                \
    const struct name##_##suffix##_job job = {y, NULL, x, c};                                   \
    for_range(name##_##suffix##_range, &job, n, GRAIN_MATHEMATICS);                             \
  }                                                                                             \
  static void name##_backward_##suffix(T *dx, const T *dy, const T *x, size_t n, T c) {         \
    const struct name##_##suffix##_job job = {dx, dy, x, c};                                    \
    for_range(name##_##suffix##_range, &job, n, GRAIN_MATHEMATICS);                             \
  }
DEFINE_WITH_CONSTANT_BOTH(leaky_relu, f32, float, vf, x > 0 ? x : c * x, x > 0 ? dy : c * dy)
DEFINE_WITH_CONSTANT_BOTH(leaky_relu, f64, double, vd, x > 0 ? x : c * x, x > 0 ? dy : c * dy)
DEFINE_WITH_CONSTANT_BOTH(elu, f32, float, vf, x > 0 ? x : c * expm1_vf(x),
                          x > 0 ? dy : dy * c * exp_vf(x))
DEFINE_WITH_CONSTANT_BOTH(elu, f64, double, vd, x > 0 ? x : c * expm1_vd(x),
                          x > 0 ? dy : dy * c * exp_vd(x))

// ---------------------------------------------------------------- normalisation

#define DEFINE_NORMALIZATION(suffix, T, V)                                                      \
  struct normalization_##suffix##_job {                                                         \
    T *y, *mean, *spread;                                                                       \
    const T *dy, *x, *center, *scale, *shift, *slope;                                           \
    size_t rows, cols, channels;                                                                \
    T epsilon;                                                                                  \
  };                                                                                            \
  /* The sum of (x - mean)^2. */                                                                \
  INLINE T deviation_##suffix(const T *x, T mean, size_t n) {                                   \
    V total = 0;                                                                                \
    FOR_VECTORS(LANES(V, x), 0, n, {                                                            \
      const V d = LOAD_SOME(V, x + i, count, mean) - mean;                                      \
      total += d * d;                                                                           \
    });                                                                                         \
    return sum_##suffix##_of_lanes(total);                                                      \
  }                                                                                             \
                                                                                                \
  static void layer_norm_##suffix##_rows(const void *context, size_t begin, size_t end) {       \
    const struct normalization_##suffix##_job job =                                             \
        *(const struct normalization_##suffix##_job *)context;                                  \
    const size_t cols = job.cols;                                                               \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *x = job.x + r * cols;                                                            \
      T *y = job.y + r * cols;                                                                  \
      const T mean = sum_##suffix##_run(x, cols) / (T)cols;                                     \
      const T variance = deviation_##suffix(x, mean, cols) / (T)cols;                           \
      const T scale = 1 / (T)sqrt(variance + job.epsilon);                                      \
      job.mean[r] = mean;                                                                       \
      job.spread[r] = scale;                                                                    \
      FOR_VECTORS(LANES(V, x), 0, cols, {                                                       \
        V v = (GET(V, x) - mean) * scale;                                                       \
        if (job.scale) v *= GET(V, job.scale);                                                  \
        if (job.shift) v += GET(V, job.shift);                                                  \
        PUT(y, v);                                                                              \
      });                                                                                       \
    }                                                                                           \
  }                                                                                             \
  static void layer_norm_##suffix(T *y, T *mean, T *reciprocal_deviation, const T *x,           \
                                  const T *weight, const T *bias, size_t rows, size_t cols,     \
                                  T epsilon) {                                                  \
    const struct normalization_##suffix##_job job = {.y = y,                                    \
                                                     .mean = mean,                              \
                                                     .spread = reciprocal_deviation,            \
                                                     .x = x,                                    \
                                                     .scale = weight,                           \
                                                     .shift = bias,                             \
                                                     .cols = cols,                              \
                                                     .epsilon = epsilon};                       \
    for_rows(layer_norm_##suffix##_rows, &job, rows, cols, GRAIN_MATHEMATICS);                  \
  }                                                                                             \
                                                                                                \
  static void layer_norm_backward_##suffix##_rows(const void *context, size_t begin,            \
                                                  size_t end) {                                 \
    const struct normalization_##suffix##_job job =                                             \
        *(const struct normalization_##suffix##_job *)context;                                  \
    const size_t cols = job.cols;                                                               \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *x = job.x + r * cols, *dy = job.dy + r * cols;                                   \
      T *dx = job.y + r * cols;                                                                 \
      const T mean = job.center[r], scale = job.slope[r];                                       \
      V sum = 0, product = 0;                                                                   \
      FOR_VECTORS(LANES(V, x), 0, cols, {                                                       \
        const V normalized = (LOAD_SOME(V, x + i, count, mean) - mean) * scale;                 \
        V g = GET(V, dy);                                                                       \
        if (job.scale) g *= GET(V, job.scale);                                                  \
        sum += g;                                                                               \
        product += g * normalized;                                                              \
      });                                                                                       \
      const T a = sum_##suffix##_of_lanes(sum) / (T)cols;                                       \
      const T b = sum_##suffix##_of_lanes(product) / (T)cols;                                   \
      FOR_VECTORS(LANES(V, x), 0, cols, {                                                       \
        const V normalized = (GET(V, x) - mean) * scale;                                        \
        V g = GET(V, dy);                                                                       \
        if (job.scale) g *= GET(V, job.scale);                                                  \
        PUT(dx, (g - a - normalized * b) * scale);                                              \
      });                                                                                       \
    }                                                                                           \
  }                                                                                             \
  static void layer_norm_backward_##suffix(T *dx, const T *dy, const T *x, const T *mean,       \
                                           const T *reciprocal_deviation, const T *weight,      \
                                           size_t rows, size_t cols) {                          \
    const struct normalization_##suffix##_job job = {.y = dx,                                   \
                                                     .dy = dy,                                  \
                                                     .x = x,                                    \
                                                     .center = mean,                            \
                                                     .slope = reciprocal_deviation,             \
                                                     .scale = weight,                           \
                                                     .cols = cols};                             \
    for_rows(layer_norm_backward_##suffix##_rows, &job, rows, cols, GRAIN_MATHEMATICS);         \
  }                                                                                             \
                                                                                                \
  /* Columns begin..<end, in blocks of rows so that the error stays small. */                   \
  static void layer_norm_sums_##suffix##_columns(const void *context, size_t begin,             \
                                                 size_t end) {                                  \
    const struct normalization_##suffix##_job job =                                             \
        *(const struct normalization_##suffix##_job *)context;                                  \
    FOR_VECTORS(LANES(V, job.x), begin, end, {                                                  \
      V product = 0, sum = 0;                                                                   \
      for (size_t first = 0; first < job.rows; first += BLOCK_ROWS) {                           \
        const size_t last = job.rows - first < BLOCK_ROWS ? job.rows : first + BLOCK_ROWS;      \
        V part = 0, part_sum = 0;                                                               \
        for (size_t r = first; r < last; r++) {                                                 \
          const V dy = GET(V, job.dy + r * job.cols);                                           \
          part += dy * ((GET(V, job.x + r * job.cols) - job.center[r]) * job.slope[r]);         \
          part_sum += dy;                                                                       \
        }                                                                                       \
        product += part;                                                                        \
        sum += part_sum;                                                                        \
      }                                                                                         \
      PUT(job.mean, product);                                                                   \
      PUT(job.spread, sum);                                                                     \
    });                                                                                         \
  }                                                                                             \
  static void layer_norm_sums_##suffix(T *dweight, T *dbias, const T *dy, const T *x,           \
                                       const T *mean, const T *reciprocal_deviation,            \
                                       size_t rows, size_t cols) {                              \
    const struct normalization_##suffix##_job job = {.mean = dweight,                           \
                                                     .spread = dbias,                           \
                                                     .dy = dy,                                  \
                                                     .x = x,                                    \
                                                     .center = mean,                            \
                                                     .slope = reciprocal_deviation,             \
                                                     .rows = rows,                              \
                                                     .cols = cols};                             \
    for_rows(layer_norm_sums_##suffix##_columns, &job, cols, rows, GRAIN_MEMORY);               \
  }                                                                                             \
                                                                                                \
  /* Channels begin..<end of x[rows, channels, cols]. */                                        \
  static void channel_moments_##suffix##_range(const void *context, size_t begin,               \
                                               size_t end) {                                    \
    const struct normalization_##suffix##_job job =                                             \
        *(const struct normalization_##suffix##_job *)context;                                  \
    const double n = (double)job.rows * (double)job.cols;                                       \
    const size_t step = job.channels * job.cols;                                                \
    for (size_t c = begin; c < end; c++) {                                                      \
      const T *x = job.x + c * job.cols;                                                        \
      double sum = 0, squares = 0;                                                              \
      for (size_t r = 0; r < job.rows; r++) sum += sum_##suffix##_run(x + r * step, job.cols);  \
      const T mean = (T)(sum / n);                                                              \
      for (size_t r = 0; r < job.rows; r++) {                                                   \
        squares += deviation_##suffix(x + r * step, mean, job.cols);                            \
      }                                                                                         \
      job.mean[c] = mean;                                                                       \
      job.spread[c] = (T)(squares / n);                                                         \
    }                                                                                           \
  }                                                                                             \
  static void channel_moments_##suffix(T *mean, T *variance, const T *x, size_t rows,           \
                                       size_t channels, size_t cols) {                          \
    const struct normalization_##suffix##_job job = {.mean = mean,                              \
                                                     .spread = variance,                        \
                                                     .x = x,                                    \
                                                     .rows = rows,                              \
                                                     .cols = cols,                              \
                                                     .channels = channels};                     \
    for_rows(channel_moments_##suffix##_range, &job, channels, rows * cols, GRAIN_MEMORY);      \
  }                                                                                             \
                                                                                                \
  static void channel_affine_##suffix##_rows(const void *context, size_t begin, size_t end) {   \
    const struct normalization_##suffix##_job job =                                             \
        *(const struct normalization_##suffix##_job *)context;                                  \
    for (size_t r = begin; r < end; r++) {                                                      \
      const size_t c = r % job.channels;                                                        \
      const V center = job.center[c], scale = job.scale[c];                                     \
      const V shift = job.shift ? job.shift[c] : 0;                                             \
      const T *x = job.x + r * job.cols;                                                        \
      FOR_VECTORS(LANES(V, x), 0, job.cols,                                                     \
                  PUT(job.y + r * job.cols, (GET(V, x) - center) * scale + shift););            \
    }                                                                                           \
  }                                                                                             \
  static void channel_affine_##suffix(T *y, const T *x, const T *center, const T *scale,        \
                                      const T *shift, size_t rows, size_t channels,             \
                                      size_t cols) {                                            \
    const struct normalization_##suffix##_job job = {.y = y,                                    \
                                                     .x = x,                                    \
                                                     .center = center,                          \
                                                     .scale = scale,                            \
                                                     .shift = shift,                            \
                                                     .cols = cols,                              \
                                                     .channels = channels};                     \
    for_rows(channel_affine_##suffix##_rows, &job, rows * channels, cols, GRAIN_MEMORY);        \
  }                                                                                             \
                                                                                                \
  static void channel_sums_##suffix##_range(const void *context, size_t begin, size_t end) {    \
    const struct normalization_##suffix##_job job =                                             \
        *(const struct normalization_##suffix##_job *)context;                                  \
    const size_t step = job.channels * job.cols;                                                \
    for (size_t c = begin; c < end; c++) {                                                      \
      const T center = job.center[c];                                                           \
      double sum = 0, product = 0;                                                              \
      for (size_t r = 0; r < job.rows; r++) {                                                   \
        const T *x = job.x + c * job.cols + r * step, *dy = job.dy + c * job.cols + r * step;   \
        V part = 0, part_sum = 0;                                                               \
        FOR_VECTORS(LANES(V, x), 0, job.cols, {                                                 \
          const V g = GET(V, dy);                                                               \
          part_sum += g;                                                                        \
          part += g * (LOAD_SOME(V, x + i, count, center) - center);                            \
        });                                                                                     \
        sum += sum_##suffix##_of_lanes(part_sum);                                               \
        product += sum_##suffix##_of_lanes(part);                                               \
      }                                                                                         \
      job.mean[c] = (T)sum;                                                                     \
      job.spread[c] = (T)product;                                                               \
    }                                                                                           \
  }                                                                                             \
  static void channel_sums_##suffix(T *sum, T *product, const T *dy, const T *x,                \
                                    const T *center, size_t rows, size_t channels,              \
                                    size_t cols) {                                              \
    const struct normalization_##suffix##_job job = {.mean = sum,                               \
                                                     .spread = product,                         \
                                                     .dy = dy,                                  \
                                                     .x = x,                                    \
                                                     .center = center,                          \
                                                     .rows = rows,                              \
                                                     .cols = cols,                              \
                                                     .channels = channels};                     \
    for_rows(channel_sums_##suffix##_range, &job, channels, rows * cols, GRAIN_MEMORY);         \
  }                                                                                             \
                                                                                                \
  static void channel_backward_##suffix##_rows(const void *context, size_t begin,               \
                                               size_t end) {                                    \
    const struct normalization_##suffix##_job job =                                             \
        *(const struct normalization_##suffix##_job *)context;                                  \
    for (size_t r = begin; r < end; r++) {                                                      \
      const size_t c = r % job.channels;                                                        \
      const V center = job.center[c], scale = job.scale[c];                                     \
      const V shift = job.shift[c], slope = job.slope[c];                                       \
      const T *x = job.x + r * job.cols, *dy = job.dy + r * job.cols;                           \
      FOR_VECTORS(LANES(V, x), 0, job.cols, {                                                   \
        const V distance = GET(V, x) - center;                                                  \
        PUT(job.y + r * job.cols, scale * (GET(V, dy) - shift - slope * distance));             \
      });                                                                                       \
    }                                                                                           \
  }                                                                                             \
  static void channel_backward_##suffix(T *dx, const T *dy, const T *x, const T *center,        \
                                        const T *scale, const T *shift, const T *slope,         \
                                        size_t rows, size_t channels, size_t cols) {            \
    const struct normalization_##suffix##_job job = {.y = dx,                                   \
                                                     .dy = dy,                                  \
                                                     .x = x,                                    \
                                                     .center = center,                          \
                                                     .scale = scale,                            \
                                                     .shift = shift,                            \
                                                     .slope = slope,                            \
                                                     .cols = cols,                              \
                                                     .channels = channels};                     \
    for_rows(channel_backward_##suffix##_rows, &job, rows * channels, cols, GRAIN_MEMORY);      \
  }
DEFINE_NORMALIZATION(f32, float, vf)
DEFINE_NORMALIZATION(f64, double, vd)

// ---------------------------------------------------------------- rows by index

struct gather_job {
  char *y;
  const char *x;
  const int32_t *indices;
  size_t bytes;
};
static void gather_rows_range(const void *context, size_t begin, size_t end) {
  const struct gather_job job = *(const struct gather_job *)context;
  for (size_t r = begin; r < end; r++) {
    memcpy(job.y + r * job.bytes, job.x + (size_t)job.indices[r] * job.bytes, job.bytes);
  }
}
static void gather_rows(void *y, const void *x, const int32_t *indices, size_t rows,
                        size_t bytes) {
  const struct gather_job job = {y, x, indices, bytes};
  for_rows(gather_rows_range, &job, rows, bytes / 4, GRAIN_MEMORY);
}

#define DEFINE_SCATTER(suffix, T, V)                                                            \
  struct scatter_##suffix##_job {                                                               \
    T *y;                                                                                       \
    const T *x;                                                                                 \
    const int32_t *indices;                                                                     \
    size_t rows, cols;                                                                          \
  };                                                                                            \
  /* Columns begin..<end: every thread goes through all rows in order. */                       \
  static void scatter_##suffix##_columns(const void *context, size_t begin, size_t end) {       \
    const struct scatter_##suffix##_job job = *(const struct scatter_##suffix##_job *)context;  \
    for (size_t r = 0; r < job.rows; r++) {                                                     \
      T *y = job.y + (size_t)job.indices[r] * job.cols;                                         \
      const T *x = job.x + r * job.cols;                                                        \
      FOR_VECTORS(LANES(V, y), begin, end, PUT(y, GET(V, y) + GET(V, x)););                     \
    }                                                                                           \
  }                                                                                             \
  static void scatter_add_rows_##suffix(T *y, const T *x, const int32_t *indices, size_t rows,  \
                                        size_t cols) {                                          \
    const struct scatter_##suffix##_job job = {y, x, indices, rows, cols};                      \
    for_rows(scatter_##suffix##_columns, &job, cols, rows, GRAIN_MEMORY);                       \
  }
DEFINE_SCATTER(f32, float, vf)
DEFINE_SCATTER(f64, double, vd)

// ---------------------------------------------------------------- attention

enum { ATTENTION_BLOCK = 64 };  // queries, and keys, of a tile of scores

#define DEFINE_ATTENTION(suffix, T, V)                                                          \
  struct attention_##suffix##_job {                                                             \
    T *y, *log_sum_exp, *dq, *dk, *dv, *delta;                                                  \
    const T *q, *k, *v, *dy, *result, *saved;                                                   \
    const ck_attention *shape;                                                                  \
    T scale;                                                                                    \
  };                                                                                            \
  /* How many of the `cols` keys from `key` on the query may look at. */                        \
  INLINE size_t visible_##suffix(const ck_attention *shape, size_t query, size_t key,           \
                                 size_t cols) {                                                 \
    if (!shape->causal) return cols;                                                            \
    if (query < key) return 0;                                                                  \
    return query - key + 1 < cols ? query - key + 1 : cols;                                     \
  }                                                                                             \
  /* The queries first..<first + rows of one head, key block after key block: the sum so far is \
     rescaled whenever the maximum grows. */                                                    \
  static void attention_block_##suffix(const struct attention_##suffix##_job *job, size_t batch, \
                                       size_t head, size_t first, size_t rows) {                \
    enum { B = ATTENTION_BLOCK };                                                               \
    const ck_attention *shape = job->shape;                                                     \
    const size_t width = shape->width;                                                          \
    const T *q = job->q + HEAD_OFFSET(shape->q) + (ptrdiff_t)first * shape->q.row;              \
    const T *k = job->k + HEAD_OFFSET(shape->k), *v = job->v + HEAD_OFFSET(shape->v);           \
    T *y = job->y + HEAD_OFFSET(shape->y) + (ptrdiff_t)first * shape->y.row;                    \
    const size_t stride = (size_t)shape->y.row;                                                 \
    T *log_sum_exp = job->log_sum_exp + (batch * shape->heads + head) * shape->queries + first; \
    size_t keys = shape->keys;                                                                  \
    if (shape->causal && first + rows < keys) keys = first + rows;                              \
    T p[B * B], max[B], total[B];                                                               \
    for (size_t j = 0; j < keys; j += B) {                                                      \
      const size_t cols = keys - j < B ? keys - j : B;                                          \
      gemm_small_##suffix(p, q, k + (ptrdiff_t)j * shape->k.row, rows, cols, width,             \
                          shape->q.row, 1, 1, shape->k.row, B, 0);                              \
      for (size_t r = 0; r < rows; r++) {                                                       \
        T *s = p + r * B;                                                                       \
        const size_t visible = visible_##suffix(shape, first + r, j, cols);                     \
        if (visible > 0) {                                                                      \
          const T top = max_##suffix##_run(s, visible) * job->scale;                            \
          const T old = j == 0 ? (T)-INFINITY : max[r];                                         \
          max[r] = LARGER(T, old, top);                                                         \
          V sum = 0;                                                                            \
          FOR_VECTORS(LANES(V, s), 0, visible, {                                                \
            const V e = EXP(LOAD_SOME(V, s + i, count, -INFINITY) * job->scale - max[r]);       \
            sum += e;                                                                           \
            PUT(s, e);                                                                          \
          });                                                                                   \
          const T part = sum_##suffix##_of_lanes(sum);                                          \
          if (j == 0) {                                                                         \
            total[r] = part;                                                                    \
          } else {                                                                              \
            const T factor = EXP_OF_ONE(old - max[r]);                                          \
            total[r] = total[r] * factor + part;                                                \
            if (factor != 1) {                                                                  \
              FOR_VECTORS(LANES(V, y), 0, width,                                                \
                          PUT(y + r * stride, GET(V, y + r * stride) * factor););               \
            }                                                                                   \
          }                                                                                     \
        }                                                                                       \
        for (size_t c = visible; c < cols; c++) s[c] = 0;                                       \
      }                                                                                         \
      gemm_small_##suffix(y, p, v + (ptrdiff_t)j * shape->v.row, rows, width, cols, B, 1,       \
                          shape->v.row, 1, stride, j == 0 ? 0 : 1);                             \
    }                                                                                           \
    for (size_t r = 0; r < rows; r++) {                                                         \
      const T scale = 1 / total[r];                                                             \
      log_sum_exp[r] = max[r] + LOG_OF_ONE(total[r]);                                           \
      FOR_VECTORS(LANES(V, y), 0, width,                                                        \
                  PUT(y + r * stride, GET(V, y + r * stride) * scale););                        \
    }                                                                                           \
  }                                                                                             \
  static void attention_##suffix##_range(const void *context, size_t begin, size_t end) {       \
    const struct attention_##suffix##_job *job = context;                                       \
    const ck_attention *shape = job->shape;                                                     \
    const size_t blocks = (shape->queries + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK;             \
    for (size_t i = begin; i < end; i++) {                                                      \
      const size_t first = i % blocks * ATTENTION_BLOCK, left = shape->queries - first;         \
      attention_block_##suffix(job, i / blocks / shape->heads, i / blocks % shape->heads,       \
                               first, left < ATTENTION_BLOCK ? left : ATTENTION_BLOCK);         \
    }                                                                                           \
  }                                                                                             \
  static void attention_##suffix(T *y, T *log_sum_exp, const T *q, const T *k, const T *v,      \
                                 const ck_attention *shape, T scale) {                          \
    const struct attention_##suffix##_job job = {.y = y,                                        \
                                                 .log_sum_exp = log_sum_exp,                    \
                                                 .q = q,                                        \
                                                 .k = k,                                        \
                                                 .v = v,                                        \
                                                 .shape = shape,                                \
                                                 .scale = scale};                               \
    const size_t blocks = (shape->queries + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK;             \
    for_rows(attention_##suffix##_range, &job, shape->batches * shape->heads * blocks,          \
             shape->keys * shape->width, GRAIN_MATHEMATICS);                                    \
  }                                                                                             \
                                                                                                \
  static void attention_backward_head_##suffix(const struct attention_##suffix##_job *job,      \
                                               size_t batch, size_t head) {                     \
    enum { B = ATTENTION_BLOCK };                                                               \
    const ck_attention *shape = job->shape;                                                     \
    const size_t width = shape->width, queries = shape->queries;                                \
    const size_t number = batch * shape->heads + head;                                          \
    const T *log_sum_exp = job->saved + number * queries;                                       \
    T *delta = job->delta + number * queries;                                                   \
    const T *result = job->result + HEAD_OFFSET(shape->y), *dys = job->dy + HEAD_OFFSET(shape->y); \
    for (size_t r = 0; r < queries; r++) {                                                      \
      const T *a = result + (ptrdiff_t)r * shape->y.row, *b = dys + (ptrdiff_t)r * shape->y.row; \
      V sum = 0;                                                                                \
      FOR_VECTORS(LANES(V, a), 0, width, sum += GET(V, a) * GET(V, b););                        \
      delta[r] = sum_##suffix##_of_lanes(sum);                                                  \
    }                                                                                           \
    T p[B * B], ds[B * B];                                                                      \
    for (size_t j = 0; j < shape->keys; j += B) {                                               \
      const size_t cols = shape->keys - j < B ? shape->keys - j : B;                            \
      const T *k = job->k + HEAD_OFFSET(shape->k) + (ptrdiff_t)j * shape->k.row;                \
      const T *v = job->v + HEAD_OFFSET(shape->v) + (ptrdiff_t)j * shape->v.row;                \
      T *dk = job->dk + HEAD_OFFSET(shape->dk) + (ptrdiff_t)j * shape->dk.row;                  \
      T *dv = job->dv + HEAD_OFFSET(shape->dv) + (ptrdiff_t)j * shape->dv.row;                  \
      const size_t start = shape->causal ? j : 0;                                               \
      if (start >= queries) {                                                                   \
        for (size_t c = 0; c < cols; c++) {                                                     \
          memset(dk + (ptrdiff_t)c * shape->dk.row, 0, width * sizeof(T));                      \
          memset(dv + (ptrdiff_t)c * shape->dv.row, 0, width * sizeof(T));                      \
        }                                                                                       \
        continue;                                                                               \
      }                                                                                         \
      for (size_t first = start; first < queries; first += B) {                                 \
        const size_t rows = queries - first < B ? queries - first : B;                          \
        const T *q = job->q + HEAD_OFFSET(shape->q) + (ptrdiff_t)first * shape->q.row;          \
        T *dq = job->dq + HEAD_OFFSET(shape->dq) + (ptrdiff_t)first * shape->dq.row;            \
        const T *dy = dys + (ptrdiff_t)first * shape->y.row;                                    \
        const T adds = first == start ? 0 : 1;                                                  \
        gemm_small_##suffix(p, q, k, rows, cols, width, shape->q.row, 1, 1, shape->k.row, B, 0); \
        gemm_small_##suffix(ds, dy, v, rows, cols, width, shape->y.row, 1, 1, shape->v.row, B,  \
                            0);                                                                 \
        for (size_t r = 0; r < rows; r++) {                                                     \
          T *a = p + r * B, *b = ds + r * B;                                                    \
          const size_t visible = visible_##suffix(shape, first + r, j, cols);                   \
          const T normalizer = log_sum_exp[first + r], mean = delta[first + r];                 \
          FOR_VECTORS(LANES(V, a), 0, visible, {                                                \
            const V e = EXP(GET(V, a) * job->scale - normalizer);                               \
            PUT(a, e);                                                                          \
            PUT(b, e * (GET(V, b) - mean) * job->scale);                                        \
          });                                                                                   \
          for (size_t c = visible; c < cols; c++) a[c] = b[c] = 0;                              \
        }                                                                                       \
        gemm_small_##suffix(dv, p, dy, cols, width, rows, 1, B, shape->y.row, 1,                \
                            (size_t)shape->dv.row, adds);                                       \
        gemm_small_##suffix(dk, ds, q, cols, width, rows, 1, B, shape->q.row, 1,                \
                            (size_t)shape->dk.row, adds);                                       \
        gemm_small_##suffix(dq, ds, k, rows, width, cols, B, 1, shape->k.row, 1,                \
                            (size_t)shape->dq.row, j == 0 ? 0 : 1);                             \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  static void attention_backward_##suffix##_range(const void *context, size_t begin,            \
                                                  size_t end) {                                 \
    const struct attention_##suffix##_job *job = context;                                       \
    for (size_t i = begin; i < end; i++) {                                                      \
      attention_backward_head_##suffix(job, i / job->shape->heads, i % job->shape->heads);      \
    }                                                                                           \
  }                                                                                             \
  static void attention_backward_##suffix(T *dq, T *dk, T *dv, T *delta, const T *dy,           \
                                          const T *q, const T *k, const T *v, const T *y,       \
                                          const T *log_sum_exp, const ck_attention *shape,      \
                                          T scale) {                                            \
    const struct attention_##suffix##_job job = {.dq = dq,                                      \
                                                 .dk = dk,                                      \
                                                 .dv = dv,                                      \
                                                 .delta = delta,                                \
                                                 .q = q,                                        \
                                                 .k = k,                                        \
                                                 .v = v,                                        \
                                                 .dy = dy,                                      \
                                                 .result = y,                                   \
                                                 .saved = log_sum_exp,                          \
                                                 .shape = shape,                                \
                                                 .scale = scale};                               \
    for_rows(attention_backward_##suffix##_range, &job, shape->batches * shape->heads,          \
             shape->queries * shape->keys, GRAIN_MATHEMATICS);                                  \
  }
#define HEAD_OFFSET(strides) ((ptrdiff_t)batch * (strides).batch + (ptrdiff_t)head * (strides).head)
DEFINE_ATTENTION(f32, float, vf)
DEFINE_ATTENTION(f64, double, vd)
