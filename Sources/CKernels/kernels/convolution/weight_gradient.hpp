// The gradient to the weights by direct loops:
//   dw[o, k, i, j] = sum over positions of dy[position, o] * x[what (i, j) reads there, k].
//
// A job owns some channels of x and some of dy, and all kernel elements between them. It takes blocks of
// output positions, packs their pixels (so that both operands stay in the L2 cache), and multiplies:
// k runs along positions. Words of two elements pair an image with the next one, so that every kernel
// element and stride finds its pairs in the same packed pixels.
#pragma once

// Positions of a block, elements of a job's part of dw, and jobs that are wanted.
enum { BLOCK_POSITIONS = 512, BLOCK_WEIGHTS = 1 << 16, WANTED_WEIGHT_JOBS = 16, MOST_CHUNKS = 16 };

template <typename T> struct WeightGradient {
  typedef Number<T> N;
  const ck_convolution &s;
  Filter<N> filter;  // of dw: columns are output channels, inner are input channels, of one group
  ptrdiff_t filter_group;
  bool accumulate;
  size_t images;          // in words
  size_t batch;           // images whose pixels lie side by side when packed
  size_t rows;            // output rows of a block
  size_t block_channels;  // of x, of a job
  size_t block_panels;    // of dy, of a job
  bool joins;             // kernel elements of a row are multiplied together
  size_t chunks;          // parts of the positions, summed at last
  size_t width, height;   // of packed pixels

  WeightGradient(const ck_convolution *shape, ck_weights dw, bool accumulate)
      : s(*shape), accumulate(accumulate) {
    const size_t groups = (size_t)s.groups;
    filter = {.p = (const N *)dw.p,
              .column_step = dw.out,
              .inner_step = dw.in,
              .row_step = dw.row,
              .tap_step = dw.column,
              .columns = (size_t)s.out_channels / groups,
              .inner = (size_t)s.channels / groups,
              .rows = (size_t)s.kernel_height,
              .taps_per_row = (size_t)s.kernel_width};
    filter_group = (ptrdiff_t)filter.columns * dw.out;
    images = words<T>((size_t)s.images);
    joins = s.dilation_x == 1 && s.kernel_width > 1 && filter.inner < 16;

    // Side by side: short runs become longer. Not with strides, unless there are many images.
    const size_t positions = (size_t)(s.out_height * s.out_width);
    batch = smaller(larger(BLOCK_POSITIONS / larger(positions, 1), 1), larger(images, 1));
    if (joins || (s.stride_x > 1 && batch < 8)) batch = 1;
    rows = smaller(larger(BLOCK_POSITIONS / larger((size_t)s.out_width * batch, 1), 1), (size_t)s.out_height);
    height = (rows - 1) * (size_t)s.stride_y + (size_t)((s.kernel_height - 1) * s.dilation_y) + 1;
    width = (size_t)((s.out_width - 1) * s.stride_x + (s.kernel_width - 1) * s.dilation_x) + 1;

    const size_t most = BLOCK_WEIGHTS / (filter.taps() * 64);
    block_panels = smaller(larger(smaller(most / 64, 2), 1) * 64 / panel_width<T>, panels().count());
    const size_t wanted = larger(smaller(most, 128), 48);
    block_channels = divide_up(filter.inner, divide_up(filter.inner, wanted));
    const size_t even = divide_up((size_t)WANTED_WEIGHT_JOBS, parts());
    chunks = smaller(smaller(even, (size_t)MOST_CHUNKS), blocks());
  }

  Panels<T> panels() const { return {filter.columns}; }
  size_t channel_parts() const { return divide_up(filter.inner, block_channels); }
  size_t panel_parts() const { return divide_up(panels().count(), block_panels); }
  size_t parts() const { return (size_t)s.groups * channel_parts() * panel_parts(); }
  size_t blocks_per_batch() const { return divide_up((size_t)s.out_height, rows); }
  size_t blocks() const { return divide_up(images, batch) * blocks_per_batch(); }
  // The numbers of a part of dw: [panel][tap][channel][width].
  size_t part_size() const { return filter.taps() * block_channels * block_panels * panel_width<T>; }

  struct Scratch {
    Word<T> *x, *dy;
    Run *runs;
    N *sums;

    Scratch(Workspace &w, const WeightGradient *g)
        : x(w.take<Word<T>>(g->height * g->width * g->batch * g->block_channels + 16)),
          dy(w.take<Word<T>>(g->rows * (size_t)g->s.out_width * g->batch * g->block_panels * panel_width<T>)),
          runs(w.take<Run>(g->rows * (size_t)g->s.out_width)),
          sums(w.take<N>(g->part_size())) {}
  };

  // What a job works on.
  struct Part {
    size_t group, first_channel, channels, first_panel, end_panel;
  };
  Part part(size_t index) const {
    const size_t channel = index % channel_parts() * block_channels;
    const size_t panel = index / channel_parts() % panel_parts() * block_panels;
    return {index / channel_parts() / panel_parts(), channel, smaller(block_channels, filter.inner - channel),
            panel, smaller(panel + block_panels, panels().count())};
  }

  // Copies a pixel's words: `count` channels of one image, or of two that are zipped.
  static INLINE void pack_pixel(Word<T> *to, const T *first, const T *second, size_t count) {
    for_vectors<lanes<T>>(0, count, [=](size_t i, size_t n) {
      const Words<T> v = zip_lines(first + i, second ? second + i : NULL, count - i);
      if (n == lanes<T>) {
        store_words<T>(to + i, v);
      } else {
        copy_some<sizeof(Word<T>)>(to + i, &v, n * sizeof(Word<T>));
      }
    });
  }

  // packed[row][column][image of the batch][channels]
  void pack_x(Word<T> *packed, const T *x, const Part &part, size_t first_image, size_t count,
              size_t first_row) const {
    const ptrdiff_t image_step = s.height * s.width * s.channels;
    const T *from = x + (ptrdiff_t)part.group * (ptrdiff_t)filter.inner + part.first_channel;
    const ptrdiff_t top = (ptrdiff_t)first_row * s.stride_y - s.padding_y;
    for (size_t r = 0; r < height; r++) {
      const ptrdiff_t row = top + (ptrdiff_t)r;
      for (size_t c = 0; c < width; c++) {
        const ptrdiff_t column = (ptrdiff_t)c - s.padding_x;
        const bool inside = row >= 0 && row < s.height && column >= 0 && column < s.width;
        for (size_t i = 0; i < count; i++, packed += part.channels) {
          if (!inside) {
            memset(packed, 0, part.channels * sizeof *packed);
            continue;
          }
          const size_t image = (first_image + i) * word_elements<T>;
          const T *pixel = from + (ptrdiff_t)image * image_step + (row * s.width + column) * s.channels;
          const bool paired = word_elements<T> == 2 && image + 1 < (size_t)s.images;
          pack_pixel(packed, pixel, paired ? pixel + image_step : NULL, part.channels);
        }
      }
    }
  }

  // packed[panel][row][column][image of the batch][width]
  void pack_dy(Word<T> *packed, const T *dy, const Part &part, size_t first_image, size_t count,
               size_t first_row, size_t row_count) const {
    const ptrdiff_t pixel_step = s.out_channels, image_step = s.out_height * s.out_width * pixel_step;
    for (size_t p = part.first_panel; p < part.end_panel; p++) {
      const size_t used = panels().used(p), line = panels().width(p);
      const T *from = dy + part.group * filter.columns + panels().first_column(p) +
                      (ptrdiff_t)first_row * s.out_width * pixel_step;
      for (size_t q = 0; q < row_count * (size_t)s.out_width; q++) {
        for (size_t i = 0; i < count; i++, packed += line) {
          const size_t image = (first_image + i) * word_elements<T>;
          const T *pixel = from + (ptrdiff_t)image * image_step + (ptrdiff_t)q * pixel_step;
          const bool paired = word_elements<T> == 2 && image + 1 < (size_t)s.images;
          for (size_t j = 0; j < line; j += lanes<T>) {
            store_words<T>(packed + j, zip_lines(pixel + j, paired ? pixel + image_step + j : NULL, used - j));
          }
        }
      }
    }
  }

  // The positions of a block at which kernel element (i, j) meets the image, as runs of packed pixels.
  // Joined elements read the padding, too.
  size_t find_runs(Run *runs, ptrdiff_t i, ptrdiff_t j, size_t count, size_t first_row, size_t row_count) const {
    const ptrdiff_t shift = joins ? 0 : j * s.dilation_x - s.padding_x;
    const ptrdiff_t first = at_least(0, shift >= 0 ? 0 : divide_up(-shift, s.stride_x));
    const ptrdiff_t end = joins ? s.out_width : at_most(s.out_width, shift >= s.width ? 0 : (s.width - 1 - shift) / s.stride_x + 1);
    if (first >= end) return 0;
    Run *run = runs;
    for (size_t r = 0; r < row_count; r++) {
      const ptrdiff_t from = (ptrdiff_t)r * s.stride_y + i * s.dilation_y;
      const ptrdiff_t row = (ptrdiff_t)first_row * s.stride_y - s.padding_y + from;
      if (row < 0 || row >= s.height) continue;
      const auto add = [&](ptrdiff_t column, ptrdiff_t columns) {
        const ptrdiff_t a = from * (ptrdiff_t)width + column * s.stride_x + j * s.dilation_x;
        const ptrdiff_t b = (ptrdiff_t)r * s.out_width + column;
        *run++ = {a * (ptrdiff_t)count, b * (ptrdiff_t)count, (size_t)columns * count};
      };
      if (batch == 1 || s.stride_x == 1) {
        add(first, end - first);
      } else {
        for (ptrdiff_t c = first; c < end; c++) add(c, 1);
      }
    }
    return (size_t)(run - runs);
  }

  // sums += what the positions of a block contribute.
  void add_block(const Scratch &scratch, const T *x, const T *dy, const Part &part, size_t block) const {
    const size_t first_image = block / blocks_per_batch() * batch;
    const size_t count = smaller(batch, images - first_image);
    const size_t first_row = block % blocks_per_batch() * rows;
    const size_t row_count = smaller(rows, (size_t)s.out_height - first_row);
    pack_x(scratch.x, x, part, first_image, count, first_row);
    pack_dy(scratch.dy, dy, part, first_image, count, first_row, row_count);
    const ptrdiff_t elements = joins ? 1 : s.kernel_width;
    const size_t channels = joins ? part.channels * filter.taps_per_row : part.channels;
    const ptrdiff_t pixel = (ptrdiff_t)part.channels, step = pixel * (batch == 1 ? s.stride_x : 1);
    for (ptrdiff_t e = 0; e < s.kernel_height * elements; e++) {
      const size_t runs = find_runs(scratch.runs, e / elements, e % elements, count, first_row, row_count);
      const Word<T> *lines = scratch.dy;
      N *sums = scratch.sums + (size_t)e * channels * panel_width<T>;
      for (size_t p = part.first_panel; p < part.end_panel; p++) {
        const size_t vectors = panels().vectors(p), line = panels().width(p);
        for (size_t k = 0, n; k < channels; k += n) {
          n = smaller(tile_rows(vectors), channels - k);
          column_kernel<T>(n, vectors)(sums + k * panel_width<T>, panel_width<T>,
                                       {scratch.x + k, lines, pixel, step, (ptrdiff_t)line}, scratch.runs, runs);
        }
        sums += filter.taps() * part.channels * panel_width<T>;
        lines += row_count * (size_t)s.out_width * count * line;
      }
    }
  }

  // dw (+)= the sum of `count` arrays of a part that are `step` apart.
  void store_part(const N *sums, size_t count, size_t step, const Part &part) const {
    Filter<N> f = filter;
    f.p += (ptrdiff_t)part.group * filter_group;
    for (size_t p = part.first_panel; p < part.end_panel; p++) {
      const N *from = sums + (p - part.first_panel) * filter.taps() * part.channels * panel_width<T>;
      for (size_t j = 0; j < panels().used(p); j += lanes<T>) {
        store_weights<N>(f, panels().first_column(p) + j, smaller(lanes<T>, panels().used(p) - j), part.first_channel,
                         part.channels, accumulate, [=](size_t tap, size_t k) {
                           const N *q = from + (tap * part.channels + k) * panel_width<T> + j;
                           Vector<N> sum = load(q);
                           for (size_t i = 1; i < count; i++) sum += load(q + i * step);
                           return sum;
                         });
      }
    }
  }

  size_t run(char *memory, const T *dy, const T *x) const {
    Workspace w = {memory};
    N *partial = w.take<N>(chunks > 1 ? chunks * parts() * part_size() : 0);
    const Workspace rest = w;
    take_scratch<Scratch>(w, (size_t)s.threads, this);
    if (!memory) return w.used;
    const size_t per_chunk = divide_up(blocks(), chunks), step = parts() * part_size();
    parallel_jobs(parts() * chunks, (size_t)s.threads, [&, this](size_t job, size_t slot) {
      Scratch scratch = scratch_of<Scratch>(rest, slot, this);
      const Part own = part(job / chunks);
      if (chunks > 1) scratch.sums = partial + job % chunks * step + job / chunks * part_size();
      memset(scratch.sums, 0, part_size() * sizeof(N));
      const size_t first = job % chunks * per_chunk;
      for (size_t b = first; b < smaller(first + per_chunk, blocks()); b++) add_block(scratch, x, dy, own, b);
      if (chunks == 1) store_part(scratch.sums, 1, 0, own);
    });
    if (chunks > 1) {
      parallel_jobs(parts(), (size_t)s.threads, [&, this](size_t job, size_t) {
        store_part(partial + job * part_size(), chunks, step, part(job));
      });
    }
    return w.used;
  }
};
