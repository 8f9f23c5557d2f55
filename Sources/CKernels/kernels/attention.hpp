// Attention in tiles of scores.
#pragma once

enum { ATTENTION_BLOCK = 64 };  // queries, and keys, of a tile of scores

// One head of a tensor: rows of neighbouring elements.
template <typename T> struct Head {
  T *p;
  ptrdiff_t stride;

  Head(T *base, ck_head_strides s, size_t batch, size_t head)
      : p(base + (ptrdiff_t)batch * s.batch + (ptrdiff_t)head * s.head), stride(s.row) {}
  T *row(size_t r) const { return p + (ptrdiff_t)r * stride; }
};

// The operands of products: rows of a head, and their transpose.
template <typename T> INLINE Matrix<T> rows_from(Head<const T> head, size_t first) {
  return {head.row(first), head.stride, 1};
}
template <typename T> INLINE Matrix<T> transposed(Matrix<T> a) { return {a.p, a.col, a.row}; }

// c = a b, or c += a b if `adds`, for blocks of at most a few hundred rows and columns: panels of b are packed on
// the stack. One stride of a must be 1.
enum { BLOCK_DEPTH = 64 };
template <typename T>
void block_product(T *c, size_t ldc, Matrix<T> a, Matrix<T> b, size_t m, size_t n, size_t k, bool adds) {
  constexpr size_t line = panel_width<T>;
  T panel[BLOCK_DEPTH * line], sums[MOST_ROWS * line];
  const Panels<T> panels = {n};
  for (size_t p = 0; p < panels.count(); p++) {
    const size_t first = panels.first_column(p), used = panels.used(p);
    const size_t vectors = panels.vectors(p), width = panels.width(p);
    for (size_t l = 0; l < k; l += BLOCK_DEPTH) {
      const size_t depth = smaller(k - l, BLOCK_DEPTH);
      const Run run = {0, 0, depth};
      pack_columns<T>(panel, Operand<T>{b.p, b.row, b.col}, first, used, width, l, depth);
      for (size_t r = 0, rows; r < m; r += rows) {
        rows = smaller(tile_rows(vectors), m - r);
        const T *from = a.p + (ptrdiff_t)r * a.row + (ptrdiff_t)l * a.col;
        if (a.col == 1) {
          const T *pointers[MOST_ROWS];
          for (size_t i = 0; i < rows; i++) pointers[i] = from + (ptrdiff_t)i * a.row;
          row_kernel<T>(rows, vectors)(sums, {pointers, NULL, 1, depth}, panel, false);
        } else {
          memset(sums, 0, rows * width * sizeof(T));
          column_kernel<T>(rows, vectors)(sums, width, {from, panel, a.col, a.col, (ptrdiff_t)width}, &run, 1);
        }
        for (size_t i = 0; i < rows; i++) {
          T *to = c + (r + i) * ldc + first;
          for_vectors<lanes<T>>(0, used, [&, i](size_t j, size_t count) {
            const Vector<T> v = load(sums + i * width + j);
            store(to + j, adds || l > 0 ? v + load(to + j, count) : v, count);
          });
        }
      }
    }
  }
}

// How many of the `cols` keys from `key` on the query attends to.
INLINE size_t visible_keys(const ck_attention_shape *shape, size_t query, size_t key, size_t cols) {
  if (!shape->causal) return cols;
  if (query < key) return 0;
  return query - key + 1 < cols ? query - key + 1 : cols;
}

// What is added to the scores of one head; the pointer is NULL if nothing is.
template <typename N> INLINE Head<const N> mask_of(const ck_attention_shape *shape, size_t batch, size_t head) {
  if (!shape->mask) return {NULL, {0, 0, 0}, 0, 0};
  return {(const N *)shape->mask, shape->mask_strides, batch, head};
}

// s = s * scale + mask, for n scores of one query.
template <typename N> INLINE void scale_and_mask(N *s, const N *mask, size_t n, N scale) {
  for_vectors<lanes<N>>(0, n, [&](size_t i, size_t count) {
    store(s + i, load(s + i, count) * scale + load(mask + i, count), count);
  });
}

