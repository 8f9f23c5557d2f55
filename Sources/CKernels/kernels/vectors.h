// Vector types of VECTOR_BYTES, and the loop that all kernels over arrays are made of.

#define INLINE static inline __attribute__((always_inline))
#define VECTOR(T, lanes) T __attribute__((ext_vector_type(lanes)))

// A full vector of each element type, and the vectors of 4-byte elements as many as a vd has.
typedef VECTOR(float, VECTOR_BYTES / 4) vf;
typedef VECTOR(int32_t, VECTOR_BYTES / 4) vi;
typedef VECTOR(uint32_t, VECTOR_BYTES / 4) vu;
typedef VECTOR(double, VECTOR_BYTES / 8) vd;
typedef VECTOR(int64_t, VECTOR_BYTES / 8) vl;
typedef VECTOR(uint64_t, VECTOR_BYTES / 8) vul;
typedef VECTOR(float, VECTOR_BYTES / 8) half_vf;
typedef VECTOR(int32_t, VECTOR_BYTES / 8) half_vi;
enum { F32_LANES = VECTOR_BYTES / 4, F64_LANES = VECTOR_BYTES / 8 };

#define LANES(V, p) (sizeof(V) / sizeof *(p))

// Work above these numbers of elements goes to several threads.
enum { GRAIN_MEMORY = 32768, GRAIN_MATHEMATICS = 4096 };

// Copies fewer than 64 bytes, a multiple of 4, in pieces of fixed size: no call, no loop.
INLINE void copy_some(void *to, const void *from, size_t bytes) {
  char *t = to;
  const char *f = from;
#define PIECE(size)        \
  if (bytes & size) {      \
    memcpy(t, f, size);    \
    t += size, f += size;  \
  }
  if (VECTOR_BYTES > 32) PIECE(32)
  if (VECTOR_BYTES > 16) PIECE(16)
  PIECE(8)
  PIECE(4)
#undef PIECE
}

// Copies the first `bytes` of a vector of `size` bytes, which is known when this is compiled.
INLINE void store_some(void *to, const void *vector, size_t size, size_t bytes) {
  if (bytes == size) {
    memcpy(to, vector, size);
  } else {
    copy_some(to, vector, bytes);
  }
}

// Replaces the first `bytes` of a vector. Masked loads, as a vector written in pieces could not be
// read back at once.
INLINE void load_some(void *vector, const void *from, size_t size, size_t bytes) {
#if VECTOR_BYTES >= 32
#if VECTOR_BYTES == 64
#define LOAD_MASKED(V, bits)                                                              \
  V old;                                                                                  \
  memcpy(&old, vector, sizeof old);                                                       \
  old = _mm##bits##_mask_loadu_epi32(old, (uint16_t)((1u << bytes / 4) - 1), from);       \
  memcpy(vector, &old, sizeof old)
#else
  static const int32_t first_lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
#define LOAD_MASKED(V, bits)                                                              \
  V old, mask;                                                                            \
  memcpy(&old, vector, sizeof old);                                                       \
  memcpy(&mask, first_lanes + 8 - bytes / 4, sizeof mask);                                \
  old = _mm##bits##_blendv_epi8(                                                          \
      old, _mm##bits##_maskload_epi32((const int *)from, mask), mask);                    \
  memcpy(vector, &old, sizeof old)
#endif
  if (bytes == size) {
    memcpy(vector, from, size);
#if VECTOR_BYTES == 64
  } else if (size == 64) {
    LOAD_MASKED(__m512i, 512);
#endif
  } else if (size == 32) {
    LOAD_MASKED(__m256i, 256);
  } else if (size == 16) {
    LOAD_MASKED(__m128i, );
  } else {
    copy_some(vector, from, bytes);
  }
#undef LOAD_MASKED
#else
  store_some(vector, from, size, bytes);
#endif
}

// The first `count` lanes from p, the others `filler`; and back.
#define LOAD_SOME(V, p, count, filler)                           \
  ({                                                             \
    V loaded_ = (filler);                                        \
    load_some(&loaded_, p, sizeof(V), (count) * sizeof *(p));    \
    loaded_;                                                     \
  })
#define STORE_SOME(p, count, value)                                      \
  ({                                                                     \
    const __auto_type stored_ = (value);                                 \
    store_some(p, &stored_, sizeof stored_, (count) * sizeof *(p));      \
  })
#define LOAD(V, p)                        \
  ({                                      \
    V loaded_;                            \
    memcpy(&loaded_, p, sizeof loaded_);  \
    loaded_;                              \
  })
#define STORE(p, value)                   \
  ({                                      \
    const __auto_type stored_ = (value);  \
    memcpy(p, &stored_, sizeof stored_);  \
  })

// Asks for what a loop over long arrays will read soon. Processors do so themselves, but stop where a
// page ends, and memory that processes share mostly comes in small pages.
#define FETCH_AHEAD(p) __builtin_prefetch((const char *)(p) + 2048)

// Does the body for i = begin, begin + lanes, ... below end. `count` is the number of lanes in use:
// a constant but for the last time. GET and PUT are for use in the body.
#define FOR_VECTORS(lanes, begin, end, ...)        \
  do {                                             \
    size_t i = (begin);                            \
    for (; i + (lanes) <= (end); i += (lanes)) {   \
      const size_t count = (lanes);                \
      __VA_ARGS__                                  \
    }                                              \
    if (i < (end)) {                               \
      const size_t count = (end) - i;              \
      __VA_ARGS__                                  \
    }                                              \
  } while (0)
#define GET(V, p) LOAD_SOME(V, (p) + i, count, 0)
#define PUT(p, value) STORE_SOME((p) + i, count, value)

// Does body(job, 0, count), in several threads when count is more than grain.
INLINE void for_range(ck_range_body *body, const void *job, size_t count, size_t grain) {
  if (count <= grain || ck_threads() == 1) {
    body(job, 0, count);
  } else {
    ck_parallel_range(body, job, count, grain / 2 + 1);
  }
}

// The same for rows of `cols` elements.
INLINE void for_rows(ck_range_body *body, const void *job, size_t rows, size_t cols,
                     size_t grain) {
  if (rows * cols <= grain || ck_threads() == 1) {
    body(job, 0, rows);
  } else {
    ck_parallel_range(body, job, rows, grain / 2 / (cols + 1) + 1);
  }
}
