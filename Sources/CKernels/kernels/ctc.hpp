// Connectionist temporal classification, by the forward-backward algorithm of Graves et al. (2006).
//
// State s of a sample with labels l is a blank if s is even, else l[s / 2]. All is in double and in logarithms.
#pragma once

INLINE double log_add(double a, double b) {
  const double most = a > b ? a : b, least = a > b ? b : a;
  return least == -infinity<double> ? most : most + __builtin_log1p(exp(least - most));
}

// The states of a sample.
struct CTCStates {
  const int32_t *labels;
  size_t count, time;
  int32_t blank;

  CTCStates(const ck_ctc *sizes, size_t sample)
      : labels(sizes->targets + sizes->target_offsets[sample]),
        count(2 * (size_t)sizes->target_lengths[sample] + 1),
        time((size_t)sizes->input_lengths[sample]),
        blank(sizes->blank) {}

  size_t label(size_t s) const { return (size_t)(s % 2 == 0 ? blank : labels[s / 2]); }
  // Whether state s may follow s - 2 at once: two equal labels need a blank between them.
  bool skips(size_t s) const { return s > 1 && s % 2 == 1 && labels[s / 2] != labels[s / 2 - 1]; }
};

template <typename T> void ctc_loss(T *losses, double *alpha, const T *x, const ck_ctc *sizes) {
  const size_t row = sizes->samples * sizes->classes, width = 2 * (size_t)sizes->longest_target + 1;
  parallel_for_rows(sizes->samples, sizes->time * width, GRAIN_MATHEMATICS / 8, [=](size_t begin, size_t end) {
    for (size_t n = begin; n < end; n++) {
      const CTCStates states(sizes, n);
      const T *from = x + n * sizes->classes;
      double *a = alpha + n * sizes->time * width;
      if (states.time == 0) {
        losses[n] = states.count == 1 ? 0 : infinity<T>;
        continue;
      }
      for (size_t s = 0; s < states.count; s++) {
        a[s] = s < 2 ? (double)from[states.label(s)] : -infinity<double>;
      }
      for (size_t t = 1; t < states.time; t++) {
        const double *before = a + (t - 1) * width;
        for (size_t s = 0; s < states.count; s++) {
          double sum = before[s];
          if (s > 0) sum = log_add(sum, before[s - 1]);
          if (states.skips(s)) sum = log_add(sum, before[s - 2]);
          a[t * width + s] = sum + (double)from[t * row + states.label(s)];
        }
      }
      const double *last = a + (states.time - 1) * width + states.count - 1;
      losses[n] = (T)-(states.count == 1 ? last[0] : log_add(last[0], last[-1]));
    }
  });
}
KERNEL(ctc_loss, float, double)

template <typename T>
void ctc_loss_backward(T *dx, const T *dy, double *workspace, const double *alpha, const T *losses,
                       const T *x, bool zero_infinity, const ck_ctc *sizes) {
  const size_t classes = sizes->classes, row = sizes->samples * classes;
  const size_t width = 2 * (size_t)sizes->longest_target + 1;
  parallel_for_rows(sizes->samples, sizes->time * (width + classes), GRAIN_MATHEMATICS / 8, [=](size_t begin, size_t end) {
    for (size_t n = begin; n < end; n++) {
      const CTCStates states(sizes, n);
      const T *from = x + n * classes;
      const double loss = (double)losses[n];
      const double *a = alpha + n * sizes->time * width;
      double *beta = workspace + n * (2 * width + classes), *after = beta + width, *sums = after + width;
      const bool isZero = zero_infinity && loss == infinity<double>;
      for (size_t t = sizes->time; t-- > 0;) {
        T *to = dx + t * row + n * classes;
        if (t >= states.time || isZero) {
          memset(to, 0, classes * sizeof(T));
          continue;
        }
        for (size_t c = 0; c < classes; c++) sums[c] = -infinity<double>;
        for (size_t s = states.count; s-- > 0;) {
          double sum;
          if (t + 1 == states.time) {
            sum = s + 2 >= states.count ? 0 : -infinity<double>;
          } else {
            sum = after[s];
            if (s + 1 < states.count) sum = log_add(sum, after[s + 1]);
            if (s + 2 < states.count && states.skips(s + 2)) sum = log_add(sum, after[s + 2]);
          }
          const size_t label = states.label(s);
          beta[s] = sum + (double)from[t * row + label];
          sums[label] = log_add(sums[label], a[t * width + s] + beta[s]);
        }
        for (size_t c = 0; c < classes; c++) {
          const double v = (double)from[t * row + c];
          to[c] = (T)((double)dy[n] * (exp(v) - exp(sums[c] + loss - v)));
        }
        double *const swapped = beta;
        beta = after;
        after = swapped;
      }
    }
  });
}
KERNEL(ctc_loss_backward, float, double)
