// CKernels: loops over pointers and counts, with SIMD chosen at run time, and the thread pool.
//
// This header is the whole contract. A kernel knows no shapes beyond what it loops over, allocates
// nothing, and reports no errors. Order of arguments: outputs, inputs, sizes, constants. Arrays
// are dense unless strides are given; strides and counts are in elements. Outputs do not overlap
// inputs, except that `y` may be the very same array as an input of equal type and layout in the
// elementwise kernels (in-place operation).
//
// Every kernel exists three times (AVX-512, AVX2 with FMA, plain); ck_isa() tells which is used. A result
// never depends on the number of threads: work is cut into blocks of fixed size.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

// ---------------------------------------------------------------- instruction set and threads

// "avx512", "avx2" or "plain": the best that this processor has, or the (lower) one named by the
// environment variable LOCKSTEP_ISA when it is set.
const char *ck_isa(void);

// Sets how many threads kernels may use, the caller included (at least 1, at most CK_MAX_THREADS).
// Workers start at the first use, spin briefly between uses and then sleep.
void ck_set_threads(int count);
int ck_threads(void);
enum { CK_MAX_THREADS = 256 };

// Calls task(context, part) for every part in 0..<parts, on the pool and the caller, and returns when
// all are done. Parts are assigned to threads statically (part % threads). When the pool is busy with another
// caller's work, or the call comes from inside a task, the parts run one after another on the
// caller.
void ck_parallel(void (*task)(void *context, int part), void *context, int parts);

// Small per-thread state of the layers above, zero at first: cheaper than a task-local value.
typedef struct {
  int32_t grad_disabled;       // depth of withoutGrad scopes
  int32_t gradients_in_place;  // whether pullbacks may write straight into leaves' gradients
  int32_t fixed_parts;         // whether work is cut the same way for any number of threads
  uint64_t sequence;           // number of the newest recorded operation
  void *release_queue;         // opaque, unmanaged
  void *mode;                  // opaque, unmanaged
} ck_thread_state;
ck_thread_state *ck_current_thread_state(void);

// Sets flush-to-zero and denormals-are-zero in the calling thread. Workers take over the caller's
// setting with each task.
void ck_flush_denormals(void);

// ---------------------------------------------------------------- memory

// y[i] = value
void ck_fill_f32(float *y, size_t n, float value);
void ck_fill_f64(double *y, size_t n, double value);
void ck_fill_i32(int32_t *y, size_t n, int32_t value);

// y[r * y_row + c * y_col] = x[r * x_row + c * x_col], elements of 4 or 8 bytes. A transposing copy
// (x_row == 1 or y_row == 1) goes in tiles.
void ck_copy_b32(void *y, const void *x, size_t rows, size_t cols, ptrdiff_t y_row, ptrdiff_t y_col,
                 ptrdiff_t x_row, ptrdiff_t x_col);
void ck_copy_b64(void *y, const void *x, size_t rows, size_t cols, ptrdiff_t y_row, ptrdiff_t y_col,
                 ptrdiff_t x_row, ptrdiff_t x_col);

// y[i] = (target type)x[i]; floating values are truncated towards zero when they become integers
// (saturating; NaN becomes 0).
void ck_convert_f32_f64(double *y, const float *x, size_t n);
void ck_convert_f64_f32(float *y, const double *x, size_t n);
void ck_convert_i32_f32(float *y, const int32_t *x, size_t n);
void ck_convert_i32_f64(double *y, const int32_t *x, size_t n);
void ck_convert_f32_i32(int32_t *y, const float *x, size_t n);
void ck_convert_f64_i32(int32_t *y, const double *x, size_t n);

// ---------------------------------------------------------------- elementwise, one input

// y[i] = f(x[i]). In float32 the transcendental ones are this library's own polynomials (at most
// 2 units in the last place, 4 for tanh, sigmoid and sin/cos within |x| < 8192), NaN and infinities as in C's
// math library; in float64 they are the C library's.
#define CK_UNARY(name)                                       \
  void ck_##name##_f32(float *y, const float *x, size_t n);  \
  void ck_##name##_f64(double *y, const double *x, size_t n);
