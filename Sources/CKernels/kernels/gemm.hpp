// Matrix products c = epilogue(a b), for operands of any layout, with sums of float32 for bfloat16.
//
// The right operand is packed, a panel of columns and a block of k at a time, in the thread's own scratch
// memory, where it stays in the L2 cache; its elements are rounded to the type of the product there. The left
// one is read where it lies if its rows are dense, and packed if its columns are (the transposed operand of a
// gradient). Sums run along k in one order, whatever the number of threads.
#pragma once

// Words of k of a block; rows of the left operand that share a packed panel; rows and columns of a block of c
// if both operands are packed.
enum { PRODUCT_WORDS = 1024, PRODUCT_ROWS = 768, PACKED_WORDS = 256, PACKED_ROWS = 192, PACKED_COLUMNS = 256 };

// How many rows ahead packing fetches.
enum { PACK_AHEAD = 12 };

// Element (k, c) of an operand is p[k * row + c * col].
template <typename B> struct Operand {
  const B *p;
  ptrdiff_t row, col;
  const B *at(size_t k, size_t c) const { return p + (ptrdiff_t)k * row + (ptrdiff_t)c * col; }
};

// `count` elements from p on, rounded to T, as words; the others are 0.
template <typename T, typename B> INLINE Words<T> rounded_words(const B *p, size_t count) {
  if constexpr (same<T, B> || word_elements<T> == 1) {
    return load_elements(p, count);
  } else {
    constexpr size_t L = lanes<T>;
    VectorOf<uint16_t, L> half[2];
    half[0] = Element<T>::template to_stored<L>(load(p, smaller(count, L)));
    half[1] = Element<T>::template to_stored<L>(load(p + smaller(count, L), count > L ? smaller(count - L, L) : 0));
    Words<T> v;
    memcpy(&v, half, sizeof v);
    return v;
  }
}

// to[word of k][width] = the columns first..<first + used of x, k running over begin..<begin + count.
template <typename T, typename B>
void pack_columns(Word<T> *to, const Operand<B> &x, size_t first, size_t used, size_t width, size_t begin,
                  size_t count) {
  constexpr size_t L = lanes<T>, E = word_elements<T>;
  const size_t depth = words<T>(count);
  if (x.col == 1 || x.row != 1) {
    for (size_t w = 0; w < depth; w++, to += width) {
      const size_t k = begin + w * E;
      const bool paired = E == 2 && k + 1 < begin + count;
      for (size_t j = 0; j < width; j += L) {
        const size_t some = j < used ? smaller(L, used - j) : 0;
        // Rows of a wide matrix are on pages of their own, which the processor does not fetch ahead.
        if (x.col == 1) {
          for (size_t e = 0; e < E; e++) __builtin_prefetch(x.at(k + PACK_AHEAD + e, first + j));
        }
        const auto line = [&](size_t k) {
          if (x.col == 1) return load(x.at(k, first + j), some);
          Vector<B> v = 0;
          for (size_t i = 0; i < some; i++) v[i] = get(x.at(k, first + j + i));
          return v;
        };
        store_words<T>(to + j, zip_numbers<T>(line(k), paired ? line(k + 1) : (Vector<B>)0));
      }
    }
    return;
  }
  for (size_t j = 0; j < width; j += L) {
    const size_t lines = j < used ? smaller(L, used - j) : 0;
    for (size_t w = 0; w < depth; w += L) {
      Words<T> square[L];
      for (size_t l = 0; l < L; l++) {
        square[l] = l < lines ? rounded_words<T>(x.at(begin + w * E, first + j + l), count - w * E) : (Words<T>)0;
      }
      transpose<Word<T>, L>(square);
      for (size_t i = 0; i < smaller(L, depth - w); i++) store_words<T>(to + (w + i) * width + j, square[i]);
    }
  }
}

