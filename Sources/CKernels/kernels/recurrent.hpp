// One step of recurrent layers, after the products with the weights. Rows are samples. A row whose sequence
// has ended (time >= lengths[r]) keeps its state.
#pragma once

INLINE bool has_ended(const int32_t *lengths, size_t row, size_t time) {
  return lengths && (ptrdiff_t)time >= lengths[row];
}

// ---------------------------------------------------------------- plain

template <typename T>
void rnn_step(T *h, const T *x, const T *s, const T *h_before, const int32_t *lengths, size_t time,
              size_t rows, size_t units, bool relu) {
  parallel_for_rows(rows, units, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t at = r * units;
      const bool ended = has_ended(lengths, r, time);
      for_vectors<lanes<T>>(0, units, [&](size_t i, size_t count) {
        if (ended) return store(h + at + i, load(h_before + at + i, count), count);
        const Vector<T> v = load(x + at + i, count) + load(s + at + i, count);
        store(h + at + i, relu ? (v <= 0 ? (Vector<T>)0 : v) : tanh(v), count);
      });
    }
  });
}
KERNEL(rnn_step, float, double)

template <typename T>
void rnn_step_backward(T *dx, T *dh, const T *dy, const T *h, const int32_t *lengths, size_t time,
                       size_t rows, size_t units, bool relu) {
  parallel_for_rows(rows, units, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t at = r * units;
      const bool ended = has_ended(lengths, r, time);
      for_vectors<lanes<T>>(0, units, [&](size_t i, size_t count) {
        const Vector<T> g = load(dy + at + i, count) + load(dh + at + i, count);
        const Vector<T> y = load(h + at + i, count), zero = 0;
        store(dx + at + i, ended ? zero : relu ? (y > 0 ? g : zero) : g * (1 - y * y), count);
        store(dh + at + i, ended ? g : zero, count);
      });
    }
  });
}
KERNEL(rnn_step_backward, float, double)

// ---------------------------------------------------------------- long short-term memory

template <typename T>
void lstm_step(T *h, T *c, T *gates, const T *x, const T *s, const T *h_before, const T *c_before,
               const int32_t *lengths, size_t time, size_t rows, size_t units) {
  parallel_for_rows(rows, 5 * units, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t at = r * units, first = 4 * at;
      const bool ended = has_ended(lengths, r, time);
      for_vectors<lanes<T>>(0, units, [&](size_t i, size_t count) {
        if (ended) {
          store(h + at + i, load(h_before + at + i, count), count);
          store(c + at + i, load(c_before + at + i, count), count);
          return;
        }
        const auto gate = [&](size_t number) {
          const size_t place = first + number * units + i;
          return load(x + place, count) + load(s + place, count);
        };
        const Vector<T> input = sigmoid(gate(0)), forget = sigmoid(gate(1));
        const Vector<T> fresh = tanh(gate(2)), output = sigmoid(gate(3));
        const Vector<T> memory = forget * load(c_before + at + i, count) + input * fresh;
        store(gates + first + i, input, count);
        store(gates + first + units + i, forget, count);
        store(gates + first + 2 * units + i, fresh, count);
        store(gates + first + 3 * units + i, output, count);
        store(c + at + i, memory, count);
        store(h + at + i, output * tanh(memory), count);
      });
    }
  });
}
KERNEL(lstm_step, float, double)

