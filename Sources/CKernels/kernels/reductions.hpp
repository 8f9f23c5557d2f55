// Reductions of x[outer, reduce, inner] over the middle axis. Long ones are halved at multiples of
// a fixed block, so that errors of sums grow with the logarithm of the length.
#pragma once

enum {
  BLOCK = 32 * VECTOR_BYTES,  // elements that are summed without halving
  BLOCK_ROWS = 64,            // rows, likewise
  STRIP = 8,                  // vectors of columns that are reduced together
  CHUNKS = 16,                // fixed parts of one long reduction, for several threads
  CHUNKED_INNER = 512,        // widest inner extent whose partial results fit on the stack
  CHUNKED_SIZE = 131072,      // smallest reduction that is cut into chunks
};

// The operations: how two numbers, or two vectors, are combined, and the initial value.
struct Sum {
  template <typename N> static constexpr N initial = 0;
  template <typename V> static INLINE V combine(V a, V b) { return a + b; }
};
// NaN wins.
struct Max {
  template <typename N> static constexpr N initial = lowest<N>;
  template <typename V> static INLINE V combine(V a, V b) { return ((b > a) | (b != b)) ? b : a; }
};
struct Min {
  template <typename N> static constexpr N initial = highest<N>;
  template <typename V> static INLINE V combine(V a, V b) { return ((b < a) | (b != b)) ? b : a; }
};

// Where a run of n is cut in two.
INLINE size_t first_half(size_t n, size_t block) { return (n / 2 + block - 1) / block * block; }

template <typename Op, typename N, size_t n> INLINE N reduce_lanes(VectorOf<N, n> v) {
  N lane[n];
  memcpy(lane, &v, sizeof v);
  for (size_t step = n / 2; step > 0; step /= 2) {
    for (size_t l = 0; l < step; l++) lane[l] = Op::combine(lane[l], lane[l + step]);
  }
  return lane[0];
}
template <typename N, size_t n> INLINE N sum_of_lanes(VectorOf<N, n> v) {
  return reduce_lanes<Sum, N, n>(v);
}

// The reduction of x[0..<n].
template <typename Op, typename T> Number<T> reduce(const T *x, size_t n) {
  typedef Vector<T> V;
  constexpr size_t N = lanes<T>;
  const V initial = Op::template initial<Number<T>>;
  if (n > BLOCK) {
    const size_t half = first_half(n, BLOCK);
    const auto a = reduce<Op>(x, half), b = reduce<Op>(x + half, n - half);
    return Op::combine(a, b);
  }
  V total = initial;
  size_t i = 0;
  if (n >= 4 * N) {
    V part[4] = {initial, initial, initial, initial};
    for (; i + 4 * N <= n; i += 4 * N) {
      for (size_t v = 0; v < 4; v++) part[v] = Op::combine(part[v], load(x + i + v * N));
    }
    part[0] = Op::combine(part[0], part[2]);
    part[1] = Op::combine(part[1], part[3]);
    total = Op::combine(part[0], part[1]);
  }
  for (; i < n; i += N) {
    const V b = n - i >= N ? load(x + i) : load(x + i, n - i, Op::template initial<Number<T>>);
    total = Op::combine(total, b);
  }
  return reduce_lanes<Op, Number<T>, N>(total);
}

// A strip of `width` vectors of columns: total[c] = reduction over r of x[r * stride + c].
template <typename Op, size_t width, typename T>
void reduce_strip(Number<T> *total, const T *x, size_t rows, size_t stride) {
  typedef Vector<T> V;
  constexpr size_t N = lanes<T>;
  V result[width];
  if (rows > BLOCK_ROWS) {
    Number<T> other[width * N];
    const size_t half = first_half(rows, BLOCK_ROWS);
    reduce_strip<Op, width>(total, x, half, stride);
    reduce_strip<Op, width>(other, x + half * stride, rows - half, stride);
    for (size_t v = 0; v < width; v++) {
      result[v] = Op::combine(load(total + v * N), load(other + v * N));
    }
  } else {
    for (size_t v = 0; v < width; v++) result[v] = Op::template initial<Number<T>>;
    for (size_t r = 0; r < rows; r++, x += stride) {
      for (size_t v = 0; v < width; v++) result[v] = Op::combine(result[v], load(x + v * N));
    }
  }
  for (size_t v = 0; v < width; v++) store(total + v * N, result[v]);
}

