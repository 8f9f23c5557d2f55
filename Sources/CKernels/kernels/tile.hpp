// The multiply-add loop of all products and convolutions: a tile of `rows` x `width` sums, kept in
// registers, where a panel of the right operand is `width` columns wide.
//
// The right operand is packed: panel[k][width], so that a step along k loads whole vectors. The left
// operand is read where it lies, one word per row and step, and spread over a vector.
#pragma once

// ---------------------------------------------------------------- words

// What one step along k multiplies: an element, or two neighbouring elements of 16 bits.
template <typename T> struct WordOf { using type = T; };
template <> struct WordOf<bfloat16> { using type = uint32_t; };
template <typename T> using Word = typename WordOf<T>::type;
template <typename T> using Words = VectorOf<Word<T>, lanes<T>>;
template <typename T> constexpr size_t word_elements = sizeof(Word<T>) / sizeof(T);

// The words that hold n elements.
template <typename T> constexpr size_t words(size_t n) {
  return (n + word_elements<T> - 1) / word_elements<T>;
}

template <typename T> INLINE Word<T> load_word(const T *p) {
  Word<T> word;
  memcpy(&word, p, sizeof word);
  return word;
}

template <typename T> INLINE Words<T> load_words_of(const Word<T> *p) {
  Words<T> v;
  memcpy(&v, p, sizeof v);
  return v;
}

// sum + a * b, in every lane.
template <bool, typename N> INLINE Vector<N> multiply_add(Vector<N> sum, N a, Vector<N> b) {
  return sum + a * b;
}

// sum + a.high * b.high + a.low * b.low, products being exact and each sum rounded; by one instruction if
// `dot`. The instruction treats denormal numbers as 0; the emulation does so if the thread's control register
// says so.
template <bool dot> INLINE vf multiply_add(vf sum, uint32_t a, vu b) {
#if VECTOR_BYTES == 64
  if constexpr (dot) return (vf)_mm512_dpbf16_ps((__m512)sum, (__m512bh)(vu)a, (__m512bh)b);
#endif
  const vu pair = a;
  sum += (vf)(pair & 0xffff0000u) * (vf)(b & 0xffff0000u);
  return sum + (vf)(pair << 16) * (vf)(b << 16);
}

// Whether to multiply elements of a type by the instruction for pairs of bfloat16.
template <typename T> INLINE bool uses_dot() {
  if constexpr (same<T, bfloat16> && VECTOR_BYTES == 64) return ck_has_bfloat16_dot();
  return false;
}

// ---------------------------------------------------------------- shapes

// The widest panel, in vectors, and the most rows of a tile: the sums, a line of the panel and a spread
// word fill the registers.
constexpr size_t PANEL_VECTORS = VECTOR_BYTES == 64 ? 4 : 2;
constexpr size_t tile_rows(size_t vectors) { return vectors == PANEL_VECTORS ? 6 : 8; }
constexpr size_t MOST_ROWS = 8;

template <typename T> constexpr size_t panel_width = PANEL_VECTORS * lanes<T>;

// Columns of a product are cut into panels of the full width and a last, narrower one.
template <typename T> struct Panels {
  size_t columns;

  size_t count() const { return (columns + panel_width<T> - 1) / panel_width<T>; }
  size_t first_column(size_t panel) const { return panel * panel_width<T>; }
  // The columns that exist.
  size_t used(size_t panel) const { return smaller(columns - first_column(panel), panel_width<T>); }
  size_t vectors(size_t panel) const { return (used(panel) + lanes<T> - 1) / lanes<T>; }
  size_t width(size_t panel) const { return vectors(panel) * lanes<T>; }
  size_t rows(size_t panel) const { return tile_rows(vectors(panel)); }
  // All columns, the filling of the last panel included.
  size_t padded() const { return (columns + lanes<T> - 1) / lanes<T> * lanes<T>; }
};

// ---------------------------------------------------------------- left operand by rows

// A left operand whose rows lie anywhere, in segments along k that need not be neighbours either.
template <typename T> struct RowSegments {
  const T *const *rows;      // [segments][rows of the tile]: the first element
  const size_t *first;       // [segments]: the k at which each begins in the panel; NULL for one at 0
  size_t segments, depth;    // how many, and the words of each
};

