// What is done with the sums of a tile before they are stored: see ck_epilogue.
#pragma once

template <typename O> struct Epilogue {
  typedef Number<O> N;
  const N *bias = NULL;
  const O *residual = NULL, *gate = NULL;
  bool relu = false;
  N *statistics = NULL;
  const N *center = NULL;
  const O *partner = NULL;

  // Whether sums are stored as they are.
  bool stores_only() const {
    return !bias && !residual && !gate && !statistics && !relu;
  }

  Epilogue() {}
  Epilogue(const ck_epilogue *e) {
    if (!e) return;
    bias = (const N *)e->bias;
    residual = (const O *)e->residual;
    gate = (const O *)e->gate;
    relu = e->relu;
    statistics = (N *)e->statistics;
    center = (const N *)e->center;
    partner = (const O *)e->partner;
  }
};

// Fetches the lines that store_rows will write, before the products that take longer than memory does.
template <typename O> INLINE void prefetch_rows(O *y, const ptrdiff_t *offsets, size_t rows, size_t used) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t j = 0; j < used; j += 64 / sizeof(O)) __builtin_prefetch(y + offsets[r] + j, 1);
  }
}

// Stores rows of sums[rows][width], the columns `first`..<first + used of y; row r of y begins at
// y + offsets[r]. `statistics` [2][columns] collects those of the block that the rows belong to.
template <typename O>
void store_rows(O *y, const ptrdiff_t *offsets, const Number<O> *sums, size_t rows, size_t width,
                size_t first, size_t used, const Epilogue<O> &e, Number<O> *statistics, size_t columns) {
  typedef Number<O> N;
  typedef Vector<O> V;
  if (e.stores_only()) {
    for (size_t r = 0; r < rows; r++) {
      O *to = y + offsets[r] + first;
      const N *from = sums + r * width;
      for_vectors<lanes<O>>(0, used, [=](size_t j, size_t n) { store(to + j, load<N>(from + j), n); });
    }
    return;
  }
  for_vectors<lanes<O>>(0, used, [&](size_t j, size_t count) {
    const size_t column = first + j;
    const V bias = e.bias ? load(e.bias + column, count) : (V)0;
    const V center = e.center ? load(e.center + column, count) : (V)0;
    V sum = 0, product = 0;
    for (size_t r = 0; r < rows; r++) {
      const ptrdiff_t at = offsets[r] + (ptrdiff_t)column;
      V v = load<N>(sums + r * width + j) + bias;
      if (e.residual) v += load(e.residual + at, count);
      if (e.gate) v = load(e.gate + at, count) > 0 ? v : (V)0;
      if (statistics) {
        const V distance = e.partner ? load(e.partner + at, count) - center : v - center;
        const V w = e.partner ? v : distance;
        sum += w;
        product += w * distance;
      }
      if (e.relu) v = v <= 0 ? (V)0 : v;
      store(y + at, v, count);
    }
    if (statistics) {
      N *s = statistics + column, *p = s + columns;
      store(s, load(s, count) + sum, count);
      store(p, load(p, count) + product, count);
    }
  });
}

// The statistics of a block, [2][columns], those of the columns first..<first + used set to 0; NULL if
// none are wanted.
template <typename O>
INLINE Number<O> *start_statistics(const Epilogue<O> &e, size_t block, size_t first, size_t used, size_t columns) {
  if (!e.statistics) return NULL;
  Number<O> *statistics = e.statistics + block * 2 * columns;
  memset(statistics + first, 0, used * sizeof *statistics);
  memset(statistics + columns + first, 0, used * sizeof *statistics);
  return statistics;
}
