// Products, and running products and extrema along the middle axis of x[outer, count, inner].
#pragma once

struct Times {
  template <typename N> static constexpr N initial = 1;
  template <typename V> static INLINE V combine(V a, V b) { return a * b; }
};

template <typename T> void prod(Number<T> *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  if constexpr (same<T, int32_t>) {
    // Integers wrap around.
    reduction<Times>((uint32_t *)y, (const uint32_t *)x, outer, reduce, inner);
  } else if constexpr (same<T, int64_t>) {
    reduction<Times>((uint64_t *)y, (const uint64_t *)x, outer, reduce, inner);
  } else {
    reduction<Times>(y, x, outer, reduce, inner);
  }
}
KERNEL(prod, float, double, int32_t, int64_t, bfloat16)

template <typename T>
void cumulative_product(T *y, const T *x, size_t outer, size_t count, size_t inner) {
  for (size_t o = 0; o < outer; o++) {
    for (size_t k = 0; k < count; k++, y += inner, x += inner) {
      for (size_t i = 0; i < inner; i++) {
        y[i] = k == 0 ? x[i] : (T)(wrapping(y[i - (ptrdiff_t)inner]) * wrapping(x[i]));
      }
    }
  }
}
KERNEL(cumulative_product, float, double, int32_t, int64_t)

template <typename Op, typename T>
void extremum_indices(int32_t *y, const T *x, size_t outer, size_t count, size_t inner) {
  for (size_t o = 0; o < outer; o++, y += count * inner, x += count * inner) {
    for (size_t i = 0; i < inner; i++) {
      size_t best = 0;
      for (size_t k = 0; k < count; k++) {
        const T candidate = x[k * inner + i], old = x[best * inner + i];
        // The last of equals and of NaNs.
        if (candidate != candidate || (old == old && Op::combine(old, candidate) == candidate)) best = k;
        y[k * inner + i] = (int32_t)best;
      }
    }
  }
}

template <typename T>
void cumulative_argmax(int32_t *y, const T *x, size_t outer, size_t count, size_t inner) {
  extremum_indices<Max>(y, x, outer, count, inner);
}
KERNEL(cumulative_argmax, float, double, int32_t, int64_t)

template <typename T>
void cumulative_argmin(int32_t *y, const T *x, size_t outer, size_t count, size_t inner) {
  extremum_indices<Min>(y, x, outer, count, inner);
}
KERNEL(cumulative_argmin, float, double, int32_t, int64_t)

// ---------------------------------------------------------------- weighted sums of places along an axis

template <typename T>
void resample(T *y, const T *x, const int32_t *indices, const double *weights, size_t outer,
              size_t in, size_t out, size_t inner, size_t taps) {
  parallel_for_rows(outer, out * inner * taps, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t o = begin; o < end; o++) {
      const T *from = x + o * in * inner;
      T *to = y + o * out * inner;
      for (size_t j = 0; j < out; j++, to += inner) {
        const int32_t *at = indices + j * taps;
        const double *weight = weights + j * taps;
        if (inner == 1) {
          T sum = 0;
          for (size_t k = 0; k < taps; k++) sum += (T)weight[k] * from[at[k]];
          *to = sum;
          continue;
        }
        for_vectors<lanes<T>>(0, inner, [&](size_t i, size_t count) {
          Vector<T> sum = 0;
          for (size_t k = 0; k < taps; k++) {
            sum += (T)weight[k] * load(from + (size_t)at[k] * inner + i, count);
          }
          store(to + i, sum, count);
        });
      }
    }
  });
}
KERNEL(resample, float, double)

template <typename T>
void resample_transposed(T *dx, const T *dy, const int32_t *indices, const double *weights,
                         size_t outer, size_t in, size_t out, size_t inner, size_t taps) {
  parallel_for_rows(outer, out * inner * taps, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t o = begin; o < end; o++) {
      T *to = dx + o * in * inner;
      const T *from = dy + o * out * inner;
      memset(to, 0, in * inner * sizeof(T));
      for (size_t j = 0; j < out; j++, from += inner) {
        const int32_t *at = indices + j * taps;
        const double *weight = weights + j * taps;
        for (size_t k = 0; k < taps; k++) {
          T *row = to + (size_t)at[k] * inner;
          const T factor = (T)weight[k];
          if (inner == 1) {
            *row += factor * *from;
            continue;
          }
          for_vectors<lanes<T>>(0, inner, [&](size_t i, size_t count) {
            store(row + i, load(row + i, count) + factor * load(from + i, count), count);
          });
        }
      }
    }
  });
}
KERNEL(resample_transposed, float, double)
