// Random numbers from Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"):
// ten rounds of multiplication turn a counter of four words, under a key of two, into four random
// words.
#pragma once

// The vectors of counters that are processed side by side, because every step waits for the one
// before; the numbers that one side and all of them yield.
enum { SIDES = 2, SIDE = 4 * lanes<float>, GROUP = SIDES * SIDE };

struct PhiloxWords {
  vu word[SIDES][4];
};

// The low and high halves of x * multiplier, in lanes of 64 bits.
INLINE void multiply_wide(vu x, uint32_t multiplier, vu &low, vu &high) {
  const vul even = ((vul)x & 0xffffffff) * (uint64_t)multiplier;
  const vul odd = ((vul)x >> 32) * (uint64_t)multiplier;
  low = (vu)((even & 0xffffffff) | (odd << 32));
  high = (vu)((even >> 32) | (odd & 0xffffffff00000000));
}

template <int sides> INLINE PhiloxWords philox(PhiloxWords counter, uint64_t key) {
  uint32_t key_0 = (uint32_t)key, key_1 = (uint32_t)(key >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; round++) {
#pragma clang loop unroll(full)
    for (int side = 0; side < sides; side++) {
      vu *c = counter.word[side];
      vu low_0, high_0, low_2, high_2;
      multiply_wide(c[0], 0xd2511f53, low_0, high_0);
      multiply_wide(c[2], 0xcd9e8d57, low_2, high_2);
      c[0] = high_2 ^ (c[1] ^ key_0);
      c[1] = low_2;
      c[2] = high_0 ^ (c[3] ^ key_1);
      c[3] = low_0;
    }
    key_0 += 0x9e3779b9;
    key_1 += 0xbb67ae85;
  }
  return counter;
}

// The blocks first, first + 1, ... of one side.
INLINE vu block_numbers(uint32_t first, int side) {
  vu numbers;
  for (uint32_t l = 0; l < lanes<float>; l++) numbers[l] = l;
  return numbers + (first + (uint32_t)side * (uint32_t)lanes<float>);
}

// to[4 * lane + k] = word k of the lane
template <typename N> INLINE void store_in_order(N *to, const Vector<N> word[4]) {
  const auto even_low = interleaved_low(word[0], word[2]);
  const auto even_high = interleaved_high(word[0], word[2]);
  const auto odd_low = interleaved_low(word[1], word[3]);
  const auto odd_high = interleaved_high(word[1], word[3]);
  store(to, interleaved_low(even_low, odd_low));
  store(to + lanes<N>, interleaved_high(even_low, odd_low));
  store(to + 2 * lanes<N>, interleaved_low(even_high, odd_high));
  store(to + 3 * lanes<N>, interleaved_high(even_high, odd_high));
}

// ---------------------------------------------------------------- uniform and normal numbers

// Elements of a stream: the number of the first, and the keys.
struct Stream {
  uint64_t seed, stream, first;
};

// The words of blocks first, first + 1, ... of a stream: the counter is (block, stream).
INLINE PhiloxWords stream_words(Stream s, uint64_t first) {
  PhiloxWords counter;
  for (int side = 0; side < SIDES; side++) {
    const vu low = block_numbers((uint32_t)first, side);
    const vu carry = (vu)(low < (uint32_t)first) & 1;
    counter.word[side][0] = low;
    counter.word[side][1] = carry + (uint32_t)(first >> 32);
    counter.word[side][2] = (uint32_t)s.stream;
    counter.word[side][3] = (uint32_t)(s.stream >> 32);
  }
  return philox<SIDES>(counter, s.seed);
}

// 24 bits as a number in [0, 1).
INLINE vf unit_interval(vu word) {
  return __builtin_convertvector((vi)(word >> 8), vf) * 0x1p-24f;
}

// The GROUP uniform numbers from a block on.
INLINE void uniform_group(float *y, Stream s, uint64_t block) {
  const PhiloxWords words = stream_words(s, block);
  for (int side = 0; side < SIDES; side++) {
    vf u[4];
    for (int k = 0; k < 4; k++) u[k] = unit_interval(words.word[side][k]);
    store_in_order(y + side * SIDE, u);
  }
}

// 53 bits as numbers in [0, 1): the 24 bits of the float32 number, and 29 of a second generator, whose
// key is another one.
INLINE void uniform_group(double *y, Stream s, uint64_t block) {
  const PhiloxWords high = stream_words(s, block);
  const PhiloxWords low = stream_words({s.seed ^ 0x9e3779b97f4a7c15, s.stream, s.first}, block);
  for (int side = 0; side < SIDES; side++) {
    for (int k = 0; k < 4; k++) {
      for (size_t l = 0; l < lanes<float>; l++) {
        const uint64_t bits = (uint64_t)(high.word[side][k][l] >> 8) << 29 | low.word[side][k][l] >> 3;
        y[side * SIDE + 4 * l + (size_t)k] = (double)bits * 0x1p-53;
      }
    }
  }
}

