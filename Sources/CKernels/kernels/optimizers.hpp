// Optimizer steps: one pass over the parameters.
#pragma once

// Sums of the weights' bits before and after a part of an update.
struct BitSums {
  BitSum before, after;

  void add_to(ck_bit_sums *totals) const {
    if (totals == NULL) return;
    __atomic_fetch_add(&totals->before, before.total(), __ATOMIC_RELAXED);
    __atomic_fetch_add(&totals->after, after.total(), __ATOMIC_RELAXED);
  }
};

template <bool has_momentum, bool nesterov, bool first, typename T>
INLINE void sgd_pass(T *w, T *velocity, const T *grad, size_t n, Number<T> learning_rate,
                     Number<T> momentum, Number<T> dampening, Number<T> weight_decay,
                     ck_bit_sums *bits) {
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    BitSums sums;
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      prefetch(w + i);
      if (has_momentum && !first) prefetch(velocity + i);
      const Vector<T> old = load(w + i, count);
      sums.before.add(old);
      const Vector<T> decay = weight_decay * old;
      Vector<T> g = load(grad + i, count) + decay;
      if (has_momentum) {
        const Vector<T> v =
            first ? g : momentum * load(velocity + i, count) + (1 - dampening) * g;
        store(velocity + i, v, count);
        g = nesterov ? g + momentum * v : v;
      }
      store(w + i, old - learning_rate * g, count);
      sums.after.add(load(w + i, count));
    });
    sums.add_to(bits);
  });
}

template <typename T>
void sgd(T *w, T *velocity, const T *grad, size_t n, double learning_rate, double momentum,
         double dampening, double weight_decay, bool nesterov, bool first, ck_bit_sums *bits) {
  typedef Number<T> N;
  const auto pass = [&]<bool has_momentum, bool nesterov, bool first>() {
    sgd_pass<has_momentum, nesterov, first>(w, velocity, grad, n, N(learning_rate), N(momentum),
                                            N(dampening), N(weight_decay), bits);
  };
  if (momentum == 0) {
    pass.template operator()<false, false, false>();
  } else if (nesterov) {
    first ? pass.template operator()<true, true, true>()
          : pass.template operator()<true, true, false>();
  } else {
    first ? pass.template operator()<true, false, true>()
          : pass.template operator()<true, false, false>();
  }
}
KERNEL(sgd, float, double)

template <typename T> void moving_average(T *average, const T *w, size_t n, double decay) {
  const Number<T> fresh = Number<T>(1 - decay);
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      const Vector<T> old = load(average + i, count);
      store(average + i, old + fresh * (load(w + i, count) - old), count);
    });
  });
}
KERNEL(moving_average, float, double)

template <typename T>
void adamw(T *w, T *first_moment, T *second_moment, const T *grad, size_t n, double learning_rate,
           double beta1, double beta2, double epsilon, double weight_decay, double correction1,
           double correction2, ck_bit_sums *bits) {
  typedef Number<T> N;
  const N fresh1 = N(1 - beta1), fresh2 = N(1 - beta2), kept2 = N(beta2), least = N(epsilon);
  const N keep = N(1 - learning_rate * weight_decay), rate = N(learning_rate / correction1);
  const N scale = N(1 / sqrt(correction2));
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    BitSums sums;
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      prefetch(w + i);
      prefetch(first_moment + i);
      prefetch(second_moment + i);
      const Vector<T> g = load(grad + i, count);
      Vector<T> m = load(first_moment + i, count);
      m += fresh1 * (g - m);
      const Vector<T> v = kept2 * load(second_moment + i, count) + fresh2 * g * g;
      store(first_moment + i, m, count);
      store(second_moment + i, v, count);
      const Vector<T> old = load(w + i, count);
      sums.before.add(old);
      store(w + i, old * keep - rate * m / (__builtin_elementwise_sqrt(v) * scale + least), count);
      sums.after.add(load(w + i, count));
    });
    sums.add_to(bits);
  });
}
KERNEL(adamw, float, double)

