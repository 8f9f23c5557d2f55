// Convolutions whose groups are narrower than a vector, depthwise ones among them: lanes are channels of
// several groups, instead of the columns of one product.
//
// For output channel o and k in 0..<inner, lane o multiplies the input channel o / columns * inner + k,
// which a shuffle brings there. In depthwise convolutions that is the lane itself.
#pragma once

template <typename V, typename I> INLINE V shuffle_lanes(V v, I lane) {
  V out;
  for (size_t i = 0; i < sizeof v / sizeof v[0]; i++) out[i] = v[lane[i]];
  return out;
}
#if VECTOR_BYTES == 64
INLINE vf shuffle_lanes(vf v, vi lane) { return (vf)_mm512_permutexvar_ps((__m512i)lane, (__m512)v); }
#elif VECTOR_BYTES == 32
INLINE vf shuffle_lanes(vf v, vi lane) { return (vf)_mm256_permutevar8x32_ps((__m256)v, (__m256i)lane); }
#endif

// How input channels reach the lanes of output channels.
template <typename T> struct Groups {
  typedef VectorOf<int32_t, lanes<T>> Lanes;
  size_t columns, inner;  // output and input channels of a group
  size_t out, in;         // of all groups

  static bool are_narrow(size_t groups, size_t columns) { return groups > 1 && columns < lanes<T>; }
  bool depthwise() const { return columns == 1 && inner == 1; }
  // The input channel that the first lane of the vector at output channel c needs first.
  size_t base(size_t c) const { return c / columns * inner; }
  // The channel that lane l of that vector needs for k, counted from the base.
  size_t distance(size_t c, size_t l, size_t k) const { return (c + l) / columns * inner + k - base(c); }
  // Whether all of them lie within one vector.
  bool fits(size_t c) const { return distance(c, smaller(lanes<T>, out - c) - 1, inner - 1) < lanes<T>; }
  // The lanes to shuffle for every k and vector of output channels: table[vector][k].
  void fill(Lanes *table) const {
    for (size_t c = 0; c < out; c += lanes<T>) {
      for (size_t k = 0; k < inner; k++, table++) {
        for (size_t l = 0; l < lanes<T>; l++) (*table)[l] = (int32_t)smaller(distance(c, l, k), lanes<T> - 1);
      }
    }
  }
  size_t table_size() const { return divide_up(out, lanes<T>) * inner; }
  // The input channels for k of a pixel, one per output channel from c on.
  Vector<T> gather(const T *pixel, size_t c, size_t k) const {
    Vector<T> v = 0;
    for (size_t l = 0; l < lanes<T> && c + l < out; l++) v[l] = get(pixel + base(c) + distance(c, l, k));
    return v;
  }
};

// ---------------------------------------------------------------- tiles

// What neighbouring output positions read: for each kernel element the pixel of the first position, those
// of the next ones being `step` elements apart.
template <typename T> struct PixelRun {
  const T *const *pixels;
  const size_t *element;
  size_t count;
  ptrdiff_t step;
};

// sums[r][...] = sum over taps t of pixels[t][r][c...] * weights[element[t]][c...], for V vectors of channels,
// the last of which has `last` channels.
template <typename T, size_t R, size_t V, bool full>
INLINE void add_depthwise(Vector<T> (&sum)[R][V], const PixelRun<T> &x, const Number<T> *weights, size_t line,
                          size_t c, size_t last) {
  constexpr size_t N = lanes<T>;
  for (size_t t = 0; t < x.count; t++) {
    const T *pixel = x.pixels[t] + c;
    Vector<T> weight[V];
    for (size_t v = 0; v < V; v++) weight[v] = load(weights + x.element[t] * line + c + v * N);
    for (size_t r = 0; r < R; r++, pixel += x.step) {
      for (size_t v = 0; v < V; v++) {
        sum[r][v] += (full || v + 1 < V ? load(pixel + v * N) : load(pixel + v * N, last)) * weight[v];
      }
    }
  }
}
template <typename T, size_t R, size_t V>
void multiply_depthwise(Number<T> *sums, const PixelRun<T> &x, const Number<T> *weights, size_t line, size_t c,
                        size_t last) {
  constexpr size_t N = lanes<T>;
  Vector<T> sum[R][V];
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) sum[r][v] = 0;
  }
  if (last == N) add_depthwise<T, R, V, true>(sum, x, weights, line, c, last);
  if (last < N) add_depthwise<T, R, V, false>(sum, x, weights, line, c, last);
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) store(sums + (r * V + v) * N, sum[r][v]);
  }
}