template <typename T>
void lstm_step_backward(T *dx, T *dh, T *dc, const T *dy_h, const T *dy_c, const T *gates, const T *c,
                        const T *c_before, const int32_t *lengths, size_t time, size_t rows,
                        size_t units) {
  parallel_for_rows(rows, 5 * units, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t at = r * units, first = 4 * at;
      const bool ended = has_ended(lengths, r, time);
      for_vectors<lanes<T>>(0, units, [&](size_t i, size_t count) {
        const Vector<T> zero = 0;
        const Vector<T> g = load(dy_h + at + i, count) + load(dh + at + i, count);
        Vector<T> m = load(dy_c + at + i, count) + load(dc + at + i, count);
        if (ended) {
          for (size_t number = 0; number < 4; number++) {
            store(dx + first + number * units + i, zero, count);
          }
          store(dh + at + i, g, count);
          store(dc + at + i, m, count);
          return;
        }
        const Vector<T> input = load(gates + first + i, count);
        const Vector<T> forget = load(gates + first + units + i, count);
        const Vector<T> fresh = load(gates + first + 2 * units + i, count);
        const Vector<T> output = load(gates + first + 3 * units + i, count);
        const Vector<T> squashed = tanh(load(c + at + i, count));
        m += g * output * (1 - squashed * squashed);
        store(dx + first + i, m * fresh * input * (1 - input), count);
        store(dx + first + units + i,
              m * load(c_before + at + i, count) * forget * (1 - forget), count);
        store(dx + first + 2 * units + i, m * input * (1 - fresh * fresh), count);
        store(dx + first + 3 * units + i, g * squashed * output * (1 - output), count);
        store(dh + at + i, zero, count);
        store(dc + at + i, m * forget, count);
      });
    }
  });
}
KERNEL(lstm_step_backward, float, double)

// ---------------------------------------------------------------- gated recurrent unit

template <typename T>
void gru_step(T *h, T *gates, const T *x, const T *s, const T *h_before, const int32_t *lengths,
              size_t time, size_t rows, size_t units) {
  parallel_for_rows(rows, 4 * units, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t at = r * units;
      const T *from = x + 3 * at, *state = s + 3 * at;
      T *to = gates + 4 * at;
      const bool ended = has_ended(lengths, r, time);
      for_vectors<lanes<T>>(0, units, [&](size_t i, size_t count) {
        const Vector<T> before = load(h_before + at + i, count);
        if (ended) return store(h + at + i, before, count);
        const Vector<T> reset = sigmoid(load(from + i, count) + load(state + i, count));
        const Vector<T> update =
            sigmoid(load(from + units + i, count) + load(state + units + i, count));
        const Vector<T> inner = load(state + 2 * units + i, count);
        const Vector<T> fresh = tanh(load(from + 2 * units + i, count) + reset * inner);
        store(to + i, reset, count);
        store(to + units + i, update, count);
        store(to + 2 * units + i, fresh, count);
        store(to + 3 * units + i, inner, count);
        store(h + at + i, fresh + update * (before - fresh), count);
      });
    }
  });
}
KERNEL(gru_step, float, double)

template <typename T>
void gru_step_backward(T *dx, T *ds, T *dh, const T *dy, const T *gates, const T *h_before,
                       const int32_t *lengths, size_t time, size_t rows, size_t units) {
  parallel_for_rows(rows, 4 * units, GRAIN_MATHEMATICS, [=](size_t begin, size_t end) {
    for (size_t r = begin; r < end; r++) {
      const size_t at = r * units;
      const T *from = gates + 4 * at;
      T *to = dx + 3 * at, *state = ds + 3 * at;
      const bool ended = has_ended(lengths, r, time);
      for_vectors<lanes<T>>(0, units, [&](size_t i, size_t count) {
        const Vector<T> g = load(dy + at + i, count) + load(dh + at + i, count);
        if (ended) {
          const Vector<T> zero = 0;
          for (size_t number = 0; number < 3; number++) {
            store(to + number * units + i, zero, count);
            store(state + number * units + i, zero, count);
          }
          return store(dh + at + i, g, count);
        }
        const Vector<T> reset = load(from + i, count), update = load(from + units + i, count);
        const Vector<T> fresh = load(from + 2 * units + i, count);
        const Vector<T> inner = load(from + 3 * units + i, count);
        const Vector<T> d_fresh = g * (1 - update) * (1 - fresh * fresh);
        const Vector<T> d_reset = d_fresh * inner * reset * (1 - reset);
        const Vector<T> d_update =
            g * (load(h_before + at + i, count) - fresh) * update * (1 - update);
        store(to + i, d_reset, count);
        store(state + i, d_reset, count);
        store(to + units + i, d_update, count);
        store(state + units + i, d_update, count);
        store(to + 2 * units + i, d_fresh, count);
        store(state + 2 * units + i, d_fresh * reset, count);
        store(dh + at + i, g * update, count);
      });
    }
  });
}
KERNEL(gru_step_backward, float, double)
