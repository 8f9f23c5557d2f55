// Winograd's minimal filtering F(m x m, 3 x 3): m x m outputs from n x n inputs, n = m + 2, with n * n
// products instead of 9 m * m:
//
//   y = A^T [(G w G^T) * (B^T d B)] A          forward, * elementwise
//   dw = G^T [(B^T d B) * (A dy A^T)] G        gradient to the weights, its transpose
//
// The matrices are Toom-Cook's for the points 0, +-p, +-q and infinity: A[i, j] = x_i^j, G[i, j] = x_i^j /
// prod_{k != i}(x_i - x_k), and row i of B^T holds the coefficients of prod_{k != i}(x - x_k). Points that
// come in pairs of opposite signs share their even and odd parts. The points of F(4 x 4) were chosen for
// the least error (winograd/points.py): 5/8 and 3/2 have half the error of the usual 1 and 2, and every
// coefficient of A and B is exact in float.
#pragma once

// One-dimensional transforms, of vectors of channels. N is the type of constants.
template <size_t m> struct Winograd;

template <> struct Winograd<2> {  // points 0, 1, -1, infinity
  static constexpr size_t outputs = 2, inputs = 4;

  // B^T d
  template <typename N, typename V> static INLINE void input(V (&t)[4], const V (&d)[4]) {
    t[0] = d[0] - d[2];
    t[1] = d[2] + d[1];
    t[2] = d[2] - d[1];
    t[3] = d[3] - d[1];
  }
  // G w
  template <typename N, typename V> static INLINE void weight(V (&t)[4], const V (&w)[3]) {
    const V even = N(0.5) * (w[0] + w[2]), odd = N(0.5) * w[1];
    t[0] = w[0];
    t[1] = even + odd;
    t[2] = even - odd;
    t[3] = w[2];
  }
  // A^T t
  template <typename N, typename V> static INLINE void output(V (&y)[2], const V (&t)[4]) {
    y[0] = t[0] + (t[1] + t[2]);
    y[1] = t[3] + (t[1] - t[2]);
  }
  // A dy
  template <typename N, typename V> static INLINE void output_transposed(V (&t)[4], const V (&dy)[2]) {
    t[0] = dy[0];
    t[1] = dy[0] + dy[1];
    t[2] = dy[0] - dy[1];
    t[3] = dy[1];
  }
  // G^T t
  template <typename N, typename V> static INLINE void weight_transposed(V (&dw)[3], const V (&t)[4]) {
    const V even = N(0.5) * (t[1] + t[2]);
    dw[0] = t[0] + even;
    dw[1] = N(0.5) * (t[1] - t[2]);
    dw[2] = t[3] + even;
  }
};

template <> struct Winograd<4> {  // points 0, p, -p, q, -q, infinity
  static constexpr size_t outputs = 4, inputs = 6;
  static constexpr double p = 0.625, q = 1.5, pp = p * p, qq = q * q;
  // The denominators of G.
  static constexpr double g0 = 1 / (pp * qq), gp = 1 / (2 * pp * (pp - qq)), gq = 1 / (2 * qq * (qq - pp));

  template <typename N, typename V> static INLINE void input(V (&t)[6], const V (&d)[6]) {
    const V even_p = d[4] - N(qq) * d[2], odd_p = d[3] - N(qq) * d[1];
    const V even_q = d[4] - N(pp) * d[2], odd_q = d[3] - N(pp) * d[1];
    t[0] = d[4] - N(pp + qq) * d[2] + N(pp * qq) * d[0];
    t[1] = even_p + N(p) * odd_p;
    t[2] = even_p - N(p) * odd_p;
    t[3] = even_q + N(q) * odd_q;
    t[4] = even_q - N(q) * odd_q;
    t[5] = d[5] - N(pp + qq) * d[3] + N(pp * qq) * d[1];
  }
  template <typename N, typename V> static INLINE void weight(V (&t)[6], const V (&w)[3]) {
    const V even_p = N(gp) * w[0] + N(gp * pp) * w[2], odd_p = N(gp * p) * w[1];
    const V even_q = N(gq) * w[0] + N(gq * qq) * w[2], odd_q = N(gq * q) * w[1];
    t[0] = N(g0) * w[0];
    t[1] = even_p + odd_p;
    t[2] = even_p - odd_p;
    t[3] = even_q + odd_q;
    t[4] = even_q - odd_q;
    t[5] = w[2];
  }
  template <typename N, typename V> static INLINE void output(V (&y)[4], const V (&t)[6]) {
    const V even_p = t[1] + t[2], odd_p = t[1] - t[2], even_q = t[3] + t[4], odd_q = t[3] - t[4];
    y[0] = t[0] + even_p + even_q;
    y[1] = N(p) * odd_p + N(q) * odd_q;
    y[2] = N(pp) * even_p + N(qq) * even_q;
    y[3] = t[5] + N(pp * p) * odd_p + N(qq * q) * odd_q;
  }
  template <typename N, typename V> static INLINE void output_transposed(V (&t)[6], const V (&dy)[4]) {
    const V even_p = dy[0] + N(pp) * dy[2], odd_p = N(p) * dy[1] + N(pp * p) * dy[3];
    const V even_q = dy[0] + N(qq) * dy[2], odd_q = N(q) * dy[1] + N(qq * q) * dy[3];
    t[0] = dy[0];
    t[1] = even_p + odd_p;
    t[2] = even_p - odd_p;
    t[3] = even_q + odd_q;
    t[4] = even_q - odd_q;
    t[5] = dy[3];
  }
  template <typename N, typename V> static INLINE void weight_transposed(V (&dw)[3], const V (&t)[6]) {
    const V even_p = N(gp) * (t[1] + t[2]), even_q = N(gq) * (t[3] + t[4]);
    dw[0] = N(g0) * t[0] + even_p + even_q;
    dw[1] = N(gp * p) * (t[1] - t[2]) + N(gq * q) * (t[3] - t[4]);
    dw[2] = t[5] + N(pp) * even_p + N(qq) * even_q;
  }
};

// A transform of both dimensions: put(i, j, v) receives t = F (F get^T)^T for get(i, j), `from` x `from`
// vectors that become `to` x `to`.
template <size_t from, size_t to, typename V, typename F, typename Get, typename Put>
INLINE void transform_square(F transform, Get get, Put put) {
  V half[to][from];
  for (size_t j = 0; j < from; j++) {
    V line[from], out[to];
    for (size_t i = 0; i < from; i++) line[i] = get(i, j);
    transform(out, line);
    for (size_t i = 0; i < to; i++) half[i][j] = out[i];
  }
  for (size_t i = 0; i < to; i++) {
    V out[to];
    transform(out, half[i]);
    for (size_t j = 0; j < to; j++) put(i, j, out[j]);
  }
}
