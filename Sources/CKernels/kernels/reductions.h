// Reductions of x[outer, reduce, inner] over the middle axis. Long ones are halved at multiples of
// a fixed block, so that errors of sums grow with the logarithm of the length.

struct reduction_job {
  void *y;
  const void *x;
  size_t outer, reduce, inner;
};

enum {
  BLOCK = 32 * VECTOR_BYTES,  // elements that are summed without halving
  BLOCK_ROWS = 64,            // rows, likewise
  STRIP = 8,                  // vectors of columns that are reduced together
  CHUNKS = 16,                // fixed parts of one long reduction, for several threads
  CHUNKED_INNER = 512,        // widest inner extent whose partial results fit on the stack
  CHUNKED_SIZE = 131072,      // smallest reduction that is cut into chunks
};

// Where a run of n is cut in two.
INLINE size_t first_half(size_t n, size_t block) { return (n / 2 + block - 1) / block * block; }

// Reduces a strip of `width` vectors of columns: total[c] = reduction over r of x[r * stride + c].
#define DEFINE_STRIP(name, T, V, initial, width)                                                \
  static void name##_strip_##width(T *total, const T *x, size_t rows, size_t stride) {          \
    enum { N = LANES(V, x) };                                                                   \
    V result[width];                                                                            \
    if (rows > BLOCK_ROWS) {                                                                    \
      T other[width * N];                                                                       \
      const size_t half = first_half(rows, BLOCK_ROWS);                                         \
      name##_strip_##width(total, x, half, stride);                                             \
      name##_strip_##width(other, x + half * stride, rows - half, stride);                      \
      for (size_t v = 0; v < width; v++) {                                                      \
        const V a = LOAD(V, total + v * N), b = LOAD(V, other + v * N);                         \
        result[v] = name##_of_two(V, a, b);                                                     \
      }                                                                                         \
    } else {                                                                                    \
      for (size_t v = 0; v < width; v++) result[v] = initial;                                   \
      for (size_t r = 0; r < rows; r++, x += stride) {                                          \
        for (size_t v = 0; v < width; v++) {                                                    \
          const V a = result[v], b = LOAD(V, x + v * N);                                        \
          result[v] = name##_of_two(V, a, b);                                                   \
        }                                                                                       \
      }                                                                                         \
    }                                                                                           \
    for (size_t v = 0; v < width; v++) STORE(total + v * N, result[v]);                         \
  }

