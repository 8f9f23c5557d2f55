// One result from two operands of any strides.
#pragma once

// In a line, each operand is dense or a single number. All other layouts are packed into lines of PACKED
// elements first, and so are rows shorter than SHORT_ROW.
enum { PACKED = 512, SHORT_ROW = 32 };

// y = f(a, b) for one line. An operand is an array of n elements or a single one (never both).
template <bool one_a, bool one_b, typename R, typename T, typename F>
void binary_line(R *y, const T *a, const T *b, size_t n, F f) {
  const Vector<T> first_a = get(a), first_b = get(b);
  for_vectors<lanes<T>>(0, n, [&](size_t i, size_t count) {
    const Vector<T> va = one_a ? first_a : load(a + i, count);
    const Vector<T> vb = one_b ? first_b : load(b + i, count);
    store(y + i, f(va, vb), count);
  });
}

// to[r * cols + c] = from[r * row + c * col], small and dense.
template <typename T>
void pack(T *to, const T *from, size_t rows, size_t cols, ptrdiff_t row, ptrdiff_t col) {
  for (size_t r = 0; r < rows; r++, from += row) {
    const T *element = from;
    for (size_t c = 0; c < cols; c++, element += col) *to++ = *element;
  }
}

// Whole rows, or part of one, whose operands are not all dense: through packed lines. An operand
// without a row stride is packed once.
template <typename R, typename T, typename F>
void binary_packed(R *y, const T *a, const T *b, size_t rows, size_t cols, const ck_broadcast &s,
                   F f) {
  T packed_a[PACKED], packed_b[PACKED];
  const size_t width = cols < PACKED ? cols : PACKED, height = PACKED / width;
  const bool single = rows == 1 || height == 1;
  const bool a_dense = s.a_col == 1 && (single || s.a_row == (ptrdiff_t)cols);
  const bool b_dense = s.b_col == 1 && (single || s.b_row == (ptrdiff_t)cols);
  for (size_t c = 0; c < cols; c += width) {
    const size_t w = cols - c < width ? cols - c : width;
    for (size_t r = 0; r < rows; r += height) {
      const size_t h = rows - r < height ? rows - r : height;
      const T *from_a = a + (ptrdiff_t)r * s.a_row + (ptrdiff_t)c * s.a_col;
      const T *from_b = b + (ptrdiff_t)r * s.b_row + (ptrdiff_t)c * s.b_col;
      if (!(a_dense || (s.a_row == 0 && r > 0))) pack(packed_a, from_a, h, w, s.a_row, s.a_col);
      if (!(b_dense || (s.b_row == 0 && r > 0))) pack(packed_b, from_b, h, w, s.b_row, s.b_col);
      binary_line<false, false>(y + r * cols + c, a_dense ? from_a : packed_a,
                                b_dense ? from_b : packed_b, h * w, f);
    }
  }
}

// A single row, whose elements are a_step and b_step apart.
template <typename R, typename T, typename F>
void binary_row(R *y, const T *a, const T *b, size_t n, ptrdiff_t a_step, ptrdiff_t b_step, F f) {
  if (a_step == 1 && b_step == 1) {
    binary_line<false, false>(y, a, b, n, f);
  } else if (a_step == 1 && b_step == 0) {
    binary_line<false, true>(y, a, b, n, f);
  } else if (a_step == 0 && b_step == 1) {
    binary_line<true, false>(y, a, b, n, f);
  } else {
    binary_packed(y, a, b, 1, n, {1, n, 0, a_step, 0, b_step}, f);
  }
}

// Rows begin..<end.
template <typename R, typename T, typename F>
void binary_rows(R *y, const T *a, const T *b, size_t begin, size_t end, const ck_broadcast &s,
                 F f) {
  const size_t cols = s.cols;
  y += begin * cols;
  a += (ptrdiff_t)begin * s.a_row;
  b += (ptrdiff_t)begin * s.b_row;
  const bool a_one = s.a_col == 0, b_one = s.b_col == 0;
  if (cols < SHORT_ROW || (!a_one && s.a_col != 1) || (!b_one && s.b_col != 1) || (a_one && b_one)) {
    binary_packed(y, a, b, end - begin, cols, s, f);
    return;
  }
  for (size_t r = begin; r < end; r++, y += cols, a += s.a_row, b += s.b_row) {
    if (a_one) {
      binary_line<true, false>(y, a, b, cols, f);
    } else if (b_one) {
      binary_line<false, true>(y, a, b, cols, f);
    } else {
      binary_line<false, false>(y, a, b, cols, f);
    }
  }
}

