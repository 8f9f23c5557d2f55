extension Tensor {
  /// The one-dimensional convolution (cross-correlation) with a weight `[O, C / groups, K]`: sequences
  /// `[N, C, L]` become `[N, O, L']`.
  ///
  /// y[n, o, i] = bias[o] + Σ weight[o, k, j] x[n, k, i · stride + j · dilation − padding], where x is 0 in
  /// the padding and k counts the channels of the group that o belongs to: `conv2d` of images with one row.
  /// A single sequence `[C, L]` is accepted too.
  public final func conv1d(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, dilation: Int = 1,
    groups: Int = 1, relu: Bool = false
  ) -> Tensor {
    checkSequences("conv1d", weight, bias, biasSize: weight.shape.first ?? 0)
    require(
      groups > 0 && weight.shape[0] % groups == 0
        && shape[shape.count - 2] == weight.shape[1] * groups,
      "conv1d: an input of shape \(shape) for a weight of shape \(weight.shape) ([out, in / groups, length]) with \(groups) groups"
    )
    _ = windowCount(
      "conv1d", [shape.last!], [weight.shape[2]], [stride], [padding], [dilation])
    return unsqueezed(axis: -2).conv2d(
      weight: weight.unsqueezed(axis: 2), bias: bias, stride: [1, stride], padding: [0, padding],
      dilation: [1, dilation], groups: groups, relu: relu
    ).squeezed(axis: -2)
  }

  /// The transposed one-dimensional convolution with a weight `[C, O / groups, K]`: sequences `[N, C, L]`
  /// become `[N, O, L']`, L' = (L − 1) stride − 2 padding + dilation (K − 1) + outputPadding + 1.
  ///
  /// It is `convTranspose2d` of images with one row. A single sequence `[C, L]` is accepted too.
  public final func convTranspose1d(
    weight: Tensor, bias: Tensor? = nil, stride: Int = 1, padding: Int = 0, outputPadding: Int = 0,
    dilation: Int = 1, groups: Int = 1
  ) -> Tensor {
    checkSequences(
      "convTranspose1d", weight, bias,
      biasSize: weight.shape.count == 3 ? weight.shape[1] * groups : 0)
    require(
      groups > 0 && weight.shape[0] % groups == 0 && shape[shape.count - 2] == weight.shape[0],
      "convTranspose1d: an input of shape \(shape) for a weight of shape \(weight.shape) ([in, out / groups, length]) with \(groups) groups"
    )
    return unsqueezed(axis: -2).convTranspose2d(
      weight: weight.unsqueezed(axis: 2), bias: bias, stride: [1, stride], padding: [0, padding],
      outputPadding: [0, outputPadding], dilation: [1, dilation], groups: groups
    ).squeezed(axis: -2)
  }

  private func checkSequences(
    _ name: StaticString, _ weight: Tensor, _ bias: Tensor?, biasSize: Int
  ) {
    require(
      shape.count == 3 || shape.count == 2,
      "\(name): sequences are [N, C, L] or [C, L], not \(shape)")
    require(
      weight.shape.count == 3 && weight.count > 0,
      "\(name): the weight has three axes with elements, not \(weight.shape)")
    require(
      bias == nil || bias!.shape == [biasSize],
      "\(name): a bias of shape \(bias?.shape ?? []) for a weight of shape \(weight.shape)")
    requireFloatingPoint(name, self, weight, bias)
  }
}
