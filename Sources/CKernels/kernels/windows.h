// Windows that slide over planes: the patches of a convolution, and pooling.

// The output columns begin..<end whose tap at `offset` meets a plane of `width` columns:
// 0 <= column * stride + offset < width.
struct covered {
  ptrdiff_t begin, end;
};
INLINE struct covered covered_columns(ptrdiff_t offset, ptrdiff_t stride, ptrdiff_t width,
                                      ptrdiff_t columns) {
  const ptrdiff_t begin = offset >= 0 ? 0 : (stride - 1 - offset) / stride;
  const ptrdiff_t end = offset >= width ? 0 : (width - 1 - offset) / stride + 1;
  return (struct covered){begin < columns ? begin : columns, end < columns ? end : columns};
}
INLINE ptrdiff_t at_least(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
INLINE ptrdiff_t at_most(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// Visits the taps and, for each, the runs of places that lie in one row of the output: columns
// first..<last of it, `done` places after the first. After `before` of them `meeting` ones meet the
// plane, starting at its element `from`; the others meet padding.
#define FOR_PATCH_ROWS(T, ...)                                                                  \
  do {                                                                                          \
    const ptrdiff_t kernel_area = w->kernel_height * w->kernel_width;                           \
    for (size_t t = 0; t < taps; t++) {                                                         \
      const ptrdiff_t tap = (ptrdiff_t)(first_tap + t);                                         \
      const ptrdiff_t dy = tap % kernel_area / w->kernel_width;                                 \
      const ptrdiff_t dx = tap % w->kernel_width;                                               \
      T *plane = x + tap / kernel_area * w->height * w->width;                                  \
      const ptrdiff_t shift = dx * w->dilation_x - w->padding_x;                                \
      const struct covered inside =                                                             \
          covered_columns(shift, w->stride_x, w->width, w->out_width);                          \
      size_t done = 0;                                                                          \
      ptrdiff_t row = (ptrdiff_t)first_place / w->out_width;                                    \
      ptrdiff_t first = (ptrdiff_t)first_place % w->out_width;                                  \
      while (done < places) {                                                                   \
        const ptrdiff_t last =                                                                  \
            at_most(w->out_width, first + (ptrdiff_t)(places - done));                          \
        const ptrdiff_t y = row * w->stride_y + dy * w->dilation_y - w->padding_y;              \
        const bool meets = y >= 0 && y < w->height;                                             \
        const ptrdiff_t begin = meets ? at_most(at_least(first, inside.begin), last) : last;    \
        const ptrdiff_t end = meets ? at_least(at_most(last, inside.end), begin) : last;        \
        const ptrdiff_t from = y * w->width + begin * w->stride_x + shift;                      \
        const size_t before = (size_t)(begin - first), meeting = (size_t)(end - begin);         \
        __VA_ARGS__                                                                             \
        done += (size_t)(last - first);                                                         \
        row++;                                                                                  \
        first = 0;                                                                              \
      }                                                                                         \
    }                                                                                           \
  } while (0)

#define DEFINE_PATCHES(suffix, T, V)                                                            \
  static void im2col_##suffix(T *panel, const T *x, const ck_windows *w, size_t first_tap,      \
                              size_t taps, size_t first_place, size_t places, size_t ld) {      \
    FOR_PATCH_ROWS(const T, {                                                                   \
      T *to = panel + t * ld + done;                                                            \
      const size_t all = (size_t)(last - first);                                                \
      FOR_VECTORS(LANES(V, to), 0, before, PUT(to, (V)0););                                     \
      if (meeting > 0 && w->stride_x == 1) {                                                    \
        const T *source = plane + from;                                                         \
        FOR_VECTORS(LANES(V, to), 0, meeting, PUT(to + before, GET(V, source)););               \
      } else if (meeting > 0) {                                                                 \
        const T *source = plane + from;                                                         \
        const ptrdiff_t stride = w->stride_x;                                                   \
        for (size_t i = 0; i < meeting; i++) to[before + i] = source[(ptrdiff_t)i * stride];    \
      }                                                                                         \
      FOR_VECTORS(LANES(V, to), before + meeting, all, PUT(to, (V)0););                         \
    });                                                                                         \
  }                                                                                             \
  static void col2im_##suffix(T *x, const T *panel, const ck_windows *w, size_t first_tap,      \
                              size_t taps, size_t first_place, size_t places, size_t ld) {      \
    FOR_PATCH_ROWS(T, {                                                                         \
      const T *source = panel + t * ld + done + before;                                         \
      if (meeting > 0 && w->stride_x == 1) {                                                    \
        T *to = plane + from;                                                                   \
        FOR_VECTORS(LANES(V, to), 0, meeting, PUT(to, GET(V, to) + GET(V, source)););           \
      } else if (meeting > 0) {                                                                 \
        T *to = plane + from;                                                                   \
        const ptrdiff_t stride = w->stride_x;                                                   \
        for (size_t i = 0; i < meeting; i++) to[(ptrdiff_t)i * stride] += source[i];            \
      }                                                                                         \
    });                                                                                         \
  }
