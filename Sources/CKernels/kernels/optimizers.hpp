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
KERNEL(sgd, float)

template <typename T> void moving_average(T *average, const T *w, size_t n, double decay) {
  const Number<T> fresh = Number<T>(1 - decay);
  parallel_for(n, GRAIN_MEMORY, [=](size_t begin, size_t end) {
    for_vectors<lanes<T>>(begin, end, [&](size_t i, size_t count) {
      const Vector<T> old = load(average + i, count);
      store(average + i, old + fresh * (load(w + i, count) - old), count);
    });
  });
}
KERNEL(moving_average, float)

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
KERNEL(adamw, float)
