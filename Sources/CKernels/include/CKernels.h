// CKernels: loops over pointers and counts, with SIMD chosen at run time, and the thread pool.
//
// This header is the whole contract. A kernel knows no shapes beyond what it loops over, allocates
// nothing, and reports no errors. Order of arguments: element type, outputs, inputs, sizes, constants.
// `void *` points to elements of that type; labels, indices and results of comparisons are int32_t.
// Constants are double and are converted to the type of the arithmetic, so values of a float survive
// exactly. Arrays are dense unless strides are given; strides and counts are in elements. Outputs do
// not overlap inputs, except that `y` may be the very same array as an input of equal type and layout
// in the elementwise kernels (in-place operation).
//
// Every kernel exists three times (AVX-512, AVX2 with FMA, plain); ck_isa() tells which is used. A
// result never depends on the number of threads: work is cut into blocks of fixed size.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
_Pragma("clang assume_nonnull begin")

// A kernel is a pointer, which is set before main and never changes.
#ifndef CK_KERNEL
#define CK_KERNEL \
  extern __attribute__((swift_attr("nonisolated(unsafe)"))) __attribute__((swift_attr("@Sendable")))
#endif

// Element types. Arithmetic on bfloat16 is done in float32; a kernel supports it where that is said.
// A kernel stops the program when it does not support a type.
typedef enum : int32_t { ck_f32, ck_f64, ck_i32, ck_bf16, ck_i64, ck_bool } ck_type;

// ---------------------------------------------------------------- instruction set and threads

// "avx512-bf16" (AVX-512 with an instruction for products of bfloat16), "avx512", "avx2" or "plain": the best
// that this processor has, or the (lower) one named by the environment variable LOCKSTEP_ISA when it is set.
const char *ck_isa(void);

// Sets how many threads kernels may use, the caller included (at least 1, at most CK_MAX_THREADS).
// Workers start at the first use, spin briefly between uses and then sleep.
void ck_set_threads(int count);
int ck_threads(void);
enum { CK_MAX_THREADS = 256 };

// Calls task(context, part) for every part in 0..<parts, on the pool and the caller, and returns when
// all are done. Parts are assigned to threads statically (part % threads). When the pool is busy with
// another caller's work, or the call comes from inside a task, the parts run one after another on the
// caller.
void ck_parallel(void (*task)(void *_Nullable context, int part), void *_Nullable context, int parts);

// Sets flush-to-zero and denormals-are-zero in the calling thread. Workers take over the caller's
// setting with each task.
void ck_flush_denormals(void);

// ---------------------------------------------------------------- memory; all types

// y[i] = value
CK_KERNEL void (*ck_fill)(ck_type type, void *y, size_t n, double value);

// y[r * y_row + c * y_col] = x[r * x_row + c * x_col]. A transposing copy (x_row == 1 or y_row == 1)
// goes in tiles.
CK_KERNEL void (*ck_copy)(ck_type type, void *y, const void *x, size_t rows, size_t cols,
                          ptrdiff_t y_row, ptrdiff_t y_col, ptrdiff_t x_row, ptrdiff_t x_col);

// y[i] = (target type)x[i]; floating-point values are truncated towards zero when they become integers
// (saturating; NaN becomes 0), and rounded to nearest, ties to even, when they become narrower.
CK_KERNEL void (*ck_convert)(ck_type to, void *y, ck_type from, const void *x, size_t n);

// x = x rounded to bfloat16, to nearest, ties to even; y, unless NULL, gets the same numbers as bfloat16.
// What rounding took away is added to residual, unless that is NULL; a residual that is not finite becomes 0.
CK_KERNEL void (*ck_round_to_bfloat16)(void *_Nullable y, float *x, float *_Nullable residual, size_t n);

// y[r, :] = x[indices[r], :]; the caller checks the indices.
CK_KERNEL void (*ck_gather_rows)(ck_type type, void *y, const void *x, const int32_t *indices,
                                 size_t rows, size_t cols);
// y[indices[r], :] += x[r, :], in the order of r; integers wrap around. Not for bfloat16.
CK_KERNEL void (*ck_scatter_add_rows)(ck_type type, void *y, const void *x, const int32_t *indices,
                                      size_t rows, size_t cols);

// Which elements of a tensor are gathered: those at row * r + col * c + step * indices[r, c] for all r and
// c, indices being dense [rows, cols]; the caller checks them.
typedef struct {
  size_t rows, cols;
  ptrdiff_t row, col, step;
} ck_indexed;
// y[r, c] = x[shape.row * r + shape.col * c + shape.step * indices[r, c]]
CK_KERNEL void (*ck_gather)(ck_type type, void *y, const void *x, const int32_t *indices,
                            ck_indexed shape);
// y[shape.row * r + shape.col * c + shape.step * indices[r, c]] += x[r, c], in order
CK_KERNEL void (*ck_scatter_add)(ck_type type, void *y, const void *x, const int32_t *indices,
                                 ck_indexed shape);

// A hash of bytes, the same on all processors: tells whether two memories are equal, not a secret.
CK_KERNEL uint64_t (*ck_hash)(const void *_Nullable bytes, size_t count);
// The sum of 32-bit words modulo 2^32: no single bit can flip without changing it.
CK_KERNEL uint32_t (*ck_bit_sum)(const void *_Nullable words, size_t count);

// ---------------------------------------------------------------- elementwise; floating point and bfloat16