CK_UNARY(neg)      // -x
CK_UNARY(abs)      // |x|
CK_UNARY(sign)     // -1, 0 or 1; NaN stays
CK_UNARY(square)   // x * x
CK_UNARY(sqrt)     // sqrt(x)
CK_UNARY(reciprocal)  // 1 / x
CK_UNARY(exp)      // e^x
CK_UNARY(log)      // natural logarithm
CK_UNARY(sin)
CK_UNARY(cos)
CK_UNARY(tanh)
CK_UNARY(sigmoid)  // 1 / (1 + e^-x), without overflow
CK_UNARY(relu)     // x > 0 ? x : 0, NaN stays
CK_UNARY(floor)
CK_UNARY(round)    // to nearest, halves to even
#undef CK_UNARY
void ck_neg_i32(int32_t *y, const int32_t *x, size_t n);
void ck_abs_i32(int32_t *y, const int32_t *x, size_t n);

// y[i] = min(max(x[i], low), high); NaN stays
void ck_clamp_f32(float *y, const float *x, size_t n, float low, float high);
void ck_clamp_f64(double *y, const double *x, size_t n, double low, double high);

// y[i] = x[i] ^ exponent, as pow() of the C library
void ck_pow_scalar_f32(float *y, const float *x, size_t n, float exponent);
void ck_pow_scalar_f64(double *y, const double *x, size_t n, double exponent);

// y[i] = a * x[i] + b
void ck_affine_f32(float *y, const float *x, size_t n, float a, float b);
void ck_affine_f64(double *y, const double *x, size_t n, double a, double b);

// Backward halves: dx[i] = dy[i] * f'(...), where s is what the forward saved.
#define CK_BACKWARD(name)                                                       \
  void ck_##name##_backward_f32(float *dx, const float *dy, const float *s, size_t n); \
  void ck_##name##_backward_f64(double *dx, const double *dy, const double *s, size_t n);
CK_BACKWARD(relu)     // s = x or y: s > 0 ? dy : 0
CK_BACKWARD(sigmoid)  // s = y: dy * y * (1 - y)
CK_BACKWARD(tanh)     // s = y: dy * (1 - y * y)
#undef CK_BACKWARD

// ---------------------------------------------------------------- elementwise, two inputs

// y[r, c] = f(a[r * a_row + c * a_col], b[r * b_row + c * b_col]), y dense [rows, cols]. Any strides work; those
// that broadcasting makes (0 or 1 for columns) are fast, also for many short rows.
#define CK_BINARY_ARGUMENTS(T)                                                                 \
  const T *a, const T *b, size_t rows, size_t cols, ptrdiff_t a_row, ptrdiff_t a_col, ptrdiff_t b_row, \
      ptrdiff_t b_col
#define CK_BINARY(name)                                          \
  void ck_##name##_f32(float *y, CK_BINARY_ARGUMENTS(float));    \
  void ck_##name##_f64(double *y, CK_BINARY_ARGUMENTS(double));
#define CK_BINARY_WITH_INTEGERS(name) \
  CK_BINARY(name)                     \
  void ck_##name##_i32(int32_t *y, CK_BINARY_ARGUMENTS(int32_t));
#define CK_COMPARISON(name)                                       \
  void ck_##name##_f32(int32_t *y, CK_BINARY_ARGUMENTS(float));   \
  void ck_##name##_f64(int32_t *y, CK_BINARY_ARGUMENTS(double));  \
  void ck_##name##_i32(int32_t *y, CK_BINARY_ARGUMENTS(int32_t));
CK_BINARY_WITH_INTEGERS(add)
CK_BINARY_WITH_INTEGERS(sub)
CK_BINARY_WITH_INTEGERS(mul)
CK_BINARY_WITH_INTEGERS(div)      // integers: truncating, x / 0 = 0
CK_BINARY_WITH_INTEGERS(maximum)  // NaN if either is NaN
CK_BINARY_WITH_INTEGERS(minimum)
CK_BINARY(pow)                    // as pow() of the C library
CK_BINARY(squared_difference)     // (a - b)^2
CK_COMPARISON(equal)              // 1 or 0
CK_COMPARISON(less)
CK_COMPARISON(less_equal)
#undef CK_COMPARISON
#undef CK_BINARY_WITH_INTEGERS
#undef CK_BINARY
#undef CK_BINARY_ARGUMENTS

// y[i] = condition[i] != 0 ? a[i] : b[i], elements of 4 or 8 bytes
void ck_where_b32(void *y, const int32_t *condition, const void *a, const void *b, size_t n);
void ck_where_b64(void *y, const int32_t *condition, const void *a, const void *b, size_t n);

// A hash of bytes, the same on all processors: tells whether two memories are equal, not a secret.
uint64_t ck_hash(const void *bytes, size_t count);