// The product of a [m, k] and b [k, n]. T is the type in which elements are multiplied.
template <typename T, typename B, typename C> struct Product {
  typedef Number<T> N;
  const ck_product_shape &s;
  const T *a;
  Operand<B> b;
  C *c;
  Epilogue<C> epilogue;

  Product(const ck_product_shape *s, C *c, const T *a, const B *b, const ck_epilogue *e)
      : s(*s), a(a), b{b, s->b_row, s->b_col}, c(c), epilogue(e) {}

  Panels<T> panels() const { return {(size_t)s.n}; }
  // Whether the left operand's rows are read in place.
  bool has_rows() const { return s.a_col == 1; }
  size_t k() const { return (size_t)s.k; }
  size_t m() const { return (size_t)s.m; }

  void store(size_t row, size_t rows, const N *sums, size_t panel) const {
    ptrdiff_t offsets[PACKED_ROWS];
    for (size_t r = 0; r < rows; r++) offsets[r] = (ptrdiff_t)(row + r) * s.c_row;
    store_rows(c, offsets, sums, rows, panels().width(panel), panels().first_column(panel), panels().used(panel),
               epilogue, (N *)NULL, (size_t)s.n);
  }

  // ------------------------------------------------------------ rows in place

  struct RowScratch {
    Word<T> *panel;
    N *sums;
    RowScratch(Workspace &w, const Product *p)
        : panel(w.take<Word<T>>(smaller(words<T>(p->k()), (size_t)PRODUCT_WORDS) * panel_width<T>)),
          sums(w.take<N>((words<T>(p->k()) > PRODUCT_WORDS ? smaller(p->m(), (size_t)PRODUCT_ROWS) : MOST_ROWS) *
                         panel_width<T>)) {}
  };

  // Rows first..<end of a panel.
  void run_rows(const RowScratch &scratch, size_t first, size_t end, size_t panel) const {
    constexpr size_t E = word_elements<T>;
    const size_t vectors = panels().vectors(panel), width = panels().width(panel);
    for (size_t begin = 0; begin < larger(k(), 1); begin += PRODUCT_WORDS * E) {
      const size_t count = smaller(k() - begin, (size_t)PRODUCT_WORDS * E), whole = count / E;
      const bool is_last = begin + count >= k();
      pack_columns<T>(scratch.panel, b, panels().first_column(panel), panels().used(panel), width, begin, count);
      for (size_t q = first, rows; q < end; q += rows) {
        rows = smaller(tile_rows(vectors), end - q);
        N *sums = scratch.sums + (begin > 0 || !is_last ? (q - first) * width : 0);
        const T *pointers[MOST_ROWS];
        for (size_t r = 0; r < rows; r++) pointers[r] = a + (ptrdiff_t)(q + r) * s.a_row + begin;
        row_kernel<T>(rows, vectors)(sums, {pointers, NULL, 1, whole}, scratch.panel, begin > 0);
        if (count % E != 0) {  // the last element of odd rows, beside a zero
          T last[MOST_ROWS][E] = {};
          for (size_t r = 0; r < rows; r++) last[r][0] = pointers[r][count - 1];
          for (size_t r = 0; r < rows; r++) pointers[r] = last[r];
          row_kernel<T>(rows, vectors)(sums, {pointers, NULL, 1, 1}, scratch.panel + whole * width, true);
        }
        if (is_last) store(q, rows, sums, panel);
      }
    }
  }

  // ------------------------------------------------------------ columns, packed

  // Of a block of c: fewer rows and columns where threads would have nothing to do.
  size_t block_rows, block_panels;
  void choose_blocks() {
    block_rows = PACKED_ROWS;
    block_panels = larger(PACKED_COLUMNS / panel_width<T>, 1);
    const auto blocks = [this] { return divide_up(m(), block_rows) * divide_up(panels().count(), block_panels); };
    while (blocks() < 2 * (size_t)s.threads && s.threads > 1) {
      if (block_panels > 1) {
        block_panels /= 2;
      } else if (block_rows > 48) {
        block_rows /= 2;
      } else {
        break;
      }
    }
  }

  struct ColumnScratch {
    Word<T> *a, *panel;
    N *sums;
    ColumnScratch(Workspace &w, const Product *)
        : a(w.take<Word<T>>((size_t)PACKED_WORDS * PACKED_ROWS)),
          panel(w.take<Word<T>>((size_t)PACKED_WORDS * panel_width<T>)),
          sums(w.take<N>((size_t)PACKED_ROWS * larger(PACKED_COLUMNS, panel_width<T>))) {}
  };

  void run_columns(const ColumnScratch &scratch, size_t block) const {
    constexpr size_t E = word_elements<T>, line = panel_width<T>;
    const size_t across = divide_up(panels().count(), block_panels);
    const size_t row = block / across * block_rows, rows = smaller(block_rows, m() - row);
    const size_t first = block % across * block_panels, end = smaller(first + block_panels, panels().count());
    const size_t a_width = divide_up(rows, lanes<T>) * lanes<T>;
    const Operand<T> columns_of_a = {a, s.a_col, s.a_row};
    memset(scratch.sums, 0, rows * (end - first) * line * sizeof(N));
    for (size_t begin = 0; begin < k(); begin += PACKED_WORDS * E) {
      const size_t count = smaller(k() - begin, (size_t)PACKED_WORDS * E);
      const Run run = {0, 0, words<T>(count)};
      pack_columns<T>(scratch.a, columns_of_a, row, rows, a_width, begin, count);
      for (size_t p = first; p < end; p++) {
        const size_t vectors = panels().vectors(p), width = panels().width(p);
        pack_columns<T>(scratch.panel, b, panels().first_column(p), panels().used(p), width, begin, count);
        N *sums = scratch.sums + (p - first) * rows * line;
        for (size_t r = 0, some; r < rows; r += some) {
          some = smaller(tile_rows(vectors), rows - r);
          column_kernel<T>(some, vectors)(
              sums + r * width, width,
              {scratch.a + r, scratch.panel, (ptrdiff_t)a_width, (ptrdiff_t)a_width, (ptrdiff_t)width}, &run, 1);
        }
      }
    }
    for (size_t p = first; p < end; p++) store(row, rows, scratch.sums + (p - first) * rows * line, p);
  }

  size_t run(char *memory) {
    Workspace w = {memory};
    const Workspace start = w;
    const size_t threads = (size_t)s.threads;
    if (has_rows()) {
      take_scratch<RowScratch>(w, threads, this);
      if (!memory) return w.used;
      size_t rows = PRODUCT_ROWS;
      while (rows > 96 && divide_up(m(), rows) * panels().count() < 4 * threads && threads > 1) rows /= 2;
      const size_t blocks = divide_up(m(), rows);
      parallel_jobs(blocks * panels().count(), threads, [&, this](size_t job, size_t slot) {
        const size_t first = job % blocks * rows;
        run_rows(scratch_of<RowScratch>(start, slot, this), first, smaller(first + rows, m()), job / blocks);
      });
    } else {
      take_scratch<ColumnScratch>(w, threads, this);
      if (!memory) return w.used;
      choose_blocks();
      parallel_jobs(divide_up(m(), block_rows) * divide_up(panels().count(), block_panels), threads,
                    [&, this](size_t job, size_t slot) {
                      run_columns(scratch_of<ColumnScratch>(start, slot, this), job);
                    });
    }
    return w.used;
  }
};

// body(product) for the types of the operands.
template <typename F>
void with_product(const ck_product_shape *s, void *c, const void *a, const void *b, const ck_epilogue *e, F body) {
  if (s->a_type == ck_f32) return body(Product<float, float, float>(s, (float *)c, (const float *)a, (const float *)b, e));
  if (s->a_type != ck_bf16) ck_unsupported("product", s->a_type);
  with_type<float, bfloat16>(s->b_type, "product", [&]<typename B>() {
    with_type<float, bfloat16>(s->c_type, "product", [&]<typename C>() {
      body(Product<bfloat16, B, C>(s, (C *)c, (const bfloat16 *)a, (const B *)b, e));
    });
  });
}

static size_t product_workspace(const ck_product_shape *shape) {
  size_t bytes = 0;
  with_product(shape, NULL, NULL, NULL, NULL, [&](auto product) { bytes = product.run(NULL); });
  return bytes;
}
UNTYPED_KERNEL(product_workspace)

static void general_product(void *c, const void *a, const void *b, const ck_product_shape *shape, const ck_epilogue *epilogue,
                    void *workspace) {
  with_product(shape, c, a, b, epilogue, [=](auto product) { product.run((char *)workspace); });
}
INSTALL(product, general_product)