DEFINE_PATCHES(f32, float, vf)
DEFINE_PATCHES(f64, double, vd)

// The first place of a window that lies inside an axis.
INLINE ptrdiff_t first_inside(ptrdiff_t start, ptrdiff_t dilation) {
  return start >= 0 ? start : start + (dilation - 1 - start) / dilation * dilation;
}

#define DEFINE_MAX_POOL(suffix, T)                                                              \
  struct max_pool_##suffix##_job {                                                              \
    T *y;                                                                                       \
    int32_t *places;                                                                            \
    const T *x;                                                                                 \
    const ck_windows *w;                                                                        \
  };                                                                                            \
  /* Takes one tap of a row of windows into account; the constant stride lets it vectorise. */  \
  INLINE void max_pool_##suffix##_tap(T *restrict best, int32_t *restrict place,                \
                                      const T *restrict x, ptrdiff_t count, ptrdiff_t stride,   \
                                      int32_t first) {                                          \
    for (ptrdiff_t i = 0; i < count; i++) {                                                     \
      const T v = x[i * stride];                                                                \
      const bool wins = (v > best[i]) | (v != v);                                               \
      best[i] = wins ? v : best[i];                                                             \
      place[i] = wins ? first + (int32_t)(i * stride) : place[i];                               \
    }                                                                                           \
  }                                                                                             \
  static void max_pool_##suffix##_planes(const void *context, size_t first, size_t last) {      \
    const struct max_pool_##suffix##_job *job = context;                                        \
    const ck_windows *w = job->w;                                                               \
    for (size_t row = first * (size_t)w->out_height; row < last * (size_t)w->out_height;        \
         row++) {                                                                               \
      const T *x = job->x + (ptrdiff_t)row / w->out_height * w->height * w->width;              \
      T *best = job->y + (ptrdiff_t)row * w->out_width;                                         \
      int32_t *place = job->places + (ptrdiff_t)row * w->out_width;                             \
      const ptrdiff_t start_y = (ptrdiff_t)row % w->out_height * w->stride_y - w->padding_y;    \
      const ptrdiff_t first_y = first_inside(start_y, w->dilation_y);                           \
      for (ptrdiff_t i = 0; i < w->out_width; i++) {                                            \
        best[i] = -INFINITY;                                                                    \
        place[i] = (int32_t)(first_y * w->width +                                               \
                             first_inside(i * w->stride_x - w->padding_x, w->dilation_x));      \
      }                                                                                         \
      for (ptrdiff_t ky = 0; ky < w->kernel_height; ky++) {                                     \
        const ptrdiff_t y = start_y + ky * w->dilation_y;                                       \
        if (y < 0 || y >= w->height) continue;                                                  \
        for (ptrdiff_t kx = 0; kx < w->kernel_width; kx++) {                                    \
          const ptrdiff_t shift = kx * w->dilation_x - w->padding_x;                            \
          const struct covered c = covered_columns(shift, w->stride_x, w->width, w->out_width); \
          if (c.begin >= c.end) continue;                                                       \
          const ptrdiff_t from = y * w->width + c.begin * w->stride_x + shift;                  \
          const ptrdiff_t count = c.end - c.begin;                                              \
          T *b = best + c.begin;                                                                \
          int32_t *p = place + c.begin;                                                         \
          if (w->stride_x == 1) {                                                               \
            max_pool_##suffix##_tap(b, p, x + from, count, 1, (int32_t)from);                   \
          } else if (w->stride_x == 2) {                                                        \
            max_pool_##suffix##_tap(b, p, x + from, count, 2, (int32_t)from);                   \
          } else {                                                                              \
            max_pool_##suffix##_tap(b, p, x + from, count, w->stride_x, (int32_t)from);         \
          }                                                                                     \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  static void max_pool_##suffix(T *y, int32_t *places, const T *x, size_t planes,               \
                                const ck_windows *w) {                                          \
    const struct max_pool_##suffix##_job job = {y, places, x, w};                               \
    for_rows(max_pool_##suffix##_planes, &job, planes, (size_t)(w->height * w->width),          \
             GRAIN_MATHEMATICS);                                                                \
  }                                                                                             \
                                                                                                \
  struct max_pool_backward_##suffix##_job {                                                     \
    T *dx;                                                                                      \
    const T *dy;                                                                                \
    const int32_t *places;                                                                      \
    size_t size, out_size;                                                                      \
  };                                                                                            \
  static void max_pool_backward_##suffix##_planes(const void *context, size_t begin,            \
                                                  size_t end) {                                 \
    const struct max_pool_backward_##suffix##_job *job = context;                               \
    for (size_t plane = begin; plane < end; plane++) {                                          \
      T *dx = job->dx + plane * job->size;                                                      \
      const T *dy = job->dy + plane * job->out_size;                                            \
      const int32_t *places = job->places + plane * job->out_size;                              \
      memset(dx, 0, job->size * sizeof(T));                                                     \
      for (size_t i = 0; i < job->out_size; i++) dx[places[i]] += dy[i];                        \
    }                                                                                           \
  }                                                                                             \
  static void max_pool_backward_##suffix(T *dx, const T *dy, const int32_t *places,             \
                                         size_t planes, size_t size, size_t out_size) {         \
    const struct max_pool_backward_##suffix##_job job = {dx, dy, places, size, out_size};       \
    for_rows(max_pool_backward_##suffix##_planes, &job, planes, size + out_size,                \
             GRAIN_MATHEMATICS);                                                                \
  }