// ---------------------------------------------------------------- sums into place

// y[i] += x[i]
void ck_accumulate_f32(float *y, const float *x, size_t n);
void ck_accumulate_f64(double *y, const double *x, size_t n);
// y[i] = x[0][i] + x[1][i] + ... + x[terms - 1][i], added in pairs, then pairs of pairs: of a power of
// two of terms, ((x0 + x1) + (x2 + x3)) + ... y may be one of the x; terms > 0.
void ck_sum_tree_f32(float *y, const float *const *x, size_t terms, size_t n);
// y[r, c] += row[c], y dense: the bias of a layer, added in place
void ck_add_row_f32(float *y, const float *row, size_t rows, size_t cols);
void ck_add_row_f64(double *y, const double *row, size_t rows, size_t cols);

// ---------------------------------------------------------------- reductions

// y[o, i] = reduction over r of x[o, r, i], all dense. float32 sums use several accumulators in blocks of
// fixed size (error grows with log n, not n). An empty sum is 0; max, min, argmax and argmin need
// reduce > 0. NaN wins in max and min, and argmax finds the first NaN or the first largest.
#define CK_REDUCTION(name, T, R, suffix) \
  void ck_##name##_##suffix(R *y, const T *x, size_t outer, size_t reduce, size_t inner);
CK_REDUCTION(sum, float, float, f32)
CK_REDUCTION(sum, double, double, f64)
CK_REDUCTION(sum, int32_t, int32_t, i32)
CK_REDUCTION(max, float, float, f32)
CK_REDUCTION(max, double, double, f64)
CK_REDUCTION(max, int32_t, int32_t, i32)
CK_REDUCTION(min, float, float, f32)
CK_REDUCTION(min, double, double, f64)
CK_REDUCTION(min, int32_t, int32_t, i32)
CK_REDUCTION(argmax, float, int32_t, f32)
CK_REDUCTION(argmax, double, int32_t, f64)
CK_REDUCTION(argmax, int32_t, int32_t, i32)
CK_REDUCTION(argmin, float, int32_t, f32)
CK_REDUCTION(argmin, double, int32_t, f64)
CK_REDUCTION(argmin, int32_t, int32_t, i32)
#undef CK_REDUCTION

// The sum of x[i]^2, accumulated in double precision in blocks of fixed size.
double ck_sum_squares_f32(const float *x, size_t n);
double ck_sum_squares_f64(const double *x, size_t n);
// Whether no x[i] is NaN or infinite.
bool ck_all_finite_f32(const float *x, size_t n);
bool ck_all_finite_f64(const double *x, size_t n);

// ---------------------------------------------------------------- rows: softmax and cross-entropy

// For each row of a dense [rows, cols]:
//   softmax       y = exp(x - max) / sum exp(x - max)          dx = y * (dy - sum(dy * y))
//   log_softmax   y = x - max - log sum exp(x - max)           dx = dy - exp(y) * sum(dy)
// A row whose maximum is infinite gives what the formula gives in IEEE arithmetic (NaN).
#define CK_ROWS(T, suffix)                                                                     \
  void ck_softmax_##suffix(T *y, const T *x, size_t rows, size_t cols);                        \
  void ck_softmax_backward_##suffix(T *dx, const T *dy, const T *y, size_t rows, size_t cols); \
  void ck_log_softmax_##suffix(T *y, const T *x, size_t rows, size_t cols);                    \
  void ck_log_softmax_backward_##suffix(T *dx, const T *dy, const T *y, size_t rows, size_t cols); \
  /* losses[r] = log sum exp x[r] - x[r, labels[r]]; labels are in 0..<cols (the caller checks). */ \
  /* row_logs keeps for each row its maximum and log sum exp(x - maximum): added up, they would lose */ \
  /* digits of large logits. */ \
  void ck_cross_entropy_##suffix(T *losses, T *row_logs, const T *x, const int32_t *labels,  \
                                 size_t rows, size_t cols);                                    \
  /* dx[r, c] = dy[r * dy_stride] * (softmax(x)[r, c] - (c == labels[r])), dy_stride 0 or 1 */ \
  void ck_cross_entropy_backward_##suffix(T *dx, const T *dy, ptrdiff_t dy_stride, const T *x,  \
                                          const T *row_logs, const int32_t *labels,         \
                                          size_t rows, size_t cols);
CK_ROWS(float, f32)
CK_ROWS(double, f64)
#undef CK_ROWS