// The queries first..<first + rows of one head, block of keys after block of keys: the sum so far is
// rescaled whenever the maximum grows.
template <typename T>
void attention_block(Head<T> y, Number<T> *logsumexp, Head<const T> q, Head<const T> k,
                     Head<const T> v, Head<const Number<T>> mask, const ck_attention_shape *shape,
                     size_t first, size_t rows, Number<T> scale) {
  typedef Number<T> N;
  constexpr size_t B = ATTENTION_BLOCK;
  const size_t width = shape->width, value_width = shape->value_width;
  // A mask is added to scaled scores, which are not scaled again.
  const N factor_of_scores = mask.p ? 1 : scale;
  size_t keys = shape->keys;
  if (shape->causal && first + rows < keys) keys = first + rows;
  T p[B * B];
  N max[B], total[B];
  for (size_t j = 0; j < keys; j += B) {
    const size_t cols = keys - j < B ? keys - j : B;
    block_product(p, B, rows_from<T>(q, first), transposed(rows_from<T>(k, j)), rows, cols, width, false);
    for (size_t r = 0; r < rows; r++) {
      T *s = p + r * B, *to = y.row(first + r);
      size_t visible = visible_keys(shape, first + r, j, cols);
      if (j == 0) {
        max[r] = -infinity<N>;
        total[r] = 0;
      }
      if (visible > 0) {
        if (mask.p) scale_and_mask<N>(s, mask.row(first + r) + j, visible, scale);
        const N top = reduce<Max>(s, visible) * factor_of_scores;
        const N old = max[r];
        const N highest = Max::combine(old, top);
        if (highest == -infinity<N>) {
          visible = 0;
        } else {
          max[r] = highest;
          Vector<T> sum = 0;
          for_vectors<lanes<T>>(0, visible, [&](size_t i, size_t count) {
            const Vector<T> e = exp(load(s + i, count, -infinity<N>) * factor_of_scores - highest);
            sum += e;
            store(s + i, e, count);
          });
          const N part = sum_of_lanes(sum);
          const N factor = j == 0 ? 0 : exp(old - highest);
          total[r] = total[r] * factor + part;
          if (j > 0 && factor != 1) {
            for_vectors<lanes<T>>(0, value_width, [&](size_t i, size_t count) {
              store(to + i, load(to + i, count) * factor, count);
            });
          }
        }
      }
      for (size_t c = visible; c < cols; c++) s[c] = {};
    }
    block_product(y.row(first), (size_t)y.stride, Matrix<T>{p, B, 1}, rows_from<T>(v, j), rows, value_width,
                  cols, j > 0);
  }
  for (size_t r = 0; r < rows; r++) {
    T *to = y.row(first + r);
    const bool sees_none = total[r] == 0;
    const N factor = sees_none ? 0 : 1 / total[r];
    logsumexp[r] = sees_none ? infinity<N> : max[r] + log(total[r]);
    for_vectors<lanes<T>>(0, value_width, [&](size_t i, size_t count) {
      store(to + i, load(to + i, count) * factor, count);
    });
  }
}