// y[i] = f(x[i]). In float32 the transcendental functions are polynomials with the coefficients of the
// Cephes library (at most 2 units in the last place, 4 for tanh, sigmoid, erf, and for sin and cos
// within |x| < 8192), NaN and infinities as in C's math library; in float64 they are the C library's.
CK_KERNEL void (*ck_neg)(ck_type type, void *y, const void *x, size_t n);         // -x; int32 too
CK_KERNEL void (*ck_abs)(ck_type type, void *y, const void *x, size_t n);         // |x|; int32 too
CK_KERNEL void (*ck_sign)(ck_type type, void *y, const void *x, size_t n);        // -1, 0 or 1; NaN stays
CK_KERNEL void (*ck_square)(ck_type type, void *y, const void *x, size_t n);      // x * x
CK_KERNEL void (*ck_sqrt)(ck_type type, void *y, const void *x, size_t n);        // sqrt(x)
CK_KERNEL void (*ck_reciprocal)(ck_type type, void *y, const void *x, size_t n);  // 1 / x
CK_KERNEL void (*ck_exp)(ck_type type, void *y, const void *x, size_t n);         // e^x
CK_KERNEL void (*ck_log)(ck_type type, void *y, const void *x, size_t n);         // natural logarithm
CK_KERNEL void (*ck_sin)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_cos)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_erf)(ck_type type, void *y, const void *x, size_t n);    // the error function
CK_KERNEL void (*ck_floor)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_round)(ck_type type, void *y, const void *x, size_t n);  // to nearest, ties to even

// y[i] = f(x[i]), the C library's function where there is one
CK_KERNEL void (*ck_ceil)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_trunc)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_rsqrt)(ck_type type, void *y, const void *x, size_t n);  // 1 / sqrt(x)
CK_KERNEL void (*ck_tan)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_asin)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_acos)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_atan)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_sinh)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_cosh)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_asinh)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_acosh)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_atanh)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_log1p)(ck_type type, void *y, const void *x, size_t n);  // log(1 + x)
CK_KERNEL void (*ck_expm1)(ck_type type, void *y, const void *x, size_t n);  // e^x - 1
CK_KERNEL void (*ck_log2)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_log10)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_erfc)(ck_type type, void *y, const void *x, size_t n);    // 1 - erf(x)
CK_KERNEL void (*ck_erfinv)(ck_type type, void *y, const void *x, size_t n);  // the inverse of erf
CK_KERNEL void (*ck_lgamma)(ck_type type, void *y, const void *x, size_t n);  // log |gamma(x)|
// The derivative of lgamma, for order 0, or that derivative's derivative of an order.
CK_KERNEL void (*ck_polygamma)(ck_type type, void *y, const void *x, size_t n, size_t order);

// y[i] = min(max(x[i], low), high); NaN stays
CK_KERNEL void (*ck_clamp)(ck_type type, void *y, const void *x, size_t n, double low, double high);

// y[i] = x[i] ^ exponent, as pow() of the C library
CK_KERNEL void (*ck_pow_scalar)(ck_type type, void *y, const void *x, size_t n, double exponent);

// y[i] = a * x[i] + b
CK_KERNEL void (*ck_affine)(ck_type type, void *y, const void *x, size_t n, double a, double b);

// y[i] = condition[i] != 0 ? a[i] : b[i]; all types
CK_KERNEL void (*ck_where)(ck_type type, void *y, const uint8_t *condition, const void *a,
                           const void *b, size_t n);

// y[i] += x[i]
CK_KERNEL void (*ck_accumulate)(ck_type type, void *y, const void *x, size_t n);

// y[i] = x[0][i] + x[1][i] + ... + x[terms - 1][i], added in pairs, then pairs of pairs: for a power
// of two of terms, ((x0 + x1) + (x2 + x3)) + ... y may be one of the x. float32 and float64.
CK_KERNEL void (*ck_sum_tree)(ck_type type, void *y, const void *_Nonnull const *_Nonnull x,
                              size_t terms, size_t n);

// The sum of x[0][i], x[1][i], ... in the order that a stack gives: each term is put on it, and then the
// two topmost are added merges[k] times. One is left after the last term, and there are never more than
// 32. y may be one of the x. float32 and float64.
CK_KERNEL void (*ck_sum_stacked)(ck_type type, void *y, const void *_Nonnull const *_Nonnull x,
                                 const uint8_t *merges, size_t terms, size_t n);

// ---------------------------------------------------------------- activations; floating point and bfloat16

// y[i] = f(x[i]), and dx[i] = dy[i] * f'(...), computed from what the forward pass saved: x, or y
// where that is said.
CK_KERNEL void (*ck_relu)(ck_type type, void *y, const void *x, size_t n);  // x > 0 ? x : 0, NaN stays
CK_KERNEL void (*ck_relu_backward)(ck_type type, void *dx, const void *dy, const void *x_or_y, size_t n);

CK_KERNEL void (*ck_sigmoid)(ck_type type, void *y, const void *x, size_t n);  // 1 / (1 + e^-x)
// dy * y * (1 - y)
CK_KERNEL void (*ck_sigmoid_backward)(ck_type type, void *dx, const void *dy, const void *y, size_t n);

CK_KERNEL void (*ck_tanh)(ck_type type, void *y, const void *x, size_t n);
// dy * (1 - y * y)
CK_KERNEL void (*ck_tanh_backward)(ck_type type, void *dx, const void *dy, const void *y, size_t n);

// x * P(X <= x) for a normal X
CK_KERNEL void (*ck_gelu)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_gelu_backward)(ck_type type, void *dx, const void *dy, const void *x, size_t n);

// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
CK_KERNEL void (*ck_gelu_tanh)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_gelu_tanh_backward)(ck_type type, void *dx, const void *dy, const void *x, size_t n);

// x / (1 + e^-x)
CK_KERNEL void (*ck_silu)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_silu_backward)(ck_type type, void *dx, const void *dy, const void *x, size_t n);

// log(1 + e^x), without overflow
CK_KERNEL void (*ck_softplus)(ck_type type, void *y, const void *x, size_t n);
CK_KERNEL void (*ck_softplus_backward)(ck_type type, void *dx, const void *dy, const void *x, size_t n);

