// One result from two operands of any strides.

// A line is dense or one number in each operand; everything else is packed into lines of this size.
enum { PACKED = 512, SHORT_ROW = 32 };

struct binary_job {
  void *y;
  const void *a, *b;
  size_t rows, cols;
  ptrdiff_t a_row, a_col, b_row, b_col;
};

// Joins the rows to one when both operands allow it, and makes a column a row.
INLINE void simplify(struct binary_job *job) {
  const ptrdiff_t cols = (ptrdiff_t)job->cols;
  if (cols == 1) {
    job->a_col = job->rows == 1 ? 1 : job->a_row;
    job->b_col = job->rows == 1 ? 1 : job->b_row;
  } else if (job->rows != 1 &&
             (job->a_row != cols * job->a_col || job->b_row != cols * job->b_col)) {
    return;
  }
  job->cols *= job->rows;
  job->rows = 1;
}

// to[r * cols + c] = from[r * row + c * col], small and dense.
#define DEFINE_PACK(name, T)                                                            \
  static void name(T *to, const T *from, size_t rows, size_t cols, ptrdiff_t row,       \
                   ptrdiff_t col) {                                                     \
    for (size_t r = 0; r < rows; r++, from += row) {                                    \
      const T *element = from;                                                          \
      for (size_t c = 0; c < cols; c++, element += col) *to++ = *element;               \
    }                                                                                   \
  }
DEFINE_PACK(pack_f32, float)
DEFINE_PACK(pack_f64, double)
DEFINE_PACK(pack_i32, int32_t)

