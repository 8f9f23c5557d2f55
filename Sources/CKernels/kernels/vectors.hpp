// Vectors of VECTOR_BYTES bytes: their types, loads, stores, and the loops over arrays.
#pragma once

#define INLINE inline __attribute__((always_inline))

// ---------------------------------------------------------------- types

template <typename A, typename B> constexpr bool same = false;
template <typename A> constexpr bool same<A, A> = true;

template <typename N, size_t n> using VectorOf = N __attribute__((ext_vector_type(n)));

// The upper half of a float. A storage type: arithmetic is done in float.
struct bfloat16 {
  uint16_t bits;
};

// How an element type is stored and computed: `Stored` is the type of elements in memory, `Number` the
// type of arithmetic. A type for which these differ specializes this template, and nothing else.
template <typename T> struct Element {
  using Stored = T;
  using Number = T;
  template <typename V> static INLINE V to_number(V stored) { return stored; }
  template <typename V> static INLINE V to_stored(V number) { return number; }
};

template <> struct Element<bfloat16> {
  using Stored = uint16_t;
  using Number = float;
  template <size_t n> static INLINE VectorOf<float, n> to_number(VectorOf<uint16_t, n> stored) {
    return (VectorOf<float, n>)(__builtin_convertvector(stored, VectorOf<uint32_t, n>) << 16);
  }
  // Rounds to nearest, ties to even; a NaN stays a NaN.
  template <size_t n> static INLINE VectorOf<uint16_t, n> to_stored(VectorOf<float, n> number) {
    const auto bits = (VectorOf<uint32_t, n>)number;
    const auto rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const auto quiet = (bits >> 16) | 0x40;
    return __builtin_convertvector(number != number ? quiet : rounded, VectorOf<uint16_t, n>);
  }
};

template <typename T> using Number = typename Element<T>::Number;
template <typename T> using Stored = typename Element<T>::Stored;

// The number of lanes of a full vector, and its type.
template <typename T> constexpr size_t lanes = VECTOR_BYTES / sizeof(Number<T>);
template <typename T> using Vector = VectorOf<Number<T>, lanes<T>>;

typedef Vector<float> vf;
typedef Vector<double> vd;
typedef Vector<int32_t> vi;
typedef Vector<uint32_t> vu;
typedef Vector<int64_t> vl;
typedef Vector<uint64_t> vul;

// Signed integers as unsigned ones, whose arithmetic wraps around; other numbers unchanged.
template <size_t n> INLINE VectorOf<uint32_t, n> wrapping(VectorOf<int32_t, n> v) {
  return (VectorOf<uint32_t, n>)v;
}
template <size_t n> INLINE VectorOf<uint64_t, n> wrapping(VectorOf<int64_t, n> v) {
  return (VectorOf<uint64_t, n>)v;
}
template <size_t n> INLINE VectorOf<float, n> wrapping(VectorOf<float, n> v) { return v; }
template <size_t n> INLINE VectorOf<double, n> wrapping(VectorOf<double, n> v) { return v; }
INLINE uint32_t wrapping(int32_t x) { return (uint32_t)x; }
INLINE uint64_t wrapping(int64_t x) { return (uint64_t)x; }
INLINE float wrapping(float x) { return x; }
INLINE double wrapping(double x) { return x; }

// The integer of the size of an element, for kernels that move elements without computing.
template <size_t bytes> struct Integer;
template <> struct Integer<1> { using type = int8_t; };
template <> struct Integer<2> { using type = int16_t; };
template <> struct Integer<4> { using type = int32_t; };
template <> struct Integer<8> { using type = int64_t; };
template <typename T> using Bits = typename Integer<sizeof(T)>::type;

template <typename N> constexpr N infinity = __builtin_inf();

// The smallest number and the largest.
template <typename N> constexpr N lowest = -infinity<N>;
template <> constexpr int32_t lowest<int32_t> = INT32_MIN;
template <> constexpr int64_t lowest<int64_t> = INT64_MIN;
template <> constexpr uint8_t lowest<uint8_t> = 0;
template <typename N> constexpr N highest = infinity<N>;
template <> constexpr int32_t highest<int32_t> = INT32_MAX;
template <> constexpr int64_t highest<int64_t> = INT64_MAX;
template <> constexpr uint8_t highest<uint8_t> = 1;

constexpr INLINE size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// ---------------------------------------------------------------- parts of vectors in memory

template <size_t size> INLINE void copy_piece(char *&to, const char *&from, size_t bytes) {
  if (bytes & size) {
    memcpy(to, from, size);
    to += size;
    from += size;
  }
}