// ---------------------------------------------------------------- further methods

// w[i] = step(i, count, w[i]) in vectors; the bits of w are added to bits, unless that is NULL.
template <typename T, typename F>
INLINE void update_weights(T *w, size_t n, ck_bit_sums *bits, F step) {
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    BitSums sums;
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      prefetch(w + i);
      const Vector<T> old = load(w + i, count);
      sums.before.add(old);
      Vector<T> fresh;
      [[clang::always_inline]] fresh = step(i, count, old);
      store(w + i, fresh, count);
      sums.after.add(load(w + i, count));
    });
    sums.add_to(bits);
  });
}

template <typename T>
void adam(T *w, T *first_moment, T *second_moment, T *largest, const T *grad, size_t n,
          double learning_rate, double beta1, double beta2, double epsilon, double weight_decay,
          double correction1, double correction2, ck_bit_sums *bits) {
  typedef Number<T> N;
  const N fresh1 = N(1 - beta1), fresh2 = N(1 - beta2), kept2 = N(beta2), least = N(epsilon);
  const N decay = N(weight_decay), rate = N(learning_rate / correction1);
  const N scale = N(1 / sqrt(correction2));
  update_weights(w, n, bits, [=](size_t i, size_t count, Vector<T> old) {
    const Vector<T> g = load(grad + i, count) + decay * old;
    Vector<T> m = load(first_moment + i, count);
    m += fresh1 * (g - m);
    Vector<T> v = kept2 * load(second_moment + i, count) + fresh2 * g * g;
    store(first_moment + i, m, count);
    store(second_moment + i, v, count);
    if (largest != NULL) {
      const Vector<T> before = load(largest + i, count);
      v = before > v ? before : v;
      store(largest + i, v, count);
    }
    return old - rate * m / (__builtin_elementwise_sqrt(v) * scale + least);
  });
}
KERNEL(adam, float, double)

template <typename T>
void rmsprop(T *w, T *square_average, T *gradient_average, T *velocity, const T *grad, size_t n,
             double learning_rate, double alpha, double epsilon, double momentum,
             double weight_decay, ck_bit_sums *bits) {
  typedef Number<T> N;
  const N kept = N(alpha), fresh = N(1 - alpha), least = N(epsilon), decay = N(weight_decay);
  const N rate = N(learning_rate), speed = N(momentum);
  update_weights(w, n, bits, [=](size_t i, size_t count, Vector<T> old) {
    const Vector<T> g = load(grad + i, count) + decay * old;
    Vector<T> square = kept * load(square_average + i, count) + fresh * g * g;
    store(square_average + i, square, count);
    if (gradient_average != NULL) {
      Vector<T> mean = load(gradient_average + i, count);
      mean += fresh * (g - mean);
      store(gradient_average + i, mean, count);
      square -= mean * mean;
      // Rounding may leave less than zero of a constant gradient.
      square = square < 0 ? (Vector<T>)0 : square;
    }
    Vector<T> step = g / (__builtin_elementwise_sqrt(square) + least);
    if (velocity != NULL) {
      step += speed * load(velocity + i, count);
      store(velocity + i, step, count);
    }
    return old - rate * step;
  });
}
KERNEL(rmsprop, float, double)

template <typename T>
void adagrad(T *w, T *sum, const T *grad, size_t n, double learning_rate, double epsilon,
             double weight_decay, ck_bit_sums *bits) {
  typedef Number<T> N;
  const N rate = N(learning_rate), least = N(epsilon), decay = N(weight_decay);
  update_weights(w, n, bits, [=](size_t i, size_t count, Vector<T> old) {
    const Vector<T> g = load(grad + i, count) + decay * old;
    const Vector<T> total = load(sum + i, count) + g * g;
    store(sum + i, total, count);
    return old - rate * g / (__builtin_elementwise_sqrt(total) + least);
  });
}
KERNEL(adagrad, float, double)