// x > 0 ? x : slope * x
CK_KERNEL void (*ck_leaky_relu)(ck_type type, void *y, const void *x, size_t n, double slope);
CK_KERNEL void (*ck_leaky_relu_backward)(ck_type type, void *dx, const void *dy, const void *x, size_t n,
                                         double slope);

// x > 0 ? x : alpha * (e^x - 1)
CK_KERNEL void (*ck_elu)(ck_type type, void *y, const void *x, size_t n, double alpha);
CK_KERNEL void (*ck_elu_backward)(ck_type type, void *dx, const void *dy, const void *x, size_t n,
                                  double alpha);

// dx[i] = low < x[i] < high or NaN ? dy[i] : 0: the derivative of ck_clamp with slope 0 at the limits.
CK_KERNEL void (*ck_hardtanh_backward)(ck_type type, void *dx, const void *dy, const void *x, size_t n,
                                       double low, double high);

// ---------------------------------------------------------------- elementwise, two operands; all types

// How two operands lie over [rows, cols]. Any strides work; those that broadcasting makes (0 or 1 for
// columns) are fast, also for many short rows.
typedef struct {
  size_t rows, cols;
  ptrdiff_t a_row, a_col, b_row, b_col;
} ck_broadcast;

// y[r, c] = f(a[r * a_row + c * a_col], b[r * b_row + c * b_col]), y dense. Integers wrap around.
CK_KERNEL void (*ck_add)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
CK_KERNEL void (*ck_sub)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
CK_KERNEL void (*ck_mul)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
// not for integers
CK_KERNEL void (*ck_div)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
// NaN if either is NaN
CK_KERNEL void (*ck_maximum)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
CK_KERNEL void (*ck_minimum)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
// as pow() of the C library; not for int32
CK_KERNEL void (*ck_pow)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
// the angle of the point (b, a), and its distance from 0; not for int32
CK_KERNEL void (*ck_atan2)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
CK_KERNEL void (*ck_hypot)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
// the rest of a / b with the sign of a, and with the sign of b; integers: 0 for b = 0
CK_KERNEL void (*ck_fmod)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
CK_KERNEL void (*ck_remainder)(ck_type type, void *y, const void *a, const void *b, const ck_broadcast *shape);
// (a - b)^2; not for int32
CK_KERNEL void (*ck_squared_difference)(ck_type type, void *y, const void *a, const void *b,
                                        const ck_broadcast *shape);
// y is 1 where the comparison holds, else 0
CK_KERNEL void (*ck_equal)(ck_type type, uint8_t *y, const void *a, const void *b, const ck_broadcast *shape);
CK_KERNEL void (*ck_less)(ck_type type, uint8_t *y, const void *a, const void *b, const ck_broadcast *shape);
CK_KERNEL void (*ck_less_equal)(ck_type type, uint8_t *y, const void *a, const void *b,
                                const ck_broadcast *shape);

// y[r, c] += row[c], y dense: the bias of a layer, added in place; not for int32
CK_KERNEL void (*ck_add_row)(ck_type type, void *y, const void *row, size_t rows, size_t cols);

// ---------------------------------------------------------------- reductions; float32, float64, int32

// y[o, i] = reduction over r of x[o, r, i], all dense. float32 sums use several accumulators in blocks
// of fixed size (error grows with log n, not n). An empty sum is 0; max, min, argmax and argmin need
// reduce > 0. NaN wins in max and min, and argmax finds the first NaN or the first largest.
CK_KERNEL void (*ck_sum)(ck_type type, void *y, const void *x, size_t outer, size_t reduce, size_t inner);
CK_KERNEL void (*ck_max)(ck_type type, void *y, const void *x, size_t outer, size_t reduce, size_t inner);
CK_KERNEL void (*ck_min)(ck_type type, void *y, const void *x, size_t outer, size_t reduce, size_t inner);
CK_KERNEL void (*ck_argmax)(ck_type type, int32_t *y, const void *x, size_t outer, size_t reduce,
                            size_t inner);
CK_KERNEL void (*ck_argmin)(ck_type type, int32_t *y, const void *x, size_t outer, size_t reduce,
                            size_t inner);

// y[o, k, i] = sum of x[o, 0...k, i], or of x[o, k..., i] if from_end, all dense [outer, count, inner].
CK_KERNEL void (*ck_cumulative_sum)(ck_type type, void *y, const void *x, size_t outer, size_t count,
                                    size_t inner, bool from_end);

// The product, as ck_sum; an empty product is 1, and integers wrap around.
CK_KERNEL void (*ck_prod)(ck_type type, void *y, const void *x, size_t outer, size_t reduce, size_t inner);
// y[o, k, i] = product of x[o, 0...k, i], all dense [outer, count, inner]
CK_KERNEL void (*ck_cumulative_product)(ck_type type, void *y, const void *x, size_t outer, size_t count,
                                        size_t inner);
// y[o, k, i] = the index of the largest (smallest) of x[o, 0...k, i], the last of equal ones; NaN wins
CK_KERNEL void (*ck_cumulative_argmax)(ck_type type, int32_t *y, const void *x, size_t outer, size_t count,
                                       size_t inner);
CK_KERNEL void (*ck_cumulative_argmin)(ck_type type, int32_t *y, const void *x, size_t outer, size_t count,
                                       size_t inner);

// y[o, j, i] = sum over k < taps of weights[j, k] * x[o, indices[j, k], i] for x [outer, in, inner] and y [outer,
// out, inner]; the transpose computes dx [outer, in, inner] from dy. Not for int32.
CK_KERNEL void (*ck_resample)(ck_type type, void *y, const void *x, const int32_t *indices,
                              const double *weights, size_t outer, size_t in, size_t out, size_t inner,
                              size_t taps);
CK_KERNEL void (*ck_resample_transposed)(ck_type type, void *dx, const void *dy, const int32_t *indices,
                                         const double *weights, size_t outer, size_t in, size_t out,
                                         size_t inner, size_t taps);

