// Optimizer steps: one pass over the parameters.

struct sgd_job {
  float *w, *velocity;
  const float *grad;
  float learning_rate, momentum, dampening, weight_decay, scale;
};

// The rule with its choices made when this is compiled.
INLINE void sgd_some(const struct sgd_job *pointer, size_t begin, size_t end, bool has_momentum,
                     bool nesterov, bool first) {
  const struct sgd_job job = *pointer;
  const float fresh = 1 - job.dampening;
  FOR_VECTORS(F32_LANES, begin, end, {
    FETCH_AHEAD(job.w + i);
    if (has_momentum && !first) FETCH_AHEAD(job.velocity + i);
    const vf w = GET(vf, job.w);
    vf g = job.scale * GET(vf, job.grad) + job.weight_decay * w;
    if (has_momentum) {
      const vf v = first ? g : job.momentum * GET(vf, job.velocity) + fresh * g;
      PUT(job.velocity, v);
      g = nesterov ? g + job.momentum * v : v;
    }
    PUT(job.w, w - job.learning_rate * g);
  });
}

#define DEFINE_SGD(name, has_momentum, nesterov, first)                          \
  static void name(const void *context, size_t begin, size_t end) {              \
    sgd_some(context, begin, end, has_momentum, nesterov, first);                \
  }
DEFINE_SGD(sgd_plain, false, false, false)
DEFINE_SGD(sgd_momentum, true, false, false)
DEFINE_SGD(sgd_momentum_first, true, false, true)
DEFINE_SGD(sgd_nesterov, true, true, false)
DEFINE_SGD(sgd_nesterov_first, true, true, true)

static void sgd_f32(float *w, float *velocity, const float *grad, size_t n, float learning_rate,
                    float momentum, float dampening, float weight_decay, bool nesterov, bool first,
                    float scale) {
  const struct sgd_job job = {w,        velocity,  grad,         learning_rate,
                              momentum, dampening, weight_decay, scale};
  ck_range_body *body = momentum == 0 ? sgd_plain
                        : nesterov    ? (first ? sgd_nesterov_first : sgd_nesterov)
                                      : (first ? sgd_momentum_first : sgd_momentum);
  for_range(body, &job, n, GRAIN_MEMORY);
}

struct adamw_job {
  float *w, *m, *v;
  const float *grad;
  float fresh1, beta2, fresh2, epsilon, keep, rate, scale;
};

static void adamw_range(const void *context, size_t begin, size_t end) {
  const struct adamw_job job = *(const struct adamw_job *)context;
  FOR_VECTORS(F32_LANES, begin, end, {
    FETCH_AHEAD(job.w + i);
    FETCH_AHEAD(job.m + i);
    FETCH_AHEAD(job.v + i);
    const vf g = GET(vf, job.grad);
    vf m = GET(vf, job.m);
    m += job.fresh1 * (g - m);
    const vf v = job.beta2 * GET(vf, job.v) + job.fresh2 * g * g;
    PUT(job.m, m);
    PUT(job.v, v);
    const vf w = GET(vf, job.w) * job.keep;
    PUT(job.w, w - job.rate * m / (__builtin_elementwise_sqrt(v) * job.scale + job.epsilon));
  });
}

static void adamw_f32(float *w, float *first_moment, float *second_moment, const float *grad,
                      size_t n, double learning_rate, double beta1, double beta2, double epsilon,
                      double weight_decay, double correction1, double correction2) {
  const struct adamw_job job = {.w = w,
                                .m = first_moment,
                                .v = second_moment,
                                .grad = grad,
                                .fresh1 = (float)(1 - beta1),
                                .beta2 = (float)beta2,
                                .fresh2 = (float)(1 - beta2),
                                .epsilon = (float)epsilon,
                                .keep = (float)(1 - learning_rate * weight_decay),
                                .rate = (float)(learning_rate / correction1),
                                .scale = (float)(1 / sqrt(correction2))};
  for_range(adamw_range, &job, n, GRAIN_MEMORY);
}