// Box-Muller: words 0 and 1 make elements 0 and 1, words 2 and 3 the other two.
INLINE void normal_group(float *y, Stream s, uint64_t block) {
  const PhiloxWords words = stream_words(s, block);
  for (int side = 0; side < SIDES; side++) {
    vf z[4];
    for (int k = 0; k < 4; k += 2) {
      const vf u = unit_interval(words.word[side][k]) + 0x1p-24f;  // in (0, 1]
      const vf radius = __builtin_elementwise_sqrt(-2.0f * log(u));
      // 2 pi v is quadrant * pi/2 plus at most pi/4, split exactly before the product with pi/2.
      const vf v = unit_interval(words.word[side][k + 1]) * 4.0f;
      const vf quarters = __builtin_elementwise_roundeven(v);
      const vi quadrant = __builtin_convertvector(quarters, vi);
      const vf angle = (v - quarters) * 1.57079632679489662f;
      z[k] = radius * sin_in_quadrant(angle, quadrant + 1);
      z[k + 1] = radius * sin_in_quadrant(angle, quadrant);
    }
    store_in_order(y + side * SIDE, z);
  }
}

// y[i] = offset + scale * value, at most `limit`, where group(values, stream, block) makes the values.
template <typename V, typename T, typename F>
INLINE void scaled_numbers(T *y, size_t n, Stream s, Number<T> offset, Number<T> scale,
                           Number<T> limit, F group) {
  parallel_for(n, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t done = begin; done < end;) {
      const uint64_t element = s.first + done;
      V values[GROUP];
      [[clang::always_inline]] group(values, s, element / 4);
      const size_t skipped = element % 4, made = smaller(end - done, GROUP - skipped);
      const V *value = values + skipped;
      T *to = y + done;
      for_vectors<lanes<T>>(0, made, [&](size_t i, size_t count) {
        const auto v = __builtin_convertvector((load<V, lanes<T>>(value + i, count)), Vector<T>);
        const Vector<T> scaled = offset + scale * v;
        store(to + i, scaled < limit ? scaled : limit, count);
      });
      done += made;
    }
  });
}

template <typename T>
void uniform(T *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, double low,
             double high) {
  typedef Number<T> N;
  scaled_numbers<N>(y, n, {seed, stream, first}, N(low), N(high) - N(low),
                    next_after(N(high), N(low)),
                    [](N *values, Stream s, uint64_t block) { uniform_group(values, s, block); });
}
KERNEL(uniform, float, double)

template <typename T>
void normal(T *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first, double mean,
            double std) {
  scaled_numbers<float>(
      y, n, {seed, stream, first}, Number<T>(mean), Number<T>(std), infinity<Number<T>>,
      [](float *values, Stream s, uint64_t block) { normal_group(values, s, block); });
}
// From the same uniform numbers, with the C library's functions.
template <>
void normal<double>(double *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first,
                    double mean, double std) {
  const Stream s = {seed, stream, first};
  parallel_for(n, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t i = begin; i < end;) {
      const uint64_t element = s.first + i;
      double u[GROUP];
      uniform_group(u, s, element / 4);
      for (size_t k = element % 4; k < GROUP && i < end; k++, i++) {
        const double radius = sqrt(-2 * log(u[k & ~(size_t)1] + 0x1p-53));
        const double angle = 2 * 3.14159265358979323846 * u[k | 1];
        const double z = radius * (k % 2 == 0 ? __builtin_cos(angle) : __builtin_sin(angle));
        y[i] = mean + std * z;
      }
    }
  });
}
KERNEL(normal, float, double)

// ---------------------------------------------------------------- dropout

// All ones for the columns from `column` on that are kept, as many as the sides yield. The counter
// is (column / 4, stream, sample), and u < p is decided on integers of 24 bits.
template <int sides>
INLINE void choose_kept(int32_t *kept, uint64_t seed, uint32_t stream, uint64_t sample,
                        size_t column, int32_t threshold) {
  PhiloxWords counter;
  for (int side = 0; side < sides; side++) {
    counter.word[side][0] = block_numbers((uint32_t)(column / 4), side);
    counter.word[side][1] = stream;
    counter.word[side][2] = (uint32_t)sample;
    counter.word[side][3] = (uint32_t)(sample >> 32);
  }
  const PhiloxWords words = philox<sides>(counter, seed);
  for (int side = 0; side < sides; side++) {
    vi masks[4];
    for (int k = 0; k < 4; k++) masks[k] = (vi)(words.word[side][k] >> 8) >= threshold;
    store_in_order(kept + side * SIDE, masks);
  }
}

template <typename T>
void dropout(T *y, const T *x, size_t rows, size_t cols, double p, uint64_t seed, uint32_t stream,
             uint64_t first_sample) {
  typedef Number<T> N;
  const int32_t threshold = (int32_t)__builtin_ceil(N(p) * 0x1p24);
  const N scale = N(1) / (N(1) - N(p));
  parallel_for_rows(rows, cols, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const uint64_t sample = first_sample + r;
      for (size_t first = 0; first < cols; first += GROUP) {
        const size_t left = cols - first;
        const T *from = x + r * cols + first;
        T *to = y + r * cols + first;
        int32_t kept[GROUP];
        if (left <= SIDE) {
          choose_kept<1>(kept, seed, stream, sample, first, threshold);
        } else {
          choose_kept<SIDES>(kept, seed, stream, sample, first, threshold);
        }
        for_vectors<lanes<T>>(0, left < GROUP ? left : GROUP, [&](size_t i, size_t count) {
          const auto mask = load<int32_t, lanes<T>>(kept + i);
          const auto is_kept =
              __builtin_convertvector(mask, VectorOf<Bits<N>, lanes<T>>) != 0;
          const Vector<T> factor = is_kept ? (Vector<T>)scale : (Vector<T>)0;
          store(to + i, load(from + i, count) * factor, count);
        });
      }
    }
  });
}
KERNEL(dropout, float, double, bfloat16)
