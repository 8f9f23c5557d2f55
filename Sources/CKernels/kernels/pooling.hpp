// Pooling: the largest element of each window, and averages over spans.
#pragma once

// The output columns begin..<end at which a kernel element at `offset` lies inside a plane of `width`
// columns: 0 <= column * stride + offset < width.
struct CoveredColumns {
  ptrdiff_t begin, end;

  CoveredColumns(ptrdiff_t offset, ptrdiff_t stride, ptrdiff_t width, ptrdiff_t columns) {
    begin = at_most(offset >= 0 ? 0 : (stride - 1 - offset) / stride, columns);
    end = at_most(offset >= width ? 0 : (width - 1 - offset) / stride + 1, columns);
  }
};

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

// ---------------------------------------------------------------- channels last

template <typename T> using Lanes = VectorOf<int32_t, lanes<T>>;

// Calls body(element, row, column) for the kernel elements of window (r, c) that meet the plane: row and
// column are those of the plane, element = row * width + column.
template <typename F>
INLINE void for_window(const ck_windows *w, ptrdiff_t r, ptrdiff_t c, F body) {
  for (ptrdiff_t i = 0; i < w->kernel_height; i++) {
    const ptrdiff_t row = r * w->stride_y + i * w->dilation_y - w->padding_y;
    if (row < 0 || row >= w->height) continue;
    for (ptrdiff_t j = 0; j < w->kernel_width; j++) {
      const ptrdiff_t column = c * w->stride_x + j * w->dilation_x - w->padding_x;
      if (column < 0 || column >= w->width) continue;
      [[clang::always_inline]] body(row * w->width + column);
    }
  }
}

template <typename T>
void max_pool_last(T *y, int32_t *indices, const T *x, size_t images, size_t channels,
                   const ck_windows *w) {
  const size_t rows = images * (size_t)w->out_height, columns = (size_t)w->out_width;
  const ptrdiff_t size = w->height * w->width;
  parallel_for_rows(rows, columns * channels, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t row = begin; row < end; row++) {
      const T *image = x + (ptrdiff_t)(row / (size_t)w->out_height) * size * (ptrdiff_t)channels;
      const ptrdiff_t r = (ptrdiff_t)(row % (size_t)w->out_height);
      for (size_t column = 0; column < columns; column++) {
        const size_t to = (row * columns + column) * channels;
        for_vectors<lanes<T>>(0, channels, [&](size_t k, size_t count) {
          Vector<T> best = -infinity<Number<T>>;
          Lanes<T> index = -1;
          for_window(w, r, (ptrdiff_t)column, [&](ptrdiff_t element) {
            const Vector<T> v = load(image + element * (ptrdiff_t)channels + k, count);
            const auto wins = (v > best) | (v != v);
            best = wins ? v : best;
            index = (__builtin_convertvector(wins, Lanes<T>) | (index < 0)) ? (int32_t)element : index;
          });
          store(y + to + k, best, count);
          store(indices + to + k, index, count);
        });
      }
    }
  });
}
KERNEL(max_pool_last, float, double, bfloat16)

template <typename T>
void max_pool_last_backward(T *dx, const T *dy, const int32_t *indices, size_t images, size_t channels,
                            const ck_windows *w) {
  const size_t size = (size_t)(w->height * w->width) * channels;
  const size_t out_size = (size_t)(w->out_height * w->out_width) * channels;
  parallel_for_rows(images, size, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t image = begin; image < end; image++) {
      T *to = dx + image * size;
      memset(to, 0, size * sizeof(T));
      for (size_t at = 0; at < out_size; at += channels) {
        const ptrdiff_t position = (ptrdiff_t)(at / channels);
        const T *g = dy + image * out_size + at;
        const int32_t *index = indices + image * out_size + at;
        for_window(w, position / w->out_width, position % w->out_width, [&](ptrdiff_t element) {
          T *pixel = to + element * (ptrdiff_t)channels;
          for_vectors<lanes<T>>(0, channels, [&](size_t k, size_t count) {
            const auto chosen = load<int32_t, lanes<T>>(index + k, count) == (int32_t)element;
            const auto mask = __builtin_convertvector(chosen, VectorOf<Bits<Number<T>>, lanes<T>>);
            store(pixel + k, load(pixel + k, count) + (mask ? load(g + k, count) : (Vector<T>)0), count);
          });
        });
      }
    }
  });
}
KERNEL(max_pool_last_backward, float, double, bfloat16)

template <typename T>
void average_pool_last(T *y, const T *x, size_t images, size_t channels, size_t height, size_t width,
                       const ck_span *rows, size_t out_height, const ck_span *cols, size_t out_width) {
  parallel_for_rows(images * out_height, width * channels, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t row = begin; row < end; row++) {
      const T *image = x + row / out_height * height * width * channels;
      const ck_span r = rows[row % out_height];
      for (size_t column = 0; column < out_width; column++) {
        const ck_span c = cols[column];
        const Number<T> divisor = (Number<T>)r.divisor * (Number<T>)c.divisor;
        T *to = y + (row * out_width + column) * channels;
        for_vectors<lanes<T>>(0, channels, [&](size_t k, size_t count) {
          Vector<T> total = 0;
          for (size_t i = (size_t)r.begin; i < (size_t)r.end; i++) {
            Vector<T> line = 0;
            for (size_t j = (size_t)c.begin; j < (size_t)c.end; j++) {
              line += load(image + (i * width + j) * channels + k, count);
            }
            total += line;
          }
          store(to + k, total / divisor, count);
        });
      }
    }
  });
}
KERNEL(average_pool_last, float, double, bfloat16)

template <typename T>
void average_pool_last_backward(T *dx, const T *dy, size_t images, size_t channels, size_t height,
                                size_t width, const ck_span *rows, size_t out_height,
                                const ck_span *cols, size_t out_width) {
  const size_t size = height * width * channels;
  parallel_for_rows(images, size, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t image = begin; image < end; image++) {
      T *to = dx + image * size;
      memset(to, 0, size * sizeof(T));
      for (size_t position = 0; position < out_height * out_width; position++) {
        const ck_span r = rows[position / out_width], c = cols[position % out_width];
        const Number<T> divisor = (Number<T>)r.divisor * (Number<T>)c.divisor;
        const T *g = dy + (image * out_height * out_width + position) * channels;
        for_vectors<lanes<T>>(0, channels, [&](size_t k, size_t count) {
          const Vector<T> share = load(g + k, count) / divisor;
          for (size_t i = (size_t)r.begin; i < (size_t)r.end; i++) {
            for (size_t j = (size_t)c.begin; j < (size_t)c.end; j++) {
              T *pixel = to + (i * width + j) * channels + k;
              store(pixel, load(pixel, count) + share, count);
            }
          }
        });
      }
    }
  });
}
KERNEL(average_pool_last_backward, float, double, bfloat16)