// The indices that sort each row of x [rows, cols], in a stable order, NaN being the largest; all types.
// `scratch` has room for 32 bytes for each of cols.
CK_KERNEL void (*ck_argsort)(ck_type type, int32_t *y, const void *x, void *scratch, size_t rows,
                             size_t cols, bool descending);

// The sum of x[i]^2, accumulated in double precision in blocks of fixed size. float32 and float64.
CK_KERNEL double (*ck_sum_squares)(ck_type type, const void *x, size_t n);
// Whether no x[i] is NaN or infinite. Floating point.
CK_KERNEL bool (*ck_all_finite)(ck_type type, const void *x, size_t n);

// The kernels that follow are for float32 and float64, unless something else is said.

// ---------------------------------------------------------------- softmax

// For each row of a dense [rows, cols]:
//   softmax       y = exp(x - max) / sum exp(x - max)          dx = y * (dy - sum(dy * y))
//   log_softmax   y = x - max - log sum exp(x - max)           dx = dy - exp(y) * sum(dy)
// A row whose maximum is infinite gives what the formula gives in IEEE arithmetic (NaN).
CK_KERNEL void (*ck_softmax)(ck_type type, void *y, const void *x, size_t rows, size_t cols);
CK_KERNEL void (*ck_softmax_backward)(ck_type type, void *dx, const void *dy, const void *y, size_t rows,
                                      size_t cols);
CK_KERNEL void (*ck_log_softmax)(ck_type type, void *y, const void *x, size_t rows, size_t cols);
CK_KERNEL void (*ck_log_softmax_backward)(ck_type type, void *dx, const void *dy, const void *y,
                                          size_t rows, size_t cols);

// ---------------------------------------------------------------- losses

// How labels count: a row whose label is `ignored` not at all; class k with weights[k], of the type of sums, or
// with 1 if NULL; and the part `smoothing` of each label is spread evenly over all classes.
typedef struct {
  int32_t ignored;
  const void *_Nullable weights;
  double smoothing;
} ck_label_options;

// losses[r] = (1 - s) w[l] e[l] + s / cols * sum of w[k] e[k] over all k, where l = labels[r], s is the smoothing
// and e[k] = log sum exp x[r] - x[r, k]; 0 for ignored labels. The others are in 0..<cols (the caller checks).
// Without options, all labels count with 1 and nothing is smoothed.
// logsumexp [rows, 2] receives for each row its maximum and log sum exp(x - maximum): added up, they
// would lose digits of large logits.
CK_KERNEL void (*ck_cross_entropy)(ck_type type, void *losses, void *logsumexp, const void *x,
                                   const int32_t *labels, size_t rows, size_t cols,
                                   const ck_label_options *_Nullable options);
// dx[r, k] = dy[r * dy_stride] * (a * softmax(x)[r, k] - (k == l) (1 - s) w[l] - s / cols * w[k]), where a is
// (1 - s) w[l] + s / cols * the sum of w, and dy_stride 0 or 1; 0 for ignored labels
CK_KERNEL void (*ck_cross_entropy_backward)(ck_type type, void *dx, const void *dy, ptrdiff_t dy_stride,
                                            const void *x, const void *logsumexp, const int32_t *labels,
                                            size_t rows, size_t cols, const ck_label_options *_Nullable options);

// y = -(t * max(log p, -100) + (1 - t) * max(log(1 - p), -100)), PyTorch's clamping
CK_KERNEL void (*ck_bce)(ck_type type, void *y, const void *p, const void *t, size_t n);
// dp = dy[i * dy_stride] * (p - t) / max(p * (1 - p), 1e-12)
CK_KERNEL void (*ck_bce_backward)(ck_type type, void *dp, const void *dy, ptrdiff_t dy_stride,
                                  const void *p, const void *t, size_t n);
// With logits: y = max(x, 0) - x * t + log(1 + e^-|x|), infinite where x is and t is on the other side
CK_KERNEL void (*ck_bce_logits)(ck_type type, void *y, const void *x, const void *t, size_t n);
// dx = dy[i * dy_stride] * (sigmoid(x) - t)
CK_KERNEL void (*ck_bce_logits_backward)(ck_type type, void *dx, const void *dy, ptrdiff_t dy_stride,
                                         const void *x, const void *t, size_t n);

// The connectionist temporal classification of each sample: log_probabilities [time, samples, classes], labels
// of sample n from targets[target_offsets[n]] on, target_lengths[n] of them (Graves et al., 2006).
typedef struct {
  size_t time, samples, classes;
  const int32_t *input_lengths, *target_lengths, *target_offsets, *targets;
  int32_t blank, longest_target;
} ck_ctc;
// losses [samples]; alpha [samples, time, 2 longest_target + 1]: the logarithm of the probability of each state
CK_KERNEL void (*ck_ctc_loss)(ck_type type, void *losses, double *alpha, const void *log_probabilities,
                              const ck_ctc *sizes);
// dx = dy * (exp(x) - the probability of each class at each time, given the labels), 0 behind the inputs' ends;
// `workspace` has 2 (2 longest_target + 1) + classes numbers for each sample
CK_KERNEL void (*ck_ctc_loss_backward)(ck_type type, void *dx, const void *dy, double *workspace,
                                       const double *alpha, const void *losses, const void *log_probabilities,
                                       bool zero_infinity, const ck_ctc *sizes);

// ---------------------------------------------------------------- random numbers

// Counter-based (Philox 4x32-10): element i of stream (seed, stream) is a pure function of the
// three, so any part can be made by itself, in any order. `first` is the index of y[0]. Element i is
// word i % 4 of the block whose counter is (i / 4, stream) and whose key is the seed, lower words first;
// a uniform number is the word's upper 24 bits. In float64 it has 29 bits more below them, from a second
// generator whose key is seed ^ 0x9e3779b97f4a7c15. uniform: [low, high). normal: Box-Muller on two uniform numbers.
CK_KERNEL void (*ck_uniform)(ck_type type, void *y, size_t n, uint64_t seed, uint64_t stream,
                             uint64_t first, double low, double high);
