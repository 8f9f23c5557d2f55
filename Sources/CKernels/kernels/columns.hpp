// Batch normalization of images that lie channels last: matrices [rows, cols] with a channel per column.
//
// Sums over rows are taken per block of a fixed number of rows, and then over blocks in double precision,
// so they do not depend on the number of threads.
#pragma once

// Calls body(first, end) for blocks of rows, on several threads if there is enough work.
template <typename F> INLINE void for_row_blocks(size_t rows, size_t cols, const F &body) {
  const size_t blocks = divide_up(rows, (size_t)CK_COLUMN_BLOCK);
  const auto run = [&](size_t block) {
    const size_t first = block * CK_COLUMN_BLOCK;
    body(block, first, smaller(first + CK_COLUMN_BLOCK, rows));
  };
  if (rows * cols <= GRAIN_MEMORY) {
    for (size_t block = 0; block < blocks; block++) run(block);
  } else {
    parallel_jobs(blocks, (size_t)ck_threads(), [&](size_t block, size_t) { run(block); });
  }
}

// Calls body(c, count, v) for strips of at most V vectors of columns: v is the number of vectors.
template <typename T, size_t V, typename F> INLINE void for_strips(size_t cols, F body) {
  constexpr size_t width = V * lanes<T>;
  size_t c = 0;
  for (; c + width <= cols; c += width) body.template operator()<V>(c, lanes<T>);
  for (; c < cols; c += lanes<T>) body.template operator()<1>(c, smaller(lanes<T>, cols - c));
}

// Block by block, in double precision (Chan, Golub and LeVeque, 1983): the mean of all, then the sum of squared
// distances from it.
template <typename N>
void moments_of_blocks(N *mean, N *variance, const N *statistics, size_t blocks, size_t cols) {
  constexpr size_t L = lanes<double>;
  for_strips<double, 4>(cols, [=]<size_t n>(size_t first, size_t width) {
    const auto read = [=](size_t block, size_t row, size_t v) {
      const N *p = statistics + (block * CK_STATISTICS + row) * cols + first + v * L;
      return __builtin_convertvector(load<N, L>(p, width), vd);
    };
    vd count = 0, total[n] = {}, squares[n] = {};
    for (size_t b = 0; b < blocks; b++) {
      const vd size = read(b, 3, 0)[0];  // the same in all columns
      count += size;
      for (size_t v = 0; v < n; v++) total[v] += read(b, 0, v) + size * read(b, 2, v);
    }
    for (size_t v = 0; v < n; v++) total[v] /= count;
    for (size_t b = 0; b < blocks; b++) {
      const vd size = read(b, 3, 0)[0], share = 1 / size;
      if (size[0] == 0) continue;
      for (size_t v = 0; v < n; v++) {
        const vd sum = read(b, 0, v), distance = read(b, 2, v) + sum * share - total[v];
        squares[v] += read(b, 1, v) - sum * sum * share + size * distance * distance;
      }
    }
    for (size_t v = 0; v < n; v++) {
      store<N, L>(mean + first + v * L, __builtin_convertvector(total[v], VectorOf<N, L>), width);
      const vd all = squares[v] < 0 ? (vd)0 : squares[v];  // of equal numbers, rounding may be all there is
      store<N, L>(variance + first + v * L, __builtin_convertvector(all / count, VectorOf<N, L>), width);
    }
  });
}
KERNEL(moments_of_blocks, float, double)

template <typename T>
void column_moments(Number<T> *mean, Number<T> *variance, Number<T> *partial, const T *x, size_t rows,
                    size_t cols) {
  typedef Number<T> N;
  typedef Vector<T> V;
  for_row_blocks(rows, cols, [=](size_t block, size_t first, size_t end) {
    N *to = partial + block * CK_STATISTICS * cols;
    const N size = N(end - first), share = 1 / size;
    for_strips<T, 4>(cols, [=]<size_t n>(size_t c, size_t count) {
      V mean[n] = {}, square[n] = {}, sum[n] = {};
      for (size_t r = first; r < end; r++) {
        for (size_t v = 0; v < n; v++) mean[v] += load(x + r * cols + c + v * lanes<T>, count);
      }
      for (size_t v = 0; v < n; v++) mean[v] *= share;
      for (size_t r = first; r < end; r++) {
        for (size_t v = 0; v < n; v++) {
          const V distance = load(x + r * cols + c + v * lanes<T>, count) - mean[v];
          sum[v] += distance;
          square[v] += distance * distance;
        }
      }
      for (size_t v = 0; v < n; v++) {
        const V statistics[CK_STATISTICS] = {sum[v], square[v], mean[v], (V)size};
        for (size_t i = 0; i < CK_STATISTICS; i++) store(to + i * cols + c + v * lanes<T>, statistics[i], count);
      }
    });
  });
  moments_of_blocks(mean, variance, partial, divide_up(rows, (size_t)CK_COLUMN_BLOCK), cols);
}
KERNEL(column_moments, float, double, bfloat16)