// Columns begin..<end; inner is at least one vector.
template <typename Op, typename T>
void reduce_columns(Number<T> *y, const T *x, size_t reduce, size_t inner, size_t begin,
                    size_t end) {
  constexpr size_t N = lanes<T>;
  size_t c = begin;
  for (; c + STRIP * N <= end; c += STRIP * N) reduce_strip<Op, STRIP>(y + c, x + c, reduce, inner);
  for (; c + N <= end; c += N) reduce_strip<Op, 1>(y + c, x + c, reduce, inner);
  if (c < end) {
    Number<T> last[N];
    reduce_strip<Op, 1>(last, x + end - N, reduce, inner);
    memcpy(y + c, last + N - (end - c), (end - c) * sizeof *y);
  }
}

// Fewer columns than a vector has lanes: N rows are `inner` whole vectors.
template <typename Op, typename T>
void reduce_narrow(Number<T> *y, const T *x, size_t reduce, size_t inner) {
  typedef Vector<T> V;
  constexpr size_t N = lanes<T>;
  if (reduce > BLOCK_ROWS * N) {
    Number<T> other[N];
    const size_t half = first_half(reduce, BLOCK_ROWS * N);
    reduce_narrow<Op>(y, x, half, inner);
    reduce_narrow<Op>(other, x + half * inner, reduce - half, inner);
    for (size_t c = 0; c < inner; c++) y[c] = Op::combine(y[c], other[c]);
    return;
  }
  V part[N];
  for (size_t v = 0; v < inner; v++) part[v] = Op::template initial<Number<T>>;
  size_t r = 0;
  for (; r + N <= reduce; r += N) {
    for (size_t v = 0; v < inner; v++, x += N) part[v] = Op::combine(part[v], load(x));
  }
  Number<T> parts[N * N];
  memcpy(parts, part, inner * sizeof(V));
  for (; r < reduce; r++) {
    Number<T> *row = parts + r % N * inner;
    for (size_t c = 0; c < inner; c++, x++) row[c] = Op::combine(row[c], get(x));
  }
  for (size_t rows = N / 2; rows > 0; rows /= 2) {
    for (size_t k = 0; k < rows * inner; k++) {
      parts[k] = Op::combine(parts[k], parts[k + rows * inner]);
    }
  }
  memcpy(y, parts, inner * sizeof *y);
}

template <typename Op, typename T>
void reduce_outer(Number<T> *y, const T *x, size_t outer, size_t reduce_count, size_t inner) {
  for (size_t o = 0; o < outer; o++, y += inner, x += reduce_count * inner) {
    if (inner == 1) {
      *y = reduce<Op>(x, reduce_count);
    } else if (inner < lanes<T>) {
      reduce_narrow<Op>(y, x, reduce_count, inner);
    } else {
      reduce_columns<Op>(y, x, reduce_count, inner, 0, inner);
    }
  }
}

// One long reduction in chunks of fixed size, on several threads.
template <typename Op, typename T>
void reduce_in_chunks(Number<T> *y, const T *x, size_t reduce, size_t inner) {
  Number<T> partial[CHUNKS * CHUNKED_INNER];
  const size_t chunk = (reduce + CHUNKS - 1) / CHUNKS, chunks = (reduce + chunk - 1) / chunk;
  parallel_for(chunks, 1, [=, p = partial](size_t begin, size_t end) {
    for (size_t k = begin; k < end; k++) {
      const size_t first = k * chunk;
      reduce_outer<Op>(p + k * inner, x + first * inner, 1, smaller(reduce - first, chunk), inner);
    }
  });
  reduce_outer<Op>(y, partial, 1, chunks, inner);
}