CK_KERNEL void (*ck_normal)(ck_type type, void *y, size_t n, uint64_t seed, uint64_t stream,
                            uint64_t first, double mean, double std);

// y[r, c] = x[r, c] * (u(seed, first_sample + r, stream, c) < p ? 0 : 1 / (1 - p)), where u is uniform
// in [0, 1) and a pure function of its arguments (word c % 4 of the block with the counter (c / 4,
// stream, sample) and the seed as key): the same call on dy is the backward pass.
CK_KERNEL void (*ck_dropout)(ck_type type, void *y, const void *x, size_t rows, size_t cols, double p,
                             uint64_t seed, uint32_t stream, uint64_t first_sample);

// ---------------------------------------------------------------- matrix product for tiny shapes

// c[i * ldc + j] = beta * c[i * ldc + j] + sum over l of a[i * a_row + l * a_col] * b[l * b_row + j * b_col]
// (beta == 0 overwrites, also NaN). For products too small for a BLAS call to pay.
CK_KERNEL void (*ck_gemm_small)(ck_type type, void *c, const void *a, const void *b, size_t m, size_t n,
                                size_t k, ptrdiff_t a_row, ptrdiff_t a_col, ptrdiff_t b_row,
                                ptrdiff_t b_col, size_t ldc, double beta);

// ---------------------------------------------------------------- normalization

// For each row of x[rows, cols]: y = (x - mean) * rstd * weight + bias, where rstd = 1 / sqrt(variance +
// epsilon) and the variance is biased. weight and bias [cols] may be NULL; mean and rstd are [rows].
CK_KERNEL void (*ck_layer_norm)(ck_type type, void *y, void *mean, void *rstd, const void *x,
                                const void *_Nullable weight, const void *_Nullable bias, size_t rows,
                                size_t cols, double epsilon);
// dx = rstd * (g - mean(g) - n * mean(g * n)), with g = dy * weight and n = (x - mean) * rstd
CK_KERNEL void (*ck_layer_norm_backward)(ck_type type, void *dx, const void *dy, const void *x,
                                         const void *mean, const void *rstd,
                                         const void *_Nullable weight, size_t rows, size_t cols);
// dweight = sum over rows of dy * n, dbias = sum over rows of dy
CK_KERNEL void (*ck_layer_norm_sums)(ck_type type, void *dweight, void *dbias, const void *dy,
                                     const void *x, const void *mean, const void *rstd, size_t rows,
                                     size_t cols);

// For each row of x[rows, cols]: y = x * rms * weight, where rms = 1 / sqrt(mean(x * x) + epsilon). weight [cols]
// may be NULL; rms is [rows].
CK_KERNEL void (*ck_rms_norm)(ck_type type, void *y, void *rms, const void *x, const void *_Nullable weight,
                              size_t rows, size_t cols, double epsilon);
// dx = rms * (g - n * mean(g * n)), with g = dy * weight and n = x * rms
CK_KERNEL void (*ck_rms_norm_backward)(ck_type type, void *dx, const void *dy, const void *x,
                                       const void *rms, const void *_Nullable weight, size_t rows,
                                       size_t cols);
// dweight = sum over rows of dy * n
CK_KERNEL void (*ck_rms_norm_sums)(ck_type type, void *dweight, const void *dy, const void *x,
                                   const void *rms, size_t rows, size_t cols);

// For each channel of x[rows, channels, cols]: the mean and the biased variance
CK_KERNEL void (*ck_channel_moments)(ck_type type, void *mean, void *variance, const void *x, size_t rows,
                                     size_t channels, size_t cols);
// y = (x - center) * scale + shift; shift may be NULL
CK_KERNEL void (*ck_channel_affine)(ck_type type, void *y, const void *x, const void *center,
                                    const void *scale, const void *_Nullable shift, size_t rows,
                                    size_t channels, size_t cols);
// sum = sum of dy, product = sum of dy * (x - center)
CK_KERNEL void (*ck_channel_sums)(ck_type type, void *sum, void *product, const void *dy, const void *x,
                                  const void *center, size_t rows, size_t channels, size_t cols);
// dx = scale * (dy - shift - slope * (x - center))
CK_KERNEL void (*ck_channel_backward)(ck_type type, void *dx, const void *dy, const void *x,
                                      const void *center, const void *scale, const void *shift,
                                      const void *slope, size_t rows, size_t channels, size_t cols);

// Statistics of the columns of a block of rows, [CK_STATISTICS, cols]: the sums of v - center and of
// (v - center)^2, center, and the number of rows. From those of all blocks: the mean and the biased variance.
enum { CK_STATISTICS = 4 };
CK_KERNEL void (*ck_moments_of_blocks)(ck_type type, void *mean, void *variance, const void *statistics,
                                       size_t blocks, size_t cols);

// The same for matrices [rows, cols] with a channel per column: images that lie channels last. `partial` is
// scratch of CK_STATISTICS * cols numbers for every CK_COLUMN_BLOCK rows or part of them.
enum { CK_COLUMN_BLOCK = 256 };
CK_KERNEL void (*ck_column_moments)(ck_type type, void *mean, void *variance, void *partial, const void *x,
                                    size_t rows, size_t cols);
// y = (x - center) * scale + shift + residual, or max(that, 0) if relu; shift and residual [rows, cols] may
// be NULL
CK_KERNEL void (*ck_column_affine)(ck_type type, void *y, const void *x, const void *center,
                                   const void *scale, const void *_Nullable shift,
                                   const void *_Nullable residual, bool relu, size_t rows, size_t cols);
