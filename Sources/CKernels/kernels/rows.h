// Softmax and cross-entropy, row by row.

#define DEFINE_ROWS(suffix, T, V)                                                               \
  struct rows_##suffix##_job {                                                                  \
    T *y, *row_logs;                                                                            \
    const T *x, *dy, *saved;                                                                    \
    const int32_t *labels;                                                                      \
    ptrdiff_t dy_stride;                                                                        \
    size_t cols;                                                                                \
  };                                                                                            \
  /* e = exp(x - max x) of a row of at most two vectors, in registers; returns the sum. */      \
  INLINE T exp_of_short_##suffix(V e[2], const T *x, size_t cols, T *max) {                     \
    const size_t first = cols < LANES(V, x) ? cols : LANES(V, x);                               \
    const V a = LOAD_SOME(V, x, first, -INFINITY);                                              \
    const V b = LOAD_SOME(V, x + first, cols - first, -INFINITY);                               \
    *max = max_##suffix##_of_lanes(LARGER(V, a, b));                                            \
    const V shift = *max;                                                                       \
    e[0] = EXP(a - shift);                                                                      \
    e[1] = EXP(b - shift);                                                                      \
    return sum_##suffix##_of_lanes(e[0] + e[1]);                                                \
  }                                                                                             \
  /* max x and sum exp(x - max) of a row; the exponentials go to y unless it is NULL. */        \
  INLINE T sum_exp_##suffix(T *y, const T *x, size_t cols, T *max) {                            \
    *max = max_##suffix##_run(x, cols);                                                         \
    const V shift = *max;                                                                       \
    V total = 0;                                                                                \
    FOR_VECTORS(LANES(V, x), 0, cols, {                                                         \
      const V v = LOAD_SOME(V, x + i, count, -INFINITY);                                        \
      const V e = EXP(v - shift);                                                               \
      if (y) PUT(y, e);                                                                         \
      total += e;                                                                               \
    });                                                                                         \
    return sum_##suffix##_of_lanes(total);                                                      \
  }                                                                                             \
  /* log sum exp(x - max) of a row. */                                                          \
  INLINE T log_sum_exp_##suffix(const T *x, size_t cols, T *max) {                              \
    V e[2];                                                                                     \
    const T total = cols <= 2 * LANES(V, x) ? exp_of_short_##suffix(e, x, cols, max)            \
                                            : sum_exp_##suffix(NULL, x, cols, max);             \
    return LOG_OF_ONE(total);                                                                   \
  }                                                                                             \
                                                                                                \
  static void softmax_##suffix##_rows(const void *context, size_t begin, size_t end) {          \
    const struct rows_##suffix##_job job = *(const struct rows_##suffix##_job *)context;        \
    const size_t cols = job.cols;                                                               \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *x = job.x + r * cols;                                                            \
      T *y = job.y + r * cols;                                                                  \
      T max;                                                                                    \
      if (cols <= 2 * LANES(V, x)) {                                                            \
        const size_t first = cols < LANES(V, x) ? cols : LANES(V, x);                           \
        V e[2];                                                                                 \
        const V scale = 1 / exp_of_short_##suffix(e, x, cols, &max);                            \
        STORE_SOME(y, first, e[0] * scale);                                                     \
        STORE_SOME(y + first, cols - first, e[1] * scale);                                      \
      } else {                                                                                  \
        const V scale = 1 / sum_exp_##suffix(y, x, cols, &max);                                 \
        FOR_VECTORS(LANES(V, y), 0, cols, PUT(y, GET(V, y) * scale););                          \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  static void softmax_##suffix(T *y, const T *x, size_t rows, size_t cols) {                    \
    const struct rows_##suffix##_job job = {.y = y, .x = x, .cols = cols};                      \
    for_rows(softmax_##suffix##_rows, &job, rows, cols, GRAIN_MATHEMATICS);                     \
  }                                                                                             \
                                                                                                \
  static void softmax_backward_##suffix##_rows(const void *context, size_t begin, size_t end) { \
    const struct rows_##suffix##_job job = *(const struct rows_##suffix##_job *)context;        \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *dy = job.dy + r * job.cols, *saved = job.saved + r * job.cols;                   \
      V product = 0;                                                                            \
      FOR_VECTORS(LANES(V, dy), 0, job.cols, product += GET(V, dy) * GET(V, saved););           \
      const V total = sum_##suffix##_of_lanes(product);                                         \
      FOR_VECTORS(LANES(V, dy), 0, job.cols,                                                    \
                  PUT(job.y + r * job.cols, GET(V, saved) * (GET(V, dy) - total)););            \
    }                                                                                           \
  }                                                                                             \
  static void softmax_backward_##suffix(T *dx, const T *dy, const T *y, size_t rows,            \
                                        size_t cols) {                                          \
    const struct rows_##suffix##_job job = {.y = dx, .dy = dy, .saved = y, .cols = cols};       \
    for_rows(softmax_backward_##suffix##_rows, &job, rows, cols, GRAIN_MEMORY);                 \
  }                                                                                             \
                                                                                                \
  static void log_softmax_##suffix##_rows(const void *context, size_t begin, size_t end) {      \
    const struct rows_##suffix##_job job = *(const struct rows_##suffix##_job *)context;        \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *x = job.x + r * job.cols;                                                        \
      T max;                                                                                    \
      const V log_sum = log_sum_exp_##suffix(x, job.cols, &max);             \
      FOR_VECTORS(LANES(V, x), 0, job.cols,                                                     \
                  PUT(job.y + r * job.cols, (GET(V, x) - max) - log_sum););                     \
    }                                                                                           \
  }                                                                                             \
  static void log_softmax_##suffix(T *y, const T *x, size_t rows, size_t cols) {                \
    const struct rows_##suffix##_job job = {.y = y, .x = x, .cols = cols};                      \
    for_rows(log_softmax_##suffix##_rows, &job, rows, cols, GRAIN_MATHEMATICS);                 \
  }                                                                                             \
                                                                                                \
  static void log_softmax_backward_##suffix##_rows(const void *context, size_t begin,           \
                                                   size_t end) {                                \
    const struct rows_##suffix##_job job = *(const struct rows_##suffix##_job *)context;        \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *dy = job.dy + r * job.cols, *saved = job.saved + r * job.cols;                   \
      const V total = sum_##suffix##_run(dy, job.cols);                                         \
      FOR_VECTORS(LANES(V, dy), 0, job.cols, {                                                  \
        const V y = GET(V, saved);                                                              \
        PUT(job.y + r * job.cols, GET(V, dy) - EXP(y) * total);                                 \
      });                                                                                       \
    }                                                                                           \
  }                                                                                             \
  static void log_softmax_backward_##suffix(T *dx, const T *dy, const T *y, size_t rows,        \
                                            size_t cols) {                                      \
    const struct rows_##suffix##_job job = {.y = dx, .dy = dy, .saved = y, .cols = cols};       \
    for_rows(log_softmax_backward_##suffix##_rows, &job, rows, cols, GRAIN_MATHEMATICS);        \
  }                                                                                             \
                                                                                                \
  static void cross_entropy_##suffix##_rows(const void *context, size_t begin, size_t end) {    \
    const struct rows_##suffix##_job job = *(const struct rows_##suffix##_job *)context;        \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *x = job.x + r * job.cols;                                                        \
      T max;                                                                                    \
      const T log_sum = log_sum_exp_##suffix(x, job.cols, &max);             \
      job.row_logs[2 * r] = max;                                                                \
      job.row_logs[2 * r + 1] = log_sum;                                                        \
      job.y[r] = (max - x[job.labels[r]]) + log_sum;                                            \
    }                                                                                           \
  }                                                                                             \
  static void cross_entropy_##suffix(T *losses, T *row_logs, const T *x,                     \
                                     const int32_t *labels, size_t rows, size_t cols) {         \
    const struct rows_##suffix##_job job = {                                                    \
        .y = losses, .row_logs = row_logs, .x = x, .labels = labels, .cols = cols};       \
    for_rows(cross_entropy_##suffix##_rows, &job, rows, cols, GRAIN_MATHEMATICS);               \
  }                                                                                             \
                                                                                                \
  static void cross_entropy_backward_##suffix##_rows(const void *context, size_t begin,         \
                                                     size_t end) {                              \
    const struct rows_##suffix##_job job = *(const struct rows_##suffix##_job *)context;        \
    for (size_t r = begin; r < end; r++) {                                                      \
      const T *x = job.x + r * job.cols;                                                        \
      T *dx = job.y + r * job.cols;                                                             \
      const V max = job.saved[2 * r], log_sum = job.saved[2 * r + 1];                           \
      const V dy = job.dy[(ptrdiff_t)r * job.dy_stride];                                        \
      const T at_label = EXP_OF_ONE((x[job.labels[r]] - job.saved[2 * r]) - job.saved[2 * r + 1]); \
      FOR_VECTORS(LANES(V, x), 0, job.cols, {                                                   \
        const V v = GET(V, x);                                                                  \
        PUT(dx, dy * EXP((v - max) - log_sum));                                                 \
      });                                                                                       \
      dx[job.labels[r]] = dy[0] * (at_label - 1);                                               \
    }                                                                                           \
  }                                                                                             \
  static void cross_entropy_backward_##suffix(T *dx, const T *dy, ptrdiff_t dy_stride,          \
                                              const T *x, const T *row_logs,                 \
                                              const int32_t *labels, size_t rows,               \
                                              size_t cols) {                                    \
    const struct rows_##suffix##_job job = {.y = dx,                                            \
                                            .x = x,                                             \
                                            .dy = dy,                                           \
                                            .saved = row_logs,                                  \
                                            .labels = labels,                                   \
                                            .dy_stride = dy_stride,                             \
                                            .cols = cols};                                      \
    for_rows(cross_entropy_backward_##suffix##_rows, &job, rows, cols, GRAIN_MATHEMATICS);      \
  }
DEFINE_ROWS(f32, float, vf)
DEFINE_ROWS(f64, double, vd)
