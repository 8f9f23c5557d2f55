// Direct convolution: forward, and the gradient to the input.
//
// A tile of output positions is a product of the pixels that they read, one row of the tile each and a
// segment per kernel element, with panels of packed weights. Nothing is copied but the weights; padding
// is a row of zeros. The gradient to the input is the same with other taps: in each of the stride^2
// phases, position (r, c) of dx reads dy at fixed distances.
#pragma once

// Positions of a job: a multiple of the rows of every tile. Batch-norm statistics are summed per block,
// so the size must follow from the shape alone.
enum { SMALLEST_BLOCK = 48, WANTED_JOBS = 64 };
// Words along k that are multiplied at once: a panel of them stays in the L2 cache.
enum { BLOCK_WORDS = 1024 };
// Rows of one panel whose sums stay in the L2 cache, too; a multiple of every tile's rows.
enum { PANEL_ROWS = 336 };

INLINE size_t position_block(size_t positions, size_t panels) {
  const size_t even = divide_up(positions * panels, (size_t)WANTED_JOBS * SMALLEST_BLOCK);
  return smaller(larger(even, 1) * SMALLEST_BLOCK, (size_t)PANEL_ROWS);
}

// Images visited together when rows of `columns` positions lose more than a fortieth of their products
// to padding.
INLINE size_t batch_of_positions(size_t images, size_t columns, size_t lost, size_t products) {
  if (columns == 0 || lost * 40 <= products) return 1;
  return divide_up(images, divide_up(images, (size_t)32));
}

