// Convolution of 3 x 3 with stride 1 after Winograd: forward, and the gradient to the input, which is the
// same with rotated weights.
//
// A job takes a block of tiles. It transforms their input, v[element][tile][channel], multiplies each of
// the n * n elements with the panels of transformed weights, u[element][channel][width], and transforms
// the sums back, m[element][tile][width]. All of v is read once per panel and stays in the L2 or L3 cache,
// m in the L2 cache. Images of bfloat16 are transformed and multiplied in float32, which takes less than direct
// products of bfloat16 would. Transformed weights are n * n / 9 times as many as weights: where few blocks would
// share them, each job transforms what it needs, some channels at a time, and they never reach memory.
#pragma once

// Tiles of a block, a multiple of 6: few, so that v and m stay in the L2 cache together with a panel's
// weights; more if weights come from memory; many if each block transforms the weights itself. Batch-norm
// statistics are summed per block, so the size must follow from the shape alone.
enum { TILE_BLOCK = 12, LARGE_TILE_BLOCK = 48, LARGEST_TILE_BLOCK = 96, SHARED_BLOCKS = 3 };
// Bytes of transformed weights that stay in a cache.
enum { CACHED_WEIGHTS = 16 << 20 };
// Channels whose weights a block transforms at a time.
enum { CHANNEL_BLOCK = 128 };

// ---------------------------------------------------------------- tiles

// The tiles of images, row by row: tile (r, c) computes the outputs from (r * outputs, c * outputs) on.
template <size_t outputs> struct TileGrid {
  size_t images, rows, columns;

  TileGrid(size_t images, size_t height, size_t width)
      : images(images), rows(divide_up(height, outputs)), columns(divide_up(width, outputs)) {}
  size_t count() const { return images * rows * columns; }

  struct Tile {
    ptrdiff_t image, row, column;  // of the first output
  };
  Tile operator[](size_t index) const {
    return {(ptrdiff_t)(index / (rows * columns)), (ptrdiff_t)(index / columns % rows * outputs),
            (ptrdiff_t)(index % columns * outputs)};
  }
};

// Where transformed tiles lie: element e of channel c of tile t at (c / block * elements + e) * step +
// t * block + c % block, in blocks of channels. The step is no multiple of a page: the elements of one
// channel must not share one set of the L1 cache.
template <typename N, size_t elements> struct TransformedTiles {
  N *p;
  size_t tiles, channels, block;

  size_t step() const { return tiles * block + lanes<N>; }
  size_t size() const { return divide_up(channels, block) * elements * step(); }
  N *at(size_t element, size_t tile, size_t channel) const {
    return p + (channel / block * elements + element) * step() + tile * block + channel % block;
  }
};

// to[element][tile] = the transform of the n x n pixels at (row, column), for all channels.
template <size_t n, size_t m, typename T, typename F>
INLINE void transform_pixels(const TransformedTiles<Number<T>, m * m> &to, size_t tile, const Pixels<T> &x,
                             const T *zeros, ptrdiff_t image, ptrdiff_t row, ptrdiff_t column, F transform) {
  const T *pixels[n][n];
  for (size_t i = 0; i < n; i++) {
    for (size_t j = 0; j < n; j++) {
      const ptrdiff_t r = row + (ptrdiff_t)i, c = column + (ptrdiff_t)j;
      pixels[i][j] = x.contains(r, c) ? x.at(image, r, c) : zeros;
    }
  }
  const size_t step = to.step();
  constexpr size_t ahead = n < m ? n : n - 2;  // pixels from one tile to the next
  for_vectors<lanes<T>>(0, to.channels, [&](size_t c, size_t used) {
    Number<T> *out = to.at(0, tile, c);
    transform_square<n, m, Vector<T>>(
        transform,
        [&](size_t i, size_t j) {
          if (j + ahead >= n) __builtin_prefetch(pixels[i][j] + c + (ptrdiff_t)ahead * x.pixel_step);
          return load(pixels[i][j] + c, used);
        },
        [&](size_t i, size_t j, Vector<T> value) {
          Number<T> *place = out + (i * m + j) * step;
          __builtin_prefetch(place + to.block, 1);  // the next tile's: too many streams for the hardware
          store(place, value);
        });
  });
}

// ---------------------------------------------------------------- forward, gradient to the input

