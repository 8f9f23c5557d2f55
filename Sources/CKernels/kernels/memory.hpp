// Fills, copies between layouts, conversions, rows by index, and the hash.
#pragma once

template <typename T> void fill(T *y, size_t n, double value) {
  const auto x = Number<T>(value);
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      store(y + i, (Vector<T>)x, count);
    });
  });
}
KERNEL(fill, float, double, int32_t, int64_t, uint8_t, bfloat16)

// ---------------------------------------------------------------- copies between layouts

// Transposes a block of 4 x 4: y[c * y_col + r] = x[r * x_row + c].
template <typename U>
INLINE void transpose_4x4(U *y, const U *x, ptrdiff_t y_col, ptrdiff_t x_row) {
  const auto a = load<U, 4>(x), b = load<U, 4>(x + x_row);
  const auto c = load<U, 4>(x + 2 * x_row), d = load<U, 4>(x + 3 * x_row);
  const auto ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const auto ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const auto cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const auto cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  store(y, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  store(y + y_col, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  store(y + 2 * y_col, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  store(y + 3 * y_col, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}
// In vectors of 16 bytes.
INLINE void transpose_4x4(int64_t *y, const int64_t *x, ptrdiff_t y_col, ptrdiff_t x_row) {
  for (int r = 0; r < 4; r += 2) {
    for (int c = 0; c < 4; c += 2) {
      const auto a = load<int64_t, 2>(x + r * x_row + c);
      const auto b = load<int64_t, 2>(x + (r + 1) * x_row + c);
      store(y + c * y_col + r, __builtin_shufflevector(a, b, 0, 2));
      store(y + (c + 1) * y_col + r, __builtin_shufflevector(a, b, 1, 3));
    }
  }
}

// Copies rows x cols elements that are neighbours along c in x and along r in y, in tiles that fit
// in the cache.
template <typename U>
void transpose(U *y, const U *x, size_t rows, size_t cols, ptrdiff_t y_col, ptrdiff_t x_row) {
  constexpr size_t tile = 32;
  for (size_t tile_r = 0; tile_r < rows; tile_r += tile) {
    const size_t end_r = rows - tile_r < tile ? rows : tile_r + tile;
    for (size_t tile_c = 0; tile_c < cols; tile_c += tile) {
      const size_t end_c = cols - tile_c < tile ? cols : tile_c + tile;
      const size_t even_c = tile_c + (end_c - tile_c) / 4 * 4;
      size_t r = tile_r;
      for (; r + 4 <= end_r; r += 4) {
        const U *from = x + (ptrdiff_t)r * x_row;
        for (size_t c = tile_c; c < even_c; c += 4) {
          transpose_4x4(y + (ptrdiff_t)c * y_col + r, from + c, y_col, x_row);
        }
        for (size_t c = even_c; c < end_c; c++) {
          for (ptrdiff_t k = 0; k < 4; k++) {
            y[(ptrdiff_t)c * y_col + (ptrdiff_t)r + k] = from[k * x_row + (ptrdiff_t)c];
          }
        }
      }
      for (; r < end_r; r++) {
        for (size_t c = tile_c; c < end_c; c++) {
          y[(ptrdiff_t)c * y_col + (ptrdiff_t)r] = x[(ptrdiff_t)r * x_row + (ptrdiff_t)c];
        }
      }
    }
  }
}

template <typename U>
void copy_rows(U *y, const U *x, size_t rows, size_t cols, ptrdiff_t y_row, ptrdiff_t y_col,
               ptrdiff_t x_row, ptrdiff_t x_col) {
  if (y_col == 1 && x_col == 1 && cols >= 8) {
    for (size_t r = 0; r < rows; r++, y += y_row, x += x_row) memcpy(y, x, cols * sizeof(U));
  } else if (x_col == 1 && y_row == 1) {
    transpose(y, x, rows, cols, y_col, x_row);
  } else if (x_row == 1 && y_col == 1) {
    transpose(y, x, cols, rows, y_row, x_col);
  } else {
    for (size_t r = 0; r < rows; r++, y += y_row, x += x_row) {
      U *to = y;
      const U *from = x;
      for (size_t c = 0; c < cols; c++, to += y_col, from += x_col) *to = *from;
    }
  }
}

template <typename U>
void copy_line(U *y, const U *x, size_t n, ptrdiff_t y_step, ptrdiff_t x_step) {
  if (y_step == 1 && x_step == 1) {
    memcpy(y, x, n * sizeof(U));
  } else if (y_step == 1 && x_step == 0) {
    for (size_t i = 0; i < n; i++) *y++ = *x;
  } else {
    for (size_t i = 0; i < n; i++, y += y_step, x += x_step) *y = *x;
  }
}

template <typename U>
void copy_elements(U *y, const U *x, size_t rows, size_t cols, ptrdiff_t y_row, ptrdiff_t y_col,
                   ptrdiff_t x_row, ptrdiff_t x_col) {
  if (rows == 0 || cols == 0) return;
  const ptrdiff_t width = (ptrdiff_t)cols;
  if (cols == 1 || rows == 1 || (y_row == width * y_col && x_row == width * x_col)) {
    const ptrdiff_t y_step = cols == 1 ? y_row : y_col, x_step = cols == 1 ? x_row : x_col;
    parallel_for(rows * cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
      copy_line(y + (ptrdiff_t)begin * y_step, x + (ptrdiff_t)begin * x_step, end - begin, y_step,
                x_step);
    });
  } else {
    parallel_for_rows(rows, cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
      copy_rows(y + (ptrdiff_t)begin * y_row, x + (ptrdiff_t)begin * x_row, end - begin, cols,
                y_row, y_col, x_row, x_col);
    });
  }
}

template <typename T>
void copy(T *y, const T *x, size_t rows, size_t cols, ptrdiff_t y_row, ptrdiff_t y_col,
          ptrdiff_t x_row, ptrdiff_t x_col) {
  copy_elements((Bits<T> *)y, (const Bits<T> *)x, rows, cols, y_row, y_col, x_row, x_col);
}
KERNEL(copy, float, double, int32_t, int64_t, uint8_t, bfloat16)

// ---------------------------------------------------------------- conversions

// Integers; brought into range first, because the conversion is undefined outside. NaN becomes 0.
template <typename I, typename N, size_t n> INLINE VectorOf<I, n> to_integers(VectorOf<N, n> x) {
  const N most = -(N)lowest<I>, least = (N)lowest<I>;  // powers of two, exact in every type
  const auto inside = x >= most ? 0 : x < least ? least : x != x ? 0 : x;
  const auto y = __builtin_convertvector(inside, VectorOf<I, n>);
  return __builtin_convertvector(x >= most, VectorOf<I, n>) ? (VectorOf<I, n>)highest<I> : y;
}

// v as numbers of another type.
template <typename To, typename N, size_t n>
INLINE VectorOf<Number<To>, n> converted(VectorOf<N, n> v) {
  constexpr bool is_integer = same<To, int32_t> || same<To, int64_t>;
  constexpr bool is_real = same<N, float> || same<N, double>;
  if constexpr (same<To, uint8_t>) {
    return __builtin_convertvector((v != 0) & 1, VectorOf<uint8_t, n>);
  } else if constexpr (is_integer && is_real) {
    return to_integers<To>(v);
  } else {
    return __builtin_convertvector(v, VectorOf<Number<To>, n>);
  }
}

template <typename To> void convert(To *y, ck_type from, const void *elements, size_t n) {
  with_type<float, double, int32_t, bfloat16, int64_t, uint8_t>(
      from, "convert", [=]<typename From>() {
        const From *x = (const From *)elements;
        constexpr size_t width = smaller(lanes<To>, lanes<From>);
        parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
          for_vectors<width>(begin, end, [&](size_t i, size_t count) {
            store(y + i, converted<To>(load<From, width>(x + i, count)), count);
          });
        });
      });
}
KERNEL(convert, float, double, int32_t, bfloat16, int64_t, uint8_t)

