// What is done with the sums of a tile before they are stored: see ck_epilogue.
#pragma once

template <typename O> struct Epilogue {
  typedef Number<O> N;
  const N *bias = NULL;
  const O *residual = NULL;
  bool relu = false;
  N *statistics = NULL;

  // Whether sums are stored as they are.
  bool stores_only() const { return !bias && !residual && !statistics && !relu; }

  Epilogue() {}
  Epilogue(const ck_epilogue *e) {
    if (!e) return;
    bias = (const N *)e->bias;
    residual = (const O *)e->residual;
    relu = e->relu;
    statistics = (N *)e->statistics;
  }
};

// Fetches the lines that store_rows will write, before the products that take longer than memory does.
template <typename O> INLINE void prefetch_rows(O *y, const ptrdiff_t *offsets, size_t rows, size_t used) {
  for (size_t r = 0; r < rows; r++) {
    for (size_t j = 0; j < used; j += 64 / sizeof(O)) __builtin_prefetch(y + offsets[r] + j, 1);
  }
}

// Stores rows of sums[rows][width], the columns `first`..<first + used of y; row r of y begins at
// y + offsets[r]. `statistics` [CK_STATISTICS][columns] collects those of the block that the rows belong to.
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
    const auto value = [&](size_t r) {
      const V v = load<N>(sums + r * width + j) + bias;
      return e.residual ? v + load(e.residual + offsets[r] + (ptrdiff_t)column, count) : v;
    };
    if (statistics) {
      N *counts = statistics + 3 * columns, *centers = statistics + 2 * columns;
      // Distances from some value of the column: small, whatever the mean is.
      if (counts[column] == 0) store(centers + column, value(0), count);
      const V center = load(centers + column, count);
      V sum = 0, square = 0;
      for (size_t r = 0; r < rows; r++) {
        const V distance = value(r) - center;
        sum += distance;
        square += distance * distance;
      }
      const auto add = [=](N *to, V v) { store(to + column, load(to + column, count) + v, count); };
      add(statistics, sum);
      add(statistics + columns, square);
      add(counts, (V)N(rows));
    }
    for (size_t r = 0; r < rows; r++) {
      const V v = value(r);
      store(y + offsets[r] + (ptrdiff_t)column, e.relu ? (v <= 0 ? (V)0 : v) : v, count);
    }
  });
}

// The statistics of a block, [CK_STATISTICS][columns], those of the columns first..<first + used set to 0;
// NULL if none are wanted.
template <typename O>
INLINE Number<O> *start_statistics(const Epilogue<O> &e, size_t block, size_t first, size_t used, size_t columns) {
  if (!e.statistics) return NULL;
  Number<O> *statistics = e.statistics + block * CK_STATISTICS * columns;
  for (size_t i = 0; i < CK_STATISTICS; i++) memset(statistics + i * columns + first, 0, used * sizeof *statistics);
  return statistics;
}