// name##_of_two(type, a, b) combines two numbers or two vectors; P is the element type outside.
#define DEFINE_REDUCTION(name, P, T, V, initial)                                                \
  INLINE T name##_of_lanes(V v) {                                                               \
    T total = v[0];                                                                             \
    T lane[LANES(V, &total)];                                                                   \
    memcpy(lane, &v, sizeof v);                                                                 \
    for (size_t step = LANES(V, &total) / 2; step > 0; step /= 2) {                             \
      for (size_t l = 0; l < step; l++) {                                                       \
        lane[l] = name##_of_two(T, lane[l], lane[l + step]);                                    \
      }                                                                                         \
    }                                                                                           \
    return lane[0];                                                                             \
  }                                                                                             \
  static T name##_run(const T *x, size_t n) {                                                   \
    enum { N = LANES(V, x) };                                                                   \
    if (n > BLOCK) {                                                                            \
      const size_t half = first_half(n, BLOCK);                                                 \
      const T a = name##_run(x, half), b = name##_run(x + half, n - half);                      \
      return name##_of_two(T, a, b);                                                            \
    }                                                                                           \
    V total = initial;                                                                          \
    size_t i = 0;                                                                               \
    if (n >= 4 * N) {                                                                           \
      V part[4] = {initial, initial, initial, initial};                                         \
      for (; i + 4 * N <= n; i += 4 * N) {                                                      \
        for (size_t v = 0; v < 4; v++) {                                                        \
          const V b = LOAD(V, x + i + v * N);                                                   \
          part[v] = name##_of_two(V, part[v], b);                                               \
        }                                                                                       \
      }                                                                                         \
      part[0] = name##_of_two(V, part[0], part[2]);                                             \
      part[1] = name##_of_two(V, part[1], part[3]);                                             \
      total = name##_of_two(V, part[0], part[1]);                                               \
    }                                                                                           \
    for (; i < n; i += N) {                                                                     \
      const V b = n - i >= N ? LOAD(V, x + i) : LOAD_SOME(V, x + i, n - i, initial);            \
      total = name##_of_two(V, total, b);                                                       \
    }                                                                                           \
    return name##_of_lanes(total);                                                              \
  }                                                                                             \
  DEFINE_STRIP(name, T, V, initial, 1)                                                          \
  DEFINE_STRIP(name, T, V, initial, 8)                                                          \
  /* Columns begin..<end; inner is at least one vector. */                                      \
  static void name##_columns(T *y, const T *x, size_t reduce, size_t inner, size_t begin,       \
                             size_t end) {                                                      \
    enum { N = LANES(V, x) };                                                                   \
    size_t c = begin;                                                                           \
    for (; c + STRIP * N <= end; c += STRIP * N) {                                              \
      name##_strip_8(y + c, x + c, reduce, inner);                                              \
    }                                                                                           \
    for (; c + N <= end; c += N) name##_strip_1(y + c, x + c, reduce, inner);                   \
    if (c < end) {                                                                              \
      T last[N];                                                                                \
      name##_strip_1(last, x + end - N, reduce, inner);                                         \
      memcpy(y + c, last + N - (end - c), (end - c) * sizeof(T));                               \
    }                                                                                           \
  }                                                                                             \
  /* Fewer columns than a vector has lanes: N rows are `inner` whole vectors. */                \
  static void name##_narrow(T *y, const T *x, size_t reduce, size_t inner) {                    \
    enum { N = LANES(V, x) };                                                                   \
    if (reduce > BLOCK_ROWS * N) {                                                              \
      T other[N];                                                                               \
      const size_t half = first_half(reduce, BLOCK_ROWS * N);                                   \
      name##_narrow(y, x, half, inner);                                                         \
      name##_narrow(other, x + half * inner, reduce - half, inner);                             \
      for (size_t c = 0; c < inner; c++) y[c] = name##_of_two(T, y[c], other[c]);               \
      return;                                                                                   \
    }                                                                                           \
    V part[N];                                                                                  \
    for (size_t v = 0; v < inner; v++) part[v] = initial;                                       \
    size_t r = 0;                                                                               \
    for (; r + N <= reduce; r += N) {                                                           \
      for (size_t v = 0; v < inner; v++, x += N) {                                              \
        const V b = LOAD(V, x);                                                                 \
        part[v] = name##_of_two(V, part[v], b);                                                 \
      }                                                                                         \
    }                                                                                           \
    T parts[N * N];                                                                             \
    memcpy(parts, part, inner * sizeof(V));                                                     \
    for (; r < reduce; r++) {                                                                   \
      T *row = parts + r % N * inner;                                                           \
      for (size_t c = 0; c < inner; c++, x++) row[c] = name##_of_two(T, row[c], *x);            \
    }                                                                                           \
    for (size_t rows = N / 2; rows > 0; rows /= 2) {                                            \
      for (size_t k = 0; k < rows * inner; k++) {                                               \
        parts[k] = name##_of_two(T, parts[k], parts[k + rows * inner]);                         \
      }                                                                                         \
    }                                                                                           \
    memcpy(y, parts, inner * sizeof(T));                                                        \
  }                                                                                             \
  /* Outer indices begin..<end. */                                                              \
  static void name##_outer(const void *context, size_t begin, size_t end) {                     \
    const struct reduction_job *job = context;                                                  \
    const size_t reduce = job->reduce, inner = job->inner;                                      \
    T *y = (T *)job->y + begin * inner;                                                         \
    const T *x = (const T *)job->x + begin * reduce * inner;                                    \
    for (size_t o = begin; o < end; o++, y += inner, x += reduce * inner) {                     \
      if (inner == 1) {                                                                         \
        *y = name##_run(x, reduce);                                                             \
      } else if (inner < LANES(V, x)) {                                                         \
        name##_narrow(y, x, reduce, inner);                                                     \
      } else {                                                                                  \
        name##_columns(y, x, reduce, inner, 0, inner);                                          \
      }                                                                                         \
    }                                                                                           \
  }                                                                                             \
  /* Columns begin..<end of the single outer index. */                                          \
  static void name##_inner(const void *context, size_t begin, size_t end) {                     \
    const struct reduction_job *job = context;                                                  \
    name##_columns(job->y, job->x, job->reduce, job->inner, begin, end);                        \
  }                                                                                             \
  /* Chunks begin..<end of the single outer index, each a row of y. */                          \
  static void name##_chunks(const void *context, size_t begin, size_t end) {                    \
    const struct reduction_job *job = context;                                                  \
    const size_t chunk = (job->reduce + CHUNKS - 1) / CHUNKS;                                   \
    for (size_t k = begin; k < end; k++) {                                                      \
      const size_t first = k * chunk, left = job->reduce - first;                               \
      const struct reduction_job part = {                                                       \
          (T *)job->y + k * job->inner, (const T *)job->x + first * job->inner, 1,              \
          left < chunk ? left : chunk, job->inner};                                             \
      name##_outer(&part, 0, 1);                                                                \
    }                                                                                           \
  }                                                                                             \
  static void name##_in_chunks(T *y, const T *x, size_t reduce, size_t inner) {                 \
    T partial[CHUNKS * CHUNKED_INNER];                                                          \
    const size_t chunk = (reduce + CHUNKS - 1) / CHUNKS, chunks = (reduce + chunk - 1) / chunk; \
    const struct reduction_job parts = {partial, x, 1, reduce, inner};                          \
    for_range(name##_chunks, &parts, chunks, 1);                                                \
    const struct reduction_job whole = {y, partial, 1, chunks, inner};                          \
    name##_outer(&whole, 0, 1);                                                                 \
  }                                                                                             \
  static void name(P *y, const P *x, size_t outer, size_t reduce, size_t inner) {               \
    if (outer == 1 && inner <= CHUNKED_INNER && reduce * inner >= CHUNKED_SIZE) {              \
      name##_in_chunks((T *)y, (const T *)x, reduce, inner);                                    \
      return;                                                                                   \
    }                                                                                           \
    const struct reduction_job job = {y, x, outer, reduce, inner};                              \
    if (outer == 1 && inner > CHUNKED_INNER) {                                                  \
      for_rows(name##_inner, &job, inner, reduce, GRAIN_MEMORY);                                \
    } else {                                                                                    \
      for_rows(name##_outer, &job, outer, reduce * inner, GRAIN_MEMORY);                         \
    }                                                                                           \
  }

#define ADDED(type, a, b) ((a) + (b))
// NaN wins.
#define LARGER(type, a, b) (((b > a) | (b != b)) ? b : a)
#define SMALLER(type, a, b) (((b < a) | (b != b)) ? b : a)
#define LARGER_INTEGER(type, a, b) (b > a ? b : a)
#define SMALLER_INTEGER(type, a, b) (b < a ? b : a)

#define sum_f32_of_two ADDED
#define sum_f64_of_two ADDED
#define sum_i32_of_two ADDED
#define max_f32_of_two LARGER
#define max_f64_of_two LARGER
#define max_i32_of_two LARGER_INTEGER
#define min_f32_of_two SMALLER
#define min_f64_of_two SMALLER
#define min_i32_of_two SMALLER_INTEGER
DEFINE_REDUCTION(sum_f32, float, float, vf, 0)
DEFINE_REDUCTION(sum_f64, double, double, vd, 0)
DEFINE_REDUCTION(sum_i32, int32_t, uint32_t, vu, 0)
DEFINE_REDUCTION(max_f32, float, float, vf, -INFINITY)
DEFINE_REDUCTION(max_f64, double, double, vd, -INFINITY)
DEFINE_REDUCTION(max_i32, int32_t, int32_t, vi, INT32_MIN)
DEFINE_REDUCTION(min_f32, float, float, vf, INFINITY)
DEFINE_REDUCTION(min_f64, double, double, vd, INFINITY)
DEFINE_REDUCTION(min_i32, int32_t, int32_t, vi, INT32_MAX)

// ---------------------------------------------------------------- where the extremum stands

enum { INDEX_TILE = 64 };

// `better(x, best)` is strict, so that the first of equals stays; NaN is better than all but NaN.
#define DEFINE_INDEX_REDUCTION(name, extremum, T, better, is_nan)                              \
  INLINE int32_t name##_run(const T *x, size_t n) {                                            \
    const T best = extremum##_run(x, n);                                                       \
    size_t i = 0;                                                                              \
    while (x[i] != best && !is_nan(x[i])) i++;                                                 \
    return (int32_t)i;                                                                         \
  }                                                                                            \
  static void name##_tile(int32_t *y, const T *x, size_t reduce, size_t inner, size_t width) { \
    T best[INDEX_TILE];                                                                        \
    int32_t index[INDEX_TILE] = {0};                                                           \
    memcpy(best, x, width * sizeof(T));                                                        \
    for (size_t r = 1; r < reduce; r++) {                                                      \
      const T *row = x + r * inner;                                                            \
      for (size_t c = 0; c < width; c++) {                                                     \
        const bool wins = (row[c] better best[c]) || (is_nan(row[c]) && !is_nan(best[c]));     \
        index[c] = wins ? (int32_t)r : index[c];                                               \
        best[c] = wins ? row[c] : best[c];                                                     \
      }                                                                                        \
    }                                                                                          \
    memcpy(y, index, width * sizeof(int32_t));                                                 \
  }                                                                                            \
  static void name##_outer(const void *context, size_t begin, size_t end) {                    \
    const struct reduction_job *job = context;                                                 \
    const size_t reduce = job->reduce, inner = job->inner;                                     \
    int32_t *y = (int32_t *)job->y + begin * inner;                                            \
    const T *x = (const T *)job->x + begin * reduce * inner;                                   \
    for (size_t o = begin; o < end; o++, y += inner, x += reduce * inner) {                    \
      if (inner == 1) {                                                                        \
        *y = name##_run(x, reduce);                                                            \
        continue;                                                                              \
      }                                                                                        \
      for (size_t c = 0; c < inner; c += INDEX_TILE) {                                         \
        const size_t width = inner - c < INDEX_TILE ? inner - c : INDEX_TILE;                  \
        name##_tile(y + c, x + c, reduce, inner, width);                                       \
      }                                                                                        \
    }                                                                                          \
  }                                                                                            \
  static void name(int32_t *y, const T *x, size_t outer, size_t reduce, size_t inner) {        \
    const struct reduction_job job = {y, x, outer, reduce, inner};                             \
    for_rows(name##_outer, &job, outer, reduce * inner, GRAIN_MEMORY);                          \
  }
#define IS_NAN(x) ((x) != (x))
#define IS_NEVER_NAN(x) 0
DEFINE_INDEX_REDUCTION(argmax_f32, max_f32, float, >, IS_NAN)
DEFINE_INDEX_REDUCTION(argmax_f64, max_f64, double, >, IS_NAN)
DEFINE_INDEX_REDUCTION(argmax_i32, max_i32, int32_t, >, IS_NEVER_NAN)
DEFINE_INDEX_REDUCTION(argmin_f32, min_f32, float, <, IS_NAN)
DEFINE_INDEX_REDUCTION(argmin_f64, min_f64, double, <, IS_NAN)
DEFINE_INDEX_REDUCTION(argmin_i32, min_i32, int32_t, <, IS_NEVER_NAN)

// ---------------------------------------------------------------- one number for a whole array

// Sum of squares in double precision, through a fixed number of chunks when n is large.
#define DEFINE_SUM_SQUARES(suffix, T, V)                                                      \
  static double sum_squares_##suffix##_run(const T *x, size_t n) {                            \
    if (n > BLOCK) {                                                                          \
      const size_t half = first_half(n, BLOCK);                                               \
      return sum_squares_##suffix##_run(x, half) +                                            \
             sum_squares_##suffix##_run(x + half, n - half);                                  \
    }                                                                                         \
    vd even = 0, odd = 0;                                                                     \
    size_t begin = 0;                                                                         \
    for (; begin + 2 * F64_LANES <= n; begin += 2 * F64_LANES) {                              \
      const vd a = __builtin_convertvector(LOAD(V, x + begin), vd);                           \
      const vd b = __builtin_convertvector(LOAD(V, x + begin + F64_LANES), vd);               \
      even += a * a;                                                                          \
      odd += b * b;                                                                           \
    }                                                                                         \
    FOR_VECTORS(F64_LANES, begin, n, {                                                        \
      const V narrow = GET(V, x);                                                             \
      const vd a = __builtin_convertvector(narrow, vd);                                       \
      even += a * a;                                                                          \
    });                                                                                       \
    return sum_f64_of_lanes(even + odd);                                                      \
  }                                                                                           \
  static void sum_squares_##suffix##_chunks(const void *context, size_t begin, size_t end) {  \
    const struct reduction_job *job = context;                                                \
    const size_t chunk = (job->reduce + CHUNKS - 1) / CHUNKS;                                 \
    for (size_t k = begin; k < end; k++) {                                                    \
      const size_t first = k * chunk, left = job->reduce - first;                             \
      ((double *)job->y)[k] = sum_squares_##suffix##_run(                                     \
          (const T *)job->x + first, left < chunk ? left : chunk);                            \
    }                                                                                         \
  }                                                                                           \
  static double sum_squares_##suffix(const T *x, size_t n) {                                  \
    if (n < CHUNKED_SIZE) return sum_squares_##suffix##_run(x, n);                            \
    double partial[CHUNKS];                                                                   \
    const struct reduction_job job = {partial, x, 1, n, 1};                                   \
    for_range(sum_squares_##suffix##_chunks, &job, CHUNKS, 1);                                \
    return sum_f64_run(partial, CHUNKS);                                                      \
  }
