// The gradient to the weights of a convolution whose groups are narrower than a vector: lanes are output
// channels, as in grouped.hpp, and positions are added up row by row.
#pragma once

// Neighbouring kernel elements, and neighbouring positions, that are summed at once; parts of all rows.
enum { GROUPED_TAPS = 3, GROUPED_POSITIONS = 4, GROUPED_CHUNKS = 16 };

template <typename T> struct GroupedWeightGradient {
  typedef Number<T> N;
  typedef Vector<T> V;
  static constexpr size_t L = lanes<T>;

  const ck_convolution &s;
  ck_weights dw;
  bool accumulate;
  Groups<T> groups;
  size_t taps, vectors, rows, chunks;

  GroupedWeightGradient(const ck_convolution *shape, ck_weights dw, bool accumulate)
      : s(*shape),
        dw(dw),
        accumulate(accumulate),
        groups{(size_t)(s.out_channels / s.groups), (size_t)(s.channels / s.groups), (size_t)s.out_channels,
               (size_t)s.channels},
        taps((size_t)(s.kernel_height * s.kernel_width)),
        vectors(divide_up(groups.out, L)),
        rows((size_t)(s.images * s.out_height)),
        chunks(smaller((size_t)GROUPED_CHUNKS, larger(rows, 1))) {}

  // Sums of a chunk: [vector][inner][tap][lane].
  size_t sums_size() const { return vectors * groups.inner * taps * L; }

  // The positions at which kernel column j meets the image.
  ptrdiff_t first_position(ptrdiff_t j) const {
    return at_least(0, divide_up(at_least(0, s.padding_x - j * s.dilation_x), s.stride_x));
  }
  ptrdiff_t end_position(ptrdiff_t j) const {
    const ptrdiff_t last = s.width - 1 + s.padding_x - j * s.dilation_x;
    return last < 0 ? 0 : at_most(s.out_width, last / s.stride_x + 1);
  }

  // sums[j] += dy * x at positions begin..<end, for J kernel columns from `tap` on.
  template <size_t J, typename Read>
  void add_positions(N *sums, const T *x, const T *dy, size_t used, ptrdiff_t tap, ptrdiff_t begin, ptrdiff_t end,
                     Read read) const {
    constexpr size_t U = GROUPED_POSITIONS;
    V sum[U][J] = {};
    const ptrdiff_t tap_step = s.dilation_x * s.channels, step = s.stride_x * s.channels;
    const T *pixel = x + (begin * s.stride_x + tap * s.dilation_x - s.padding_x) * s.channels;
    const T *g = dy + begin * s.out_channels;
    ptrdiff_t q = begin;
    for (; q + (ptrdiff_t)U <= end; q += U, pixel += (ptrdiff_t)U * step, g += (ptrdiff_t)U * s.out_channels) {
      for (size_t u = 0; u < U; u++) {
        const V gradient = load(g + (ptrdiff_t)u * s.out_channels, used);
        for (size_t j = 0; j < J; j++) {
          sum[u][j] += gradient * read(pixel + (ptrdiff_t)u * step + (ptrdiff_t)j * tap_step);
        }
      }
    }
    for (; q < end; q++, pixel += step, g += s.out_channels) {
      const V gradient = load(g, used);
      for (size_t j = 0; j < J; j++) sum[0][j] += gradient * read(pixel + (ptrdiff_t)j * tap_step);
    }
    for (size_t j = 0; j < J; j++) {
      N *to = sums + j * L;
      store(to, load(to) + ((sum[0][j] + sum[1][j]) + (sum[2][j] + sum[3][j])));
    }
  }

  // A row of output positions, for one vector of output channels and one input channel of each group.
  template <typename Read>
  void add_row(N *sums, const T *x, const T *dy, size_t used, Read read) const {
    for (ptrdiff_t j = 0; j < s.kernel_width;) {
      if (s.kernel_width - j >= GROUPED_TAPS) {
        ptrdiff_t begin = first_position(j), end = end_position(j);
        for (ptrdiff_t k = j + 1; k < j + GROUPED_TAPS; k++) {
          begin = at_least(begin, first_position(k));
          end = at_most(end, end_position(k));
        }
        end = at_least(begin, end);
        add_positions<GROUPED_TAPS>(sums + j * (ptrdiff_t)L, x, dy, used, j, begin, end, read);
        for (ptrdiff_t k = j; k < j + GROUPED_TAPS; k++) {
          N *to = sums + k * (ptrdiff_t)L;
          const ptrdiff_t first = first_position(k), last = end_position(k);
          if (first < begin) add_positions<1>(to, x, dy, used, k, first, at_most(begin, last), read);
          if (last > end) add_positions<1>(to, x, dy, used, k, at_least(first, end), last, read);
        }
        j += GROUPED_TAPS;
      } else {
        add_positions<1>(sums + j * (ptrdiff_t)L, x, dy, used, j, first_position(j), end_position(j), read);
        j++;
      }
    }
  }

  // The rows of a chunk, for the vector of output channels at c.
  void add_chunk(N *sums, const T *x, const T *dy, const typename Groups<T>::Lanes *table, size_t c, size_t first,
                 size_t end) const {
    const size_t used = smaller(L, groups.out - c), base = groups.base(c);
    const bool fits = groups.fits(c);
    const size_t wanted = smaller(L, groups.in - base);
    for (size_t r = first; r < end; r++) {
      const ptrdiff_t image = (ptrdiff_t)r / s.out_height, row = (ptrdiff_t)r % s.out_height;
      const T *gradients = dy + (ptrdiff_t)r * s.out_width * s.out_channels + c;
      for (ptrdiff_t i = 0; i < s.kernel_height; i++) {
        const ptrdiff_t from = row * s.stride_y + i * s.dilation_y - s.padding_y;
        if (from < 0 || from >= s.height) continue;
        const T *pixels = x + (image * s.height + from) * s.width * s.channels;
        for (size_t k = 0; k < groups.inner; k++) {
          N *to = sums + (k * taps + (size_t)(i * s.kernel_width)) * L;
          if (groups.depthwise()) {
            add_row(to, pixels, gradients, used, [=](const T *p) { return load(p + c, used); });
          } else if (fits) {
            const auto lane = table[c / L * groups.inner + k];
            add_row(to, pixels, gradients, used,
                    [=](const T *p) { return shuffle_lanes(load(p + base, wanted), lane); });
          } else {
            add_row(to, pixels, gradients, used, [=, this](const T *p) { return groups.gather(p, c, k); });
          }
        }
      }
    }
  }

  size_t run(char *memory, const T *dy, const T *x) const {
    Workspace w = {memory};
    N *sums = w.take<N>(chunks * sums_size());
    auto *table = w.take<typename Groups<T>::Lanes>(groups.table_size());
    if (!memory) return w.used;
    memset(sums, 0, chunks * sums_size() * sizeof(N));
    groups.fill(table);
    parallel_jobs(chunks * vectors, (size_t)s.threads, [=, this](size_t job, size_t) {
      const size_t chunk = job / vectors, vector = job % vectors;
      add_chunk(sums + chunk * sums_size() + vector * groups.inner * taps * L, x, dy, table, vector * L,
                chunk * rows / chunks, (chunk + 1) * rows / chunks);
    });
    for (size_t o = 0; o < groups.out; o++) {
      for (size_t k = 0; k < groups.inner; k++) {
        for (size_t tap = 0; tap < taps; tap++) {
          const size_t row = tap / (size_t)s.kernel_width, column = tap % (size_t)s.kernel_width;
          const N *from = sums + ((o / L * groups.inner + k) * taps + tap) * L + o % L;
          N total = 0;
          for (size_t chunk = 0; chunk < chunks; chunk++) total += from[chunk * sums_size()];
          N *to = (N *)dw.p + (ptrdiff_t)o * dw.out + (ptrdiff_t)k * dw.in + (ptrdiff_t)row * dw.row +
                  (ptrdiff_t)column * dw.column;
          *to = accumulate ? *to + total : total;
        }
      }
    }
    return w.used;
  }
};
