// Pooling: the largest element of each window, and averages over spans.
#pragma once

// The first element of a window that lies inside an axis.
INLINE ptrdiff_t first_inside(ptrdiff_t start, ptrdiff_t dilation) {
  return start >= 0 ? start : start + (dilation - 1 - start) / dilation * dilation;
}

// Takes one kernel element of a row of windows into account; a constant stride lets it vectorize.
template <typename T>
INLINE void max_pool_element(T *__restrict best, int32_t *__restrict index, const T *__restrict x,
                             ptrdiff_t count, ptrdiff_t stride, int32_t first) {
  for (ptrdiff_t i = 0; i < count; i++) {
    const T v = x[i * stride];
    const bool wins = (v > best[i]) | (v != v);
    best[i] = wins ? v : best[i];
    index[i] = wins ? first + (int32_t)(i * stride) : index[i];
  }
}

// One row of windows, on one plane.
template <typename T>
INLINE void max_pool_row(T *best, int32_t *index, const T *x, const ck_windows *w, ptrdiff_t row) {
  const ptrdiff_t start_y = row * w->stride_y - w->padding_y;
  const ptrdiff_t first_y = first_inside(start_y, w->dilation_y);
  for (ptrdiff_t i = 0; i < w->out_width; i++) {
    best[i] = -infinity<T>;
    index[i] = (int32_t)(first_y * w->width +
                         first_inside(i * w->stride_x - w->padding_x, w->dilation_x));
  }
  for (ptrdiff_t ky = 0; ky < w->kernel_height; ky++) {
    const ptrdiff_t y = start_y + ky * w->dilation_y;
    if (y < 0 || y >= w->height) continue;
    for (ptrdiff_t kx = 0; kx < w->kernel_width; kx++) {
      const ptrdiff_t shift = kx * w->dilation_x - w->padding_x;
      const CoveredColumns c(shift, w->stride_x, w->width, w->out_width);
      if (c.begin >= c.end) continue;
      const ptrdiff_t from = y * w->width + c.begin * w->stride_x + shift;
      const ptrdiff_t count = c.end - c.begin;
      T *b = best + c.begin;
      int32_t *p = index + c.begin;
      if (w->stride_x == 1) {
        max_pool_element(b, p, x + from, count, 1, (int32_t)from);
      } else if (w->stride_x == 2) {
        max_pool_element(b, p, x + from, count, 2, (int32_t)from);
      } else {
        max_pool_element(b, p, x + from, count, w->stride_x, (int32_t)from);
      }
    }
  }
}

template <typename T>
void max_pool(T *y, int32_t *indices, const T *x, size_t planes, const ck_windows *w) {
  const ptrdiff_t plane_size = w->height * w->width;
  parallel_for_rows(planes, (size_t)plane_size, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    const size_t out_height = (size_t)w->out_height;
    for (size_t row = begin * out_height; row < end * out_height; row++) {
      const ptrdiff_t plane = (ptrdiff_t)(row / out_height);
      const ptrdiff_t to = (ptrdiff_t)row * w->out_width;
      max_pool_row(y + to, indices + to, x + plane * plane_size, w, (ptrdiff_t)(row % out_height));
    }
  });
}
KERNEL(max_pool, float, double)

template <typename T>
void max_pool_backward(T *dx, const T *dy, const int32_t *indices, size_t planes, size_t size,
                       size_t out_size) {
  parallel_for_rows(planes, size + out_size, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t plane = begin; plane < end; plane++) {
      T *to = dx + plane * size;
      const T *g = dy + plane * out_size;
      const int32_t *index = indices + plane * out_size;
      memset(to, 0, size * sizeof(T));
      for (size_t i = 0; i < out_size; i++) to[index[i]] += g[i];
    }
  });
}
KERNEL(max_pool_backward, float, double)

// ---------------------------------------------------------------- averages

template <typename T>
void average_pool(T *y, const T *x, size_t planes, size_t height, size_t width, const ck_span *rows,
                  size_t out_height, const ck_span *cols, size_t out_width) {
  parallel_for_rows(planes, height * width, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    T *to = y + begin * out_height * out_width;
    for (size_t plane = begin; plane < end; plane++) {
      const T *from = x + plane * height * width;
      for (size_t r = 0; r < out_height; r++) {
        const ck_span row = rows[r];
        for (size_t c = 0; c < out_width; c++) {
          const ck_span col = cols[c];
          const size_t run = (size_t)(col.end - col.begin);
          T total = 0;
          for (ptrdiff_t i = row.begin; i < row.end; i++) {
            const T *line = from + i * (ptrdiff_t)width + col.begin;
            if (run < 8) {
              for (size_t j = 0; j < run; j++) total += line[j];
            } else {
              total += reduce<Sum>(line, run);
            }
          }
          *to++ = total / ((T)row.divisor * (T)col.divisor);
        }
      }
    }
  });
}
KERNEL(average_pool, float, double)

template <typename T>
void average_pool_backward(T *dx, const T *dy, size_t planes, size_t height, size_t width,
                           const ck_span *rows, size_t out_height, const ck_span *cols,
                           size_t out_width) {
  parallel_for_rows(planes, height * width, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    const T *g = dy + begin * out_height * out_width;
    for (size_t plane = begin; plane < end; plane++) {
      T *to = dx + plane * height * width;
      memset(to, 0, height * width * sizeof(T));
      for (size_t r = 0; r < out_height; r++) {
        const ck_span row = rows[r];
        for (size_t c = 0; c < out_width; c++) {
          const ck_span col = cols[c];
          const size_t run = (size_t)(col.end - col.begin);
          const T share = *g++ / ((T)row.divisor * (T)col.divisor);
          for (ptrdiff_t i = row.begin; i < row.end; i++) {
            T *line = to + i * (ptrdiff_t)width + col.begin;
            if (run < lanes<T> / 2) {
              for (size_t j = 0; j < run; j++) line[j] += share;
            } else {
              for_vectors<lanes<T>>(0, run, [&](size_t j, size_t count) {
                store(line + j, load(line + j, count) + share, count);
              });
            }
          }
        }
      }
    }
  });
}
KERNEL(average_pool_backward, float, double)
