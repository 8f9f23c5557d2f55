// Softmax, row by row.
#pragma once

// A row of at most two vectors in registers: e = exp(x - max) and their sum.
template <typename T> struct ShortRow {
  static constexpr size_t most = 2 * lanes<T>;
  Vector<T> e[2];
  Number<T> max, sum;
  size_t first, second;  // the elements in each vector

  INLINE ShortRow(const T *x, size_t cols) {
    first = smaller(cols, lanes<T>);
    second = cols - first;
    const Vector<T> a = load(x, first, -infinity<Number<T>>);
    const Vector<T> b = load(x + first, second, -infinity<Number<T>>);
    max = reduce_lanes<Max>(Max::combine(a, b));
    const Vector<T> shift = max;
    e[0] = exp(a - shift);
    e[1] = exp(b - shift);
    sum = sum_of_lanes(e[0] + e[1]);
  }
};

// The sum of exp(x - max) of a row. `visit(i, e, count)` is given the exponentials.
template <typename T, typename F>
INLINE Number<T> sum_of_exponentials(const T *x, size_t cols, Number<T> max, F visit) {
  const Vector<T> shift = max;
  Vector<T> total = 0;
  for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
    const Vector<T> e = exp(load(x + i, count, -infinity<Number<T>>) - shift);
    visit(i, e, count);
    total += e;
  });
  return sum_of_lanes(total);
}

// The maximum of a row, and log sum exp(x - max).
template <typename T> struct LogSumExp {
  Number<T> max, log_sum;

  INLINE LogSumExp(const T *x, size_t cols) {
    if (cols <= ShortRow<T>::most) {
      const ShortRow<T> row(x, cols);
      max = row.max;
      log_sum = log(row.sum);
    } else {
      max = reduce<Max>(x, cols);
      log_sum = log(sum_of_exponentials(x, cols, max, [](size_t, Vector<T>, size_t) {}));
    }
  }
};

template <typename T> void softmax_row(T *y, const T *x, size_t cols) {
  if (cols <= ShortRow<T>::most) {
    const ShortRow<T> row(x, cols);
    const Vector<T> scale = 1 / row.sum;
    store(y, row.e[0] * scale, row.first);
    store(y + row.first, row.e[1] * scale, row.second);
    return;
  }
  const Number<T> max = reduce<Max>(x, cols);
  const Vector<T> scale = 1 / sum_of_exponentials(x, cols, max, [&](size_t i, Vector<T> e, size_t count) {
    store(y + i, e, count);
  });
  for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
    store(y + i, load(y + i, count) * scale, count);
  });
}

template <typename T> void softmax(T *y, const T *x, size_t rows, size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) softmax_row(y + r * cols, x + r * cols, cols);
  });
}
KERNEL(softmax, float, double)

template <typename T>
void softmax_backward(T *dx, const T *dy, const T *y, size_t rows, size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *g = dy + r * cols, *saved = y + r * cols;
      T *to = dx + r * cols;
      Vector<T> product = 0;
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        product += load(g + i, count) * load(saved + i, count);
      });
      const Vector<T> total = sum_of_lanes(product);
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        store(to + i, load(saved + i, count) * (load(g + i, count) - total), count);
      });
    }
  });
}
KERNEL(softmax_backward, float, double)

template <typename T> void log_softmax(T *y, const T *x, size_t rows, size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols;
      T *to = y + r * cols;
      const LogSumExp<T> row(from, cols);
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        store(to + i, (load(from + i, count) - row.max) - row.log_sum, count);
      });
    }
  });
}
KERNEL(log_softmax, float, double)

template <typename T>
void log_softmax_backward(T *dx, const T *dy, const T *y, size_t rows, size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *g = dy + r * cols, *saved = y + r * cols;
      T *to = dx + r * cols;
      const Vector<T> total = reduce<Sum>(g, cols);
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        store(to + i, load(g + i, count) - exp(load(saved + i, count)) * total, count);
      });
    }
  });
}
KERNEL(log_softmax_backward, float, double)
