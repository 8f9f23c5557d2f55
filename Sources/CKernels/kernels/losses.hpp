// Cross-entropy of logits and labels, and binary cross-entropy.
#pragma once

// ---------------------------------------------------------------- cross-entropy

template <typename T>
void cross_entropy(Number<T> *losses, Number<T> *logsumexp, const T *x, const int32_t *labels, size_t rows,
                   size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols;
      const LogSumExp<T> row(from, cols);
      logsumexp[2 * r] = row.max;
      logsumexp[2 * r + 1] = row.log_sum;
      losses[r] = (row.max - get(from + labels[r])) + row.log_sum;
    }
  });
}
KERNEL(cross_entropy, float, double, bfloat16)

template <typename T>
void cross_entropy_backward(T *dx, const Number<T> *dy, ptrdiff_t dy_stride, const T *x,
                            const Number<T> *logsumexp, const int32_t *labels, size_t rows,
                            size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols;
      T *to = dx + r * cols;
      const Number<T> max = logsumexp[2 * r], log_sum = logsumexp[2 * r + 1];
      const Number<T> g = get(dy + (ptrdiff_t)r * dy_stride);
      const Number<T> at_label = exp((get(from + labels[r]) - max) - log_sum);
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        store(to + i, g * exp((load(from + i, count) - max) - log_sum), count);
      });
      put(to + labels[r], g * (at_label - 1));
    }
  });
}
KERNEL(cross_entropy_backward, float, double, bfloat16)

// ---------------------------------------------------------------- binary cross-entropy

// max(log x, -100)
template <typename V> INLINE V clamped_log(V x) {
  const V y = log(x);
  return y < -100 ? (V)-100 : y;
}

template <typename T> void bce(T *y, const T *p, const T *t, size_t n) {
  map(y, p, t, n, GRAIN_MATHEMATICS, [](auto p, auto t) {
    return -(t * clamped_log(p) + (1 - t) * clamped_log(1 - p));
  });
}
KERNEL(bce, float, double)

template <typename T> void bce_logits(T *y, const T *x, const T *t, size_t n) {
  map(y, x, t, n, GRAIN_MATHEMATICS, [](auto x, auto t) {
    return (x < 0 ? decltype(x)(0) : x) - x * t + log1p_exp_negative(x);
  });
}
KERNEL(bce_logits, float, double)

// dx[i] = f(dy[i * dy_stride], x[i], t[i]); a stride of 0 stands for one number for all.
template <typename T, typename F>
INLINE void loss_backward(T *dx, const T *dy, ptrdiff_t dy_stride, const T *x, const T *t, size_t n,
                          F f) {
  parallel_for(n, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      const Vector<T> g = dy_stride == 0 ? (Vector<T>)get(dy) : load(dy + i, count);
      store(dx + i, f(g, load(x + i, count), load(t + i, count)), count);
    });
  });
}

template <typename T>
void bce_backward(T *dp, const T *dy, ptrdiff_t dy_stride, const T *p, const T *t, size_t n) {
  loss_backward(dp, dy, dy_stride, p, t, n, [](auto dy, auto p, auto t) {
    const Number<T> least = 1e-12f;
    const auto variance = p * (1 - p);
    return dy * (p - t) / (variance < least ? least : variance);
  });
}
KERNEL(bce_backward, float, double)

template <typename T>
void bce_logits_backward(T *dx, const T *dy, ptrdiff_t dy_stride, const T *x, const T *t, size_t n) {
  loss_backward(dx, dy, dy_stride, x, t, n, [](auto dy, auto x, auto t) {
    return dy * (sigmoid(x) - t);
  });
}
KERNEL(bce_logits_backward, float, double)