// With g = dy, or 0 where there is a gate [rows, cols] that is not positive: sum = sum of g, product = sum of
// g * (x - center)
CK_KERNEL void (*ck_column_sums)(ck_type type, void *sum, void *product, void *partial, const void *dy,
                                 const void *_Nullable gate, const void *x, const void *center,
                                 size_t rows, size_t cols);
// dx = scale * (g - shift - slope * (x - center)); dresidual = g, unless it is NULL
CK_KERNEL void (*ck_column_backward)(ck_type type, void *dx, void *_Nullable dresidual, const void *dy,
                                     const void *_Nullable gate, const void *x, const void *center,
                                     const void *scale, const void *shift, const void *slope,
                                     size_t rows, size_t cols);

// ---------------------------------------------------------------- recurrent layers; float32 and float64

// One step for [rows, units], given the contributions of the input x and of the state s to the gates, which
// stand side by side in a row. A row r with time >= lengths[r] (if `lengths` is given) keeps its state.
//
// Backward: dy is the gradient of the step's state; dh (and dc) holds that from the later steps, and then the
// part of the gradient of the state before that does not go through s. dx is the gradient of x, and of s,
// except that a GRU has another one for s, ds.

// h = tanh(x + s), or relu
CK_KERNEL void (*ck_rnn_step)(ck_type type, void *h, const void *x, const void *s, const void *h_before,
                              const int32_t *_Nullable lengths, size_t time, size_t rows, size_t units,
                              bool relu);
CK_KERNEL void (*ck_rnn_step_backward)(ck_type type, void *dx, void *dh, const void *dy, const void *h,
                                       const int32_t *_Nullable lengths, size_t time, size_t rows,
                                       size_t units, bool relu);

// i, f, o = sigmoid(x + s), g = tanh(x + s); c = f c_before + i g, h = o tanh(c). `gates` are i, f, g, o.
CK_KERNEL void (*ck_lstm_step)(ck_type type, void *h, void *c, void *gates, const void *x, const void *s,
                               const void *h_before, const void *c_before,
                               const int32_t *_Nullable lengths, size_t time, size_t rows,
                               size_t units);
CK_KERNEL void (*ck_lstm_step_backward)(ck_type type, void *dx, void *dh, void *dc, const void *dy_h,
                                        const void *dy_c, const void *gates, const void *c,
                                        const void *c_before, const int32_t *_Nullable lengths,
                                        size_t time, size_t rows, size_t units);

// r, z = sigmoid(x + s), n = tanh(x + r s), h = (1 - z) n + z h_before. `gates` are r, z, n and s of n.
CK_KERNEL void (*ck_gru_step)(ck_type type, void *h, void *gates, const void *x, const void *s,
                              const void *h_before, const int32_t *_Nullable lengths, size_t time,
                              size_t rows, size_t units);
CK_KERNEL void (*ck_gru_step_backward)(ck_type type, void *dx, void *ds, void *dh, const void *dy,
                                       const void *gates, const void *h_before,
                                       const int32_t *_Nullable lengths, size_t time, size_t rows,
                                       size_t units);

// ---------------------------------------------------------------- attention

// How far apart batches, heads and rows are; the elements of a row are neighbours.
typedef struct {
  ptrdiff_t batch, head, row;
} ck_head_strides;

// q and dq are [batches, heads, queries, width], k and dk [batches, key_heads, keys, width], v and dv
// [batches, key_heads, keys, value_width], y and dy [batches, heads, queries, value_width], in any layout; dy has
// the layout of y. heads is a multiple of key_heads: that many neighbouring heads of q share a head of k and v.
// If causal, query i attends to the keys 0...i only. keys > 0. mask, which may be NULL, is added to the scaled
// scores: [batches, heads, queries, keys] with strides that may be 0, of the type of scores.
typedef struct {
  size_t batches, heads, key_heads, queries, keys, width, value_width;
  ck_head_strides q, k, v, y, dq, dk, dv;
  const void *_Nullable mask;
  ck_head_strides mask_strides;
  bool causal;
} ck_attention_shape;

// y = softmax(scale * q k^T + mask) v in tiles, the softmax being corrected from tile to tile; logsumexp (of
// the scores of each query, infinite where no key is seen: y is 0 there) and delta are [batches, heads,
// queries]. The backward pass computes the scores again; delta is scratch.
CK_KERNEL void (*ck_attention)(ck_type type, void *y, void *logsumexp, const void *q, const void *k,
                               const void *v, const ck_attention_shape *shape, double scale);
CK_KERNEL void (*ck_attention_backward)(ck_type type, void *dq, void *dk, void *dv, void *delta,
                                        const void *dy, const void *q, const void *k, const void *v,
                                        const void *y, const void *logsumexp,
                                        const ck_attention_shape *shape, double scale);

// ---------------------------------------------------------------- what is done with a sum before it is stored

// v = sum + bias + residual; y = relu ? max(v, 0) : v. Pointers may be NULL. `residual` has the type and
// layout of y, and may be y itself (accumulation); `bias` is [columns] of the type that sums have (float for
// bfloat16).
typedef struct {
  const void *_Nullable bias, *_Nullable residual;
  bool relu;
  // Statistics of v, [blocks, CK_STATISTICS, columns] of the type of sums, for ck_moments_of_blocks.
  void *_Nullable statistics;
} ck_epilogue;

// ---------------------------------------------------------------- matrix product

// c [m, n] = epilogue(a b), for a [m, k] and b [k, n] with elements at row * i + col * j; the elements of a row
// of c are neighbours. float32, or a of bfloat16, and b and c of bfloat16 or float32: b is rounded to bfloat16,
// sums are of float32. One stride of a must be 1. At most `threads` threads take part; results do not depend on
// how many.
typedef struct {
  ck_type a_type, b_type, c_type;
  ptrdiff_t m, n, k;
  ptrdiff_t a_row, a_col, b_row, b_col, c_row;
  ptrdiff_t threads;
} ck_product_shape;