#define DEFINE_BINARY(name, pack, T, V, R, grain, formula)                                        \
  /* One line, each operand of column stride 1 or 0 (not both 0). */                              \
  INLINE void name##_line(R *y, const T *pa, const T *pb, size_t n, bool a_one, bool b_one) {     \
    const V first_a = pa[0], first_b = pb[0];                                                     \
    FOR_VECTORS(LANES(V, pa), 0, n, {                                                             \
      const V a = a_one ? first_a : GET(V, pa);                                                   \
      const V b = b_one ? first_b : GET(V, pb);                                                   \
      PUT(y, formula);                                                                            \
    });                                                                                           \
  }                                                                                               \
  static void name##_dense(R *y, const T *a, const T *b, size_t n) {                              \
    name##_line(y, a, b, n, false, false);                                                        \
  }                                                                                               \
  static void name##_a_one(R *y, const T *a, const T *b, size_t n) {                              \
    name##_line(y, a, b, n, true, false);                                                         \
  }                                                                                               \
  static void name##_b_one(R *y, const T *a, const T *b, size_t n) {                              \
    name##_line(y, a, b, n, false, true);                                                         \
  }                                                                                               \
  /* `rows` whole rows, or part of one, whose operands are not all dense: through packed lines.   \
     An operand that has no row stride is packed once. */                                         \
  static void name##_packed(R *y, const T *a, const T *b, size_t rows, size_t cols,               \
                            const struct binary_job *job) {                                       \
    T packed_a[PACKED], packed_b[PACKED];                                                         \
    const size_t width = cols < PACKED ? cols : PACKED, height = PACKED / width;                  \
    const bool single = rows == 1 || height == 1;                                                 \
    const bool a_dense = job->a_col == 1 && (single || job->a_row == (ptrdiff_t)cols);            \
    const bool b_dense = job->b_col == 1 && (single || job->b_row == (ptrdiff_t)cols);            \
    for (size_t c = 0; c < cols; c += width) {                                                    \
      const size_t w = cols - c < width ? cols - c : width;                                       \
      for (size_t r = 0; r < rows; r += height) {                                                 \
        const size_t h = rows - r < height ? rows - r : height;                                   \
        const T *pa = a + (ptrdiff_t)r * job->a_row + (ptrdiff_t)c * job->a_col;                  \
        const T *pb = b + (ptrdiff_t)r * job->b_row + (ptrdiff_t)c * job->b_col;                  \
        if (!(a_dense || (job->a_row == 0 && r > 0))) {                                           \
          pack(packed_a, pa, h, w, job->a_row, job->a_col);                                       \
        }                                                                                         \
        if (!(b_dense || (job->b_row == 0 && r > 0))) {                                           \
          pack(packed_b, pb, h, w, job->b_row, job->b_col);                                       \
        }                                                                                         \
        name##_dense(y + r * cols + c, a_dense ? pa : packed_a, b_dense ? pb : packed_b, h * w);  \
      }                                                                                           \
    }                                                                                             \
  }                                                                                               \
  static void name##_rows(const void *context, size_t begin, size_t end) {                        \
    const struct binary_job *job = context;                                                       \
    const size_t cols = job->cols;                                                                \
    const T *a = (const T *)job->a + (ptrdiff_t)begin * job->a_row;                               \
    const T *b = (const T *)job->b + (ptrdiff_t)begin * job->b_row;                               \
    R *y = (R *)job->y + begin * cols;                                                            \
    const bool a_one = job->a_col == 0, b_one = job->b_col == 0;                                  \
    if (cols < SHORT_ROW || (!a_one && job->a_col != 1) || (!b_one && job->b_col != 1) ||         \
        (a_one && b_one)) {                                                                       \
      name##_packed(y, a, b, end - begin, cols, job);                                             \
      return;                                                                                     \
    }                                                                                             \
    for (size_t r = begin; r < end; r++, y += cols, a += job->a_row, b += job->b_row) {           \
      (a_one ? name##_a_one : b_one ? name##_b_one : name##_dense)(y, a, b, cols);                \
    }                                                                                             \
  }                                                                                               \
  /* Elements begin..<end of a single row. */                                                     \
  static void name##_cols(const void *context, size_t begin, size_t end) {                        \
    const struct binary_job *job = context;                                                       \
    const T *a = (const T *)job->a + (ptrdiff_t)begin * job->a_col;                               \
    const T *b = (const T *)job->b + (ptrdiff_t)begin * job->b_col;                               \
    R *y = (R *)job->y + begin;                                                                   \
    const size_t n = end - begin;                                                                 \
    if (job->a_col == 1 && job->b_col == 1) {                                                     \
      name##_dense(y, a, b, n);                                                                   \
    } else if (job->a_col == 1 && job->b_col == 0) {                                              \
      name##_b_one(y, a, b, n);                                                                   \
    } else if (job->a_col == 0 && job->b_col == 1) {                                              \
      name##_a_one(y, a, b, n);                                                                   \
    } else {                                                                                      \
      name##_packed(y, a, b, 1, n, job);                                                          \
    }                                                                                             \
  }                                                                                               \
  static void name(R *y, const T *a, const T *b, size_t rows, size_t cols, ptrdiff_t a_row,       \
                   ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col) {                           \
    if (rows == 0 || cols == 0) return;                                                           \
    struct binary_job job = {y, a, b, rows, cols, a_row, a_col, b_row, b_col};                    \
    simplify(&job);                                                                               \
    if (job.rows == 1) {                                                                          \
      for_range(name##_cols, &job, job.cols, grain);                                              \
    } else {                                                                                      \
      for_rows(name##_rows, &job, rows, cols, grain);                                             \
    }                                                                                             \
  }

#define DEFINE_BINARY_BOTH(name, formula)                                                        \
  DEFINE_BINARY(name##_f32, pack_f32, float, vf, float, GRAIN_MEMORY, formula)                   \
  DEFINE_BINARY(name##_f64, pack_f64, double, vd, double, GRAIN_MEMORY, formula)
#define DEFINE_BINARY_INTEGER(name, formula) \
  DEFINE_BINARY(name##_i32, pack_i32, int32_t, vi, int32_t, GRAIN_MEMORY, formula)
#define DEFINE_COMPARISON(name, formula)                                                         \
  DEFINE_BINARY(name##_f32, pack_f32, float, vf, int32_t, GRAIN_MEMORY, (formula) & 1)           \
  DEFINE_BINARY(name##_f64, pack_f64, double, vd, int32_t, GRAIN_MEMORY,                         \
                __builtin_convertvector((formula) & 1, half_vi))                                 \
  DEFINE_BINARY(name##_i32, pack_i32, int32_t, vi, int32_t, GRAIN_MEMORY, (formula) & 1)

// NaN if either is NaN: a comparison with NaN is false, so b is chosen when it is NaN.
#define MAXIMUM(a, b) (((a > b) | (a != a)) ? a : b)
#define MINIMUM(a, b) (((a < b) | (a != a)) ? a : b)
DEFINE_BINARY_BOTH(add, a + b)
DEFINE_BINARY_BOTH(sub, a - b)
DEFINE_BINARY_BOTH(mul, a * b)
DEFINE_BINARY_BOTH(div, a / b)
DEFINE_BINARY_BOTH(maximum, MAXIMUM(a, b))
DEFINE_BINARY_BOTH(minimum, MINIMUM(a, b))
DEFINE_BINARY_BOTH(squared_difference, (a - b) * (a - b))

// Integers wrap around.
INLINE int32_t divide_i32(int32_t a, int32_t b) {
  return b == 0 ? 0 : b == -1 ? (int32_t)(0u - (uint32_t)a) : a / b;
}
DEFINE_BINARY_INTEGER(add, (vi)((vu)a + (vu)b))
DEFINE_BINARY_INTEGER(sub, (vi)((vu)a - (vu)b))
DEFINE_BINARY_INTEGER(mul, (vi)((vu)a * (vu)b))
DEFINE_BINARY_INTEGER(maximum, a > b ? a : b)
DEFINE_BINARY_INTEGER(minimum, a < b ? a : b)

// f of every lane of a and b.
#define LANEWISE_OF_TWO(f, a, b)                                                                \
  ({                                                                                            \
    __auto_type lanes_ = (a);                                                                   \
    for (size_t l_ = 0; l_ < sizeof lanes_ / sizeof lanes_[0]; l_++) {                          \
      lanes_[l_] = f(lanes_[l_], (b)[l_]);                                                      \
    }                                                                                           \
    lanes_;                                                                                     \
  })
DEFINE_BINARY_INTEGER(div, LANEWISE_OF_TWO(divide_i32, a, b))
DEFINE_BINARY(pow_f32, pack_f32, float, vf, float, GRAIN_MATHEMATICS, LANEWISE_OF_TWO(powf, a, b))
DEFINE_BINARY(pow_f64, pack_f64, double, vd, double, GRAIN_MATHEMATICS, LANEWISE_OF_TWO(pow, a, b))

DEFINE_COMPARISON(equal, a == b)
DEFINE_COMPARISON(less, a < b)
DEFINE_COMPARISON(less_equal, a <= b)

// y[r, c] += row[c]
static void add_row_f32(float *y, const float *row, size_t rows, size_t cols) {
  add_f32(y, y, row, rows, cols, (ptrdiff_t)cols, 1, 0, 1);
}
static void add_row_f64(double *y, const double *row, size_t rows, size_t cols) {
  add_f64(y, y, row, rows, cols, (ptrdiff_t)cols, 1, 0, 1);
}
