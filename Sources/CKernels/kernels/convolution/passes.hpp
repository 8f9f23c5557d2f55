// From the shape of a convolution to the loops of a direct pass, and the memory that they need.
#pragma once

// A copy of images with zeros around them and, where words need it, after the channels of each group.
template <typename T> struct PaddedCopy {
  size_t images, height, width, groups, channels;          // of the original; channels of one group
  ptrdiff_t top = 0, left = 0, bottom = 0, right = 0;      // rows and columns added

  size_t padded_channels() const { return words<T>(channels) * word_elements<T>; }
  ptrdiff_t pixel() const { return (ptrdiff_t)(groups * padded_channels()); }
  ptrdiff_t row() const { return ((ptrdiff_t)width + left + right) * pixel(); }
  ptrdiff_t rows() const { return (ptrdiff_t)height + top + bottom; }
  size_t size() const { return images * (size_t)(rows() * row()); }

  // The copy as pixels whose bounds include the padding.
  Pixels<T> pixels(const T *p) const {
    return {p + top * row() + left * pixel(), rows() * row(), row(), pixel(), -top, rows() - top, -left,
            (ptrdiff_t)width + right};
  }

  void fill(T *to, const T *from, size_t threads) const {
    const size_t line = width * groups * channels;
    parallel_jobs(images * (size_t)rows(), threads, [=, this](size_t job, size_t) {
      T *out = to + (ptrdiff_t)job * row();
      const ptrdiff_t r = (ptrdiff_t)job % rows() - top;
      memset(out, 0, (size_t)row() * sizeof(T));
      if (r < 0 || r >= (ptrdiff_t)height) return;
      const T *in = from + (job / (size_t)rows() * height + (size_t)r) * line;
      out += left * pixel();
      if (padded_channels() == channels) {
        memcpy(out, in, line * sizeof(T));
        return;
      }
      for (size_t i = 0; i < width * groups; i++) {
        memcpy(out + i * padded_channels(), in + i * channels, channels * sizeof(T));
      }
    });
  }
};

// How many products an axis has when `count` positions read `elements` kernel elements each, and how many
// of them meet padding.
struct Losses {
  size_t lost = 0, products = 0;
  Losses(ptrdiff_t count, ptrdiff_t stride, ptrdiff_t elements, ptrdiff_t dilation, ptrdiff_t padding,
         ptrdiff_t size) {
    for (ptrdiff_t c = 0; c < count; c++) {
      for (ptrdiff_t e = 0; e < elements; e++) {
        const ptrdiff_t at = c * stride + e * dilation - padding;
        products++;
        lost += at < 0 || at >= size;
      }
    }
  }
};