CK_KERNEL size_t (*ck_product_workspace)(const ck_product_shape *shape);
CK_KERNEL void (*ck_product)(void *c, const void *a, const void *b, const ck_product_shape *shape,
                             const ck_epilogue *_Nullable epilogue, void *workspace);

// ---------------------------------------------------------------- convolution

// Images lie channels last: x [images, height, width, channels], y [images, out_height, out_width,
// out_channels]. Kernel element (i, j) of output position (r, c) is at row r * stride_y + i * dilation_y -
// padding_y of x, and likewise for columns; everything outside x is padding. Channels are split into
// groups, each of which sees only its own. At most `threads` threads take part, each of which needs a part
// of the workspace; results do not depend on how many.
typedef struct {
  ptrdiff_t images, height, width, channels, out_height, out_width, out_channels, groups;
  ptrdiff_t kernel_height, kernel_width, stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
  ptrdiff_t threads;
} ck_convolution;

// Weights [out, in, row, column] at any strides; `in` counts the channels of one group. Their type is
// that of sums: float for bfloat16, to which they are rounded when they are packed.
typedef struct {
  void *p;
  ptrdiff_t out, in, row, column;
} ck_weights;

typedef enum : int32_t { ck_direct, ck_winograd2, ck_winograd4, ck_automatic } ck_algorithm;
typedef enum : int32_t { ck_forward, ck_input_gradient, ck_weight_gradient } ck_pass;

// The blocks of ck_epilogue's statistics that a pass fills.
CK_KERNEL size_t (*ck_conv_statistics_blocks)(ck_type type, const ck_convolution *shape, ck_pass pass,
                                              ck_algorithm algorithm);
CK_KERNEL size_t (*ck_conv_workspace)(ck_type type, const ck_convolution *shape, ck_pass pass,
                                      ck_algorithm algorithm);

// y[n, r, c, o] = epilogue(sum over i, j, k of x[n, row, column, k] * weights[o, k, i, j])
CK_KERNEL void (*ck_conv_forward)(ck_type type, void *y, const void *x, ck_weights weights,
                                  const ck_convolution *shape, ck_algorithm algorithm,
                                  const ck_epilogue *_Nullable epilogue, void *workspace);
// dx[n, row, column, k] = epilogue(sum over the r, c, i, j that read it, and o, of
// dy[n, r, c, o] * weights[o, k, i, j])
CK_KERNEL void (*ck_conv_input_gradient)(ck_type type, void *dx, const void *dy, ck_weights weights,
                                         const ck_convolution *shape, ck_algorithm algorithm,
                                         const ck_epilogue *_Nullable epilogue, void *workspace);
// dweights[o, k, i, j] (+)= sum over n, r, c of dy[n, r, c, o] * x[n, row, column, k]
CK_KERNEL void (*ck_conv_weight_gradient)(ck_type type, ck_weights dweights, const void *dy, const void *x,
                                          const ck_convolution *shape, ck_algorithm algorithm,
                                          bool accumulate, void *workspace);

// ---------------------------------------------------------------- pooling

// How windows of kernel_height x kernel_width elements lie over planes of height x width: at output
// position (r, c), kernel element (i, j) is at row r * stride_y + i * dilation_y - padding_y of the
// plane, and likewise for columns. Everything outside the plane is padding.
typedef struct {
  ptrdiff_t height, width, kernel_height, kernel_width, out_height, out_width;
  ptrdiff_t stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
} ck_windows;

// The largest element of each window, and its index in the plane: the first of several, but the last
// NaN if there is one. No window may lie wholly in the padding.
CK_KERNEL void (*ck_max_pool)(ck_type type, void *y, int32_t *indices, const void *x, size_t planes,
                              const ck_windows *w);
// dx[p, indices[p, i]] += dy[p, i] for planes of `size` and `out_size` elements, dx being 0 at first
CK_KERNEL void (*ck_max_pool_backward)(ck_type type, void *dx, const void *dy, const int32_t *indices,
                                       size_t planes, size_t size, size_t out_size);

// Part of an axis that is averaged over: elements begin..<end, whose sum is divided by `divisor`.
typedef struct {
  int32_t begin, end, divisor;
} ck_span;

// y[p, r, c] = sum of x[p] over rows[r] x cols[c] / (rows[r].divisor * cols[c].divisor)
CK_KERNEL void (*ck_average_pool)(ck_type type, void *y, const void *x, size_t planes, size_t height,
                                  size_t width, const ck_span *rows, size_t out_height,
                                  const ck_span *cols, size_t out_width);
// The transpose: each dy[p, r, c], divided likewise, added to all elements of its window.
CK_KERNEL void (*ck_average_pool_backward)(ck_type type, void *dx, const void *dy, size_t planes,
                                           size_t height, size_t width, const ck_span *rows,
                                           size_t out_height, const ck_span *cols, size_t out_width);

// The same for images that lie channels last: x [images, height, width, channels], y and indices [images,
// out_height, out_width, channels].
CK_KERNEL void (*ck_max_pool_last)(ck_type type, void *y, int32_t *indices, const void *x, size_t images,
                                   size_t channels, const ck_windows *w);
CK_KERNEL void (*ck_max_pool_last_backward)(ck_type type, void *dx, const void *dy, const int32_t *indices,
                                            size_t images, size_t channels, const ck_windows *w);
CK_KERNEL void (*ck_average_pool_last)(ck_type type, void *y, const void *x, size_t images,
                                       size_t channels, size_t height, size_t width, const ck_span *rows,
                                       size_t out_height, const ck_span *cols, size_t out_width);
CK_KERNEL void (*ck_average_pool_last_backward)(ck_type type, void *dx, const void *dy, size_t images,
                                                size_t channels, size_t height, size_t width,
                                                const ck_span *rows, size_t out_height,
                                                const ck_span *cols, size_t out_width);

