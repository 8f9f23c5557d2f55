// The weights of a convolution, as the panels of its passes need them.
#pragma once

// Weights as one pass sees them: a panel's columns are output channels in the forward pass and input
// channels in the gradient to the input; `inner` channels are summed over. Element (column, inner, i, j)
// is p[column * column_step + inner * inner_step + i * row_step + j * tap_step].
template <typename N> struct Filter {
  const N *p;
  ptrdiff_t column_step, inner_step, row_step, tap_step;
  size_t columns, inner, rows, taps_per_row;

  size_t taps() const { return rows * taps_per_row; }
  const N *at(size_t column, size_t k, size_t tap) const {
    return p + (ptrdiff_t)column * column_step + (ptrdiff_t)k * inner_step +
           (ptrdiff_t)(tap / taps_per_row) * row_step + (ptrdiff_t)(tap % taps_per_row) * tap_step;
  }
  // Whether taps lie one after another.
  bool has_dense_taps() const { return tap_step == 1 && row_step == (ptrdiff_t)taps_per_row; }
};

// put(tap, k, v) receives the vectors of columns first..<first + used, for every tap and k in 0..<count,
// which stands for the inner channel first_inner + k. The weights are read along their unit stride and
// transposed where that is not the columns'.
template <typename N, typename F>
INLINE void for_weights(const Filter<N> &w, size_t first, size_t used, size_t first_inner, size_t count,
                        F put) {
  const size_t taps = w.taps();
  if (w.column_step == 1) {
    for (size_t tap = 0; tap < taps; tap++) {
      for (size_t k = 0; k < count; k++) {
        put(tap, k, load(w.at(first, first_inner + k, tap), used));
      }
    }
  } else if (w.inner_step == 1) {
    for (size_t tap = 0; tap < taps; tap++) {
      for_transposed_words<N>(w.at(first, first_inner, tap), w.column_step, used, count,
                              [&](size_t k, Vector<N> v) { put(tap, k, v); });
    }
  } else if (w.has_dense_taps() && w.inner_step == (ptrdiff_t)taps) {
    size_t k = 0, tap = 0;
    for_transposed_words<N>(w.at(first, first_inner, 0), w.column_step, used, count * taps,
                            [&](size_t, Vector<N> v) {
                              put(tap, k, v);
                              if (++tap == taps) tap = 0, k++;
                            });
  } else if (w.has_dense_taps()) {
    for (size_t k = 0; k < count; k++) {
      for_transposed_words<N>(w.at(first, first_inner + k, 0), w.column_step, used, taps,
                              [&](size_t tap, Vector<N> v) { put(tap, k, v); });
    }
  } else {
    for (size_t tap = 0; tap < taps; tap++) {
      for (size_t k = 0; k < count; k++) {
        Vector<N> v = 0;
        for (size_t j = 0; j < used; j++) v[j] = *w.at(first + j, first_inner + k, tap);
        put(tap, k, v);
      }
    }
  }
}

// Inner channels that are transposed at a time, so that all their taps stay in the L1 or L2 cache.
enum { INNER_BLOCK = 32 };

// packed[tap][words of inner][width] for a panel of columns; `lines` is scratch for
// [taps][INNER_BLOCK][width] numbers.
template <typename T>
void pack_weights(Word<T> *packed, Number<T> *lines, const Filter<Number<T>> &w, size_t first,
                  size_t used, size_t width) {
  typedef Number<T> N;
  const size_t depth = words<T>(w.inner);
  for (size_t k0 = 0; k0 < w.inner; k0 += INNER_BLOCK) {
    const size_t count = smaller(INNER_BLOCK, w.inner - k0);
    for (size_t j = 0; j < width; j += lanes<T>) {
      for_weights<N>(w, first + j, smaller(used - j, lanes<T>), k0, count,
                     [=](size_t tap, size_t k, Vector<N> v) {
                       store(lines + (tap * INNER_BLOCK + k) * width + j, v);
                     });
    }
    for (size_t tap = 0; tap < w.taps(); tap++) {
      Word<T> *to = packed + (tap * depth + k0 / word_elements<T>)*width;
      const N *from = lines + tap * INNER_BLOCK * width;
      for (size_t k = 0; k < count; k += word_elements<T>, to += width, from += word_elements<T> * width) {
        for (size_t j = 0; j < width; j += lanes<T>) {
          const Vector<T> second = k + 1 < count ? load(from + width + j) : (Vector<T>)0;
          store_words<T>(to + j, zip_numbers<T>(load(from + j), second));
        }
      }
    }
  }
}

// The reverse of for_weights: w (+)= get(tap, k), a vector of the columns first..<first + used.
template <typename N, typename F>
INLINE void store_weights(const Filter<N> &w, size_t first, size_t used, size_t first_inner, size_t count,
                          bool accumulate, F get) {
  constexpr size_t L = lanes<N>;
  const size_t taps = w.taps();
  // A line of weights at p, which may be too short for a vector.
  const auto put = [=](const N *p, Vector<N> v, size_t n) {
    store((N *)p, accumulate ? load(p, n) + v : v, n);
  };
  // Lines of `length` neighbours, one per column, of which element i is get(tap(i), k(i)).
  const auto put_lines = [&](const N *p, size_t length, auto element) {
    for (size_t i = 0; i < length; i += L) {
      Vector<N> square[L];
      for (size_t l = 0; l < L; l++) square[l] = i + l < length ? element(i + l) : (Vector<N>)0;
      transpose<N, L>(square);
      for (size_t l = 0; l < used; l++) {
        put(p + (ptrdiff_t)l * w.column_step + i, square[l], smaller(length - i, L));
      }
    }
  };
  if (w.column_step == 1) {
    for (size_t tap = 0; tap < taps; tap++) {
      for (size_t k = 0; k < count; k++) put(w.at(first, first_inner + k, tap), get(tap, k), used);
    }
  } else if (w.inner_step == 1) {
    for (size_t tap = 0; tap < taps; tap++) {
      put_lines(w.at(first, first_inner, tap), count, [&](size_t i) { return get(tap, i); });
    }
  } else if (w.has_dense_taps() && w.inner_step == (ptrdiff_t)taps) {
    put_lines(w.at(first, first_inner, 0), count * taps,
              [&](size_t i) { return get(i % taps, i / taps); });
  } else {
    for (size_t tap = 0; tap < taps; tap++) {
      for (size_t k = 0; k < count; k++) {
        const Vector<N> v = get(tap, k);
        for (size_t l = 0; l < used; l++) {
          N *p = (N *)w.at(first + l, first_inner + k, tap);
          *p = (accumulate ? *p : 0) + v[l];
        }
      }
    }
  }
}