DEFINE_SUM_SQUARES(f32, float, half_vf)
DEFINE_SUM_SQUARES(f64, double, vd)

// A number is finite when its exponent is not all ones.
#define DEFINE_ALL_FINITE(suffix, T, V, U, UV, exponent)                                      \
  static bool all_finite_##suffix##_run(const T *x, size_t n) {                               \
    for (size_t first = 0; first < n; first += BLOCK) {                                       \
      const size_t last = n - first < BLOCK ? n : first + BLOCK;                              \
      UV bad = 0;                                                                             \
      FOR_VECTORS(LANES(V, x), first, last, {                                                 \
        const V v = GET(V, x);                                                                \
        bad |= (UV)(((UV)v & exponent) == exponent);                                          \
      });                                                                                     \
      if (__builtin_reduce_or(bad) != 0) return false;                                        \
    }                                                                                         \
    return true;                                                                              \
  }                                                                                           \
  static void all_finite_##suffix##_chunks(const void *context, size_t begin, size_t end) {   \
    const struct reduction_job *job = context;                                                \
    const size_t chunk = (job->reduce + CHUNKS - 1) / CHUNKS;                                 \
    for (size_t k = begin; k < end; k++) {                                                    \
      const size_t first = k * chunk, left = job->reduce - first;                             \
      ((bool *)job->y)[k] = all_finite_##suffix##_run((const T *)job->x + first,              \
                                                      left < chunk ? left : chunk);           \
    }                                                                                         \
  }                                                                                           \
  static bool all_finite_##suffix(const T *x, size_t n) {                                     \
    if (n < CHUNKED_SIZE) return all_finite_##suffix##_run(x, n);                             \
    bool finite[CHUNKS], all = true;                                                          \
    const struct reduction_job job = {finite, x, 1, n, 1};                                    \
    for_range(all_finite_##suffix##_chunks, &job, CHUNKS, 1);                                 \
    for (int k = 0; k < CHUNKS; k++) all &= finite[k];                                        \
    return all;                                                                               \
  }
DEFINE_ALL_FINITE(f32, float, vf, uint32_t, vu, UINT32_C(0x7f800000))
DEFINE_ALL_FINITE(f64, double, vd, uint64_t, vul, UINT64_C(0x7ff0000000000000))
