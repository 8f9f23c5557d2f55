// Activation functions and their backward passes.
#pragma once

// dx = dy * slope(x)
template <typename T, typename F>
INLINE void backward(T *dx, const T *dy, const T *x, size_t n, F slope) {
  map(dx, dy, x, n, GRAIN_MATHEMATICS, [=](auto dy, auto x) { return dy * slope(x); });
}

// ---------------------------------------------------------------- relu, sigmoid, tanh

template <typename T> void relu(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MEMORY, [](auto v) { return v <= 0 ? decltype(v)(0) : v; });
}
KERNEL(relu, float, double, bfloat16)

template <typename T> void relu_backward(T *dx, const T *dy, const T *s, size_t n) {
  map(dx, dy, s, n, GRAIN_MEMORY, [](auto dy, auto s) { return s <= 0 ? decltype(dy)(0) : dy; });
}
KERNEL(relu_backward, float, double, bfloat16)

template <typename T> void sigmoid(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return sigmoid(v); });
}
KERNEL(sigmoid, float, double, bfloat16)

template <typename T> void sigmoid_backward(T *dx, const T *dy, const T *y, size_t n) {
  map(dx, dy, y, n, GRAIN_MEMORY, [](auto dy, auto y) { return dy * y * (1 - y); });
}
KERNEL(sigmoid_backward, float, double, bfloat16)

template <typename T> void tanh(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto v) { return tanh(v); });
}
KERNEL(tanh, float, double, bfloat16)

template <typename T> void tanh_backward(T *dx, const T *dy, const T *y, size_t n) {
  map(dx, dy, y, n, GRAIN_MEMORY, [](auto dy, auto y) { return dy * (1 - y * y); });
}
KERNEL(tanh_backward, float, double, bfloat16)

// ---------------------------------------------------------------- smooth relatives of relu

template <typename T> void gelu(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto x) { return x * normal_cdf(x); });
}
KERNEL(gelu, float, double, bfloat16)

template <typename T> void gelu_backward(T *dx, const T *dy, const T *x, size_t n) {
  backward(dx, dy, x, n, [](auto x) {
    typedef Number<T> N;
    return normal_cdf(x) + x * (exp(x * x * N(-0.5)) * N(0.39894228040143267794));
  });
}
KERNEL(gelu_backward, float, double, bfloat16)

// 1/2 (1 + tanh u) = sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3).
template <typename N, typename V> INLINE V gelu_gate(V x) {
  return sigmoid(x * (x * x * N(0.044715) + 1) * N(1.5957691216057307117));
}

template <typename T> void gelu_tanh(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto x) { return x * gelu_gate<Number<T>>(x); });
}
KERNEL(gelu_tanh, float, double, bfloat16)

template <typename T> void gelu_tanh_backward(T *dx, const T *dy, const T *x, size_t n) {
  backward(dx, dy, x, n, [](auto x) {
    typedef Number<T> N;
    const auto s = gelu_gate<N>(x);
    const auto inner = (x * x * N(0.134145) + 1) * N(1.5957691216057307117);
    return s + x * s * (1 - s) * inner;
  });
}
KERNEL(gelu_tanh_backward, float, double, bfloat16)

template <typename T> void silu(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto x) { return x * sigmoid(x); });
}
KERNEL(silu, float, double, bfloat16)

template <typename T> void silu_backward(T *dx, const T *dy, const T *x, size_t n) {
  backward(dx, dy, x, n, [](auto x) {
    const auto s = sigmoid(x);
    return s * (1 + x * (1 - s));
  });
}
KERNEL(silu_backward, float, double, bfloat16)

template <typename T> void softplus(T *y, const T *x, size_t n) {
  map(y, x, n, GRAIN_MATHEMATICS, [](auto x) {
    return (x <= 0 ? decltype(x)(0) : x) + log1p_exp_negative(x);
  });
}
KERNEL(softplus, float, double, bfloat16)

template <typename T> void softplus_backward(T *dx, const T *dy, const T *x, size_t n) {
  backward(dx, dy, x, n, [](auto x) { return sigmoid(x); });
}
KERNEL(softplus_backward, float, double, bfloat16)

// ---------------------------------------------------------------- with a constant

template <typename T> void leaky_relu(T *y, const T *x, size_t n, double slope) {
  const auto c = Number<T>(slope);
  map(y, x, n, GRAIN_MATHEMATICS, [=](auto x) { return x > 0 ? x : c * x; });
}
KERNEL(leaky_relu, float, double, bfloat16)

template <typename T>
void leaky_relu_backward(T *dx, const T *dy, const T *x, size_t n, double slope) {
  const auto c = Number<T>(slope);
  map(dx, dy, x, n, GRAIN_MATHEMATICS, [=](auto dy, auto x) { return x > 0 ? dy : c * dy; });
}
KERNEL(leaky_relu_backward, float, double, bfloat16)

template <typename T> void elu(T *y, const T *x, size_t n, double alpha) {
  const auto c = Number<T>(alpha);
  map(y, x, n, GRAIN_MATHEMATICS, [=](auto x) { return x > 0 ? x : c * expm1(x); });
}
KERNEL(elu, float, double, bfloat16)

template <typename T> void elu_backward(T *dx, const T *dy, const T *x, size_t n, double alpha) {
  const auto c = Number<T>(alpha);
  map(dx, dy, x, n, GRAIN_MATHEMATICS, [=](auto dy, auto x) { return x > 0 ? dy : dy * c * exp(x); });
}
KERNEL(elu_backward, float, double, bfloat16)

// The slope of clamp(x, low, high), which is 0 at both limits; NaN passes the gradient.
template <typename T>
void hardtanh_backward(T *dx, const T *dy, const T *x, size_t n, double low, double high) {
  const auto a = Number<T>(low), b = Number<T>(high);
  map(dx, dy, x, n, GRAIN_MEMORY, [=](auto dy, auto x) {
    const auto zero = decltype(dy)(0);
    return x <= a ? zero : x >= b ? zero : dy;
  });
}
KERNEL(hardtanh_backward, float, double, bfloat16)
