// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3"): ten rounds of
// multiplication turn a counter of four words, under a key of two, into four random words.

// Two vectors of counters go side by side, since every step waits for the one before.
enum { SIDES = 2 };
struct philox_words {
  vu word[SIDES][4];
};

// The low and high halves of x * multiplier, by way of 64-bit lanes.
INLINE void multiply_wide(vu x, uint32_t multiplier, vu *low, vu *high) {
  const vul even = ((vul)x & 0xffffffff) * (uint64_t)multiplier;
  const vul odd = ((vul)x >> 32) * (uint64_t)multiplier;
  *low = (vu)((even & 0xffffffff) | (odd << 32));
  *high = (vu)((even >> 32) | (odd & 0xffffffff00000000));
}

INLINE struct philox_words philox(struct philox_words counter, uint64_t key, int sides) {
  uint32_t key_0 = (uint32_t)key, key_1 = (uint32_t)(key >> 32);
#pragma clang loop unroll(full)
  for (int round = 0; round < 10; round++) {
#pragma clang loop unroll(full)
    for (int side = 0; side < sides; side++) {
      vu *c = counter.word[side];
      vu low_0, high_0, low_2, high_2;
      multiply_wide(c[0], 0xd2511f53, &low_0, &high_0);
      multiply_wide(c[2], 0xcd9e8d57, &low_2, &high_2);
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
  for (uint32_t l = 0; l < F32_LANES; l++) numbers[l] = l;
  return numbers + (first + (uint32_t)side * F32_LANES);
}

// Interleaves the lanes of a and b: a0 b0 a1 b1 ...
#if VECTOR_BYTES == 64
#define INTERLEAVED_LOW(a, b) \
  __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define INTERLEAVED_HIGH(a, b) \
  __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
#elif VECTOR_BYTES == 32
#define INTERLEAVED_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define INTERLEAVED_HIGH(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#else
#define INTERLEAVED_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVED_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

// The numbers that are made at once: blocks of four, as many as a vector has lanes, on each side.
enum { SIDE = 4 * F32_LANES, GROUP = SIDES * SIDE };

// to[4 * lane + k] = word k of the lane
#define STORE_IN_ORDER(V, to, w)                                        \
  do {                                                                  \
    const V even_low = INTERLEAVED_LOW((w)[0], (w)[2]);                 \
    const V even_high = INTERLEAVED_HIGH((w)[0], (w)[2]);               \
    const V odd_low = INTERLEAVED_LOW((w)[1], (w)[3]);                  \
    const V odd_high = INTERLEAVED_HIGH((w)[1], (w)[3]);                \
    STORE(to, INTERLEAVED_LOW(even_low, odd_low));                      \
    STORE((to) + F32_LANES, INTERLEAVED_HIGH(even_low, odd_low));       \
    STORE((to) + 2 * F32_LANES, INTERLEAVED_LOW(even_high, odd_high));  \
    STORE((to) + 3 * F32_LANES, INTERLEAVED_HIGH(even_high, odd_high)); \
  } while (0)

// The words of blocks first, first + 1, ... of a stream: the counter is (block, stream).
INLINE struct philox_words stream_words(uint64_t seed, uint64_t stream, uint64_t first) {
  struct philox_words counter;
  for (int side = 0; side < SIDES; side++) {
    const vu low = block_numbers((uint32_t)first, side);
    const vu carry = (vu)(low < (uint32_t)first) & 1;
    counter.word[side][0] = low;
    counter.word[side][1] = carry + (uint32_t)(first >> 32);
    counter.word[side][2] = (uint32_t)stream;
    counter.word[side][3] = (uint32_t)(stream >> 32);
  }
  return philox(counter, seed, SIDES);
}

// 24 bits as a number in [0, 1).
INLINE vf unit_interval(vu word) {
  return __builtin_convertvector((vi)(word >> 8), vf) * 0x1p-24f;
}

struct random_job {
  void *y;
  uint64_t seed, stream, first;
  double offset, scale, end;
};

// The values of one group, which begins at `block`, in y[0..<GROUP].
INLINE void uniform_group(float *y, uint64_t seed, uint64_t stream, uint64_t block) {
  const struct philox_words words = stream_words(seed, stream, block);
  for (int side = 0; side < SIDES; side++) {
    vf u[4];
    for (int k = 0; k < 4; k++) u[k] = unit_interval(words.word[side][k]);
    STORE_IN_ORDER(vf, y + side * SIDE, u);
  }
}

// Box-Muller: words 0 and 1 make elements 0 and 1, words 2 and 3 the other two.
INLINE void normal_group(float *y, uint64_t seed, uint64_t stream, uint64_t block) {
  const struct philox_words words = stream_words(seed, stream, block);
  for (int side = 0; side < SIDES; side++) {
    vf z[4];
    for (int k = 0; k < 4; k += 2) {
      const vf u = unit_interval(words.word[side][k]) + 0x1p-24f;  // in (0, 1]
      const vf radius = __builtin_elementwise_sqrt(-2.0f * log_vf(u));
      // 2 pi v is quadrant * pi/2 plus at most pi/4, split exactly before the product with pi/2.
      const vf v = unit_interval(words.word[side][k + 1]) * 4.0f;
      const vf quarters = __builtin_elementwise_roundeven(v);
      const vi quadrant = __builtin_convertvector(quarters, vi);
      const vf angle = (v - quarters) * 1.57079632679489662f;
      z[k] = radius * sin_in_quadrant(angle, quadrant + 1);
      z[k + 1] = radius * sin_in_quadrant(angle, quadrant);
    }
    STORE_IN_ORDER(vf, y + side * SIDE, z);
  }
}

// y[i] = offset + scale * value, kept below `end`.
#define DEFINE_RANDOM(name, T, V, NV, group)                                                    \
  static void name##_range(const void *context, size_t begin, size_t end) {                     \
    const struct random_job *job = context;                                                     \
    const V offset = (T)job->offset, scale = (T)job->scale, limit = (T)job->end;                \
    uint64_t element = job->first + begin;                                                      \
    for (T *y = (T *)job->y + begin, *last = (T *)job->y + end; y < last;) {                    \
      float values[GROUP];                                                                      \
      group(values, job->seed, job->stream, element / 4);                                       \
      const size_t skipped = element % 4, left = (size_t)(last - y);                            \
      const size_t made = left < GROUP - skipped ? left : GROUP - skipped;                      \
      const float *value = values + skipped;                                                    \
      FOR_VECTORS(LANES(V, y), 0, made, {                                                       \
        const NV narrow = GET(NV, value);                                                       \
        const V v = offset + scale * __builtin_convertvector(narrow, V);                        \
        PUT(y, v < limit ? v : limit);                                                          \
      });                                                                                       \
      y += made;                                                                                \
      element += made;                                                                          \
    }                                                                                           \
  }
DEFINE_RANDOM(uniform_f32, float, vf, vf, uniform_group)
DEFINE_RANDOM(uniform_f64, double, vd, half_vf, uniform_group)
DEFINE_RANDOM(normal_f32, float, vf, vf, normal_group)

static void uniform_f32(float *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first,
                        float low, float high) {
  const struct random_job job = {y, seed, stream, first, low, high - low, nextafterf(high, low)};
  for_range(uniform_f32_range, &job, n, GRAIN_MATHEMATICS);
}
static void uniform_f64(double *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first,
                        double low, double high) {
  const struct random_job job = {y, seed, stream, first, low, high - low, nextafter(high, low)};
  for_range(uniform_f64_range, &job, n, GRAIN_MATHEMATICS);
}
static void normal_f32(float *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first,
                       float mean, float deviation) {
  const struct random_job job = {y, seed, stream, first, mean, deviation, INFINITY};
  for_range(normal_f32_range, &job, n, GRAIN_MATHEMATICS);
}

// The same uniform numbers as in float, through the C library's functions.
static void normal_f64_range(const void *context, size_t begin, size_t end) {
  const struct random_job *job = context;
  for (size_t i = begin; i < end;) {
    const uint64_t element = job->first + i;
    float u[GROUP];
    uniform_group(u, job->seed, job->stream, element / 4);
    for (size_t k = element % 4; k < GROUP && i < end; k++, i++) {
      const double radius = sqrt(-2 * log((double)u[k & ~(size_t)1] + 0x1p-24));
      const double angle = 2 * 3.14159265358979323846 * (double)u[k | 1];
      const double z = radius * (k % 2 == 0 ? cos(angle) : sin(angle));
      ((double *)job->y)[i] = job->offset + job->scale * z;
    }
  }
}
static void normal_f64(double *y, size_t n, uint64_t seed, uint64_t stream, uint64_t first,
                       double mean, double deviation) {
  const struct random_job job = {y, seed, stream, first, mean, deviation, INFINITY};
  for_range(normal_f64_range, &job, n, GRAIN_MATHEMATICS);
}

// ---------------------------------------------------------------- dropout

struct dropout_job {
  void *y;
  const void *x;
  size_t cols;
  uint64_t seed;
  uint32_t stream;
  const uint64_t *samples;
  uint64_t first_sample;
  double p;
};

// All ones for the columns from `column` on that are kept, SIDE or GROUP of them. The counter is
// (column / 4, stream, sample), and u < p is decided on the integers of 24 bits.
INLINE void choose_kept(int32_t *kept, const struct dropout_job *job, uint64_t sample,
                        size_t column, int32_t threshold, int sides) {
  struct philox_words counter;
  for (int side = 0; side < sides; side++) {
    counter.word[side][0] = block_numbers((uint32_t)(column / 4), side);
    counter.word[side][1] = job->stream;
    counter.word[side][2] = (uint32_t)sample;
    counter.word[side][3] = (uint32_t)(sample >> 32);
  }
  const struct philox_words words = philox(counter, job->seed, sides);
  for (int side = 0; side < sides; side++) {
    vi masks[4];
    for (int k = 0; k < 4; k++) masks[k] = (vi)(words.word[side][k] >> 8) >= threshold;
    STORE_IN_ORDER(vi, kept + side * SIDE, masks);
  }
}

#define DEFINE_DROPOUT(name, T, V, IV)                                                           \
  static void name##_rows(const void *context, size_t begin, size_t end) {                       \
    const struct dropout_job job = *(const struct dropout_job *)context;                         \
    const int32_t threshold = (int32_t)ceil(job.p * 0x1p24);                                     \
    const V scale = (T)1 / ((T)1 - (T)job.p);                                                    \
    for (size_t r = begin; r < end; r++) {                                                       \
      const T *x = (const T *)job.x + r * job.cols;                                              \
      T *y = (T *)job.y + r * job.cols;                                                          \
      const uint64_t sample = job.samples ? job.samples[r] : job.first_sample + r;               \
      for (size_t first = 0; first < job.cols; first += GROUP) {                                 \
        const size_t left = job.cols - first;                                                    \
        int32_t kept[GROUP];                                                                     \
        if (left <= SIDE) {                                                                      \
          choose_kept(kept, &job, sample, first, threshold, 1);                                  \
        } else {                                                                                 \
          choose_kept(kept, &job, sample, first, threshold, SIDES);                              \
        }                                                                                        \
        const T *from = x + first;                                                               \
        T *to = y + first;                                                                       \
        FOR_VECTORS(LANES(V, x), 0, left < GROUP ? left : GROUP, {                               \
          const IV mask = LOAD(IV, kept + i);                                                    \
          const V factor = __builtin_convertvector(mask, __typeof__(from[0] < (V)0)) != 0        \
                               ? scale                                                           \
                               : (V)0;                                                           \
          PUT(to, GET(V, from) * factor);                                                        \
        });                                                                                      \
      }                                                                                          \
    }                                                                                            \
  }                                                                                              \
  static void name(T *y, const T *x, size_t rows, size_t cols, T p, uint64_t seed,               \
                   uint32_t stream, const uint64_t *samples, uint64_t first_sample) {            \
    const struct dropout_job job = {y, x, cols, seed, stream, samples, first_sample, p};         \
    for_rows(name##_rows, &job, rows, cols, GRAIN_MATHEMATICS);                                  \
  }
DEFINE_DROPOUT(dropout_f32, float, vf, vi)
DEFINE_DROPOUT(dropout_f64, double, vd, half_vi)