// ---------------------------------------------------------------- optimizers

// The sums of the weights' bits, as ck_bit_sum's, before and after an update.
typedef struct {
  uint32_t before, after;
} ck_bit_sums;

// One pass of stochastic gradient descent, PyTorch's rule:
//   g = grad + weight_decay * w
//   if momentum != 0: v = first ? g : momentum * v + (1 - dampening) * g;  g = nesterov ? g + momentum * v : v
//   w -= learning_rate * g
// velocity may be NULL when momentum == 0. The bits of w are added to bits, unless that is NULL.
CK_KERNEL void (*ck_sgd)(ck_type type, void *w, void *_Nullable velocity, const void *grad, size_t n,
                         double learning_rate, double momentum, double dampening, double weight_decay,
                         bool nesterov, bool first, ck_bit_sums *_Nullable bits);

// average = decay * average + (1 - decay) * w
CK_KERNEL void (*ck_moving_average)(ck_type type, void *average, const void *w, size_t n, double decay);

// One step of AdamW, PyTorch's rule, where correction_i = 1 - beta_i^step:
//   w -= learning_rate * weight_decay * w
//   m += (1 - beta1) * (grad - m);  v = beta2 * v + (1 - beta2) * grad^2
//   w -= learning_rate / correction1 * m / (sqrt(v) / sqrt(correction2) + epsilon)
// The bits of w are added to bits, unless that is NULL.
CK_KERNEL void (*ck_adamw)(ck_type type, void *w, void *first_moment, void *second_moment,
                           const void *grad, size_t n, double learning_rate, double beta1, double beta2,
                           double epsilon, double weight_decay, double correction1, double correction2,
                           ck_bit_sums *_Nullable bits);

// Steps of further methods. The bits of w are added to bits, unless that is NULL.
//
// Adam: g = grad + weight_decay * w; m and v as in ck_adamw; with `largest`, v = largest = max(largest, v)
//   w -= learning_rate / correction1 * m / (sqrt(v) / sqrt(correction2) + epsilon)
CK_KERNEL void (*ck_adam)(ck_type type, void *w, void *first_moment, void *second_moment,
                          void *_Nullable largest, const void *grad, size_t n, double learning_rate,
                          double beta1, double beta2, double epsilon, double weight_decay,
                          double correction1, double correction2, ck_bit_sums *_Nullable bits);
// RMSprop: g = grad + weight_decay * w; s = alpha * s + (1 - alpha) * g^2
//   with `gradient_average`: a += (1 - alpha) * (g - a); d = s - a^2; otherwise d = s
//   u = g / (sqrt(d) + epsilon); with `velocity`: u = velocity = momentum * velocity + u
//   w -= learning_rate * u
CK_KERNEL void (*ck_rmsprop)(ck_type type, void *w, void *square_average,
                             void *_Nullable gradient_average, void *_Nullable velocity,
                             const void *grad, size_t n, double learning_rate, double alpha,
                             double epsilon, double momentum, double weight_decay,
                             ck_bit_sums *_Nullable bits);
// Adagrad: g = grad + weight_decay * w; sum += g^2;  w -= learning_rate * g / (sqrt(sum) + epsilon)
CK_KERNEL void (*ck_adagrad)(ck_type type, void *w, void *sum, const void *grad, size_t n,
                             double learning_rate, double epsilon, double weight_decay,
                             ck_bit_sums *_Nullable bits);
// Lion: w -= learning_rate * (sign(beta1 * m + (1 - beta1) * grad) + weight_decay * w)
//   m = beta2 * m + (1 - beta2) * grad
CK_KERNEL void (*ck_lion)(ck_type type, void *w, void *momentum, const void *grad, size_t n,
                          double learning_rate, double beta1, double beta2, double weight_decay,
                          ck_bit_sums *_Nullable bits);
// LARS: g = trust * (grad + weight_decay * w); v = first ? g : momentum * v + g;  w -= learning_rate * v
CK_KERNEL void (*ck_lars)(ck_type type, void *w, void *velocity, const void *grad, size_t n,
                          double learning_rate, double momentum, double weight_decay, double trust,
                          bool first, ck_bit_sums *_Nullable bits);
// LAMB in two passes: the moments, as in ck_adamw, and the direction
//   direction = m / correction1 / (sqrt(v) / sqrt(correction2) + epsilon) + weight_decay * w
// and then w -= learning_rate * direction, computed again from the moments.
CK_KERNEL void (*ck_lamb_direction)(ck_type type, void *direction, void *first_moment,
                                    void *second_moment, const void *w, const void *grad, size_t n,
                                    double beta1, double beta2, double epsilon, double weight_decay,
                                    double correction1, double correction2);
CK_KERNEL void (*ck_lamb)(ck_type type, void *w, const void *first_moment, const void *second_moment,
                          size_t n, double learning_rate, double epsilon, double weight_decay,
                          double correction1, double correction2, ck_bit_sums *_Nullable bits);

// ---------------------------------------------------------------- limits of the machine; float32

// Independent chains of x = x * y[0] + y[1] in registers; the sum of the first lanes goes to y[2].
// Returns the number of floating-point operations.
CK_KERNEL double (*ck_multiply_add_chains)(ck_type type, void *y, size_t rounds);
// The same for products of bfloat16 that are added to float32: x = x + 1 * y[0] + 1 * y[0], y[0] being rounded
// towards zero; the sum of the first lanes goes to y[1].
CK_KERNEL double (*ck_bfloat16_chains)(float *y, size_t rounds);
// y[i] = a[i] + s * b[i]
CK_KERNEL void (*ck_triad)(ck_type type, void *y, const void *a, const void *b, size_t n, double s);

_Pragma("clang assume_nonnull end")
#ifdef __cplusplus
}
#endif
