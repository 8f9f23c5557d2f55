// Matrix products too small for a BLAS call to pay.

enum { PANEL_DEPTH = 64, TILE_ROWS = 4 };

// c = beta * c + a b, in panels of two vectors of columns and 64 of the inner extent, whose part of
// b is packed unless it already lies in rows of full vectors.
#define DEFINE_GEMM_SMALL(name, T, V)                                                           \
  /* `rows` rows of a panel: accumulators stay in registers. */                                 \
  INLINE void name##_tile(T *c, const T *a, const T *b, size_t rows, size_t vectors,            \
                          size_t columns, size_t depth, ptrdiff_t a_row, ptrdiff_t a_col,       \
                          ptrdiff_t b_row, size_t ldc, T beta) {                                \
    enum { N = LANES(V, c) };                                                                   \
    V sum[TILE_ROWS][2];                                                                        \
    for (size_t r = 0; r < rows; r++) {                                                         \
      for (size_t v = 0; v < vectors; v++) sum[r][v] = 0;                                       \
    }                                                                                           \
    for (size_t l = 0; l < depth; l++, a += a_col, b += b_row) {                                \
      for (size_t v = 0; v < vectors; v++) {                                                    \
        const V line = LOAD(V, b + v * N);                                                      \
        for (size_t r = 0; r < rows; r++) sum[r][v] += (V)a[(ptrdiff_t)r * a_row] * line;       \
      }                                                                                         \
    }                                                                                           \
    for (size_t r = 0; r < rows; r++, c += ldc) {                                               \
      for (size_t v = 0; v < vectors; v++) {                                                    \
        const size_t i = v * N, count = columns - i < N ? columns - i : N;                      \
        PUT(c, beta == 0 ? sum[r][v] : sum[r][v] + beta * GET(V, c));                           \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  INLINE void name##_panel(T *c, const T *a, const T *b, size_t m, size_t vectors,              \
                           size_t columns, size_t depth, ptrdiff_t a_row, ptrdiff_t a_col,      \
                           ptrdiff_t b_row, size_t ldc, T beta) {                               \
    size_t r = 0;                                                                               \
    for (; r + TILE_ROWS <= m; r += TILE_ROWS, c += TILE_ROWS * ldc, a += TILE_ROWS * a_row) {  \
      name##_tile(c, a, b, TILE_ROWS, vectors, columns, depth, a_row, a_col, b_row, ldc, beta); \
    }                                                                                           \
    for (; r < m; r++, c += ldc, a += a_row) {                                                  \
      name##_tile(c, a, b, 1, vectors, columns, depth, a_row, a_col, b_row, ldc, beta);         \
    }                                                                                           \
  }                                                                                             \
  static void name(T *c, const T *a, const T *b, size_t m, size_t n, size_t k,                  \
                   ptrdiff_t a_row, ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col,          \
                   size_t ldc, T beta) {                                                        \
    enum { N = LANES(V, c) };                                                                   \
    T packed[PANEL_DEPTH * 2 * N];                                                              \
    for (size_t j = 0; j < n; j += 2 * N) {                                                     \
      const size_t columns = n - j < 2 * N ? n - j : 2 * N;                                     \
      const size_t vectors = columns > N ? 2 : 1;                                               \
      size_t l = 0;                                                                             \
      do {                                                                                      \
        const size_t depth = k - l < PANEL_DEPTH ? k - l : PANEL_DEPTH;                         \
        const T *part = b + (ptrdiff_t)l * b_row + (ptrdiff_t)j * b_col;                        \
        ptrdiff_t part_row = b_row;                                                             \
        if (b_col != 1 || columns != vectors * N) {                                             \
          part_row = (ptrdiff_t)(vectors * N);                                                  \
          for (size_t d = 0; d < depth; d++) {                                                  \
            T *to = packed + d * vectors * N;                                                   \
            const T *from = part + (ptrdiff_t)d * b_row;                                        \
            if (b_col == 1) {                                                                   \
              FOR_VECTORS(N, 0, columns, STORE(to + i, GET(V, from)););                         \
            } else {                                                                            \
              for (size_t q = 0; q < columns; q++) to[q] = from[(ptrdiff_t)q * b_col];          \
              for (size_t q = columns; q < vectors * N; q++) to[q] = 0;                         \
            }                                                                                   \
          }                                                                                     \
          part = packed;                                                                        \
        }                                                                                       \
        const T *left = a + (ptrdiff_t)l * a_col;                                               \
        const T factor = l == 0 ? beta : 1;                                                     \
        if (vectors == 2) {                                                                     \
          name##_panel(c + j, left, part, m, 2, columns, depth, a_row, a_col, part_row, ldc,    \
                       factor);                                                                 \
        } else {                                                                                \
          name##_panel(c + j, left, part, m, 1, columns, depth, a_row, a_col, part_row, ldc,    \
                       factor);                                                                 \
        }                                                                                       \
        l += depth;                                                                             \
      } while (l < k);                                                                          \
    }                                                                                           \
  }
DEFINE_GEMM_SMALL(gemm_small_f32, float, vf)
DEFINE_GEMM_SMALL(gemm_small_f64, double, vd)