// ---------------------------------------------------------------- binary cross-entropy

// y = -(t * max(log p, -100) + (1 - t) * max(log(1 - p), -100)), PyTorch's clamping
// dp = dy[i * dy_stride] * (p - t) / max(p * (1 - p), 1e-12)
// with logits: y = max(x, 0) - x * t + log(1 + e^-|x|);  dx = dy[i * dy_stride] * (sigmoid(x) - t)
#define CK_BCE(T, suffix)                                                                      \
  void ck_bce_##suffix(T *y, const T *p, const T *t, size_t n);                                \
  void ck_bce_backward_##suffix(T *dp, const T *dy, ptrdiff_t dy_stride, const T *p, const T *t, \
                                size_t n);                                                     \
  void ck_bce_logits_##suffix(T *y, const T *x, const T *t, size_t n);                         \
  void ck_bce_logits_backward_##suffix(T *dx, const T *dy, ptrdiff_t dy_stride, const T *x,    \
                                       const T *t, size_t n);
CK_BCE(float, f32)
CK_BCE(double, f64)
#undef CK_BCE

// ---------------------------------------------------------------- random numbers

// Counter-based (Philox 4x32-10): element i of stream (seed, stream) is a pure function of the
// three, so any part can be made by itself, in any order. `first` is the index of y[0]. Element i is
// word i % 4 of the block whose counter is (i / 4, stream) and whose key is the seed, lower words first;
// a uniform number is the word's upper 24 bits. float64 streams have the same numbers as float32 ones.
// uniform: [low, high), 24 bits of randomness. normal: Box-Muller on two uniform numbers.
void ck_uniform_f32(float *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, float low, float high);
void ck_uniform_f64(double *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, double low, double high);
void ck_normal_f32(float *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, float mean, float deviation);
void ck_normal_f64(double *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, double mean, double deviation);

// y[r, c] = x[r, c] * (u(seed, samples[r], stream, c) < p ? 0 : 1 / (1 - p)), where u is uniform in [0, 1)
// and a pure function of its arguments (word c % 4 of the block with the counter (c / 4, stream, sample) and
// the seed as key): the same call on dy is the backward pass. samples == NULL stands for
// first_sample + r.
void ck_dropout_f32(float *y, const float *x, size_t rows, size_t cols, float p, uint64_t seed,
                    uint32_t stream, const uint64_t *samples, uint64_t first_sample);
void ck_dropout_f64(double *y, const double *x, size_t rows, size_t cols, double p, uint64_t seed,
                    uint32_t stream, const uint64_t *samples, uint64_t first_sample);

// ---------------------------------------------------------------- matrix product for tiny shapes

// c[i * ldc + j] = beta * c[i * ldc + j] + sum over l of a[i * a_row + l * a_col] * b[l * b_row + j * b_col]
// (beta == 0 overwrites, also NaN). For products too small for a BLAS call to pay.
void ck_gemm_small_f32(float *c, const float *a, const float *b, size_t m, size_t n, size_t k,
                       ptrdiff_t a_row, ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col, size_t ldc,
                       float beta);
void ck_gemm_small_f64(double *c, const double *a, const double *b, size_t m, size_t n, size_t k,
                       ptrdiff_t a_row, ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col, size_t ldc,
                       double beta);

// ---------------------------------------------------------------- smooth activations

// y[i] = f(x[i]), and dx[i] = dy[i] * f'(s[i]) for s = x
//   erf                                    the error function (forward only)
//   gelu       x * P(X <= x) for a normal X
//   gelu_tanh  x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
//   silu       x / (1 + e^-x)
//   softplus   log(1 + e^x), without overflow
#define CK_SMOOTH(T, suffix)                                                       \
  void ck_erf_##suffix(T *y, const T *x, size_t n);                                \
  void ck_gelu_##suffix(T *y, const T *x, size_t n);                               \
  void ck_gelu_backward_##suffix(T *dx, const T *dy, const T *s, size_t n);        \
  void ck_gelu_tanh_##suffix(T *y, const T *x, size_t n);                          \
  void ck_gelu_tanh_backward_##suffix(T *dx, const T *dy, const T *s, size_t n);   \
  void ck_silu_##suffix(T *y, const T *x, size_t n);                               \
  void ck_silu_backward_##suffix(T *dx, const T *dy, const T *s, size_t n);        \
  void ck_softplus_##suffix(T *y, const T *x, size_t n);                           \
  void ck_softplus_backward_##suffix(T *dx, const T *dy, const T *s, size_t n);    \
  /* x > 0 ? x : slope * x */                                                      \
  void ck_leaky_relu_##suffix(T *y, const T *x, size_t n, T slope);                \
  void ck_leaky_relu_backward_##suffix(T *dx, const T *dy, const T *x, size_t n, T slope); \
  /* x > 0 ? x : alpha * (e^x - 1) */                                              \
  void ck_elu_##suffix(T *y, const T *x, size_t n, T alpha);                       \
  void ck_elu_backward_##suffix(T *dx, const T *dy, const T *x, size_t n, T alpha);
