// Packs operands of products into panels of words: to[k][width], see tile.hpp.
#pragma once

// ---------------------------------------------------------------- shuffles of registers

// Transposes a square of n registers with n lanes: log2(n) times, the first half is interleaved with the
// second.
template <typename E, size_t n> INLINE void transpose(VectorOf<E, n> (&square)[n]) {
  for (size_t done = 1; done < n; done *= 2) {
    VectorOf<E, n> next[n];
    for (size_t i = 0; i < n / 2; i++) {
      next[2 * i] = interleaved_low(square[i], square[i + n / 2]);
      next[2 * i + 1] = interleaved_high(square[i], square[i + n / 2]);
    }
    for (size_t i = 0; i < n; i++) square[i] = next[i];
  }
}

// ---------------------------------------------------------------- loads and stores of words

// The first `count` elements from p on as words, the others 0.
template <typename T> INLINE Words<T> load_elements(const T *p, size_t count) {
  Words<T> v = 0;
  if (count >= lanes<T> * word_elements<T>) {
    memcpy(&v, p, sizeof v);
  } else {
    load_some<sizeof(T)>(v, p, count * sizeof(T));
  }
  return v;
}
template <typename T> INLINE void store_words(Word<T> *p, Words<T> v) { memcpy(p, &v, sizeof v); }

// ---------------------------------------------------------------- panels

// Words whose elements are neighbours along k: put(k, v) receives in v the words k of `lines` lines that
// are `step` elements apart (at most a vector of them; the others are 0), for every k.
template <typename T, typename F>
INLINE void for_transposed_words(const T *from, ptrdiff_t step, size_t lines, size_t elements, F put) {
  constexpr size_t N = lanes<T>;
  for (size_t k = 0; k < words<T>(elements); k += N) {
    const size_t left = elements - k * word_elements<T>;
    Words<T> square[N];
    for (size_t l = 0; l < N; l++) {
      square[l] = l < lines ? load_elements(from + (ptrdiff_t)l * step + k * word_elements<T>, left)
                            : (Words<T>)0;
    }
    transpose<Word<T>, N>(square);
    for (size_t i = 0; i < N && k + i < words<T>(elements); i++) put(k + i, square[i]);
  }
}

// The words of two lines of elements, word i being the elements i of both: `count` of them, then zeros.
// One line for types whose word is one element. `second` may be NULL, for zeros.
template <typename T> INLINE Words<T> zip_lines(const T *first, const T *second, size_t count) {
  if constexpr (word_elements<T> == 1) {
    return load_elements(first, count);
  } else {
    const auto read = [=](const T *p) {
      VectorOf<uint16_t, lanes<T>> v = 0;
      if (count >= lanes<T>) {
        memcpy(&v, p, sizeof v);
      } else {
        copy_some<2>(&v, p, count * 2);
      }
      return __builtin_convertvector(v, Words<T>);
    };
    return second ? read(first) | read(second) << 16 : read(first);
  }
}

// The words of two lines of numbers, rounded to the element type. Types whose word is one element have
// one line.
template <typename T> INLINE Words<T> zip_numbers(Vector<T> first, Vector<T> second) {
  if constexpr (word_elements<T> == 1) {
    return first;
  } else {
    const auto rounded = [](vf v) {
      return __builtin_convertvector(Element<bfloat16>::to_stored<lanes<T>>(v), Words<T>);
    };
    return rounded(first) | rounded(second) << 16;
  }
}