template <typename Op, typename T>
void reduction(Number<T> *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  if (outer == 1 && inner <= CHUNKED_INNER && reduce * inner >= CHUNKED_SIZE) {
    reduce_in_chunks<Op>(y, x, reduce, inner);
  } else if (outer == 1 && inner > CHUNKED_INNER) {
    parallel_for_rows(inner, reduce, GRAIN_MEMORY, [=](size_t begin, size_t end) {
      reduce_columns<Op>(y, x, reduce, inner, begin, end);
    });
  } else {
    parallel_for_rows(outer, reduce * inner, GRAIN_MEMORY, [=](size_t begin, size_t end) {
      reduce_outer<Op>(y + begin * inner, x + begin * reduce * inner, end - begin, reduce, inner);
    });
  }
}

template <typename T> void sum(Number<T> *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  if constexpr (same<T, int32_t>) {
    // Integers wrap around.
    reduction<Sum>((uint32_t *)y, (const uint32_t *)x, outer, reduce, inner);
  } else if constexpr (same<T, int64_t>) {
    reduction<Sum>((uint64_t *)y, (const uint64_t *)x, outer, reduce, inner);
  } else {
    reduction<Sum>(y, x, outer, reduce, inner);
  }
}
KERNEL(sum, float, double, int32_t, int64_t, bfloat16)

template <typename T> void max(Number<T> *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  reduction<Max>(y, x, outer, reduce, inner);
}
KERNEL(max, float, double, int32_t, int64_t, uint8_t, bfloat16)

template <typename T> void min(Number<T> *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  reduction<Min>(y, x, outer, reduce, inner);
}
KERNEL(min, float, double, int32_t, int64_t, uint8_t, bfloat16)

// ---------------------------------------------------------------- cumulative sums

template <typename T>
void cumulative_sum(T *y, const T *x, size_t outer, size_t count, size_t inner, bool from_end) {
  const ptrdiff_t step = from_end ? -(ptrdiff_t)inner : (ptrdiff_t)inner;
  if (count == 0) return;
  for (size_t o = 0; o < outer; o++) {
    const size_t first = (o * count + (from_end ? count - 1 : 0)) * inner;
    T *to = y + first;
    const T *from = x + first;
    for (size_t k = 0; k < count; k++, to += step, from += step) {
      for_vectors<lanes<T>>(0, inner, [&](size_t i, size_t n) {
        Vector<T> sum = load(from + i, n);
        if (k > 0) sum = (Vector<T>)(wrapping(sum) + wrapping(load(to - step + i, n)));
        store(to + i, sum, n);
      });
    }
  }
}
KERNEL(cumulative_sum, float, double, int32_t, int64_t)

// ---------------------------------------------------------------- indices of extrema

// Whether x is better than the best so far. Strict, so that the first of equals stays; NaN is better
// than everything except NaN.
template <typename Op, typename V> INLINE auto is_better(V x, V best) {
  const auto is_nan = (x != x) & (best == best);
  if constexpr (same<Op, Max>) {
    return (x > best) | is_nan;
  } else {
    return (x < best) | is_nan;
  }
}

template <typename Op, typename T> INLINE int32_t index_of_extremum(const T *x, size_t n) {
  const T best = reduce<Op>(x, n);
  size_t i = 0;
  while (x[i] != best && !(x[i] != x[i])) i++;
  return (int32_t)i;
}

// The indices for `columns` columns, at most INDEX_TILE.
enum { INDEX_TILE = 64 };
template <typename Op, typename T>
INLINE void indices_of_columns(int32_t *y, const T *x, size_t reduce, size_t inner, size_t columns) {
  constexpr size_t N = lanes<T>;
  T best[INDEX_TILE];
  Bits<T> index[INDEX_TILE];
  for_vectors<N>(0, columns, [&](size_t c, size_t count) {
    store(best + c, load(x + c, count));
    store(index + c, (VectorOf<Bits<T>, N>)0);
  });
  for (size_t r = 1; r < reduce; r++) {
    x += inner;
    for_vectors<N>(0, columns, [&](size_t c, size_t count) {
      const Vector<T> candidate = load(x + c, count), old = load(best + c);
      const auto wins = is_better<Op>(candidate, old);
      const auto row = (VectorOf<Bits<T>, N>)(Bits<T>)r;
      store(index + c, wins ? row : load(index + c));
      store(best + c, wins ? candidate : old);
    });
  }
  for_vectors<N>(0, columns, [&](size_t c, size_t count) {
    store(y + c, __builtin_convertvector(load(index + c), VectorOf<int32_t, N>), count);
  });
}