// The forward pass or the gradient to the input of a convolution by direct loops.
template <typename T, typename O> struct DirectPass {
  typedef Number<T> N;
  const ck_convolution &shape;
  bool forward;
  DirectConvolution<T, O> loops;
  Filter<N> filter;  // of the first group
  ptrdiff_t filter_group;
  PaddedCopy<T> copy;
  bool copies, joins, narrow;
  Groups<T> grouped;
  T *copied;
  N *grouped_weights;
  typename Groups<T>::Lanes *lanes_table;
  Workspace scratch = {};

  DirectPass(const ck_convolution *s, ck_pass pass, ck_weights weights, const ck_epilogue *epilogue)
      : shape(*s), forward(pass == ck_forward) {
    const size_t groups = (size_t)s->groups;
    const size_t in = (size_t)s->channels / groups, out = (size_t)s->out_channels / groups;
    filter = {.p = (const N *)weights.p,
              .column_step = forward ? weights.out : weights.in,
              .inner_step = forward ? weights.in : weights.out,
              .row_step = weights.row,
              .tap_step = weights.column,
              .columns = forward ? out : in,
              .inner = forward ? in : out,
              .rows = (size_t)s->kernel_height,
              .taps_per_row = (size_t)s->kernel_width};
    filter_group = (ptrdiff_t)out * weights.out;
    // Where the elements of a row of the kernel are few words, a segment for each would cost more than its
    // products. In a copy with padding, they are neighbours and make one segment.
    narrow = Groups<T>::are_narrow(groups, filter.columns);
    grouped = {filter.columns, filter.inner, filter.columns * groups, filter.inner * groups};
    joins = forward && groups == 1 && s->dilation_x == 1 && s->kernel_width > 1 &&
            words<T>(filter.inner) < lanes<float>;
    copies = joins || (!narrow && filter.inner % word_elements<T> != 0);
    copy = {.images = (size_t)s->images,
            .height = (size_t)(forward ? s->height : s->out_height),
            .width = (size_t)(forward ? s->width : s->out_width),
            .groups = groups,
            .channels = filter.inner};
    if (forward) {
      copy.top = s->padding_y;
      copy.left = s->padding_x;
      copy.bottom = at_least(0, (s->out_height - 1) * s->stride_y + (s->kernel_height - 1) * s->dilation_y -
                                    s->padding_y - s->height + 1);
      copy.right = at_least(0, (s->out_width - 1) * s->stride_x + (s->kernel_width - 1) * s->dilation_x -
                                   s->padding_x - s->width + 1);
    }
    loops.threads = (size_t)s->threads;
    loops.groups = narrow ? 1 : groups;
    loops.columns = narrow ? grouped.out : filter.columns;
    loops.elements = filter.taps() / (joins ? filter.taps_per_row : 1);
    loops.depth = words<T>(filter.inner) * (joins ? filter.taps_per_row : 1);
    loops.phase_count = forward ? 1 : (size_t)(s->stride_y * s->stride_x);
    loops.epilogue = Epilogue<O>(epilogue);
  }

  // The positions of a phase.
  PositionOrder order(size_t phase) const {
    const ck_convolution &s = shape;
    const ptrdiff_t row = (ptrdiff_t)phase / s.stride_x, column = (ptrdiff_t)phase % s.stride_x;
    const ptrdiff_t rows = forward ? s.out_height : at_least(0, divide_up(s.height - row, s.stride_y));
    const ptrdiff_t columns = forward ? s.out_width : at_least(0, divide_up(s.width - column, s.stride_x));
    const Losses l(s.out_width, s.stride_x, s.kernel_width, s.dilation_x, s.padding_x, s.width);
    const size_t images = (size_t)s.images;
    return {images, (size_t)rows, (size_t)columns,
            batch_of_positions(images, (size_t)columns, l.lost, l.products)};
  }
  size_t blocks_of(size_t phase) const {
    if (narrow) return GroupedConvolution<T, O>::blocks_of(order(phase));
    return divide_up(order(phase).count(), block_size());
  }
  size_t block_size() const {
    const ck_convolution &s = shape;
    const ptrdiff_t positions = forward ? s.out_height * s.out_width : s.height * s.width;
    return position_block((size_t)(s.images * positions), loops.groups * Panels<T>{loops.columns}.count());
  }
  size_t blocks() const {
    size_t count = 0;
    for (size_t i = 0; i < loops.phase_count; i++) count += blocks_of(i);
    return count;
  }

  // Places everything in memory and returns its size; counts only if there is no memory.
  size_t place(char *memory) {
    Workspace w = {memory};
    loops.phases = w.take<Phase>(loops.phase_count);
    Tap *taps = w.take<Tap>(loops.elements);
    const size_t zero_count = narrow ? grouped.in + lanes<T> : loops.depth * word_elements<T>;
    T *zeros = w.take<T>(zero_count);
    Word<T> *packed = w.take<Word<T>>(narrow ? 0 : loops.groups * loops.packed_words());
    grouped_weights = w.take<N>(narrow ? filter.taps() * filter.inner * grouped_step() : 0);
    lanes_table = w.take<typename Groups<T>::Lanes>(narrow ? grouped.table_size() : 0);
    loops.zeros = zeros;
    loops.packed = packed;
    copied = w.take<T>(copies ? copy.size() + lanes<float> : 0);
    scratch = w;
    take_scratch<Lines>(w, loops.threads, filter.taps());
    const size_t packing = w.used;
    w = scratch;
    if (narrow) take_scratch<typename GroupedConvolution<T, O>::Scratch>(w, loops.threads, loops.elements);
    if (!narrow) take_scratch<typename DirectConvolution<T, O>::Scratch>(w, loops.threads, loops.elements);
    if (!memory) return larger(packing, w.used);

    memset(zeros, 0, zero_count * sizeof(T));
    if (forward) place_forward(taps);
    if (!forward) place_input_gradient(taps);
    return w.used;
  }

  void place_forward(Tap *taps) {
    const ck_convolution &s = shape;
    loops.step_y = s.stride_y;
    loops.step_x = s.stride_x;
    loops.y_pixel = s.out_channels;
    loops.y_row = s.out_width * loops.y_pixel;
    loops.y_image = s.out_height * loops.y_row;
    loops.phases[0] = {
        .order = order(0), .taps = taps, .tap_count = loops.elements, .blocks = blocks_of(0)};
    const ptrdiff_t per_row = joins ? 1 : s.kernel_width;
    for (ptrdiff_t e = 0; e < (ptrdiff_t)loops.elements; e++) {
      taps[e] = {e / per_row * s.dilation_y - s.padding_y, e % per_row * s.dilation_x - s.padding_x,
                 (size_t)e};
    }
    loops.phases[0].find_bounds();
  }

  // Row i * stride + r of dx reads dy at i + (r + padding - kernel element * dilation) / stride, if that
  // can be divided.
  void place_input_gradient(Tap *taps) {
    const ck_convolution &s = shape;
    loops.step_y = loops.step_x = 1;
    loops.y_pixel_step = s.channels;
    loops.y_row_step = s.width * s.channels;
    loops.y_image = s.height * loops.y_row_step;
    loops.y_pixel = s.stride_x * loops.y_pixel_step;
    loops.y_row = s.stride_y * loops.y_row_step;
    for (size_t i = 0; i < loops.phase_count; i++) {
      const ptrdiff_t row = (ptrdiff_t)i / s.stride_x, column = (ptrdiff_t)i % s.stride_x;
      Phase &phase = loops.phases[i];
      phase = {.order = order(i),
               .first_row = row,
               .first_column = column,
               .taps = taps,
               .blocks = blocks_of(i)};
      for (ptrdiff_t e = 0; e < (ptrdiff_t)loops.elements; e++) {
        const ptrdiff_t y = row + s.padding_y - e / s.kernel_width * s.dilation_y;
        const ptrdiff_t x = column + s.padding_x - e % s.kernel_width * s.dilation_x;
        if (y % s.stride_y != 0 || x % s.stride_x != 0) continue;
        phase.taps[phase.tap_count++] = {y / s.stride_y, x / s.stride_x, (size_t)e};
      }
      phase.find_bounds();
      taps += phase.tap_count;
    }
  }

  // From one line of the weights of narrow groups to the next.
  size_t grouped_step() const { return divide_up(grouped.out, lanes<T>) * lanes<T>; }

  // Scratch of packing.
  struct Lines {
    N *lines;
    Lines(Workspace &w, size_t taps) : lines(w.take<N>(taps * INNER_BLOCK * panel_width<T>)) {}
  };

  size_t run(char *memory, O *y, const T *x) {
    const size_t used = place(memory);
    if (!memory) return used;
    loops.y = y;
    loops.x_group = copies ? (ptrdiff_t)copy.padded_channels() : (ptrdiff_t)filter.inner;
    const ptrdiff_t pixel = (ptrdiff_t)grouped.in, height = (ptrdiff_t)copy.height;
    const ptrdiff_t width = (ptrdiff_t)copy.width;
    loops.x = {x, height * width * pixel, width * pixel, pixel, 0, height, 0, width};
    if (copies) {
      copy.fill(copied, x, loops.threads);
      loops.x = copy.pixels(copied);
    }
    if (narrow) {
      grouped.fill(lanes_table);
      pack_grouped_weights<T>(grouped_weights, grouped_step(), filter, filter_group, grouped);
      GroupedConvolution<T, O>{grouped, loops, lanes_table, grouped_weights, grouped_step(), shape.kernel_width}.run_all(scratch);
      return used;
    }
    const Panels<T> panels = {loops.columns};
    parallel_jobs(loops.groups * panels.count(), loops.threads, [&](size_t job, size_t slot) {
      const size_t group = job / panels.count(), panel = job % panels.count();
      const size_t first = panels.first_column(panel);
      Filter<N> f = filter;
      f.p += (ptrdiff_t)group * filter_group;
      Word<T> *packed = (Word<T> *)loops.packed + group * loops.packed_words() +
                        first * loops.elements * loops.depth;
      pack_weights<T>(packed, scratch_of<Lines>(scratch, slot, filter.taps()).lines, f, first,
                      panels.used(panel), panels.width(panel));
    });
    loops.run_all(block_size(), scratch);
    return used;
  }
};