// y[r, c] = f(a[r, c], b[r, c]), y dense
template <typename R, typename T, typename F>
INLINE void binary(R *y, const T *a, const T *b, const ck_broadcast *shape, size_t grain, F f) {
  const ck_broadcast &s = *shape;
  const ptrdiff_t cols = (ptrdiff_t)s.cols;
  if (s.rows == 0 || cols == 0) return;
  // A column is a row, and so are rows that follow each other in both operands.
  const bool is_column = cols == 1 && s.rows > 1;
  if (s.rows == 1 || is_column || (s.a_row == cols * s.a_col && s.b_row == cols * s.b_col)) {
    const ptrdiff_t a_step = is_column ? s.a_row : s.cols == 1 ? 1 : s.a_col;
    const ptrdiff_t b_step = is_column ? s.b_row : s.cols == 1 ? 1 : s.b_col;
    parallel_for(s.rows * s.cols, grain, [=](size_t begin, size_t end) {
      const ptrdiff_t first = (ptrdiff_t)begin;
      binary_row(y + first, a + first * a_step, b + first * b_step, end - begin, a_step, b_step, f);
    });
  } else {
    parallel_for_rows(s.rows, s.cols, grain, [=](size_t begin, size_t end) {
      binary_rows(y, a, b, begin, end, *shape, f);
    });
  }
}

// ---------------------------------------------------------------- arithmetic

template <typename T> void add(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) {
    return decltype(a)(wrapping(a) + wrapping(b));
  });
}
KERNEL(add, float, double, int32_t, int64_t, bfloat16)

template <typename T> void sub(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) {
    return decltype(a)(wrapping(a) - wrapping(b));
  });
}
KERNEL(sub, float, double, int32_t, int64_t, bfloat16)

template <typename T> void mul(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) {
    return decltype(a)(wrapping(a) * wrapping(b));
  });
}
KERNEL(mul, float, double, int32_t, int64_t, bfloat16)

template <typename T> void div(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) { return a / b; });
}
KERNEL(div, float, double, bfloat16)

// NaN if either is: a comparison with NaN is false, so b is chosen when it is NaN.
template <typename T> void maximum(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) {
    return ((a > b) | (a != a)) ? a : b;
  });
}
KERNEL(maximum, float, double, int32_t, int64_t, uint8_t, bfloat16)

template <typename T> void minimum(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) {
    return ((a < b) | (a != a)) ? a : b;
  });
}
KERNEL(minimum, float, double, int32_t, int64_t, uint8_t, bfloat16)

template <typename T> void squared_difference(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) { return (a - b) * (a - b); });
}
KERNEL(squared_difference, float, double, bfloat16)

template <typename T> void pow(T *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MATHEMATICS, [](auto a, auto b) {
    return lanewise(a, b, [](auto base, auto exponent) { return pow(base, exponent); });
  });
}
KERNEL(pow, float, double, bfloat16)

template <typename T> void add_row(T *y, const T *row, size_t rows, size_t cols) {
  const ck_broadcast shape = {rows, cols, (ptrdiff_t)cols, 1, 0, 1};
  add(y, y, row, &shape);
}
KERNEL(add_row, float, double, bfloat16)

// ---------------------------------------------------------------- comparisons

// 1 or 0 for each lane of the result of a comparison.
template <typename T, typename Mask> INLINE VectorOf<uint8_t, lanes<T>> ones(Mask mask) {
  return __builtin_convertvector(mask & 1, VectorOf<uint8_t, lanes<T>>);
}

template <typename T> void equal(uint8_t *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) { return ones<T>(a == b); });
}
KERNEL(equal, float, double, int32_t, int64_t, uint8_t, bfloat16)

template <typename T> void less(uint8_t *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) { return ones<T>(a < b); });
}
KERNEL(less, float, double, int32_t, int64_t, uint8_t, bfloat16)

template <typename T> void less_equal(uint8_t *y, const T *a, const T *b, const ck_broadcast *shape) {
  binary(y, a, b, shape, GRAIN_MEMORY, [](auto a, auto b) { return ones<T>(a <= b); });
}
KERNEL(less_equal, float, double, int32_t, int64_t, uint8_t, bfloat16)
