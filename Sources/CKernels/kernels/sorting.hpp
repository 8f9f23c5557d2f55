// The order that sorts rows. Elements become unsigned keys of the same order, NaN being the largest.
#pragma once

// An element to sort: its key, then its index, which makes the order stable.
struct SortItem {
  uint64_t key;
  uint32_t index;
  bool operator<(const SortItem &other) const {
    return key != other.key ? key < other.key : index < other.index;
  }
};

// Floating point: positive numbers have the order of their bits, negative ones the opposite order. Both zeros
// are equal.
INLINE uint32_t sort_key(float x) {
  if (x != x) return UINT32_MAX;
  const float y = x == 0 ? 0.0f : x;
  uint32_t bits;
  memcpy(&bits, &y, sizeof bits);
  return bits >> 31 ? ~bits : bits | 0x80000000u;
}
INLINE uint64_t sort_key(double x) {
  if (x != x) return UINT64_MAX;
  const double y = x == 0 ? 0.0 : x;
  uint64_t bits;
  memcpy(&bits, &y, sizeof bits);
  return bits >> 63 ? ~bits : bits | 0x8000000000000000u;
}
INLINE uint32_t sort_key(int32_t x) { return (uint32_t)x ^ 0x80000000u; }
INLINE uint64_t sort_key(int64_t x) { return (uint64_t)x ^ 0x8000000000000000u; }
INLINE uint32_t sort_key(uint8_t x) { return x; }

// Sorts items[0..<n] by merging; returns where the result is, `items` or `other`.
template <typename I> I *merge_sort(I *items, I *other, size_t n) {
  constexpr size_t run = 16;
  for (size_t begin = 0; begin < n; begin += run) {
    const size_t end = smaller(n, begin + run);
    for (size_t i = begin + 1; i < end; i++) {
      const I item = items[i];
      size_t j = i;
      for (; j > begin && item < items[j - 1]; j--) items[j] = items[j - 1];
      items[j] = item;
    }
  }
  for (size_t width = run; width < n; width *= 2) {
    for (size_t begin = 0; begin < n; begin += 2 * width) {
      size_t a = begin, b = smaller(n, begin + width), k = begin;
      const size_t a_end = b, b_end = smaller(n, b + width);
      while (a < a_end && b < b_end) other[k++] = items[b] < items[a] ? items[b++] : items[a++];
      while (a < a_end) other[k++] = items[a++];
      while (b < b_end) other[k++] = items[b++];
    }
    I *const swapped = items;
    items = other;
    other = swapped;
  }
  return items;
}

// Sorts by the upper 32 bits, 11 at a time from the lowest on, each pass being stable.
INLINE uint64_t *radix_sort(uint64_t *items, uint64_t *other, size_t n) {
  enum { RADIX_BITS = 11, BUCKETS = 1 << RADIX_BITS, PASSES = 3 };
  uint32_t counts[PASSES][BUCKETS] = {};
  for (size_t i = 0; i < n; i++) {
    for (int pass = 0; pass < PASSES; pass++) {
      counts[pass][items[i] >> (32 + pass * RADIX_BITS) & (BUCKETS - 1)]++;
    }
  }
  for (int pass = 0; pass < PASSES; pass++) {
    uint32_t start = 0;
    for (uint32_t &count : counts[pass]) {
      const uint32_t next = start + count;
      count = start;
      start = next;
    }
    for (size_t i = 0; i < n; i++) {
      other[counts[pass][items[i] >> (32 + pass * RADIX_BITS) & (BUCKETS - 1)]++] = items[i];
    }
    uint64_t *const swapped = items;
    items = other;
    other = swapped;
  }
  return items;
}

template <typename T>
void argsort(int32_t *y, const T *x, void *scratch, size_t rows, size_t cols, bool descending) {
  for (size_t r = 0; r < rows; r++, y += cols, x += cols) {
    if constexpr (sizeof(T) <= 4) {
      // The key and the index in one word.
      uint64_t *items = (uint64_t *)scratch;
      for (size_t c = 0; c < cols; c++) {
        const uint32_t key = sort_key(get(x + c));
        items[c] = (uint64_t)(descending ? ~key : key) << 32 | c;
      }
      items = cols < 1024 ? merge_sort(items, items + cols, cols)
                          : radix_sort(items, items + cols, cols);
      for (size_t c = 0; c < cols; c++) y[c] = (int32_t)(uint32_t)items[c];
    } else {
      SortItem *items = (SortItem *)scratch;
      for (size_t c = 0; c < cols; c++) {
        const uint64_t key = sort_key(x[c]);
        items[c] = {descending ? ~key : key, (uint32_t)c};
      }
      items = merge_sort(items, items + cols, cols);
      for (size_t c = 0; c < cols; c++) y[c] = (int32_t)items[c].index;
    }
  }
}
KERNEL(argsort, float, double, int32_t, int64_t, uint8_t, bfloat16)
