// Layer normalization over rows, and batch normalization over channels.
#pragma once

// The sums of x - center and of (x - center)^2.
template <typename T> struct Distances {
  Number<T> sum, squares;

  INLINE Distances(const T *x, Number<T> center, size_t n) {
    Vector<T> total = 0, square = 0;
    for_vectors<lanes<T>>(0, n, [&](size_t i, size_t count) {
      Vector<T> d = load(x + i, count) - center;
      for (size_t l = count; l < lanes<T>; l++) d[l] = 0;  // a filler would be rounded to T
      total += d;
      square += d * d;
    });
    sum = sum_of_lanes(total);
    squares = sum_of_lanes(square);
  }
};

// The mean and the biased variance of n numbers, whose distances from a center `distances` sums up.
//
// The first mean is rounded, by several units in the last place for many numbers; where these are large beside
// the deviations, as among equal numbers, the sums are taken again around the better mean.
template <typename N> struct Moments {
  N mean, variance;

  template <typename F> INLINE Moments(N rounded_mean, double n, F distances) {
    mean = rounded_mean;
    for (int pass = 0; pass < 2; pass++) {
      const auto d = distances(mean);
      const N shift = N(d.sum / n), square = N(d.squares / n);
      mean += shift;
      const bool is_small = shift * shift < N(1e-4) * square;
      variance = is_small ? square - shift * shift : square;
      if (is_small) break;
    }
  }
};

// ---------------------------------------------------------------- rows

template <typename T>
void layer_norm(T *y, Number<T> *mean, Number<T> *rstd, const T *x,
                const Number<T> *weight, const Number<T> *bias, size_t rows, size_t cols, double epsilon) {
  typedef Number<T> N;
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols;
      T *to = y + r * cols;
      const Moments<N> moments(reduce<Sum>(from, cols) / N(cols), double(cols),
                               [=](N center) { return Distances<T>(from, center, cols); });
      const N m = moments.mean, scale = 1 / N(sqrt(double(moments.variance + N(epsilon))));
      mean[r] = m;
      rstd[r] = scale;
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        Vector<T> v = (load(from + i, count) - m) * scale;
        if (weight) v *= load(weight + i, count);
        if (bias) v += load(bias + i, count);
        store(to + i, v, count);
      });
    }
  });
}
KERNEL(layer_norm, float, double, bfloat16)

template <typename T>
void layer_norm_backward(T *dx, const T *dy, const T *x, const Number<T> *mean,
                         const Number<T> *rstd, const Number<T> *weight, size_t rows, size_t cols) {
  typedef Number<T> N;
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols, *dy_row = dy + r * cols;
      T *to = dx + r * cols;
      const N m = mean[r], scale = rstd[r];
      Vector<T> sum = 0, product = 0;
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        const Vector<T> normalized = (load(from + i, count, m) - m) * scale;
        Vector<T> g = load(dy_row + i, count);
        if (weight) g *= load(weight + i, count);
        sum += g;
        product += g * normalized;
      });
      const N mean_of_g = sum_of_lanes(sum) / N(cols);
      const N mean_of_product = sum_of_lanes(product) / N(cols);
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        const Vector<T> normalized = (load(from + i, count) - m) * scale;
        Vector<T> g = load(dy_row + i, count);
        if (weight) g *= load(weight + i, count);
        store(to + i, (g - mean_of_g - normalized * mean_of_product) * scale, count);
      });
    }
  });
}
KERNEL(layer_norm_backward, float, double, bfloat16)