// Copies fewer than VECTOR_BYTES bytes, a multiple of `unit`, in pieces of fixed size, without a call or
// a loop.
template <size_t unit> INLINE void copy_some(void *to, const void *from, size_t bytes) {
  char *t = (char *)to;
  const char *f = (const char *)from;
  if constexpr (VECTOR_BYTES > 32) copy_piece<32>(t, f, bytes);
  if constexpr (VECTOR_BYTES > 16) copy_piece<16>(t, f, bytes);
  copy_piece<8>(t, f, bytes);
  copy_piece<4>(t, f, bytes);
  if constexpr (unit < 4) copy_piece<2>(t, f, bytes);
  if constexpr (unit < 2) copy_piece<1>(t, f, bytes);
}

// The first words of 4 bytes from memory, the others from `rest`. Masked loads, because a vector
// that was written in pieces could not be read back at once.
#if VECTOR_BYTES == 64
INLINE __m512i load_words(__m512i rest, const void *p, size_t words) {
  return _mm512_mask_loadu_epi32(rest, (uint16_t)((1u << words) - 1), p);
}
INLINE __m256i load_words(__m256i rest, const void *p, size_t words) {
  return _mm256_mask_loadu_epi32(rest, (uint8_t)((1u << words) - 1), p);
}
INLINE __m128i load_words(__m128i rest, const void *p, size_t words) {
  return _mm_mask_loadu_epi32(rest, (uint8_t)((1u << words) - 1), p);
}
#elif VECTOR_BYTES == 32
alignas(64) const int32_t first_words[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
INLINE __m256i load_words(__m256i rest, const void *p, size_t words) {
  __m256i mask;
  memcpy(&mask, first_words + 8 - words, sizeof mask);
  return _mm256_blendv_epi8(rest, _mm256_maskload_epi32((const int *)p, mask), mask);
}
INLINE __m128i load_words(__m128i rest, const void *p, size_t words) {
  __m128i mask;
  memcpy(&mask, first_words + 8 - words, sizeof mask);
  return _mm_blendv_epi8(rest, _mm_maskload_epi32((const int *)p, mask), mask);
}
#endif

// Replaces the first `bytes` of a vector.
template <typename Register, typename V>
INLINE void load_masked(V &vector, const void *p, size_t bytes) {
  static_assert(sizeof(Register) == sizeof(V));
  Register rest;
  memcpy(&rest, &vector, sizeof rest);
  rest = load_words(rest, p, bytes / 4);
  memcpy(&vector, &rest, sizeof rest);
}
template <size_t unit, typename V> INLINE void load_some(V &vector, const void *p, size_t bytes) {
  if (bytes == sizeof(V)) {
    memcpy(&vector, p, sizeof(V));
    return;
  }
#if VECTOR_BYTES == 64
  if constexpr (unit >= 4 && sizeof(V) == 64) return load_masked<__m512i>(vector, p, bytes);
#endif
#if VECTOR_BYTES >= 32
  if constexpr (unit >= 4 && sizeof(V) == 32) return load_masked<__m256i>(vector, p, bytes);
  if constexpr (unit >= 4 && sizeof(V) == 16) return load_masked<__m128i>(vector, p, bytes);
#endif
  copy_some<unit>(&vector, p, bytes);
}

// ---------------------------------------------------------------- loads and stores

// The n elements from p on, as numbers.
template <typename T, size_t n = lanes<T>> INLINE VectorOf<Number<T>, n> load(const T *p) {
  VectorOf<Stored<T>, n> stored;
  memcpy(&stored, p, sizeof stored);
  return Element<T>::to_number(stored);
}

// The first `count` of n elements from p on, the others being `filler`.
template <typename T, size_t n = lanes<T>>
INLINE VectorOf<Number<T>, n> load(const T *p, size_t count, Number<T> filler = 0) {
  VectorOf<Stored<T>, n> stored = Element<T>::to_stored((VectorOf<Number<T>, n>)filler);
  load_some<sizeof(T)>(stored, p, count * sizeof(T));
  return Element<T>::to_number(stored);
}

template <typename T, size_t n> INLINE void store(T *p, VectorOf<Number<T>, n> v) {
  const VectorOf<Stored<T>, n> stored = Element<T>::to_stored(v);
  memcpy(p, &stored, sizeof stored);
}

// Stores the first `count` numbers of v.
template <typename T, size_t n> INLINE void store(T *p, VectorOf<Number<T>, n> v, size_t count) {
  const VectorOf<Stored<T>, n> stored = Element<T>::to_stored(v);
  if (count == n) {
    memcpy(p, &stored, sizeof stored);
  } else {
    copy_some<sizeof(T)>(p, &stored, count * sizeof(T));
  }
}

// One element as a number, and back.
template <typename T> INLINE Number<T> get(const T *p) { return load<T, 1>(p)[0]; }
template <typename T> INLINE void put(T *p, Number<T> x) { store(p, (VectorOf<Number<T>, 1>)x); }

// ---------------------------------------------------------------- sums of bits

// Adds up the bits of vectors as 32-bit words, modulo 2^32: the order does not matter, and no single bit
// can flip without changing the sum.
struct BitSum {
  vu sum = {};

  template <typename V> INLINE void add(V v) {
    static_assert(sizeof(V) == sizeof(vu));
    sum += (vu)v;
  }
  uint32_t total() const {
    uint32_t words[lanes<uint32_t>], total = 0;
    memcpy(words, &sum, sizeof words);
    for (uint32_t word : words) total += word;
    return total;
  }
};

// ---------------------------------------------------------------- shuffles

// The lanes of two vectors in turn, a0 b0 a1 b1 ...: the first half of them, and the second.
template <typename N, N... i> struct Indices {};
template <size_t n> using IndicesUpTo = __make_integer_seq<Indices, size_t, n>;
template <size_t start, typename V, size_t... i>
INLINE V interleaved(V a, V b, Indices<size_t, i...>) {
  return __builtin_shufflevector(a, b, (start + i / 2 + i % 2 * sizeof...(i))...);
}
template <typename N, size_t n>
INLINE VectorOf<N, n> interleaved_low(VectorOf<N, n> a, VectorOf<N, n> b) {
  return interleaved<0>(a, b, IndicesUpTo<n>());
}
template <typename N, size_t n>
INLINE VectorOf<N, n> interleaved_high(VectorOf<N, n> a, VectorOf<N, n> b) {
  return interleaved<n / 2>(a, b, IndicesUpTo<n>());
}

// Prefetches what a loop over a long array will read soon. Processors do so themselves, but not across
// pages, and shared memory mostly has small pages.
INLINE void prefetch(const void *p) { __builtin_prefetch((const char *)p + 2048); }

// ---------------------------------------------------------------- loops

// Calls body(i, count) for i = begin, begin + n, ... below end. `count`, the number of elements to
// process, is n, a constant after inlining, except at the tail.
template <size_t n, typename F> INLINE void for_vectors(size_t begin, size_t end, F body) {
  size_t i = begin;
  for (; i + n <= end; i += n) {
    [[clang::always_inline]] body(i, n);
  }
  if (i < end) {
    [[clang::always_inline]] body(i, end - i);
  }
}

// Loops over more elements than this use several threads.
enum { GRAIN_MEMORY = 32768, GRAIN_MATHEMATICS = 4096 };

// Runs a closure on a thread of the pool, on a copy, so that what it captured stays in registers:
// closures capture by value.
template <typename F> void run_range(const void *closure, size_t begin, size_t end) {
  const F body = *(const F *)closure;
  [[clang::always_inline]] body(begin, end);
}

// Calls body(begin, end) for ranges that make up 0..<count, on several threads if there are
// `operations` above grain. Only for work whose results do not depend on where it is cut.
template <typename F>
INLINE void parallel_for(size_t count, size_t operations, size_t grain, size_t chunk, F body) {
  if (operations <= grain || ck_threads() == 1) {
    [[clang::always_inline]] body(0, count);
  } else {
    const F shared = body;  // a copy, so that `body` has no address and its captures stay in registers
    ck_parallel_range(run_range<F>, &shared, count, chunk);
  }
}

// For elements: several threads if there are more than `grain`.
template <typename F> INLINE void parallel_for(size_t count, size_t grain, F body) {
  parallel_for(count, count, grain, grain / 2 + 1, body);
}

// For rows of `cols` elements.
template <typename F>
INLINE void parallel_for_rows(size_t rows, size_t cols, size_t grain, F body) {
  parallel_for(rows, rows * cols, grain, grain / 2 / (cols + 1) + 1, body);
}

// y[i] = f(x[i])
template <typename T, typename F> INLINE void map(T *y, const T *x, size_t n, size_t grain, F f) {
  parallel_for(n, grain, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      const Vector<T> v = f(load(x + i, count));
      store(y + i, v, count);
    });
  });
}

// y[i] = f(a[i], b[i])
template <typename T, typename F>
INLINE void map(T *y, const T *a, const T *b, size_t n, size_t grain, F f) {
  parallel_for(n, grain, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      const Vector<T> v = f(load(a + i, count), load(b + i, count));
      store(y + i, v, count);
    });
  });
}