template <typename T>
void lion(T *w, T *momentum, const T *grad, size_t n, double learning_rate, double beta1,
          double beta2, double weight_decay, ck_bit_sums *bits) {
  typedef Number<T> N;
  const N fresh1 = N(1 - beta1), fresh2 = N(1 - beta2), rate = N(learning_rate);
  const N keep = N(1 - learning_rate * weight_decay);
  update_weights(w, n, bits, [=](size_t i, size_t count, Vector<T> old) {
    const Vector<T> g = load(grad + i, count), m = load(momentum + i, count);
    const Vector<T> direction = m + fresh1 * (g - m);
    store(momentum + i, m + fresh2 * (g - m), count);
    const Vector<T> zero = 0, step = rate;
    return old * keep - (direction > 0 ? step : direction < 0 ? -step : zero);
  });
}
KERNEL(lion, float, double)

template <typename T>
void lars(T *w, T *velocity, const T *grad, size_t n, double learning_rate, double momentum,
          double weight_decay, double trust, bool first, ck_bit_sums *bits) {
  typedef Number<T> N;
  const N rate = N(learning_rate), speed = N(momentum), decay = N(weight_decay);
  const N scale = N(trust);
  update_weights(w, n, bits, [=](size_t i, size_t count, Vector<T> old) {
    Vector<T> g = scale * (load(grad + i, count) + decay * old);
    if (!first) g += speed * load(velocity + i, count);
    store(velocity + i, g, count);
    return old - rate * g;
  });
}
KERNEL(lars, float, double)

// m / correction1 / (sqrt(v / correction2) + epsilon) + weight_decay * w
template <typename T> struct LambDirection {
  Number<T> inverse1, scale2, epsilon, weight_decay;

  LambDirection(double epsilon, double weight_decay, double correction1, double correction2)
      : inverse1(Number<T>(1 / correction1)), scale2(Number<T>(1 / sqrt(correction2))),
        epsilon(Number<T>(epsilon)), weight_decay(Number<T>(weight_decay)) {}

  INLINE Vector<T> operator()(Vector<T> w, Vector<T> m, Vector<T> v) const {
    return inverse1 * m / (__builtin_elementwise_sqrt(v) * scale2 + epsilon) + weight_decay * w;
  }
};

template <typename T>
void lamb_direction(T *direction, T *first_moment, T *second_moment, const T *w, const T *grad,
                    size_t n, double beta1, double beta2, double epsilon, double weight_decay,
                    double correction1, double correction2) {
  typedef Number<T> N;
  const N fresh1 = N(1 - beta1), fresh2 = N(1 - beta2), kept2 = N(beta2);
  const LambDirection<T> rule(epsilon, weight_decay, correction1, correction2);
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      const Vector<T> g = load(grad + i, count);
      Vector<T> m = load(first_moment + i, count);
      m += fresh1 * (g - m);
      const Vector<T> v = kept2 * load(second_moment + i, count) + fresh2 * g * g;
      store(first_moment + i, m, count);
      store(second_moment + i, v, count);
      store(direction + i, rule(load(w + i, count), m, v), count);
    });
  });
}
KERNEL(lamb_direction, float, double)

template <typename T>
void lamb(T *w, const T *first_moment, const T *second_moment, size_t n, double learning_rate,
          double epsilon, double weight_decay, double correction1, double correction2,
          ck_bit_sums *bits) {
  const Number<T> rate = Number<T>(learning_rate);
  const LambDirection<T> rule(epsilon, weight_decay, correction1, correction2);
  update_weights(w, n, bits, [=](size_t i, size_t count, Vector<T> old) {
    return old - rate * rule(old, load(first_moment + i, count), load(second_moment + i, count));
  });
}
KERNEL(lamb, float, double)
