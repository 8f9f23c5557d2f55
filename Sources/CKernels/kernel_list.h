// The one list of all kernels: KERNEL(result, name, parameters, arguments).
#pragma once

#define UNARY_KERNELS(KERNEL, name)                                         \
  KERNEL(void, name##_f32, (float *y, const float *x, size_t n), (y, x, n)) \
  KERNEL(void, name##_f64, (double *y, const double *x, size_t n), (y, x, n))

#define BACKWARD_KERNELS(KERNEL, name)                                                           \
  KERNEL(void, name##_backward_f32, (float *dx, const float *dy, const float *s, size_t n),      \
         (dx, dy, s, n))                                                                         \
  KERNEL(void, name##_backward_f64, (double *dx, const double *dy, const double *s, size_t n),   \
         (dx, dy, s, n))

#define BINARY_KERNEL(KERNEL, name, T, R)                                                        \
  KERNEL(void, name,                                                                             \
         (R *y, const T *a, const T *b, size_t rows, size_t cols, ptrdiff_t a_row,               \
          ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col),                                    \
         (y, a, b, rows, cols, a_row, a_col, b_row, b_col))
#define BINARY_KERNELS(KERNEL, name)             \
  BINARY_KERNEL(KERNEL, name##_f32, float, float) \
  BINARY_KERNEL(KERNEL, name##_f64, double, double)
#define BINARY_KERNELS_WITH_INTEGERS(KERNEL, name) \
  BINARY_KERNELS(KERNEL, name)                     \
  BINARY_KERNEL(KERNEL, name##_i32, int32_t, int32_t)
#define COMPARISON_KERNELS(KERNEL, name)              \
  BINARY_KERNEL(KERNEL, name##_f32, float, int32_t)   \
  BINARY_KERNEL(KERNEL, name##_f64, double, int32_t)  \
  BINARY_KERNEL(KERNEL, name##_i32, int32_t, int32_t)

#define COPY_KERNEL(KERNEL, name)                                                                \
  KERNEL(void, name,                                                                             \
         (void *y, const void *x, size_t rows, size_t cols, ptrdiff_t y_row, ptrdiff_t y_col,    \
          ptrdiff_t x_row, ptrdiff_t x_col),                                                     \
         (y, x, rows, cols, y_row, y_col, x_row, x_col))

#define REDUCTION_KERNEL(KERNEL, name, T, R)                                                \
  KERNEL(void, name, (R *y, const T *x, size_t outer, size_t reduce, size_t inner),         \
         (y, x, outer, reduce, inner))
#define REDUCTION_KERNELS(KERNEL, name)                \
  REDUCTION_KERNEL(KERNEL, name##_f32, float, float)   \
  REDUCTION_KERNEL(KERNEL, name##_f64, double, double) \
  REDUCTION_KERNEL(KERNEL, name##_i32, int32_t, int32_t)
#define INDEX_REDUCTION_KERNELS(KERNEL, name)           \
  REDUCTION_KERNEL(KERNEL, name##_f32, float, int32_t)  \
  REDUCTION_KERNEL(KERNEL, name##_f64, double, int32_t) \
  REDUCTION_KERNEL(KERNEL, name##_i32, int32_t, int32_t)

// The kernels that exist alike for float and double.
#define FLOATING_KERNELS(KERNEL, T, suffix)                                                      \
  KERNEL(void, fill_##suffix, (T * y, size_t n, T value), (y, n, value))                         \
  KERNEL(void, clamp_##suffix, (T * y, const T *x, size_t n, T low, T high),                     \
         (y, x, n, low, high))                                                                   \
  KERNEL(void, pow_scalar_##suffix, (T * y, const T *x, size_t n, T exponent),                   \
         (y, x, n, exponent))                                                                    \
  KERNEL(void, affine_##suffix, (T * y, const T *x, size_t n, T a, T b), (y, x, n, a, b))        \
  KERNEL(void, accumulate_##suffix, (T * y, const T *x, size_t n), (y, x, n))                    \
  KERNEL(void, add_row_##suffix, (T * y, const T *row, size_t rows, size_t cols),                \
         (y, row, rows, cols))                                                                   \
  KERNEL(double, sum_squares_##suffix, (const T *x, size_t n), (x, n))                           \
  KERNEL(bool, all_finite_##suffix, (const T *x, size_t n), (x, n))                              \
  KERNEL(void, softmax_##suffix, (T * y, const T *x, size_t rows, size_t cols),                  \
         (y, x, rows, cols))                                                                     \
  KERNEL(void, softmax_backward_##suffix,                                                        \
         (T * dx, const T *dy, const T *y, size_t rows, size_t cols), (dx, dy, y, rows, cols))   \
  KERNEL(void, log_softmax_##suffix, (T * y, const T *x, size_t rows, size_t cols),              \
         (y, x, rows, cols))                                                                     \
  KERNEL(void, log_softmax_backward_##suffix,                                                    \
         (T * dx, const T *dy, const T *y, size_t rows, size_t cols), (dx, dy, y, rows, cols))   \
  KERNEL(void, cross_entropy_##suffix,                                                           \
         (T * losses, T * row_logs, const T *x, const int32_t *labels, size_t rows,           \
          size_t cols),                                                                          \
         (losses, row_logs, x, labels, rows, cols))                                           \
  KERNEL(void, cross_entropy_backward_##suffix,                                                  \
         (T * dx, const T *dy, ptrdiff_t dy_stride, const T *x, const T *row_logs,            \
          const int32_t *labels, size_t rows, size_t cols),                                      \
         (dx, dy, dy_stride, x, row_logs, labels, rows, cols))                                \
  KERNEL(void, bce_##suffix, (T * y, const T *p, const T *t, size_t n), (y, p, t, n))            \
  KERNEL(void, bce_backward_##suffix,                                                            \
         (T * dp, const T *dy, ptrdiff_t dy_stride, const T *p, const T *t, size_t n),           \
         (dp, dy, dy_stride, p, t, n))                                                           \
  KERNEL(void, bce_logits_##suffix, (T * y, const T *x, const T *t, size_t n), (y, x, t, n))     \
  KERNEL(void, bce_logits_backward_##suffix,                                                     \
         (T * dx, const T *dy, ptrdiff_t dy_stride, const T *x, const T *t, size_t n),           \
         (dx, dy, dy_stride, x, t, n))                                                           \
  KERNEL(void, uniform_##suffix,                                                                 \
         (T * y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, T low, T high),       \
         (y, n, seed, stream, first, low, high))                                                 \
  KERNEL(void, normal_##suffix,                                                                  \
         (T * y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, T mean, T deviation), \
         (y, n, seed, stream, first, mean, deviation))                                           \
  KERNEL(void, dropout_##suffix,                                                                 \
         (T * y, const T *x, size_t rows, size_t cols, T p, uint64_t seed, uint32_t stream,      \
          const uint64_t *samples, uint64_t first_sample),                                       \
         (y, x, rows, cols, p, seed, stream, samples, first_sample))                             \
  KERNEL(void, gemm_small_##suffix,                                                              \
         (T * c, const T *a, const T *b, size_t m, size_t n, size_t k, ptrdiff_t a_row,          \
          ptrdiff_t a_col, ptrdiff_t b_row, ptrdiff_t b_col, size_t ldc, T beta),                \
         (c, a, b, m, n, k, a_row, a_col, b_row, b_col, ldc, beta))

// Smooth activations, normalisation, embeddings and attention.
#define NETWORK_KERNELS(KERNEL, T, suffix)                                                       \
  KERNEL(void, leaky_relu_##suffix, (T * y, const T *x, size_t n, T slope), (y, x, n, slope))    \
  KERNEL(void, leaky_relu_backward_##suffix,                                                     \
         (T * dx, const T *dy, const T *x, size_t n, T slope), (dx, dy, x, n, slope))            \
  KERNEL(void, elu_##suffix, (T * y, const T *x, size_t n, T alpha), (y, x, n, alpha))           \
  KERNEL(void, elu_backward_##suffix,                                                            \
         (T * dx, const T *dy, const T *x, size_t n, T alpha), (dx, dy, x, n, alpha))            \
  KERNEL(void, layer_norm_##suffix,                                                              \
         (T * y, T *mean, T *reciprocal_deviation, const T *x, const T *weight, const T *bias,   \
          size_t rows, size_t cols, T epsilon),                                                  \
         (y, mean, reciprocal_deviation, x, weight, bias, rows, cols, epsilon))                  \
  KERNEL(void, layer_norm_backward_##suffix,                                                     \
         (T * dx, const T *dy, const T *x, const T *mean, const T *reciprocal_deviation,         \
          const T *weight, size_t rows, size_t cols),                                            \
         (dx, dy, x, mean, reciprocal_deviation, weight, rows, cols))                            \
  KERNEL(void, layer_norm_sums_##suffix,                                                         \
         (T * dweight, T *dbias, const T *dy, const T *x, const T *mean,                         \
          const T *reciprocal_deviation, size_t rows, size_t cols),                              \
         (dweight, dbias, dy, x, mean, reciprocal_deviation, rows, cols))                        \
  KERNEL(void, channel_moments_##suffix,                                                         \
         (T * mean, T *variance, const T *x, size_t rows, size_t channels, size_t cols),         \
         (mean, variance, x, rows, channels, cols))                                              \
  KERNEL(void, channel_affine_##suffix,                                                          \
         (T * y, const T *x, const T *center, const T *scale, const T *shift, size_t rows,       \
          size_t channels, size_t cols),                                                         \
         (y, x, center, scale, shift, rows, channels, cols))                                     \
  KERNEL(void, channel_sums_##suffix,                                                            \
         (T * sum, T *product, const T *dy, const T *x, const T *center, size_t rows,            \
          size_t channels, size_t cols),                                                         \
         (sum, product, dy, x, center, rows, channels, cols))                                    \
  KERNEL(void, channel_backward_##suffix,                                                        \
         (T * dx, const T *dy, const T *x, const T *center, const T *scale, const T *shift,      \
          const T *slope, size_t rows, size_t channels, size_t cols),                            \
         (dx, dy, x, center, scale, shift, slope, rows, channels, cols))                         \
  KERNEL(void, scatter_add_rows_##suffix,                                                        \
         (T * y, const T *x, const int32_t *indices, size_t rows, size_t cols),                  \
         (y, x, indices, rows, cols))                                                            \
  KERNEL(void, attention_##suffix,                                                               \
         (T * y, T *row_logs, const T *q, const T *k, const T *v, const ck_attention *shape,  \
          T scale),                                                                              \
         (y, row_logs, q, k, v, shape, scale))                                                \
  KERNEL(void, attention_backward_##suffix,                                                      \
         (T * dq, T *dk, T *dv, T *delta, const T *dy, const T *q, const T *k, const T *v,       \
          const T *y, const T *row_logs, const ck_attention *shape, T scale),                 \
         (dq, dk, dv, delta, dy, q, k, v, y, row_logs, shape, scale))

#define SMOOTH_KERNELS(KERNEL, name) \
  UNARY_KERNELS(KERNEL, name)        \
  BACKWARD_KERNELS(KERNEL, name)

// The kernels of windows, alike for float and double.
#define WINDOW_KERNELS(KERNEL, T, suffix)                                                        \
  KERNEL(void, im2col_##suffix,                                                                  \
         (T * panel, const T *x, const ck_windows *w, size_t first_tap, size_t taps,             \
          size_t first_place, size_t places, size_t ld),                                         \
         (panel, x, w, first_tap, taps, first_place, places, ld))                                \
  KERNEL(void, col2im_##suffix,                                                                  \
         (T * x, const T *panel, const ck_windows *w, size_t first_tap, size_t taps,             \
          size_t first_place, size_t places, size_t ld),                                         \
         (x, panel, w, first_tap, taps, first_place, places, ld))                                \
  KERNEL(void, max_pool_##suffix,                                                                \
         (T * y, int32_t *places, const T *x, size_t planes, const ck_windows *w),               \
         (y, places, x, planes, w))                                                              \
  KERNEL(void, max_pool_backward_##suffix,                                                       \
         (T * dx, const T *dy, const int32_t *places, size_t planes, size_t size,                \
          size_t out_size),                                                                      \
         (dx, dy, places, planes, size, out_size))                                               \
  KERNEL(void, average_pool_##suffix,                                                            \
         (T * y, const T *x, size_t planes, size_t height, size_t width, const ck_span *rows,    \
          size_t out_height, const ck_span *cols, size_t out_width),                             \
         (y, x, planes, height, width, rows, out_height, cols, out_width))                       \
  KERNEL(void, average_pool_backward_##suffix,                                                   \
         (T * dx, const T *dy, size_t planes, size_t height, size_t width, const ck_span *rows,  \
          size_t out_height, const ck_span *cols, size_t out_width),                             \
         (dx, dy, planes, height, width, rows, out_height, cols, out_width))

#define CK_KERNELS(KERNEL)                                                                       \
  FLOATING_KERNELS(KERNEL, float, f32)                                                           \
  FLOATING_KERNELS(KERNEL, double, f64)                                                          \
  WINDOW_KERNELS(KERNEL, float, f32)                                                             \
  WINDOW_KERNELS(KERNEL, double, f64)                                                            \
  NETWORK_KERNELS(KERNEL, float, f32)                                                            \
  NETWORK_KERNELS(KERNEL, double, f64)                                                           \
  UNARY_KERNELS(KERNEL, erf)                                                                     \
  SMOOTH_KERNELS(KERNEL, gelu)                                                                   \
  SMOOTH_KERNELS(KERNEL, gelu_tanh)                                                              \
  SMOOTH_KERNELS(KERNEL, silu)                                                                   \
  SMOOTH_KERNELS(KERNEL, softplus)                                                               \
  KERNEL(void, gather_rows,                                                                      \
         (void *y, const void *x, const int32_t *indices, size_t rows, size_t bytes),            \
         (y, x, indices, rows, bytes))                                                           \
  KERNEL(void, adamw_f32,                                                                        \
         (float *w, float *first_moment, float *second_moment, const float *grad, size_t n,      \
          double learning_rate, double beta1, double beta2, double epsilon,                      \
          double weight_decay, double correction1, double correction2),                          \
         (w, first_moment, second_moment, grad, n, learning_rate, beta1, beta2, epsilon,         \
          weight_decay, correction1, correction2))                                               \
  KERNEL(void, fill_i32, (int32_t * y, size_t n, int32_t value), (y, n, value))                  \
  COPY_KERNEL(KERNEL, copy_b32)                                                                  \
  COPY_KERNEL(KERNEL, copy_b64)                                                                  \
  KERNEL(void, convert_f32_f64, (double *y, const float *x, size_t n), (y, x, n))                \
  KERNEL(void, convert_f64_f32, (float *y, const double *x, size_t n), (y, x, n))                \
  KERNEL(void, convert_i32_f32, (float *y, const int32_t *x, size_t n), (y, x, n))               \
  KERNEL(void, convert_i32_f64, (double *y, const int32_t *x, size_t n), (y, x, n))              \
  KERNEL(void, convert_f32_i32, (int32_t * y, const float *x, size_t n), (y, x, n))              \
  KERNEL(void, convert_f64_i32, (int32_t * y, const double *x, size_t n), (y, x, n))             \
  UNARY_KERNELS(KERNEL, neg)                                                                     \
  UNARY_KERNELS(KERNEL, abs)                                                                     \
  UNARY_KERNELS(KERNEL, sign)                                                                    \
  UNARY_KERNELS(KERNEL, square)                                                                  \
  UNARY_KERNELS(KERNEL, sqrt)                                                                    \
  UNARY_KERNELS(KERNEL, reciprocal)                                                              \
  UNARY_KERNELS(KERNEL, exp)                                                                     \
  UNARY_KERNELS(KERNEL, log)                                                                     \
  UNARY_KERNELS(KERNEL, sin)                                                                     \
  UNARY_KERNELS(KERNEL, cos)                                                                     \
  UNARY_KERNELS(KERNEL, tanh)                                                                    \
  UNARY_KERNELS(KERNEL, sigmoid)                                                                 \
  UNARY_KERNELS(KERNEL, relu)                                                                    \
  UNARY_KERNELS(KERNEL, floor)                                                                   \
  UNARY_KERNELS(KERNEL, round)                                                                   \
  KERNEL(void, neg_i32, (int32_t * y, const int32_t *x, size_t n), (y, x, n))                    \
  KERNEL(void, abs_i32, (int32_t * y, const int32_t *x, size_t n), (y, x, n))                    \
  BACKWARD_KERNELS(KERNEL, relu)                                                                 \
  BACKWARD_KERNELS(KERNEL, sigmoid)                                                              \
  BACKWARD_KERNELS(KERNEL, tanh)                                                                 \
  BINARY_KERNELS_WITH_INTEGERS(KERNEL, add)                                                      \
  BINARY_KERNELS_WITH_INTEGERS(KERNEL, sub)                                                      \
  BINARY_KERNELS_WITH_INTEGERS(KERNEL, mul)                                                      \
  BINARY_KERNELS_WITH_INTEGERS(KERNEL, div)                                                      \
  BINARY_KERNELS_WITH_INTEGERS(KERNEL, maximum)                                                  \
  BINARY_KERNELS_WITH_INTEGERS(KERNEL, minimum)                                                  \
  BINARY_KERNELS(KERNEL, pow)                                                                    \
  BINARY_KERNELS(KERNEL, squared_difference)                                                     \
  COMPARISON_KERNELS(KERNEL, equal)                                                              \
  COMPARISON_KERNELS(KERNEL, less)                                                               \
  COMPARISON_KERNELS(KERNEL, less_equal)                                                         \
  KERNEL(void, where_b32,                                                                        \
         (void *y, const int32_t *condition, const void *a, const void *b, size_t n),            \
         (y, condition, a, b, n))                                                                \
  KERNEL(void, where_b64,                                                                        \
         (void *y, const int32_t *condition, const void *a, const void *b, size_t n),            \
         (y, condition, a, b, n))                                                                \
  REDUCTION_KERNELS(KERNEL, sum)                                                                 \
  REDUCTION_KERNELS(KERNEL, max)                                                                 \
  REDUCTION_KERNELS(KERNEL, min)                                                                 \
  INDEX_REDUCTION_KERNELS(KERNEL, argmax)                                                        \
  INDEX_REDUCTION_KERNELS(KERNEL, argmin)                                                        \
  KERNEL(uint64_t, hash, (const void *bytes, size_t count), (bytes, count))                      \
  KERNEL(void, sum_tree_f32, (float *y, const float *const *x, size_t terms, size_t n),          \
         (y, x, terms, n))                                                                       \
  KERNEL(void, sgd_f32,                                                                          \
         (float *w, float *velocity, const float *grad, size_t n, float learning_rate,           \
          float momentum, float dampening, float weight_decay, bool nesterov, bool first,        \
          float scale),                                                                          \
         (w, velocity, grad, n, learning_rate, momentum, dampening, weight_decay, nesterov,      \
          first, scale))
