// Positions of an output: in which order they are visited, and what they read.
#pragma once

// Output positions [images, rows, columns] in the order in which tiles take them: row by row, or, for
// small images, all images of a batch at one position before the next. There the images of a tile lack
// the same kernel elements, which then are skipped instead of being multiplied by zeros.
struct PositionOrder {
  size_t images, rows, columns;
  size_t batch;  // images that are visited together; 1: row by row

  size_t count() const { return images * rows * columns; }
};

// What is added to an index when image, row or column grow by one.
struct Steps {
  ptrdiff_t image, row, column;
};

// Visits positions in their order, and keeps the indices of two arrays that hold something for each.
struct Walk {
  const PositionOrder &order;
  Steps x_steps, y_steps;
  size_t image, row, column;
  size_t first_image, end_image;  // the batch
  ptrdiff_t x, y;                 // the indices

  Walk(const PositionOrder &order, Steps x_steps, Steps y_steps, size_t index)
      : order(order), x_steps(x_steps), y_steps(y_steps) {
    const size_t per_batch = order.rows * order.columns * order.batch;
    first_image = index / per_batch * order.batch;
    end_image = smaller(first_image + order.batch, order.images);
    const size_t in_batch = index % per_batch, place = in_batch / (end_image - first_image);
    image = first_image + in_batch % (end_image - first_image);
    row = place / order.columns;
    column = place % order.columns;
    find();
  }
  void find() {
    const auto index = [this](Steps s) {
      return (ptrdiff_t)image * s.image + (ptrdiff_t)row * s.row + (ptrdiff_t)column * s.column;
    };
    x = index(x_steps);
    y = index(y_steps);
  }
  INLINE void advance() {
    if (++image < end_image) {
      x += x_steps.image;
      y += y_steps.image;
      return;
    }
    image = first_image;
    if (++column < order.columns) {
      const ptrdiff_t back = (ptrdiff_t)(end_image - first_image - 1);
      x += x_steps.column - back * x_steps.image;
      y += y_steps.column - back * y_steps.image;
      return;
    }
    column = 0;
    if (++row == order.rows) {
      row = 0;
      first_image = image = end_image;
      end_image = smaller(first_image + order.batch, order.images);
    }
    find();
  }
};

// Where the elements of an operand lie: pixel (image, row, column) begins at p + image * image_step + ...
// Rows and columns outside the bounds are padding.
template <typename T> struct Pixels {
  const T *p;
  ptrdiff_t image_step, row_step, pixel_step;
  ptrdiff_t first_row, end_row, first_column, end_column;

  const T *at(ptrdiff_t image, ptrdiff_t row, ptrdiff_t column) const {
    return p + image * image_step + row * row_step + column * pixel_step;
  }
  bool contains(ptrdiff_t row, ptrdiff_t column) const {
    return row >= first_row && row < end_row && column >= first_column && column < end_column;
  }
};

// A kernel element: position (r, c) reads the pixel (r * step_y + row, c * step_x + column).
struct Tap {
  ptrdiff_t row, column;
  size_t element;  // which, row by row
};

// Output positions with the same taps: all of them in the forward pass, and in the gradient to the input
// those rows and columns that leave the same remainder when divided by the stride.
struct Phase {
  PositionOrder order;
  ptrdiff_t first_row = 0, first_column = 0;  // of the output; its rows and columns are `stride` apart
  Tap *taps = NULL;
  size_t tap_count = 0, blocks = 0;
  ptrdiff_t top = 0, bottom = 0, left = 0, right = 0;  // the least and greatest distances of taps

  void find_bounds() {
    for (const Tap *tap = taps; tap < taps + tap_count; tap++) {
      top = tap == taps ? tap->row : at_most(top, tap->row);
      bottom = tap == taps ? tap->row : at_least(bottom, tap->row);
      left = tap == taps ? tap->column : at_most(left, tap->column);
      right = tap == taps ? tap->column : at_least(right, tap->column);
    }
  }
};