DEFINE_MAX_POOL(f32, float)
DEFINE_MAX_POOL(f64, double)

#define DEFINE_AVERAGE_POOL(suffix, T)                                                          \
  struct average_pool_##suffix##_job {                                                          \
    T *y;                                                                                       \
    const T *x;                                                                                 \
    size_t height, width, out_height, out_width;                                                \
    const ck_span *rows, *cols;                                                                 \
  };                                                                                            \
  static void average_pool_##suffix##_planes(const void *context, size_t begin, size_t end) {   \
    const struct average_pool_##suffix##_job *job = context;                                    \
    for (size_t plane = begin; plane < end; plane++) {                                          \
      const T *x = job->x + plane * job->height * job->width;                                   \
      T *y = job->y + plane * job->out_height * job->out_width;                                 \
      for (size_t r = 0; r < job->out_height; r++) {                                            \
        const ck_span rows = job->rows[r];                                                      \
        for (size_t c = 0; c < job->out_width; c++) {                                           \
          const ck_span cols = job->cols[c];                                                    \
          const size_t run = (size_t)(cols.end - cols.begin);                                   \
          T total = 0;                                                                          \
          for (ptrdiff_t i = rows.begin; i < rows.end; i++) {                                   \
            const T *line = x + i * (ptrdiff_t)job->width + cols.begin;                         \
            if (run < 8) {                                                                      \
              for (size_t j = 0; j < run; j++) total += line[j];                                \
            } else {                                                                            \
              total += sum_##suffix##_run(line, run);                                           \
            }                                                                                   \
          }                                                                                     \
          *y++ = total / ((T)rows.divisor * (T)cols.divisor);                                   \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  static void average_pool_##suffix(T *y, const T *x, size_t planes, size_t height,             \
                                    size_t width, const ck_span *rows, size_t out_height,       \
                                    const ck_span *cols, size_t out_width) {                    \
    const struct average_pool_##suffix##_job job = {y,          x,         height, width,       \
                                                    out_height, out_width, rows,   cols};       \
    for_rows(average_pool_##suffix##_planes, &job, planes, height * width, GRAIN_MATHEMATICS);  \
  }                                                                                             \
                                                                                                \
  /* y is dx here, and x is dy. */                                                              \
  static void average_pool_backward_##suffix##_planes(const void *context, size_t begin,        \
                                                      size_t end) {                             \
    const struct average_pool_##suffix##_job *job = context;                                    \
    for (size_t plane = begin; plane < end; plane++) {                                          \
      T *dx = job->y + plane * job->height * job->width;                                        \
      const T *dy = job->x + plane * job->out_height * job->out_width;                          \
      memset(dx, 0, job->height * job->width * sizeof(T));                                      \
      for (size_t r = 0; r < job->out_height; r++) {                                            \
        const ck_span rows = job->rows[r];                                                      \
        for (size_t c = 0; c < job->out_width; c++) {                                           \
          const ck_span cols = job->cols[c];                                                    \
          const T share = *dy++ / ((T)rows.divisor * (T)cols.divisor);                          \
          for (ptrdiff_t i = rows.begin; i < rows.end; i++) {                                   \
            T *line = dx + i * (ptrdiff_t)job->width;                                           \
            for (ptrdiff_t j = cols.begin; j < cols.end; j++) line[j] += share;                 \
          }                                                                                     \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  static void average_pool_backward_##suffix(T *dx, const T *dy, size_t planes, size_t height,  \
                                             size_t width, const ck_span *rows,                 \
                                             size_t out_height, const ck_span *cols,            \
                                             size_t out_width) {                                \
    const struct average_pool_##suffix##_job job = {dx,         dy,        height, width,       \
                                                    out_height, out_width, rows,   cols};       \
    for_rows(average_pool_backward_##suffix##_planes, &job, planes, height * width,             \
             GRAIN_MATHEMATICS);                                                                \
  }
DEFINE_AVERAGE_POOL(f32, float)
DEFINE_AVERAGE_POOL(f64, double)