template <typename T, size_t outputs> struct WinogradPass {
  typedef Number<T> N;
  typedef Winograd<outputs> W;
  static constexpr size_t n = W::inputs, elements = n * n;

  Filter<N> filter;
  bool rotates;
  size_t out_height, out_width;
  Pixels<T> x = {};
  T *y = NULL;
  Epilogue<T> epilogue;
  TileGrid<outputs> grid;
  size_t block;          // tiles of a block
  bool shares;           // weights are transformed once, for all blocks
  ptrdiff_t padding_y, padding_x;
  size_t threads;

  WinogradPass(const ck_convolution *s, ck_pass pass, ck_weights weights, const ck_epilogue *e)
      : out_height((size_t)(pass == ck_forward ? s->out_height : s->height)),
        out_width((size_t)(pass == ck_forward ? s->out_width : s->width)),
        epilogue(e),
        grid((size_t)s->images, out_height, out_width),
        threads((size_t)s->threads) {
    const bool forward = pass == ck_forward;
    filter = {.p = (const N *)weights.p,
              .column_step = forward ? weights.out : weights.in,
              .inner_step = forward ? weights.in : weights.out,
              .row_step = weights.row,
              .tap_step = weights.column,
              .columns = (size_t)(forward ? s->out_channels : s->channels),
              .inner = (size_t)(forward ? s->channels : s->out_channels),
              .rows = 3,
              .taps_per_row = 3};
    rotates = !forward;
    const ptrdiff_t height = forward ? s->height : s->out_height, width = forward ? s->width : s->out_width;
    const ptrdiff_t pixel = (ptrdiff_t)filter.inner;
    x = {NULL, height * width * pixel, width * pixel, pixel, 0, height, 0, width};
    padding_y = forward ? s->padding_y : 2 - s->padding_y;
    padding_x = forward ? s->padding_x : 2 - s->padding_x;
    const size_t tiles = grid.count();
    shares = tiles > (size_t)LARGEST_TILE_BLOCK * SHARED_BLOCKS;
    const bool cached = elements * filter.inner * filter.columns * sizeof(N) <= CACHED_WEIGHTS;
    const size_t most = !shares ? LARGEST_TILE_BLOCK : cached ? TILE_BLOCK : LARGE_TILE_BLOCK;
    block = divide_up(divide_up(tiles, divide_up(tiles, most)), (size_t)6) * 6;
  }

  Panels<T> panels() const { return {filter.columns}; }
  size_t blocks() const { return divide_up(grid.count(), block); }
  TransformedTiles<N, elements> v_at(N *p) const {
    const size_t channels = divide_up(filter.inner, lanes<T>) * lanes<T>;
    return {p, block, filter.inner, channels};
  }
  TransformedTiles<N, elements> m_at(N *p) const { return {p, block, panel_width<T>, panel_width<T>}; }
  size_t u_step(size_t channels) const { return channels * panel_width<T> + lanes<T>; }
  size_t shared_weights() const { return shares ? elements * filter.inner * panels().padded() : 0; }

  struct Scratch {
    N *v, *u, *m, *lines;

    Scratch(Workspace &w, const WinogradPass *p)
        : v(w.take<N>(p->v_at(NULL).size())),
          u(w.take<N>(elements * p->u_step(CHANNEL_BLOCK))),
          m(w.take<N>(p->m_at(NULL).size())),
          lines(w.take<N>(9 * INNER_BLOCK * panel_width<T>)) {}
  };

  // v = B^T d B
  void transform_input(N *v, const T *zeros, size_t first, size_t count) const {
    for (size_t t = 0; t < count; t++) {
      const auto tile = grid[first + t];
      transform_pixels<n, n>(v_at(v), t, x, zeros, tile.image, tile.row - padding_y, tile.column - padding_x,
                             [](auto &out, const auto &in) { W::template input<N>(out, in); });
    }
  }

  // u[element][channel][width] = G w G^T for channels first..<first + count (at most INNER_BLOCK) of a panel.
  void transform_weights(N *u, size_t step, N *lines, size_t panel, size_t first, size_t count) const {
    const size_t width = panels().width(panel), used = panels().used(panel);
    for (size_t j = 0; j < width; j += lanes<T>) {
      for_weights<N>(filter, panels().first_column(panel) + j, smaller(used - j, lanes<T>), first, count,
                     [=, this](size_t tap, size_t k, Vector<N> value) {
                       store(lines + ((rotates ? 8 - tap : tap) * INNER_BLOCK + k) * width + j, value);
                     });
    }
    for (size_t k = 0; k < count; k++) {
      for (size_t j = 0; j < width; j += lanes<T>) {
        const N *from = lines + k * width + j;
        N *to = u + k * width + j;
        transform_square<3, n, Vector<T>>(
            [](auto &out, const auto &in) { W::template weight<N>(out, in); },
            [&](size_t a, size_t b) { return load(from + (a * 3 + b) * INNER_BLOCK * width); },
            [&](size_t a, size_t b, Vector<T> value) { store(to + (a * n + b) * step, value); });
      }
    }
  }

  // m[element][tile][width] (+)= v[element][tile][first...] * u[element]
  void multiply(N *m, N *v, const N *u, size_t step, size_t panel, size_t count, size_t first,
                size_t channels) const {
    const size_t vectors = panels().vectors(panel);
    for (size_t e = 0; e < elements; e++) {
      for (size_t t = 0, some; t < count; t += some) {
        some = smaller(tile_rows(vectors), count - t);
        const N *pointers[MOST_ROWS];
        for (size_t r = 0; r < some; r++) pointers[r] = v_at(v).at(e, t + r, 0) + first;
        N *sums = m_at(m).at(e, 0, 0) + t * panels().width(panel);
        row_kernel<N>(some, vectors)(sums, {pointers, NULL, 1, channels}, u + e * step, first > 0);
      }
    }
  }

  // y = epilogue(A^T m A)
  void transform_output(N *m, size_t panel, size_t first, size_t count, N *statistics) const {
    const size_t width = panels().width(panel), step = m_at(m).step();
    N sums[outputs * outputs * panel_width<T>];
    for (size_t t = 0; t < count; t++) {
      const auto tile = grid[first + t];
      // Outputs that exist come first, row by row.
      const size_t height = smaller(outputs, out_height - (size_t)tile.row);
      const size_t breadth = smaller(outputs, out_width - (size_t)tile.column);
      ptrdiff_t offsets[outputs * outputs];
      for (size_t i = 0; i < height; i++) {
        for (size_t j = 0; j < breadth; j++) {
          const size_t row = (size_t)tile.image * out_height + (size_t)tile.row + i;
          offsets[i * breadth + j] = (ptrdiff_t)((row * out_width + (size_t)tile.column + j) * filter.columns);
        }
      }
      for (size_t c = 0; c < width; c += lanes<T>) {
        const N *from = m + t * width + c;
        transform_square<n, outputs, Vector<T>>(
            [](auto &out, const auto &in) { W::template output<N>(out, in); },
            [&](size_t i, size_t j) {
              const N *place = from + (i * n + j) * step;
              __builtin_prefetch(place + width);  // the next tile's
              return load(place);
            },
            [&](size_t i, size_t j, Vector<T> value) {
              if (i < height && j < breadth) store(sums + (i * breadth + j) * width + c, value);
            });
      }
      store_rows(y, offsets, sums, height * breadth, width, panels().first_column(panel), panels().used(panel),
                 epilogue, statistics, filter.columns);
    }
  }

  // The panels first_panel..<end_panel of a block of tiles.
  void run_block(const Scratch &scratch, const T *zeros, const N *shared, size_t index, size_t first_panel,
                 size_t end_panel) const {
    const size_t first = index * block, count = smaller(block, grid.count() - first);
    transform_input(scratch.v, zeros, first, count);
    for (size_t p = first_panel; p < end_panel; p++) {
      if (shares) {
        const N *u = shared + elements * filter.inner * panels().first_column(p);
        multiply(scratch.m, scratch.v, u, filter.inner * panels().width(p), p, count, 0, filter.inner);
      } else {
        for (size_t k = 0; k < filter.inner; k += CHANNEL_BLOCK) {
          const size_t channels = smaller(CHANNEL_BLOCK, filter.inner - k), step = u_step(channels);
          for (size_t i = 0; i < channels; i += INNER_BLOCK) {
            transform_weights(scratch.u + i * panels().width(p), step, scratch.lines, p, k + i,
                              smaller(INNER_BLOCK, channels - i));
          }
          multiply(scratch.m, scratch.v, scratch.u, step, p, count, k, channels);
        }
      }
      N *statistics = start_statistics(epilogue, index, panels().first_column(p), panels().used(p), filter.columns);
      transform_output(scratch.m, p, first, count, statistics);
    }
  }

  size_t run(char *memory, T *out, const T *in) {
    Workspace w = {memory};
    T *zeros = w.take<T>(filter.inner);
    N *shared = w.take<N>(shared_weights());
    const Workspace rest = w;
    take_scratch<Scratch>(w, threads, this);
    if (!memory) return w.used;
    memset(zeros, 0, filter.inner * sizeof(T));
    x.p = in;
    y = out;
    const size_t count = panels().count(), channel_blocks = divide_up(filter.inner, (size_t)INNER_BLOCK);
    if (shares) {
      parallel_jobs(count * channel_blocks, threads, [&, this](size_t job, size_t slot) {
        const size_t panel = job / channel_blocks, first = job % channel_blocks * INNER_BLOCK;
        const size_t width = panels().width(panel);
        transform_weights(shared + elements * filter.inner * panels().first_column(panel) + first * width,
                          filter.inner * width, scratch_of<Scratch>(rest, slot, this).lines, panel, first,
                          smaller(INNER_BLOCK, filter.inner - first));
      });
    }
    // Few blocks are split into groups of panels, which costs transforming the input again.
    size_t groups = 1;
    while (groups < count && blocks() * groups < 4 * threads && threads > 1) groups++;
    parallel_jobs(blocks() * groups, threads, [&, this](size_t job, size_t slot) {
      const size_t group = job % groups;
      run_block(scratch_of<Scratch>(rest, slot, this), zeros, shared, job / groups, group * count / groups,
                (group + 1) * count / groups);
    });
    return w.used;
  }
};