template <typename Op, typename T>
void index_reduction(int32_t *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  parallel_for_rows(outer, reduce * inner, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for (size_t o = begin; o < end; o++) {
      int32_t *to = y + o * inner;
      const T *from = x + o * reduce * inner;
      if (inner == 1) {
        *to = index_of_extremum<Op>(from, reduce);
        continue;
      }
      for_vectors<INDEX_TILE>(0, inner, [&](size_t i, size_t count) {
        indices_of_columns<Op>(to + i, from + i, reduce, inner, count);
      });
    }
  });
}

template <typename T>
void argmax(int32_t *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  index_reduction<Max>(y, x, outer, reduce, inner);
}
KERNEL(argmax, float, double, int32_t, int64_t)

template <typename T>
void argmin(int32_t *y, const T *x, size_t outer, size_t reduce, size_t inner) {
  index_reduction<Min>(y, x, outer, reduce, inner);
}
KERNEL(argmin, float, double, int32_t, int64_t)

// ---------------------------------------------------------------- one result for a whole array

template <typename T> double sum_of_squares(const T *x, size_t n) {
  constexpr size_t N = lanes<double>;
  if (n > BLOCK) {
    const size_t half = first_half(n, BLOCK);
    return sum_of_squares(x, half) + sum_of_squares(x + half, n - half);
  }
  vd even = 0, odd = 0;
  size_t begin = 0;
  for (; begin + 2 * N <= n; begin += 2 * N) {
    const vd a = __builtin_convertvector((load<T, N>(x + begin)), vd);
    const vd b = __builtin_convertvector((load<T, N>(x + begin + N)), vd);
    even += a * a;
    odd += b * b;
  }
  for_vectors<N>(begin, n, [&](size_t i, size_t count) {
    const vd a = __builtin_convertvector((load<T, N>(x + i, count)), vd);
    even += a * a;
  });
  return sum_of_lanes<double, N>(even + odd);
}

template <typename T> double sum_squares(const T *x, size_t n) {
  if (n < CHUNKED_SIZE) return sum_of_squares(x, n);
  double partial[CHUNKS];
  const size_t chunk = (n + CHUNKS - 1) / CHUNKS;
  parallel_for(CHUNKS, 1, [=, p = partial](size_t begin, size_t end) {
    for (size_t k = begin; k < end; k++) {
      p[k] = sum_of_squares(x + k * chunk, smaller(n - k * chunk, chunk));
    }
  });
  return reduce<Sum>(partial, CHUNKS);
}
KERNEL(sum_squares, float, double)

// A number is finite if its exponent is not all ones: x - x is 0 then, and NaN otherwise.
template <typename T> bool are_finite(const T *x, size_t n) {
  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t last = n - first < BLOCK ? n : first + BLOCK;
    VectorOf<Bits<Number<T>>, lanes<T>> bad = 0;
    for_vectors<lanes<T>>(first, last, [&](size_t i, size_t count) {
      const auto v = load(x + i, count);
      bad |= v - v != 0;
    });
    if (__builtin_reduce_or(bad) != 0) return false;
  }
  return true;
}

template <typename T> bool all_finite(const T *x, size_t n) {
  if (n < CHUNKED_SIZE) return are_finite(x, n);
  bool finite[CHUNKS], all = true;
  const size_t chunk = (n + CHUNKS - 1) / CHUNKS;
  parallel_for(CHUNKS, 1, [=, p = finite](size_t begin, size_t end) {
    for (size_t k = begin; k < end; k++) {
      p[k] = are_finite(x + k * chunk, smaller(n - k * chunk, chunk));
    }
  });
  for (bool part : finite) all &= part;
  return all;
}
KERNEL(all_finite, float, double, bfloat16)
