// Normalization of rows by their root mean square.
#pragma once

template <typename T>
void rms_norm(T *y, Number<T> *rms, const T *x, const Number<T> *weight, size_t rows, size_t cols,
              double epsilon) {
  typedef Number<T> N;
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols;
      T *to = y + r * cols;
      const N mean = Distances<T>(from, N(0), cols).squares / N(cols);
      const N scale = 1 / N(sqrt(double(mean + N(epsilon))));
      rms[r] = scale;
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        Vector<T> v = load(from + i, count) * scale;
        if (weight) v *= load(weight + i, count);
        store(to + i, v, count);
      });
    }
  });
}
KERNEL(rms_norm, float, double, bfloat16)

template <typename T>
void rms_norm_backward(T *dx, const T *dy, const T *x, const Number<T> *rms, const Number<T> *weight,
                       size_t rows, size_t cols) {
  typedef Number<T> N;
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols, *dy_row = dy + r * cols;
      T *to = dx + r * cols;
      const N scale = rms[r];
      Vector<T> product = 0;
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        Vector<T> g = load(dy_row + i, count);
        if (weight) g *= load(weight + i, count);
        product += g * (load(from + i, count) * scale);
      });
      const N mean = sum_of_lanes(product) / N(cols);
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        Vector<T> g = load(dy_row + i, count);
        if (weight) g *= load(weight + i, count);
        store(to + i, (g - load(from + i, count) * scale * mean) * scale, count);
      });
    }
  });
}
KERNEL(rms_norm_backward, float, double, bfloat16)

// In blocks of rows, so that the error stays small.
template <typename T>
void rms_norm_sums(Number<T> *dweight, const T *dy, const T *x, const Number<T> *rms, size_t rows,
                   size_t cols) {
  parallel_for_rows(cols, rows, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      Vector<T> sum = 0;
      for (size_t first = 0; first < rows; first += BLOCK_ROWS) {
        const size_t last = rows - first < BLOCK_ROWS ? rows : first + BLOCK_ROWS;
        Vector<T> block = 0;
        for (size_t r = first; r < last; r++) {
          block += load(dy + r * cols + i, count) * (load(x + r * cols + i, count) * rms[r]);
        }
        sum += block;
      }
      store(dweight + i, sum, count);
    });
  });
}
KERNEL(rms_norm_sums, float, double, bfloat16)