// In blocks of rows, so that the error stays small.
template <typename T>
void layer_norm_sums(Number<T> *dweight, Number<T> *dbias, const T *dy, const T *x, const Number<T> *mean,
                     const Number<T> *rstd, size_t rows, size_t cols) {
  parallel_for_rows(cols, rows, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      Vector<T> product = 0, sum = 0;
      for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
        const size_t last = rows - first < BLOCK_ROWS ? rows : first + BLOCK_ROWS;
        Vector<T> block_product = 0, block_sum = 0;
        for (size_t r = first; r < last; r++) {
          const Vector<T> g = load(dy + r * cols + i, count);
          block_product += g * ((load(x + r * cols + i, count) - mean[r]) * rstd[r]);
          block_sum += g;
        }
        product += block_product;
        sum += block_sum;
      }
      store(dweight + i, product, count);
      store(dbias + i, sum, count);
    });
  });
}
KERNEL(layer_norm_sums, float, double, bfloat16)

// ---------------------------------------------------------------- channels of x[rows, channels, cols]

template <typename T>
void channel_moments(Number<T> *mean, Number<T> *variance, const T *x, size_t rows, size_t channels,
                     size_t cols) {
  typedef Number<T> N;
  parallel_for_rows(channels, rows * cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    const double n = (double)rows * (double)cols;
    const size_t step = channels * cols;
    for (size_t c = begin; c < end; c++) {
      const T *from = x + c * cols;
      double sum = 0;
      for (size_t r = 0; r < rows; r++) sum += reduce<Sum>(from + r * step, cols);
      const Moments<N> moments(N(sum / n), n, [=](N center) {
        struct { double sum, squares; } all = {0, 0};
        for (size_t r = 0; r < rows; r++) {
          const Distances<T> row(from + r * step, center, cols);
          all.sum += row.sum;
          all.squares += row.squares;
        }
        return all;
      });
      mean[c] = moments.mean;
      variance[c] = moments.variance;
    }
  });
}
KERNEL(channel_moments, float, double, bfloat16)

template <typename T>
void channel_affine(T *y, const T *x, const Number<T> *center, const Number<T> *scale,
                    const Number<T> *shift, size_t rows, size_t channels, size_t cols) {
  parallel_for_rows(rows * channels, cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t c = r % channels;
      const Number<T> mean = center[c], factor = scale[c], summand = shift ? shift[c] : 0;
      const T *from = x + r * cols;
      T *to = y + r * cols;
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        store(to + i, (load(from + i, count) - mean) * factor + summand, count);
      });
    }
  });
}
KERNEL(channel_affine, float, double, bfloat16)

template <typename T>
void channel_sums(Number<T> *sum, Number<T> *product, const T *dy, const T *x,
                  const Number<T> *center, size_t rows, size_t channels, size_t cols) {
  typedef Number<T> N;
  parallel_for_rows(channels, rows * cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    const size_t step = channels * cols;
    for (size_t c = begin; c < end; c++) {
      const N mean = center[c];
      double total = 0, total_product = 0;
      for (size_t r = 0; r < rows; r++) {
        const T *from = x + c * cols + r * step, *dy_row = dy + c * cols + r * step;
        Vector<T> row_product = 0, row_sum = 0;
        for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
          const Vector<T> g = load(dy_row + i, count);
          row_sum += g;
          row_product += g * (load(from + i, count, mean) - mean);
        });
        total += sum_of_lanes(row_sum);
        total_product += sum_of_lanes(row_product);
      }
      sum[c] = N(total);
      product[c] = N(total_product);
    }
  });
}
KERNEL(channel_sums, float, double, bfloat16)

template <typename T>
void channel_backward(T *dx, const T *dy, const T *x, const Number<T> *center,
                      const Number<T> *scale, const Number<T> *shift, const Number<T> *slope,
                      size_t rows, size_t channels, size_t cols) {
  parallel_for_rows(rows * channels, cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t c = r % channels;
      const Number<T> mean = center[c], factor = scale[c], summand = shift[c], gradient = slope[c];
      const T *from = x + r * cols, *dy_row = dy + r * cols;
      T *to = dx + r * cols;
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        const Vector<T> distance = load(from + i, count) - mean;
        store(to + i, factor * (load(dy_row + i, count) - summand - gradient * distance), count);
      });
    }
  });
}
KERNEL(channel_backward, float, double, bfloat16)