void round_to_bfloat16(void *y, float *x, float *residual, size_t n) {
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<float>>(begin, end, [&](size_t i, size_t count) {
      const vf exact = load(x + i, count);
      const auto stored = Element<bfloat16>::to_stored(exact);
      const vf rounded = Element<bfloat16>::to_number(stored);
      store(x + i, rounded, count);
      if (y != NULL) store((bfloat16 *)y + i, rounded, count);
      if (residual == NULL) return;
      const vf sum = load(residual + i, count) + (exact - rounded);
      // Also where `exact` is finite, and rounded to infinity.
      store(residual + i, sum - sum == 0 ? sum : 0, count);
    });
  });
}
UNTYPED_KERNEL(round_to_bfloat16)

// ---------------------------------------------------------------- rows by index

template <typename T>
void gather_rows(T *y, const T *x, const int32_t *indices, size_t rows, size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      memcpy(y + r * cols, x + (size_t)indices[r] * cols, cols * sizeof(T));
    }
  });
}
KERNEL(gather_rows, float, double, int32_t, int64_t, uint8_t, bfloat16)

// Every thread goes through all rows in order, for its own columns.
template <typename T>
void scatter_add_rows(T *y, const T *x, const int32_t *indices, size_t rows, size_t cols) {
  parallel_for_rows(cols, rows, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t r = 0; r < rows; r++) {
      T *to = y + (size_t)indices[r] * cols;
      const T *from = x + r * cols;
      for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
        const auto sum = wrapping(load(to + i, count)) + wrapping(load(from + i, count));
        store(to + i, (Vector<T>)sum, count);
      });
    }
  });
}
KERNEL(scatter_add_rows, float, double, int32_t, int64_t)

