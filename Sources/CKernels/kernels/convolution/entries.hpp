// Entries of convolution: which algorithm computes a pass.
#pragma once

// Whether Winograd's algorithm can compute a convolution.
template <typename T> bool allows_winograd(const ck_convolution *s) {
  return s->kernel_height == 3 && s->kernel_width == 3 && s->stride_y == 1 &&
         s->stride_x == 1 && s->dilation_y == 1 && s->dilation_x == 1 && s->groups == 1 && s->padding_y <= 2 &&
         s->padding_x <= 2;
}

// What an algorithm costs, in multiply-adds of one lane: its products, transforming the tiles of both images,
// and transforming the weights or their gradient. The factors are from measurements on AMD Zen 4 (forward and
// gradient to the input 13, to the weights 55, weights 25), rounded up because products take half as long
// on processors that have a full AVX-512 unit.
INLINE double winograd_cost(const ck_convolution *s, ck_pass pass, ptrdiff_t outputs) {
  const bool to_input = pass == ck_input_gradient;
  const ptrdiff_t height = to_input ? s->height : s->out_height, width = to_input ? s->width : s->out_width;
  const double tiles = (double)(s->images * divide_up(height, outputs) * divide_up(width, outputs));
  const double elements = (double)((outputs + 2) * (outputs + 2));
  const double in = (double)s->channels, out = (double)s->out_channels;
  const double of_tile = pass == ck_weight_gradient ? 80 : 20, of_weight = 40;
  return elements * (tiles * in * out + of_tile * tiles * (in + out) + of_weight * in * out);
}
// Two products of bfloat16 take as long as one of float32; Winograd's are always of float32.
template <typename T> double direct_cost(const ck_convolution *s) {
  return 9 / (double)word_elements<T> * (double)(s->images * s->out_height * s->out_width) * (double)s->channels *
         (double)s->out_channels;
}

// The algorithm for a pass: it depends on the shape alone.
template <typename T>
ck_algorithm choose(const ck_convolution *shape, ck_pass pass, ck_algorithm wanted) {
  if (!allows_winograd<T>(shape)) return ck_direct;
  if (wanted != ck_automatic) return wanted;
  const double large = winograd_cost(shape, pass, 4), small = winograd_cost(shape, pass, 2);
  if ((large < small ? large : small) * 1.1 >= direct_cost<T>(shape)) return ck_direct;
  return large <= small ? ck_winograd4 : ck_winograd2;
}

// body(pass) with the object that computes a forward pass or the gradient to the input.
template <typename T, typename F>
void with_pass(const ck_convolution *shape, ck_pass pass, ck_algorithm wanted, ck_weights weights,
               const ck_epilogue *epilogue, F body) {
  const ck_algorithm algorithm = choose<T>(shape, pass, wanted);
  if (algorithm == ck_winograd2) return body(WinogradPass<T, 2>(shape, pass, weights, epilogue));
  if (algorithm == ck_winograd4) return body(WinogradPass<T, 4>(shape, pass, weights, epilogue));
  body(DirectPass<T, T>(shape, pass, weights, epilogue));
}

template <typename T>
void conv_forward(T *y, const T *x, ck_weights weights, const ck_convolution *shape, ck_algorithm algorithm,
                  const ck_epilogue *epilogue, void *workspace) {
  with_pass<T>(shape, ck_forward, algorithm, weights, epilogue,
               [=](auto pass) { pass.run((char *)workspace, y, x); });
}
KERNEL(conv_forward, float, double, bfloat16)

template <typename T>
void conv_input_gradient(T *dx, const T *dy, ck_weights weights, const ck_convolution *shape,
                         ck_algorithm algorithm, const ck_epilogue *epilogue, void *workspace) {
  with_pass<T>(shape, ck_input_gradient, algorithm, weights, epilogue,
               [=](auto pass) { pass.run((char *)workspace, dx, dy); });
}
KERNEL(conv_input_gradient, float, double, bfloat16)

// The same for the gradient to the weights.
template <typename T, typename F>
void with_weight_pass(const ck_convolution *shape, ck_algorithm wanted, ck_weights dweights, bool accumulate,
                      F body) {
  const ck_algorithm algorithm = choose<T>(shape, ck_weight_gradient, wanted);
  if (algorithm == ck_winograd2) return body(WinogradWeights<T, 2>(shape, dweights, accumulate));
  if (algorithm == ck_winograd4) return body(WinogradWeights<T, 4>(shape, dweights, accumulate));
  if (Groups<T>::are_narrow((size_t)shape->groups, (size_t)(shape->out_channels / shape->groups))) {
    return body(GroupedWeightGradient<T>(shape, dweights, accumulate));
  }
  body(WeightGradient<T>(shape, dweights, accumulate));
}

template <typename T>
void conv_weight_gradient(ck_weights dweights, const T *dy, const T *x, const ck_convolution *shape,
                          ck_algorithm algorithm, bool accumulate, void *workspace) {
  with_weight_pass<T>(shape, algorithm, dweights, accumulate,
                      [=](auto pass) { pass.run((char *)workspace, dy, x); });
}
KERNEL(conv_weight_gradient, float, double, bfloat16)

template <typename T> size_t conv_workspace(const ck_convolution *shape, ck_pass pass, ck_algorithm algorithm) {
  size_t bytes = 0;
  const auto count = [&](auto p) { bytes = p.run(NULL, NULL, NULL); };
  if (pass == ck_weight_gradient) with_weight_pass<T>(shape, algorithm, {}, false, count);
  if (pass != ck_weight_gradient) with_pass<T>(shape, pass, algorithm, {}, NULL, count);
  return bytes;
}
KERNEL(conv_workspace, float, double, bfloat16)

template <typename T>
size_t conv_statistics_blocks(const ck_convolution *shape, ck_pass pass, ck_algorithm algorithm) {
  size_t blocks = 0;
  with_pass<T>(shape, pass, algorithm, {}, NULL, [&](auto p) { blocks = p.blocks(); });
  return blocks;
}
KERNEL(conv_statistics_blocks, float, double, bfloat16)
