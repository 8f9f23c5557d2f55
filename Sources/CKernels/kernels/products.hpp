// Matrix products that are too small for a BLAS call: c = beta * c + a b, in panels of two vectors of
// columns and PANEL_DEPTH of the inner extent. A panel of b is packed unless it already consists of rows
// of full vectors.
#pragma once

enum { PANEL_DEPTH = 64, TILE_ROWS = 4 };

// An operand of a product: element [i, j] is p[i * row + j * col].
template <typename T> struct Matrix {
  const T *p;
  ptrdiff_t row, col;
};

// `rows` rows of a panel of `vectors` vectors, both constants: accumulators stay in registers.
template <typename T>
INLINE void product_tile(T *c, Matrix<T> a, const T *b, ptrdiff_t b_row, size_t rows,
                         size_t vectors, size_t columns, size_t depth, size_t ldc, Number<T> beta) {
  constexpr size_t N = lanes<T>;
  Vector<T> sum[TILE_ROWS][2];
  for (size_t r = 0; r < rows; r++) {
    for (size_t v = 0; v < vectors; v++) sum[r][v] = 0;
  }
  for (size_t l = 0; l < depth; l++, a.p += a.col, b += b_row) {
    for (size_t v = 0; v < vectors; v++) {
      const Vector<T> line = load(b + v * N);
      for (size_t r = 0; r < rows; r++) {
        sum[r][v] += (Vector<T>)get(a.p + (ptrdiff_t)r * a.row) * line;
      }
    }
  }
  for (size_t r = 0; r < rows; r++, c += ldc) {
    for (size_t v = 0; v < vectors; v++) {
      const size_t i = v * N, count = columns - i < N ? columns - i : N;
      store(c + i, beta == 0 ? sum[r][v] : sum[r][v] + beta * load(c + i, count), count);
    }
  }
}

template <size_t vectors, typename T>
INLINE void product_panel(T *c, Matrix<T> a, const T *b, ptrdiff_t b_row, size_t m, size_t columns,
                          size_t depth, size_t ldc, Number<T> beta) {
  size_t r = 0;
  for (; r + TILE_ROWS <= m; r += TILE_ROWS, c += TILE_ROWS * ldc, a.p += TILE_ROWS * a.row) {
    product_tile(c, a, b, b_row, TILE_ROWS, vectors, columns, depth, ldc, beta);
  }
  for (; r < m; r++, c += ldc, a.p += a.row) {
    product_tile(c, a, b, b_row, 1, vectors, columns, depth, ldc, beta);
  }
}

// Rows of `width` elements from the rows of b, whose missing elements are 0.
template <typename T>
INLINE void pack_panel(T *packed, Matrix<T> b, size_t depth, size_t columns, size_t width) {
  for (size_t d = 0; d < depth; d++, packed += width, b.p += b.row) {
    if (b.col == 1) {
      for_vectors<lanes<T>>(0, columns, [&](size_t i, size_t count) {
        store(packed + i, load(b.p + i, count));
      });
    } else {
      for (size_t q = 0; q < columns; q++) packed[q] = b.p[(ptrdiff_t)q * b.col];
      for (size_t q = columns; q < width; q++) packed[q] = {};
    }
  }
}

template <typename T>
void product(T *c, size_t ldc, Matrix<T> a, Matrix<T> b, size_t m, size_t n, size_t k,
             Number<T> beta) {
  constexpr size_t N = lanes<T>;
  T packed[PANEL_DEPTH * 2 * N];
  for (size_t j = 0; j < n; j += 2 * N) {
    const size_t columns = n - j < 2 * N ? n - j : 2 * N;
    const size_t vectors = columns > N ? 2 : 1;
    size_t l = 0;
    do {
      const size_t depth = k - l < PANEL_DEPTH ? k - l : PANEL_DEPTH;
      const Matrix<T> left = {a.p + (ptrdiff_t)l * a.col, a.row, a.col};
      const T *part = b.p + (ptrdiff_t)l * b.row + (ptrdiff_t)j * b.col;
      ptrdiff_t part_row = b.row;
      if (b.col != 1 || columns != vectors * N) {
        part_row = (ptrdiff_t)(vectors * N);
        pack_panel(packed, {part, b.row, b.col}, depth, columns, vectors * N);
        part = packed;
      }
      const Number<T> factor = l == 0 ? beta : 1;
      if (vectors == 2) {
        product_panel<2>(c + j, left, part, part_row, m, columns, depth, ldc, factor);
      } else {
        product_panel<1>(c + j, left, part, part_row, m, columns, depth, ldc, factor);
      }
      l += depth;
    } while (l < k);
  }
}

template <typename T>
void gemm_small(T *c, const T *a, const T *b, size_t m, size_t n, size_t k, ptrdiff_t a_row,
                ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col, size_t ldc, double beta) {
  product(c, ldc, Matrix<T>{a, a_row, a_col}, Matrix<T>{b, b_row, b_col}, m, n, k, Number<T>(beta));
}
KERNEL(gemm_small, float, double)
