// Windows that slide over planes, and the matrix of patches of a convolution.
#pragma once

INLINE ptrdiff_t at_least(ptrdiff_t a, ptrdiff_t b) { return a > b ? a : b; }
INLINE ptrdiff_t at_most(ptrdiff_t a, ptrdiff_t b) { return a < b ? a : b; }

// The output columns begin..<end at which a kernel element at `offset` lies inside a plane of `width`
// columns: 0 <= column * stride + offset < width.
struct CoveredColumns {
  ptrdiff_t begin, end;

  CoveredColumns(ptrdiff_t offset, ptrdiff_t stride, ptrdiff_t width, ptrdiff_t columns) {
    begin = at_most(offset >= 0 ? 0 : (stride - 1 - offset) / stride, columns);
    end = at_most(offset >= width ? 0 : (width - 1 - offset) / stride + 1, columns);
  }
};

// Output positions in one row of the output, for one kernel element: `before` that meet padding,
// then `inside` that meet the plane from its element `from` on, the others padding again.
struct PatchRow {
  size_t element;   // the kernel element, counted from the first visited
  size_t position;  // the first output position, likewise
  size_t before, inside, count;
  ptrdiff_t from;  // in the image [channels, height, width]
};

// Visits the kernel elements and, for each, the output positions, row by row.
template <typename F>
INLINE void for_patch_rows(const ck_windows *w, size_t first_element, size_t elements,
                           size_t first_position, size_t positions, F visit) {
  const ptrdiff_t kernel_area = w->kernel_height * w->kernel_width;
  for (size_t e = 0; e < elements; e++) {
    const ptrdiff_t element = (ptrdiff_t)(first_element + e);
    const ptrdiff_t i = element % kernel_area / w->kernel_width, j = element % w->kernel_width;
    const ptrdiff_t plane = element / kernel_area * w->height * w->width;
    const ptrdiff_t shift = j * w->dilation_x - w->padding_x;
    const CoveredColumns covered(shift, w->stride_x, w->width, w->out_width);
    ptrdiff_t row = (ptrdiff_t)first_position / w->out_width;
    ptrdiff_t first = (ptrdiff_t)first_position % w->out_width;
    for (size_t done = 0; done < positions;) {
      const ptrdiff_t last = at_most(w->out_width, first + (ptrdiff_t)(positions - done));
      const ptrdiff_t y = row * w->stride_y + i * w->dilation_y - w->padding_y;
      const bool meets = y >= 0 && y < w->height;
      const ptrdiff_t begin = meets ? at_most(at_least(first, covered.begin), last) : last;
      const ptrdiff_t end = meets ? at_least(at_most(last, covered.end), begin) : last;
      const size_t count = (size_t)(last - first);
      [[clang::always_inline]] visit(PatchRow{
          .element = e,
          .position = done,
          .before = (size_t)(begin - first),
          .inside = (size_t)(end - begin),
          .count = count,
          .from = plane + y * w->width + begin * w->stride_x + shift,
      });
      done += count;
      row++;
      first = 0;
    }
  }
}

template <typename T>
void im2col(T *panel, const T *x, const ck_windows *w, size_t first_element, size_t elements,
            size_t first_position, size_t positions, size_t ld) {
  for_patch_rows(w, first_element, elements, first_position, positions, [=](PatchRow row) {
    T *to = panel + row.element * ld + row.position;
    const auto zero = [&](size_t i, size_t count) { store(to + i, (Vector<T>)0, count); };
    for_vectors<lanes<T>>(0, row.before, zero);
    if (row.inside > 0 && w->stride_x == 1) {
      const T *from = x + row.from;
      for_vectors<lanes<T>>(0, row.inside, [&](size_t i, size_t count) {
        store(to + row.before + i, load(from + i, count), count);
      });
    } else if (row.inside > 0) {
      const T *from = x + row.from;
      const ptrdiff_t stride = w->stride_x;
      for (size_t i = 0; i < row.inside; i++) to[row.before + i] = from[(ptrdiff_t)i * stride];
    }
    for_vectors<lanes<T>>(row.before + row.inside, row.count, zero);
  });
}
KERNEL(im2col, float, double)

template <typename T>
void col2im(T *x, const T *panel, const ck_windows *w, size_t first_element, size_t elements,
            size_t first_position, size_t positions, size_t ld) {
  for_patch_rows(w, first_element, elements, first_position, positions, [=](PatchRow row) {
    if (row.inside == 0) return;
    const T *from = panel + row.element * ld + row.position + row.before;
    T *to = x + row.from;
    if (w->stride_x == 1) {
      for_vectors<lanes<T>>(0, row.inside, [&](size_t i, size_t count) {
        store(to + i, load(to + i, count) + load(from + i, count), count);
      });
    } else {
      const ptrdiff_t stride = w->stride_x;
      for (size_t i = 0; i < row.inside; i++) {
        T *element = to + (ptrdiff_t)i * stride;
        put(element, get(element) + get(from + i));
      }
    }
  });
}
KERNEL(col2im, float, double)