// The same for R positions and kernel rows of K taps that are neighbours, as the positions are: each pixel is
// loaded once for all taps that read it. pixels holds the leftmost of each kernel row, element its taps from
// left to right.
template <typename T, size_t R, size_t V, size_t K>
void multiply_depthwise_rows(Number<T> *sums, const PixelRun<T> &x, const Number<T> *weights, size_t line,
                             size_t c) {
  constexpr size_t N = lanes<T>;
  Vector<T> sum[R][V];
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) sum[r][v] = 0;
  }
  for (size_t i = 0; i < x.count; i++) {
    Vector<T> weight[K][V];
    for (size_t k = 0; k < K; k++) {
      for (size_t v = 0; v < V; v++) weight[k][v] = load(weights + x.element[i * K + k] * line + c + v * N);
    }
    const T *from = x.pixels[i] + c;
    for (size_t p = 0; p < R + K - 1; p++, from += x.step) {
      Vector<T> pixel[V];
      for (size_t v = 0; v < V; v++) pixel[v] = load(from + v * N);
      for (size_t k = 0; k < K; k++) {
        if (p < k || p - k >= R) continue;
        for (size_t v = 0; v < V; v++) sum[p - k][v] += pixel[v] * weight[k][v];
      }
    }
  }
  for (size_t r = 0; r < R; r++) {
    for (size_t v = 0; v < V; v++) store(sums + (r * V + v) * N, sum[r][v]);
  }
}

// The same for one vector of channels of narrow groups; weights are [element][inner][channel].
template <typename T, size_t R>
void multiply_groups(Number<T> *sums, const PixelRun<T> &x, const Number<T> *weights, size_t line, size_t c,
                     const Groups<T> &groups, const typename Groups<T>::Lanes *table) {
  const size_t base = groups.base(c), inner = groups.inner, wanted = smaller(lanes<T>, groups.in - base);
  const bool fits = groups.fits(c);
  table += c / lanes<T> * inner;
  Vector<T> sum[R];
  for (size_t r = 0; r < R; r++) sum[r] = 0;
  for (size_t t = 0; t < x.count; t++) {
    const T *from = x.pixels[t];
    const Number<T> *weight = weights + x.element[t] * inner * line + c;
    if (fits) {
      Vector<T> pixel[R];
      for (size_t r = 0; r < R; r++) pixel[r] = load(from + (ptrdiff_t)r * x.step + base, wanted);
      for (size_t k = 0; k < inner; k++) {
        const Vector<T> w = load(weight + k * line);
        for (size_t r = 0; r < R; r++) sum[r] += shuffle_lanes(pixel[r], table[k]) * w;
      }
    } else {
      for (size_t k = 0; k < inner; k++) {
        const Vector<T> w = load(weight + k * line);
        for (size_t r = 0; r < R; r++) sum[r] += groups.gather(from + (ptrdiff_t)r * x.step, c, k) * w;
      }
    }
  }
  for (size_t r = 0; r < R; r++) store(sums + r * lanes<T>, sum[r]);
}

template <typename T>
using DepthwiseKernel = void (*)(Number<T> *, const PixelRun<T> &, const Number<T> *, size_t, size_t, size_t);
template <typename T>
using GroupKernel = void (*)(Number<T> *, const PixelRun<T> &, const Number<T> *, size_t, size_t,
                             const Groups<T> &, const typename Groups<T>::Lanes *);

// The vectors of channels that multiply_depthwise_rows takes: sums and a kernel row fill the registers.
constexpr size_t DEPTHWISE_VECTORS = VECTOR_BYTES == 64 ? 2 : 1;

// Positions of a tile: as many as the rows of a product's with a full panel.
constexpr size_t GROUPED_ROWS = tile_rows(PANEL_VECTORS);

