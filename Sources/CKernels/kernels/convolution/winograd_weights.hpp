// The gradient to the weights of a 3 x 3 convolution with stride 1 after Winograd:
//   dw = G^T [sum over tiles of (B^T d B) * (A dy A^T)] G.
//
// Tiles are taken in spans whose transformed x and dy stay in the L3 cache. In each of the n * n elements a
// job multiplies some channels of x with a panel of dy, k running over the tiles of its part of the span,
// and transforms the sums back, so that only dw itself reaches memory.
#pragma once

// Bytes of a span's transformed tiles, jobs that are wanted, tiles of a job at least.
enum { SPAN_BYTES = 8 << 20, WANTED_TILE_JOBS = 4, SMALLEST_CHUNK = 48 };

template <typename T, size_t outputs> struct WinogradWeights {
  typedef Number<T> N;
  typedef Winograd<outputs> W;
  static constexpr size_t n = W::inputs, elements = n * n;
  static constexpr size_t block_channels = 32;

  const ck_convolution &s;
  Filter<N> filter;  // of dw
  bool accumulate;
  TileGrid<outputs> grid;
  size_t span, chunks;  // tiles of a span, and parts of it whose sums are added at last

  WinogradWeights(const ck_convolution *shape, ck_weights dw, bool accumulate)
      : s(*shape),
        accumulate(accumulate),
        grid((size_t)s.images, (size_t)s.out_height, (size_t)s.out_width) {
    filter = {.p = (const N *)dw.p,
              .column_step = dw.out,
              .inner_step = dw.in,
              .row_step = dw.row,
              .tap_step = dw.column,
              .columns = (size_t)s.out_channels,
              .inner = (size_t)s.channels,
              .rows = 3,
              .taps_per_row = 3};
    const size_t tile_bytes = elements * (filter.inner + filter.columns) * sizeof(N);
    const size_t most = larger(SPAN_BYTES / tile_bytes, (size_t)SMALLEST_CHUNK);
    span = divide_up(grid.count(), divide_up(grid.count(), most));
    chunks = larger(1, smaller(divide_up((size_t)WANTED_TILE_JOBS, parts()), span / SMALLEST_CHUNK));
  }

  Panels<T> panels() const { return {filter.columns}; }
  size_t channel_parts() const { return divide_up(filter.inner, block_channels); }
  size_t parts() const { return channel_parts() * panels().count(); }
  // The numbers of a part of dw: [tap][channel][width].
  static constexpr size_t part_size = 9 * block_channels * panel_width<T>;

  TransformedTiles<N, elements> x_at(N *p) const { return {p, span, filter.inner, block_channels}; }
  TransformedTiles<N, elements> dy_at(N *p) const { return {p, span, filter.columns, panel_width<T>}; }

  struct Scratch {
    N *sums, *lines;
    Scratch(Workspace &w)
        : sums(w.take<N>(elements * block_channels * panel_width<T>)), lines(w.take<N>(part_size)) {}
  };

  // lines (+)= G^T [sum over tiles first..<first + count of the span] G
  void add_part(N *lines, N *sums, N *x, N *dy, size_t part, size_t first, size_t count, bool adds) const {
    const size_t channel = part / panels().count() * block_channels, panel = part % panels().count();
    const size_t channels = smaller(block_channels, filter.inner - channel), vectors = panels().vectors(panel);
    constexpr size_t line = panel_width<T>, step = block_channels * line;
    memset(sums, 0, elements * step * sizeof(N));
    const Run run = {(ptrdiff_t)first, (ptrdiff_t)first, count};
    for (size_t e = 0; e < elements; e++) {
      const N *a = x_at(x).at(e, 0, channel), *b = dy_at(dy).at(e, 0, panels().first_column(panel));
      for (size_t k = 0, some; k < channels; k += some) {
        some = smaller(tile_rows(vectors), channels - k);
        column_kernel<N>(some, vectors)(sums + e * step + k * line, line,
                                        {a + k, b, block_channels, block_channels, line}, &run, 1);
      }
    }
    for (size_t k = 0; k < channels; k++) {
      for (size_t j = 0; j < vectors * lanes<T>; j += lanes<T>) {
        const N *from = sums + k * line + j;
        N *to = lines + k * line + j;
        transform_square<n, 3, Vector<T>>(
            [](auto &out, const auto &in) { W::template weight_transposed<N>(out, in); },
            [&](size_t a, size_t b) { return load(from + (a * n + b) * step); },
            [&](size_t a, size_t b, Vector<T> value) {
              N *place = to + (a * 3 + b) * step;
              store(place, adds ? load(place) + value : value);
            });
      }
    }
  }

  // dw (+)= the sum of `count` arrays of lines that are `step` apart.
  void store_part(const N *lines, size_t count, size_t step, size_t part, bool adds) const {
    const size_t channel = part / panels().count() * block_channels, panel = part % panels().count();
    for (size_t j = 0; j < panels().used(panel); j += lanes<T>) {
      store_weights<N>(filter, panels().first_column(panel) + j, smaller(lanes<T>, panels().used(panel) - j),
                       channel, smaller(block_channels, filter.inner - channel), adds, [=](size_t tap, size_t k) {
                         const N *p = lines + (tap * block_channels + k) * panel_width<T> + j;
                         Vector<N> sum = load(p);
                         for (size_t i = 1; i < count; i++) sum += load(p + i * step);
                         return sum;
                       });
    }
  }

  // The tiles of a span, transformed.
  void transform_span(N *vx, N *vdy, const T *x, const T *dy, const T *zeros, size_t first, size_t count) const {
    const ptrdiff_t in = s.channels, out = s.out_channels;
    const Pixels<T> from = {x, s.height * s.width * in, s.width * in, in, 0, s.height, 0, s.width};
    const Pixels<T> from_dy = {dy, s.out_height * s.out_width * out, s.out_width * out, out, 0, s.out_height, 0,
                               s.out_width};
    enum { TILES_OF_JOB = 8 };
    parallel_jobs(divide_up(count, (size_t)TILES_OF_JOB), (size_t)s.threads, [=, this](size_t job, size_t) {
      for (size_t t = job * TILES_OF_JOB; t < smaller((job + 1) * TILES_OF_JOB, count); t++) {
        const auto tile = grid[first + t];
        transform_pixels<n, n>(x_at(vx), t, from, zeros, tile.image, tile.row - s.padding_y,
                               tile.column - s.padding_x,
                               [](auto &to, const auto &d) { W::template input<N>(to, d); });
      }
      for (size_t t = job * TILES_OF_JOB; t < smaller((job + 1) * TILES_OF_JOB, count); t++) {
        const auto tile = grid[first + t];
        transform_pixels<outputs, n>(dy_at(vdy), t, from_dy, zeros, tile.image, tile.row, tile.column,
                                     [](auto &to, const auto &d) { W::template output_transposed<N>(to, d); });
      }
    });
  }

  size_t run(char *memory, const T *dy, const T *x) const {
    Workspace w = {memory};
    T *zeros = w.take<T>(larger(filter.inner, filter.columns));
    N *vx = w.take<N>(x_at(NULL).size()), *vdy = w.take<N>(dy_at(NULL).size());
    N *partial = w.take<N>(chunks > 1 ? chunks * parts() * part_size : 0);
    const Workspace rest = w;
    take_scratch<Scratch>(w, (size_t)s.threads);
    if (!memory) return w.used;
    memset(zeros, 0, larger(filter.inner, filter.columns) * sizeof(T));
    const size_t step = parts() * part_size;
    for (size_t first = 0; first < grid.count(); first += span) {
      const size_t count = smaller(span, grid.count() - first), per_chunk = divide_up(count, chunks);
      transform_span(vx, vdy, x, dy, zeros, first, count);
      parallel_jobs(parts() * chunks, (size_t)s.threads, [&, this](size_t job, size_t slot) {
        const Scratch scratch = scratch_of<Scratch>(rest, slot);
        const size_t part = job / chunks, begin = smaller(job % chunks * per_chunk, count);
        const size_t own = smaller(per_chunk, count - begin);
        if (chunks == 1) {
          add_part(scratch.lines, scratch.sums, vx, vdy, part, begin, own, false);
          store_part(scratch.lines, 1, 0, part, accumulate || first > 0);
        } else {
          N *lines = partial + job % chunks * step + part * part_size;
          add_part(lines, scratch.sums, vx, vdy, part, begin, own, first > 0);
        }
      });
    }
    if (chunks > 1) {
      parallel_jobs(parts(), (size_t)s.threads, [&, this](size_t part, size_t) {
        store_part(partial + part * part_size, chunks, step, part, accumulate);
      });
    }
    return w.used;
  }
};
