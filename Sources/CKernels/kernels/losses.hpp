// Cross-entropy of logits and labels, and binary cross-entropy.
#pragma once

// ---------------------------------------------------------------- cross-entropy

// How labels count, with the numbers' type.
template <typename N> struct LabelOptions {
  const N *weights;
  N smoothing;
  int32_t ignored;

  LabelOptions(const ck_label_options *o)
      : weights(o ? (const N *)o->weights : NULL), smoothing(o ? N(o->smoothing) : 0),
        ignored(o ? o->ignored : INT32_MIN) {}
};

// The sum of weights[k] * (center - x[k]), and of the weights; NULL stands for weights of 1.
template <typename T> struct WeightedDistances {
  Number<T> distances, weights;

  INLINE WeightedDistances(const T *x, const Number<T> *weight, size_t cols, Number<T> center) {
    const Vector<T> from = center;
    Vector<T> distance = 0, total = 0;
    for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
      const Vector<T> d = from - load(x + i, count, center);
      const Vector<T> w = weight ? load(weight + i, count) : (Vector<T>)1;
      distance += weight ? w * d : d;
      total += w;
    });
    distances = sum_of_lanes(distance);
    weights = weight ? sum_of_lanes(total) : Number<T>(cols);
  }
};

template <typename T>
void cross_entropy(Number<T> *losses, Number<T> *logsumexp, const T *x, const int32_t *labels, size_t rows,
                   size_t cols, const ck_label_options *options) {
  typedef Number<T> N;
  const LabelOptions<N> o(options);
  const N *weight = o.weights;
  const N smoothing = o.smoothing, share = smoothing / N(cols);
  const int32_t ignored = o.ignored;
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      if (labels[r] == ignored) {
        losses[r] = logsumexp[2 * r] = logsumexp[2 * r + 1] = 0;
        continue;
      }
      const T *from = x + r * cols;
      const LogSumExp<T> row(from, cols);
      logsumexp[2 * r] = row.max;
      logsumexp[2 * r + 1] = row.log_sum;
      N loss = (row.max - get(from + labels[r])) + row.log_sum;
      if (weight) loss *= weight[labels[r]];
      if (smoothing > 0) {
        const WeightedDistances<T> all(from, weight, cols, row.max);
        loss = (1 - smoothing) * loss + share * (all.distances + all.weights * row.log_sum);
      }
      losses[r] = loss;
    }
  });
}
KERNEL(cross_entropy, float, double, bfloat16)

template <typename T>
void cross_entropy_backward(T *dx, const Number<T> *dy, ptrdiff_t dy_stride, const T *x,
                            const Number<T> *logsumexp, const int32_t *labels, size_t rows,
                            size_t cols, const ck_label_options *options) {
  typedef Number<T> N;
  const LabelOptions<N> o(options);
  const N *weight = o.weights;
  const N smoothing = o.smoothing, share = smoothing / N(cols);
  const int32_t ignored = o.ignored;
  N spread = smoothing;  // share * the sum of all weights
  if (weight && smoothing > 0) spread = share * reduce<Sum>(weight, cols);
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const T *from = x + r * cols;
      T *to = dx + r * cols;
      if (labels[r] == ignored) {
        memset(to, 0, cols * sizeof(T));
        continue;
      }
      const N max = logsumexp[2 * r], log_sum = logsumexp[2 * r + 1];
      const N g = get(dy + (ptrdiff_t)r * dy_stride);
      const N of_label = weight ? weight[labels[r]] : 1;
      const N counted = (1 - smoothing) * of_label;
      const N at_label = exp((get(from + labels[r]) - max) - log_sum);
      const N factor = g * (counted + spread);
      for_vectors<lanes<T>>(0, cols, [&](size_t i, size_t count) {
        Vector<T> v = factor * exp((load(from + i, count) - max) - log_sum);
        if (smoothing > 0) v -= g * share * (weight ? load(weight + i, count) : (Vector<T>)1);
        store(to + i, v, count);
      });
      put(to + labels[r], g * ((counted + spread) * at_label - counted - share * of_label));
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
    typedef decltype(x) V;
    // Not max(x, 0) - x t, which has no value where x is infinite.
    return x * ((x > 0 ? (V)1 : (V)0) - t) + log1p_exp_negative(x);
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