template <typename T>
void column_affine(T *y, const T *x, const Number<T> *center, const Number<T> *scale,
                   const Number<T> *shift, const T *residual, bool relu, size_t rows, size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t at = r * cols;
      for_vectors<lanes<T>>(0, cols, [&](size_t c, size_t count) {
        Vector<T> v = (load(x + at + c, count) - load(center + c, count)) * load(scale + c, count);
        if (shift) v += load(shift + c, count);
        if (residual) v += load(residual + at + c, count);
        if (relu) v = v <= 0 ? (Vector<T>)0 : v;
        store(y + at + c, v, count);
      });
    }
  });
}
KERNEL(column_affine, float, double, bfloat16)

// dy, or 0 where there is a gate that is not positive; a NaN in it lets dy pass, as in PyTorch.
template <typename T> INLINE Vector<T> gated(const T *dy, const T *gate, size_t at, size_t count) {
  const Vector<T> g = load(dy + at, count);
  return gate ? (load(gate + at, count) <= 0 ? (Vector<T>)0 : g) : g;
}

template <typename T>
void column_sums(Number<T> *sum, Number<T> *product, Number<T> *partial, const T *dy, const T *gate,
                 const T *x, const Number<T> *center, size_t rows, size_t cols) {
  typedef Number<T> N;
  typedef Vector<T> V;
  for_row_blocks(rows, cols, [=](size_t block, size_t first, size_t end) {
    N *sums = partial + block * 2 * cols, *products = sums + cols;
    for_strips<T, 4>(cols, [=]<size_t n>(size_t c, size_t count) {
      V mean[n], sum[n] = {}, product[n] = {};
      for (size_t v = 0; v < n; v++) mean[v] = load(center + c + v * lanes<T>, count);
      for (size_t r = first; r < end; r++) {
        for (size_t v = 0; v < n; v++) {
          const size_t at = r * cols + c + v * lanes<T>;
          const V g = gated(dy, gate, at, count);
          sum[v] += g;
          product[v] += g * (load(x + at, count) - mean[v]);
        }
      }
      for (size_t v = 0; v < n; v++) {
        store(sums + c + v * lanes<T>, sum[v], count);
        store(products + c + v * lanes<T>, product[v], count);
      }
    });
  });
  const size_t blocks = divide_up(rows, (size_t)CK_COLUMN_BLOCK);
  for (size_t c = 0; c < cols; c++) {
    double total = 0, total_product = 0;
    for (size_t b = 0; b < blocks; b++) {
      total += partial[b * 2 * cols + c];
      total_product += partial[(b * 2 + 1) * cols + c];
    }
    sum[c] = N(total);
    product[c] = N(total_product);
  }
}
KERNEL(column_sums, float, double, bfloat16)

template <typename T>
void column_backward(T *dx, T *dresidual, const T *dy, const T *gate, const T *x,
                     const Number<T> *center, const Number<T> *scale, const Number<T> *shift,
                     const Number<T> *slope, size_t rows, size_t cols) {
  parallel_for_rows(rows, cols, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      for_vectors<lanes<T>>(0, cols, [&](size_t c, size_t count) {
        const size_t at = r * cols + c;
        const Vector<T> g = gated(dy, gate, at, count);
        if (dresidual) store(dresidual + at, g, count);
        const Vector<T> distance = load(x + at, count) - load(center + c, count);
        store(dx + at,
              load(scale + c, count) *
                  (g - load(shift + c, count) - load(slope + c, count) * distance),
              count);
      });
    }
  });
}
KERNEL(column_backward, float, double, bfloat16)
