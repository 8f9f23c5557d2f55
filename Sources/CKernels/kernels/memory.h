// Copies between layouts.

struct copy_job {
  void *y;
  const void *x;
  size_t rows, cols;
  ptrdiff_t y_row, y_col, x_row, x_col;
};

enum { TILE = 32 };

// Transposes a block held in vectors of four: y[c * y_col + r] = x[r * x_row + c].
INLINE void transpose_4x4_b32(uint32_t *y, const uint32_t *x, ptrdiff_t y_col, ptrdiff_t x_row) {
  typedef VECTOR(uint32_t, 4) v4;
  const v4 a = LOAD(v4, x), b = LOAD(v4, x + x_row);
  const v4 c = LOAD(v4, x + 2 * x_row), d = LOAD(v4, x + 3 * x_row);
  const v4 ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const v4 ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const v4 cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const v4 cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  STORE(y, __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5));
  STORE(y + y_col, __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7));
  STORE(y + 2 * y_col, __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5));
  STORE(y + 3 * y_col, __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7));
}
INLINE void transpose_4x4_b64(uint64_t *y, const uint64_t *x, ptrdiff_t y_col, ptrdiff_t x_row) {
  typedef VECTOR(uint64_t, 2) v2;
  for (int r = 0; r < 4; r += 2) {
    for (int c = 0; c < 4; c += 2) {
      const v2 a = LOAD(v2, x + r * x_row + c), b = LOAD(v2, x + (r + 1) * x_row + c);
      STORE(y + c * y_col + r, __builtin_shufflevector(a, b, 0, 2));
      STORE(y + (c + 1) * y_col + r, __builtin_shufflevector(a, b, 1, 3));
    }
  }
}

#define DEFINE_COPY(bits, T)                                                                    \
  /* Rows x cols, where neighbours in x lie along c and neighbours in y along r. */             \
  static void transpose_##bits(T *y, const T *x, size_t rows, size_t cols, ptrdiff_t y_col,     \
                               ptrdiff_t x_row) {                                               \
    for (size_t tile_r = 0; tile_r < rows; tile_r += TILE) {                                    \
      const size_t end_r = rows - tile_r < TILE ? rows : tile_r + TILE;                         \
      for (size_t tile_c = 0; tile_c < cols; tile_c += TILE) {                                  \
        const size_t end_c = cols - tile_c < TILE ? cols : tile_c + TILE;                       \
        const size_t even_c = tile_c + (end_c - tile_c) / 4 * 4;                                \
        size_t r = tile_r;                                                                      \
        for (; r + 4 <= end_r; r += 4) {                                                        \
          const T *from = x + (ptrdiff_t)r * x_row;                                             \
          for (size_t c = tile_c; c < even_c; c += 4) {                                         \
            transpose_4x4_##bits(y + (ptrdiff_t)c * y_col + r, from + c, y_col, x_row);         \
          }                                                                                     \
          for (size_t c = even_c; c < end_c; c++) {                                             \
            for (ptrdiff_t k = 0; k < 4; k++) {                                                 \
              y[(ptrdiff_t)c * y_col + (ptrdiff_t)r + k] = from[k * x_row + (ptrdiff_t)c];      \
            }                                                                                   \
          }                                                                                     \
        }                                                                                       \
        for (; r < end_r; r++) {                                                                \
          for (size_t c = tile_c; c < end_c; c++) {                                             \
            y[(ptrdiff_t)c * y_col + (ptrdiff_t)r] = x[(ptrdiff_t)r * x_row + (ptrdiff_t)c];    \
          }                                                                                     \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  static void copy_##bits##_rows(const void *context, size_t begin, size_t end) {               \
    const struct copy_job *job = context;                                                       \
    const size_t rows = end - begin, cols = job->cols;                                          \
    T *y = (T *)job->y + (ptrdiff_t)begin * job->y_row;                                         \
    const T *x = (const T *)job->x + (ptrdiff_t)begin * job->x_row;                             \
    if (job->y_col == 1 && job->x_col == 1 && cols >= 8) {                                      \
      for (size_t r = 0; r < rows; r++, y += job->y_row, x += job->x_row) {                     \
        memcpy(y, x, cols * sizeof(T));                                                         \
      }                                                                                         \
    } else if (job->x_col == 1 && job->y_row == 1) {                                            \
      transpose_##bits(y, x, rows, cols, job->y_col, job->x_row);                               \
    } else if (job->x_row == 1 && job->y_col == 1) {                                            \
      transpose_##bits(y, x, cols, rows, job->y_row, job->x_col);                               \
    } else {                                                                                    \
      for (size_t r = 0; r < rows; r++, y += job->y_row, x += job->x_row) {                     \
        T *to = y;                                                                              \
        const T *from = x;                                                                      \
        for (size_t c = 0; c < cols; c++, to += job->y_col, from += job->x_col) *to = *from;    \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  static void copy_##bits##_cols(const void *context, size_t begin, size_t end) {               \
    const struct copy_job *job = context;                                                       \
    T *y = (T *)job->y + (ptrdiff_t)begin * job->y_col;                                         \
    const T *x = (const T *)job->x + (ptrdiff_t)begin * job->x_col;                             \
    if (job->y_col == 1 && job->x_col == 1) {                                                   \
      memcpy(y, x, (end - begin) * sizeof(T));                                                  \
    } else if (job->y_col == 1 && job->x_col == 0) {                                            \
      for (size_t c = begin; c < end; c++) *y++ = *x;                                           \
    } else {                                                                                    \
      for (size_t c = begin; c < end; c++, y += job->y_col, x += job->x_col) *y = *x;           \
    }                                                                                           \
  }                                                                                             \
  static void copy_##bits(void *y, const void *x, size_t rows, size_t cols, ptrdiff_t y_row,    \
                          ptrdiff_t y_col, ptrdiff_t x_row, ptrdiff_t x_col) {                  \
    if (rows == 0 || cols == 0) return;                                                         \
    const ptrdiff_t width = (ptrdiff_t)cols;                                                    \
    if (cols == 1 || rows == 1 || (y_row == width * y_col && x_row == width * x_col)) {         \
      const bool column = cols == 1;                                                            \
      const struct copy_job job = {y, x, 1, rows * cols, 0, column ? y_row : y_col,             \
                                   0, column ? x_row : x_col};                                  \
      for_range(copy_##bits##_cols, &job, job.cols, GRAIN_MEMORY);                              \
    } else {                                                                                    \
      const struct copy_job job = {y, x, rows, cols, y_row, y_col, x_row, x_col};               \
      for_rows(copy_##bits##_rows, &job, rows, cols, GRAIN_MEMORY);                             \
    }                                                                                           \
  }
DEFINE_COPY(b32, uint32_t)
DEFINE_COPY(b64, uint64_t)

// Eight words at a time, each mixed into its own state, so that no order of lanes matters to the speed.
static uint64_t hash(const void *bytes, size_t count) {
  const uint64_t prime = 0x9E3779B97F4A7C15;
  uint64_t state[8];
  for (int j = 0; j < 8; j++) state[j] = prime * (uint64_t)(j + 1) ^ count;
  const char *p = bytes;
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