template <typename T, typename O> struct DirectConvolution {
  typedef Number<T> N;
  Pixels<T> x = {};
  ptrdiff_t x_group = 0;                       // elements from one group to the next
  ptrdiff_t step_y = 1, step_x = 1;            // input rows and columns per output position of a phase
  size_t depth = 0;                            // words per segment
  const T *zeros = NULL;                       // as many words
  O *y = NULL;
  ptrdiff_t y_image = 0, y_row = 0, y_pixel = 0;    // elements, between positions of a phase
  ptrdiff_t y_row_step = 0, y_pixel_step = 0;       // elements, between neighbours in y
  const Word<T> *packed = NULL;                // [group][panel][element][depth][width]
  size_t groups = 1, columns = 0, elements = 0;     // columns of a group
  Phase *phases = NULL;
  size_t phase_count = 1, threads = 1;
  Epilogue<O> epilogue = {};

  struct Scratch {
    const T **rows;
    size_t *first;
    N *sums;

    Scratch(Workspace &w, size_t elements)
        : rows(w.take<const T *>(elements * MOST_ROWS)),
          first(w.take<size_t>(elements)),
          sums(w.take<N>(PANEL_ROWS * panel_width<T>)) {}
  };

  size_t packed_words() const { return Panels<T>{columns}.padded() * elements * depth; }

  // The tile's positions.
  struct Tile {
    size_t count;
    const T *rows[MOST_ROWS];  // the pixel that a tap at distance (0, 0) would read
    ptrdiff_t row[MOST_ROWS], column[MOST_ROWS];
    ptrdiff_t offsets[MOST_ROWS];  // in y
    bool inside;                   // no tap meets padding
  };

  // Segments for taps first..<end of the words first_word..., those left out that meet only padding.
  size_t segments(const Scratch &scratch, const Tile &tile, const Phase &phase, size_t first, size_t end,
                  size_t first_word) const {
    size_t count = 0;
    const size_t start = first_word * word_elements<T>;
    for (const Tap *tap = phase.taps + first; tap < phase.taps + end; tap++) {
      const ptrdiff_t distance = tap->row * x.row_step + tap->column * x.pixel_step + (ptrdiff_t)start;
      const T **to = scratch.rows + count * tile.count;
      bool any = tile.inside;
      if (tile.inside) {
#pragma clang loop vectorize(disable)
        for (size_t r = 0; r < tile.count; r++) to[r] = tile.rows[r] + distance;
      } else {
        for (size_t r = 0; r < tile.count; r++) {
          const bool meets = x.contains(tile.row[r] + tap->row, tile.column[r] + tap->column);
          to[r] = meets ? tile.rows[r] + distance : zeros;
          any |= meets;
        }
      }
      if (any) scratch.first[count++] = tap->element * depth + first_word;
    }
    return count;
  }

  Walk walk(const Phase &phase, size_t first) const {
    return Walk(phase.order, {x.image_step, x.row_step * step_y, x.pixel_step * step_x},
                {y_image, y_row, y_pixel}, first);
  }

  // The tile that begins at the walk's position; moves on to the next.
  void next_tile(Tile &tile, Walk &walk, const Phase &phase, size_t group) const {
    ptrdiff_t top = PTRDIFF_MAX, bottom = PTRDIFF_MIN, left = PTRDIFF_MAX, right = PTRDIFF_MIN;
    const T *pixels = x.p + (ptrdiff_t)group * x_group;
    const ptrdiff_t shift = phase.first_row * y_row_step + phase.first_column * y_pixel_step;
#pragma clang loop vectorize(disable)
    for (size_t r = 0; r < tile.count; r++, walk.advance()) {
      const ptrdiff_t row = (ptrdiff_t)walk.row * step_y, column = (ptrdiff_t)walk.column * step_x;
      tile.row[r] = row;
      tile.column[r] = column;
      tile.rows[r] = pixels + walk.x;
      tile.offsets[r] = walk.y + shift;
      top = at_most(top, row), bottom = at_least(bottom, row);
      left = at_most(left, column), right = at_least(right, column);
    }
    tile.inside = x.contains(top + phase.top, left + phase.left) &&
                  x.contains(bottom + phase.bottom, right + phase.right);
  }

  // Panels that are multiplied with a tile before the next: several only if all of k is one block.
  size_t most_panels() const { return larger(1, smaller(8, BLOCK_WORDS / (elements * depth))); }

  // The panels first_panel..<end_panel, of equal width, of the positions of a block.
  void run(const Phase &phase, size_t block, size_t statistics_block, size_t group, size_t first_panel,
           size_t end_panel, size_t block_size, const Scratch &scratch) const {
    const Panels<T> panels = {columns};
    const size_t vectors = panels.vectors(first_panel), width = panels.width(first_panel);
    const size_t first = block * block_size, end = smaller(first + block_size, phase.order.count());
    const Word<T> *weights = packed + group * packed_words();
    N *statistics = NULL;
    for (size_t p = first_panel; p < end_panel; p++) {
      statistics = start_statistics(epilogue, statistics_block, group * columns + panels.first_column(p),
                                    panels.used(p), groups * columns);
    }
    // A block along k: some taps, or some words of one.
    const size_t chunk = smaller(depth, (size_t)BLOCK_WORDS), taps = larger(1, BLOCK_WORDS / depth);
    bool started = false;
    for (size_t t = 0; t < larger(phase.tap_count, 1); t += taps) {
      for (size_t k = 0; k < depth; k += chunk) {
        const bool complete = t + taps >= phase.tap_count && k + chunk >= depth;
        Walk walk = this->walk(phase, first);
        N *sums = scratch.sums;
        Tile tile;
        for (size_t q = first; q < end; q += tile.count) {
          tile.count = smaller(tile_rows(vectors), end - q);
          next_tile(tile, walk, phase, group);
          const size_t count = segments(scratch, tile, phase, t, smaller(t + taps, phase.tap_count), k);
          const RowSegments<T> rows = {scratch.rows, scratch.first, count, smaller(chunk, depth - k)};
          for (size_t p = first_panel; p < end_panel; p++) {
            const size_t column = panels.first_column(p);
            if (complete) prefetch_rows(y + group * columns + column, tile.offsets, tile.count, panels.used(p));
            row_kernel<T>(tile.count, vectors)(sums, rows, weights + column * elements * depth, started);
            if (complete) {
              store_rows(y, tile.offsets, sums, tile.count, width, group * columns + column, panels.used(p),
                         epilogue, statistics, groups * columns);
            }
          }
          if (started || !complete) sums += tile.count * width;
        }
        started = true;
      }
    }
  }

  void run_all(size_t size, const Workspace &rest) const {
    const Panels<T> panels = {columns};
    // Groups of full panels, then the last one if it is narrower.
    const size_t full = columns / panel_width<T>, wanted = 4 * threads;
    size_t blocks = 0;
    for (size_t i = 0; i < phase_count; i++) blocks += phases[i].blocks;
    size_t step = most_panels();
    while (step > 1 && blocks * groups * divide_up(full, step) < wanted) step--;
    const size_t full_parts = divide_up(full, step), parts = full_parts + panels.count() - full;
    parallel_jobs(blocks * groups * parts, threads, [&, this](size_t job, size_t slot) {
      const Scratch scratch = scratch_of<Scratch>(rest, slot, elements);
      const size_t part = job % parts, group = job / parts % groups, block = job / parts / groups;
      size_t in_phase = block;
      const Phase *phase = phases;
      for (; in_phase >= phase->blocks; phase++) in_phase -= phase->blocks;
      const size_t first = part < full_parts ? part * step : full;
      const size_t end = part < full_parts ? smaller(first + step, full) : full + 1;
      run(*phase, in_phase, block, group, first, end, size, scratch);
    });
  }
};