template <typename T>
void attention(T *y, Number<T> *logsumexp, const T *q, const T *k, const T *v,
               const ck_attention_shape *shape, double scale) {
  const size_t blocks = (shape->queries + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK;
  const size_t group = shape->heads / shape->key_heads;
  parallel_for_rows(
      shape->batches * shape->heads * blocks, shape->keys * shape->width, GRAIN_MATHEMATICS,
      [=](size_t begin, size_t end) {
        for (size_t i = begin; i < end; i++) {
          const size_t number = i / blocks, first = i % blocks * ATTENTION_BLOCK;
          const size_t batch = number / shape->heads, head = number % shape->heads;
          attention_block<T>(
              {y, shape->y, batch, head}, logsumexp + number * shape->queries + first,
              {q, shape->q, batch, head}, {k, shape->k, batch, head / group},
              {v, shape->v, batch, head / group}, mask_of<Number<T>>(shape, batch, head), shape, first,
              smaller(shape->queries - first, ATTENTION_BLOCK), Number<T>(scale));
        }
      });
}
KERNEL(attention, float, double)

// ---------------------------------------------------------------- backward pass

// The tensors of a backward pass, for one head.
template <typename T> struct AttentionGradients {
  Head<T> dq, dk, dv;
  Head<const T> dy, q, k, v, y;
  Head<const Number<T>> mask;
  Number<T> *delta;             // the sums of y * dy of each query
  const Number<T> *logsumexp;
  bool adds;                    // whether dk and dv are sums over heads, of which this is not the first
};

template <typename T>
void attention_backward_head(const AttentionGradients<T> &h, const ck_attention_shape *shape,
                             Number<T> scale) {
  typedef Number<T> N;
  constexpr size_t B = ATTENTION_BLOCK;
  const size_t width = shape->width, value_width = shape->value_width, queries = shape->queries;
  const N factor_of_scores = h.mask.p ? 1 : scale;
  for (size_t r = 0; r < queries; r++) {
    const T *a = h.y.row(r), *b = h.dy.row(r);
    Vector<T> sum = 0;
    for_vectors<lanes<T>>(0, value_width, [&](size_t i, size_t count) {
      sum += load(a + i, count) * load(b + i, count);
    });
    h.delta[r] = sum_of_lanes(sum);
  }
  T p[B * B], ds[B * B];
  const Matrix<T> scores = {p, B, 1}, gradients = {ds, B, 1};
  for (size_t j = 0; j < shape->keys; j += B) {
    const size_t cols = shape->keys - j < B ? shape->keys - j : B;
    const size_t start = shape->causal ? j : 0;
    if (start >= queries) {
      for (size_t c = 0; c < cols && !h.adds; c++) {
        memset(h.dk.row(j + c), 0, width * sizeof(T));
        memset(h.dv.row(j + c), 0, value_width * sizeof(T));
      }
      continue;
    }
    const Matrix<T> k = rows_from<T>(h.k, j), v = rows_from<T>(h.v, j);
    for (size_t first = start; first < queries; first += B) {
      const size_t rows = queries - first < B ? queries - first : B;
      const Matrix<T> q = rows_from<T>(h.q, first), dy = rows_from<T>(h.dy, first);
      const bool adds = h.adds || first > start;
      block_product(p, B, q, transposed(k), rows, cols, width, false);
      block_product(ds, B, dy, transposed(v), rows, cols, value_width, false);
      for (size_t r = 0; r < rows; r++) {
        T *a = p + r * B, *b = ds + r * B;
        const size_t visible = visible_keys(shape, first + r, j, cols);
        if (h.mask.p) scale_and_mask<N>(a, h.mask.row(first + r) + j, visible, scale);
        const N normalizer = h.logsumexp[first + r], mean = h.delta[first + r];
        for_vectors<lanes<T>>(0, visible, [&](size_t i, size_t count) {
          const Vector<T> e = exp(load(a + i, count) * factor_of_scores - normalizer);
          store(a + i, e, count);
          store(b + i, e * (load(b + i, count) - mean) * scale, count);
        });
        for (size_t c = visible; c < cols; c++) a[c] = b[c] = {};
      }
      block_product(h.dv.row(j), (size_t)h.dv.stride, transposed(scores), dy, cols, value_width, rows, adds);
      block_product(h.dk.row(j), (size_t)h.dk.stride, transposed(gradients), q, cols, width, rows, adds);
      block_product(h.dq.row(first), (size_t)h.dq.stride, gradients, k, rows, width, cols, j > 0);
    }
  }
}

template <typename T>
void attention_backward(T *dq, T *dk, T *dv, Number<T> *delta, const T *dy, const T *q, const T *k,
                        const T *v, const T *y, const Number<T> *logsumexp,
                        const ck_attention_shape *shape, double scale) {
  const size_t group = shape->heads / shape->key_heads;
  parallel_for_rows(
      shape->batches * shape->key_heads, group * shape->queries * shape->keys, GRAIN_MATHEMATICS,
      [=](size_t begin, size_t end) {
        for (size_t i = begin * group; i < end * group; i++) {
          const size_t batch = i / shape->heads, head = i % shape->heads, key_head = head / group;
          attention_backward_head<T>({.dq = {dq, shape->dq, batch, head},
                                      .dk = {dk, shape->dk, batch, key_head},
                                      .dv = {dv, shape->dv, batch, key_head},
                                      .dy = {dy, shape->y, batch, head},
                                      .q = {q, shape->q, batch, head},
                                      .k = {k, shape->k, batch, key_head},
                                      .v = {v, shape->v, batch, key_head},
                                      .y = {y, shape->y, batch, head},
                                      .mask = mask_of<Number<T>>(shape, batch, head),
                                      .delta = delta + i * shape->queries,
                                      .logsumexp = logsumexp + i * shape->queries,
                                      .adds = head % group > 0},
                                     shape, Number<T>(scale));
        }
      });
}
KERNEL(attention_backward, float, double)