CK_SMOOTH(float, f32)
CK_SMOOTH(double, f64)
#undef CK_SMOOTH

// ---------------------------------------------------------------- normalisation

// Of each row of x[rows, cols]: y = (x - mean) * rd * weight + bias, with the reciprocal deviation
// rd = 1 / sqrt(variance + epsilon), the variance being biased. weight and bias [cols] may be NULL.
//   layer_norm_backward  dx = rd * (g - mean(g) - n * mean(g * n)), g = dy * weight, n = (x - mean) * rd
//   layer_norm_sums      dweight = sum over rows of dy * n, dbias = sum over rows of dy
// Of each channel of x[rows, channels, cols]:
//   channel_moments      the mean and the biased variance
//   channel_affine       y = (x - center) * scale + shift; shift may be NULL
//   channel_sums         sum = sum of dy, product = sum of dy * (x - center)
//   channel_backward     dx = scale * (dy - shift - slope * (x - center))
#define CK_NORMALIZATION(T, suffix)                                                                \
  void ck_layer_norm_##suffix(T *y, T *mean, T *reciprocal_deviation, const T *x, const T *weight, \
                              const T *bias, size_t rows, size_t cols, T epsilon);                 \
  void ck_layer_norm_backward_##suffix(T *dx, const T *dy, const T *x, const T *mean,              \
                                       const T *reciprocal_deviation, const T *weight,             \
                                       size_t rows, size_t cols);                                  \
  void ck_layer_norm_sums_##suffix(T *dweight, T *dbias, const T *dy, const T *x, const T *mean,   \
                                   const T *reciprocal_deviation, size_t rows, size_t cols);       \
  void ck_channel_moments_##suffix(T *mean, T *variance, const T *x, size_t rows, size_t channels, \
                                   size_t cols);                                                   \
  void ck_channel_affine_##suffix(T *y, const T *x, const T *center, const T *scale,               \
                                  const T *shift, size_t rows, size_t channels, size_t cols);      \
  void ck_channel_sums_##suffix(T *sum, T *product, const T *dy, const T *x, const T *center,      \
                                size_t rows, size_t channels, size_t cols);                        \
  void ck_channel_backward_##suffix(T *dx, const T *dy, const T *x, const T *center,               \
                                    const T *scale, const T *shift, const T *slope, size_t rows,   \
                                    size_t channels, size_t cols);
CK_NORMALIZATION(float, f32)
CK_NORMALIZATION(double, f64)
#undef CK_NORMALIZATION

// ---------------------------------------------------------------- rows by index

// y[r, :] = x[indices[r], :], rows of `bytes` bytes; the caller checks the indices.
void ck_gather_rows(void *y, const void *x, const int32_t *indices, size_t rows, size_t bytes);
// y[indices[r], :] += x[r, :], in the order of r.
void ck_scatter_add_rows_f32(float *y, const float *x, const int32_t *indices, size_t rows, size_t cols);
void ck_scatter_add_rows_f64(double *y, const double *x, const int32_t *indices, size_t rows, size_t cols);

// ---------------------------------------------------------------- attention

// How far apart batches, heads and rows are; the elements of a row are neighbours.
typedef struct {
  ptrdiff_t batch, head, row;
} ck_head_strides;

// q, dq, y and dy are [batches, heads, queries, width], k, v, dk and dv [batches, heads, keys, width] in any
// layout; dy lies as y. If causal, query i looks at the keys 0...i only. keys > 0.
typedef struct {
  size_t batches, heads, queries, keys, width;
  ck_head_strides q, k, v, y, dq, dk, dv;
  bool causal;
} ck_attention;