// sums[r][c] (+)= sum over segments s and words k of rows[s][r][k] * panel[first[s] + k][c]
template <typename T, bool dot, size_t R, size_t V>
void multiply_rows(Number<T> *sums, const RowSegments<T> &x, const Word<T> *panel, bool accumulate) {
  constexpr size_t N = lanes<T>;
  Vector<T> sum[R][V];
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) {
      sum[r][v] = accumulate ? load(sums + (r * V + v) * N) : (Vector<T>)0;
    }
  }
  for (size_t s = 0; s < x.segments; s++) {
    const T *row[R];
    for (size_t r = 0; r < R; r++) row[r] = x.rows[s * R + r];
    const Word<T> *b = panel + (x.first ? x.first[s] * V * N : 0);
    for (size_t k = 0; k < x.depth; k++, b += V * N) {
      Words<T> line[V];
      for (size_t v = 0; v < V; v++) line[v] = load_words_of<T>(b + v * N);
      for (size_t r = 0; r < R; r++) {
        const Word<T> a = load_word(row[r] + k * word_elements<T>);
        for (size_t v = 0; v < V; v++) sum[r][v] = multiply_add<dot>(sum[r][v], a, line[v]);
      }
    }
  }
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) store(sums + (r * V + v) * N, sum[r][v]);
  }
}

// ---------------------------------------------------------------- left operand by columns

// A product over k, which are positions of pixels in packed images. The pixels of a have a_pixel words;
// from one k to the next it is a_step. Those of b have b_pixel words and are neighbours.
template <typename T> struct ColumnOperands {
  const Word<T> *a, *b;
  ptrdiff_t a_pixel, a_step, b_pixel;
};
// Positions that follow one another: the first pixel of both operands, and how many.
struct Run {
  ptrdiff_t a, b;
  size_t depth;
};

// sums[r][c] += sum over the positions k of all runs of a[k][r] * b[k][c]
template <typename T, bool dot, size_t R, size_t V>
void multiply_columns(Number<T> *sums, size_t ld, const ColumnOperands<T> &x, const Run *runs, size_t count) {
  constexpr size_t N = lanes<T>;
  const ptrdiff_t a_step = x.a_step, b_step = x.b_pixel;
  Vector<T> sum[R][V];
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) {
      sum[r][v] = 0;
      __builtin_prefetch(sums + r * ld + v * N, 1);
    }
  }
  for (const Run *run = runs; run < runs + count; run++) {
    const Word<T> *a = x.a + run->a * x.a_pixel, *b = x.b + run->b * x.b_pixel;
    for (size_t k = run->depth; k > 0; k--, a += a_step, b += b_step) {
      Words<T> line[V];
      for (size_t v = 0; v < V; v++) line[v] = load_words_of<T>(b + v * N);
      for (size_t r = 0; r < R; r++) {
        for (size_t v = 0; v < V; v++) sum[r][v] = multiply_add<dot>(sum[r][v], a[r], line[v]);
      }
    }
  }
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) {
      store(sums + r * ld + v * N, load(sums + r * ld + v * N) + sum[r][v]);
    }
  }
}

// ---------------------------------------------------------------- choosing the tile

template <typename T> using RowKernel = void (*)(Number<T> *, const RowSegments<T> &, const Word<T> *, bool);
template <typename T>
using ColumnKernel = void (*)(Number<T> *, size_t, const ColumnOperands<T> &, const Run *, size_t);

// The tiles of 1...MOST_ROWS rows for panels of V vectors.
template <typename T, bool dot, size_t V, size_t... r>
RowKernel<T> row_kernel(size_t rows, Indices<size_t, r...>) {
  static constexpr RowKernel<T> kernels[] = {multiply_rows<T, dot, r + 1, V>...};
  return kernels[rows - 1];
}
template <typename T, bool dot, size_t V, size_t... r>
ColumnKernel<T> column_kernel(size_t rows, Indices<size_t, r...>) {
  static constexpr ColumnKernel<T> kernels[] = {multiply_columns<T, dot, r + 1, V>...};
  return kernels[rows - 1];
}

template <typename T, size_t V = 1> RowKernel<T> row_kernel(size_t rows, size_t vectors) {
  if constexpr (V < PANEL_VECTORS) {
    if (vectors != V) return row_kernel<T, V + 1>(rows, vectors);
  }
  constexpr IndicesUpTo<tile_rows(V)> all;
  return uses_dot<T>() ? row_kernel<T, same<T, bfloat16>, V>(rows, all) : row_kernel<T, false, V>(rows, all);
}
template <typename T, size_t V = 1> ColumnKernel<T> column_kernel(size_t rows, size_t vectors) {
  if constexpr (V < PANEL_VECTORS) {
    if (vectors != V) return column_kernel<T, V + 1>(rows, vectors);
  }
  constexpr IndicesUpTo<tile_rows(V)> all;
  return uses_dot<T>() ? column_kernel<T, same<T, bfloat16>, V>(rows, all)
                       : column_kernel<T, false, V>(rows, all);
}