template <typename T, size_t V, size_t... r>
DepthwiseKernel<T> depthwise_kernel(size_t rows, Indices<size_t, r...>) {
  static constexpr DepthwiseKernel<T> kernels[] = {multiply_depthwise<T, r + 1, V>...};
  return kernels[rows - 1];
}
template <typename T, size_t V = 1> DepthwiseKernel<T> depthwise_kernel(size_t rows, size_t vectors) {
  if constexpr (V < PANEL_VECTORS) {
    if (vectors != V) return depthwise_kernel<T, V + 1>(rows, vectors);
  }
  return depthwise_kernel<T, V>(rows, IndicesUpTo<GROUPED_ROWS>{});
}
template <typename T, size_t... r> GroupKernel<T> group_kernel(size_t rows, Indices<size_t, r...>) {
  static constexpr GroupKernel<T> kernels[] = {multiply_groups<T, r + 1>...};
  return kernels[rows - 1];
}

// ---------------------------------------------------------------- forward, gradient to the input

// What DirectConvolution does, for narrow groups: its phases and taps serve here, too. A job takes some rows
// of positions.
template <typename T, typename O> struct GroupedConvolution {
  typedef Number<T> N;
  Groups<T> groups;
  const DirectConvolution<T, O> &loops;
  const typename Groups<T>::Lanes *table;
  const N *weights;  // [element][inner][out], rounded to T
  size_t line;       // from one line of weights to the next
  ptrdiff_t kernel_width;

  struct Scratch {
    const T **pixels, **row_pixels;
    size_t *element, *row_element;
    N *sums;
    Scratch(Workspace &w, size_t elements)
        : pixels(w.take<const T *>(elements)),
          row_pixels(w.take<const T *>(elements)),
          element(w.take<size_t>(elements)),
          row_element(w.take<size_t>(elements)),
          sums(w.take<N>(GROUPED_ROWS * panel_width<T>)) {}
  };

  // Stores a tile's sums of the channels from c on.
  void store_tile(const Scratch &scratch, ptrdiff_t first_offset, size_t count, size_t c, size_t used,
                  N *statistics) const {
    ptrdiff_t offsets[GROUPED_ROWS];
    for (size_t r = 0; r < count; r++) offsets[r] = first_offset + (ptrdiff_t)r * loops.y_pixel;
    store_rows(loops.y, offsets, scratch.sums, count, divide_up(used, lanes<T>) * lanes<T>, c, used,
               loops.epilogue, statistics, groups.out);
  }

  // The channels from `first` on of some positions whose taps are all inside.
  void run_tile(const Scratch &scratch, const PixelRun<T> &x, ptrdiff_t offset, size_t count, size_t first,
                N *statistics) const {
    const size_t width = groups.depthwise() ? panel_width<T> : lanes<T>;
    for (size_t c = first; c < groups.out; c += width) {
      const size_t used = smaller(width, groups.out - c), vectors = divide_up(used, lanes<T>);
      if (groups.depthwise()) {
        depthwise_kernel<T>(count, vectors)(scratch.sums, x, weights, line, c, used - (vectors - 1) * lanes<T>);
      } else {
        group_kernel<T>(count, IndicesUpTo<GROUPED_ROWS>{})(scratch.sums, x, weights, line, c, groups, table);
      }
      store_tile(scratch, offset, count, c, used, statistics);
    }
  }

  // As many channels as multiply_depthwise_rows can take, from 0 on; returns how many.
  template <size_t K>
  size_t run_kernel_rows(const Scratch &scratch, const PixelRun<T> &taps, ptrdiff_t offset, N *statistics) const {
    constexpr size_t V = DEPTHWISE_VECTORS, width = V * lanes<T>;
    // Taps go from left to right in the forward pass, from right to left in the gradient to the input.
    const bool ascends = taps.pixels[1] > taps.pixels[0];
    const size_t rows = taps.count / K;
    for (size_t i = 0; i < rows; i++) {
      scratch.row_pixels[i] = taps.pixels[i * K + (ascends ? 0 : K - 1)];
      for (size_t k = 0; k < K; k++) {
        scratch.row_element[i * K + k] = taps.element[i * K + (ascends ? k : K - 1 - k)];
      }
    }
    const PixelRun<T> x = {scratch.row_pixels, scratch.row_element, rows, taps.step};
    size_t c = 0;
    for (; c + width <= groups.out; c += width) {
      multiply_depthwise_rows<T, GROUPED_ROWS, V, K>(scratch.sums, x, weights, line, c);
      store_tile(scratch, offset, GROUPED_ROWS, c, width, statistics);
    }
    return c;
  }

  void run_row(const Scratch &scratch, const Phase &phase, size_t image, size_t row, N *statistics) const {
    const Pixels<T> &x = loops.x;
    const ptrdiff_t columns = (ptrdiff_t)phase.order.columns, step = loops.step_x;
    const ptrdiff_t offset = (ptrdiff_t)image * loops.y_image + (ptrdiff_t)row * loops.y_row +
                             phase.first_row * loops.y_row_step + phase.first_column * loops.y_pixel_step;
    // The columns at which every tap is inside.
    const ptrdiff_t begin = at_most(columns, divide_up(at_least(0, x.first_column - phase.left), step));
    const ptrdiff_t end = at_least(begin, at_most(columns, divide_up(x.end_column - phase.right, step)));
    const bool neighbours = groups.depthwise() && step == 1 && phase.right - phase.left + 1 == kernel_width;
    for (ptrdiff_t column = 0; column < columns;) {
      const bool inside = column >= begin && column < end;
      const size_t count = inside ? smaller((size_t)(end - column), GROUPED_ROWS) : 1;
      size_t taps = 0;
      for (const Tap *tap = phase.taps; tap < phase.taps + phase.tap_count; tap++) {
        const ptrdiff_t r = (ptrdiff_t)row * loops.step_y + tap->row, c = column * step + tap->column;
        if (!x.contains(r, c)) continue;
        scratch.pixels[taps] = x.at((ptrdiff_t)image, r, c);
        scratch.element[taps++] = tap->element;
      }
      const PixelRun<T> run = {scratch.pixels, scratch.element, taps, step * x.pixel_step};
      const ptrdiff_t at = offset + column * loops.y_pixel;
      size_t done = 0;
      if (neighbours && count == GROUPED_ROWS && taps > 0) {
        if (kernel_width == 3) done = run_kernel_rows<3>(scratch, run, at, statistics);
        if (kernel_width == 5) done = run_kernel_rows<5>(scratch, run, at, statistics);
      }
      run_tile(scratch, run, at, count, done, statistics);
      column += (ptrdiff_t)count;
    }
  }

  // Rows of a block. Batch-norm statistics are summed per block.
  static size_t rows_of_block(size_t columns) { return larger(1, PANEL_ROWS / larger(columns, 1)); }
  static size_t blocks_of(const PositionOrder &order) {
    return divide_up(order.images * order.rows, rows_of_block(order.columns));
  }

  void run_all(const Workspace &rest) const {
    size_t blocks = 0;
    for (size_t i = 0; i < loops.phase_count; i++) blocks += loops.phases[i].blocks;
    parallel_jobs(blocks, loops.threads, [&, this](size_t job, size_t slot) {
      const Scratch scratch = scratch_of<Scratch>(rest, slot, loops.elements);
      size_t block = job;
      const Phase *phase = loops.phases;
      for (; block >= phase->blocks; phase++) block -= phase->blocks;
      N *statistics = start_statistics(loops.epilogue, job, 0, groups.out, groups.out);
      const size_t rows = rows_of_block(phase->order.columns), all = phase->order.images * phase->order.rows;
      for (size_t r = block * rows; r < smaller(block * rows + rows, all); r++) {
        run_row(scratch, *phase, r / phase->order.rows, r % phase->order.rows, statistics);
      }
    });
  }
};

// to[element][inner][out] = the weights, rounded to T. `filter` is the first group's.
template <typename T>
void pack_grouped_weights(Number<T> *to, size_t line, const Filter<Number<T>> &filter, ptrdiff_t filter_group,
                          const Groups<T> &groups) {
  for (size_t tap = 0; tap < filter.taps(); tap++) {
    for (size_t k = 0; k < groups.inner; k++, to += line) {
      for (size_t c = 0; c < line; c++) {
        Number<T> w = 0;
        if (c < groups.out) {
          w = filter.at(c % groups.columns, k, tap)[(ptrdiff_t)(c / groups.columns) * filter_group];
        }
        T rounded;
        put(&rounded, w);
        to[c] = get(&rounded);
      }
    }
  }
}