// y = softmax(scale * q k^T) v in tiles, the softmax being corrected from tile to tile; log_sum_exp and delta
// are [batches, heads, queries]. The backward pass computes the scores again; delta is scratch.
#define CK_ATTENTION(T, suffix)                                                                  \
  void ck_attention_##suffix(T *y, T *row_logs, const T *q, const T *k, const T *v,           \
                             const ck_attention *shape, T scale);                                \
  void ck_attention_backward_##suffix(T *dq, T *dk, T *dv, T *delta, const T *dy, const T *q,    \
                                      const T *k, const T *v, const T *y, const T *row_logs,  \
                                      const ck_attention *shape, T scale);
CK_ATTENTION(float, f32)
CK_ATTENTION(double, f64)
#undef CK_ATTENTION

// ---------------------------------------------------------------- windows: convolution and pooling

// How windows of kernel_height x kernel_width taps lie over planes of height x width: output place
// (r, c) has its tap (i, j) at row r * stride_y + i * dilation_y - padding_y of the plane, and
// likewise for columns. Everything outside the plane is padding.
typedef struct {
  ptrdiff_t height, width, kernel_height, kernel_width, out_height, out_width;
  ptrdiff_t stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
} ck_windows;

// Part of an axis that is averaged over: elements begin..<end, whose sum is divided by `divisor`.
typedef struct {
  int32_t begin, end, divisor;
} ck_span;

#define CK_WINDOWS(T, suffix)                                                                  \
  /* Part of the matrix of patches of one image x, [channels, height, width], whose rows are   \
     (channel, i, j) and whose columns are output places: panel[t * ld + p] is what tap        \
     first_tap + t meets at place first_place + p, 0 in the padding. On the calling thread. */ \
  void ck_im2col_##suffix(T *panel, const T *x, const ck_windows *w, size_t first_tap,         \
                          size_t taps, size_t first_place, size_t places, size_t ld);          \
  /* The transpose: adds each element of the panel to the element of x that it came from. */   \
  void ck_col2im_##suffix(T *x, const T *panel, const ck_windows *w, size_t first_tap,         \
                          size_t taps, size_t first_place, size_t places, size_t ld);          \
  /* The largest element of each window, and its place in the plane: the first of several, but \
     the last NaN if there is one. No window may lie wholly in the padding. */                 \
  void ck_max_pool_##suffix(T *y, int32_t *places, const T *x, size_t planes,                  \
                            const ck_windows *w);                                              \
  /* dx[p, places[p, i]] += dy[p, i] for planes of `size` and `out_size` elements */           \
  void ck_max_pool_backward_##suffix(T *dx, const T *dy, const int32_t *places, size_t planes, \
                                     size_t size, size_t out_size);                            \
  /* y[p, r, c] = sum of x[p] over rows[r] x cols[c] / (rows[r].divisor * cols[c].divisor) */  \
  void ck_average_pool_##suffix(T *y, const T *x, size_t planes, size_t height, size_t width,  \
                                const ck_span *rows, size_t out_height, const ck_span *cols,   \
                                size_t out_width);                                             \
  /* The transpose: each dy[p, r, c], divided likewise, added to all elements of its window. */ \
  void ck_average_pool_backward_##suffix(T *dx, const T *dy, size_t planes, size_t height,     \
                                         size_t width, const ck_span *rows, size_t out_height, \
                                         const ck_span *cols, size_t out_width);
CK_WINDOWS(float, f32)
CK_WINDOWS(double, f64)
#undef CK_WINDOWS

// ---------------------------------------------------------------- optimizers

// One pass of stochastic gradient descent, PyTorch's rule:
//   g = scale * grad + weight_decay * w
//   if momentum != 0: v = first ? g : momentum * v + (1 - dampening) * g;  g = nesterov ? g + momentum * v : v
//   w -= learning_rate * g
// velocity may be NULL when momentum == 0.
void ck_sgd_f32(float *w, float *velocity, const float *grad, size_t n, float learning_rate,
                float momentum, float dampening, float weight_decay, bool nesterov, bool first,
                float scale);

// One step of AdamW, PyTorch's rule, where correction_i = 1 - beta_i^step:
//   w -= learning_rate * weight_decay * w
//   m += (1 - beta1) * (grad - m);  v = beta2 * v + (1 - beta2) * grad^2
//   w -= learning_rate / correction1 * m / (sqrt(v) / sqrt(correction2) + epsilon)
void ck_adamw_f32(float *w, float *first_moment, float *second_moment, const float *grad, size_t n,
                  double learning_rate, double beta1, double beta2, double epsilon,
                  double weight_decay, double correction1, double correction2);

#ifdef __cplusplus
}
#endif