// ---------------------------------------------------------------- elements by index

template <typename T> void gather(T *y, const T *x, const int32_t *indices, ck_indexed shape) {
  for (size_t r = 0; r < shape.rows; r++, x += shape.row) {
    const T *from = x;
    for (size_t c = 0; c < shape.cols; c++, from += shape.col) {
      *y++ = from[(ptrdiff_t)*indices++ * shape.step];
    }
  }
}
KERNEL(gather, float, double, int32_t, int64_t, uint8_t, bfloat16)

template <typename T> void scatter_add(T *y, const T *x, const int32_t *indices, ck_indexed shape) {
  for (size_t r = 0; r < shape.rows; r++, y += shape.row) {
    T *to = y;
    for (size_t c = 0; c < shape.cols; c++, to += shape.col) {
      T *element = to + (ptrdiff_t)*indices++ * shape.step;
      put(element, Number<T>(wrapping(get(element)) + wrapping(get(x++))));
    }
  }
}
KERNEL(scatter_add, float, double, int32_t, int64_t, bfloat16)

// ---------------------------------------------------------------- hash

// Eight words at a time, each mixed into its own state, so that the processor can overlap them.
uint64_t hash(const void *bytes, size_t count) {
  const uint64_t prime = 0x9E3779B97F4A7C15;
  uint64_t state[8];
  for (uint64_t j = 0; j < 8; j++) state[j] = prime * (j + 1) ^ count;
  const char *p = (const char *)bytes;
  for (size_t rest = count; rest > 0; p += 64) {
    uint64_t words[8] = {0};
    memcpy(words, p, rest < 64 ? rest : 64);
    for (int j = 0; j < 8; j++) {
      state[j] = (state[j] ^ words[j]) * prime;
      state[j] ^= state[j] >> 29;
    }
    rest -= rest < 64 ? rest : 64;
  }
  uint64_t all = count;
  for (int j = 0; j < 8; j++) {
    all = (all ^ state[j]) * prime;
    all ^= all >> 32;
  }
  return all;
}
UNTYPED_KERNEL(hash)

// As fast as memory, which a hash is not.
uint32_t bit_sum(const void *words, size_t count) {
  const float *w = (const float *)words;
  BitSum sums[4];
  size_t i = 0;
  for (; i + 4 * lanes<float> <= count; i += 4 * lanes<float>) {
    for (size_t v = 0; v < 4; v++) sums[v].add(load(w + i + v * lanes<float>));
  }
  for_vectors<lanes<float>>(i, count, [&](size_t i, size_t n) { sums[0].add(load(w + i, n)); });
  return sums[0].total() + sums[1].total() + sums[2].total() + sums[3].total();
}
UNTYPED_KERNEL(bit_sum)
