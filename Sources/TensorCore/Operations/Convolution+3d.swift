// Convolutions of volumes: those of images, with the depth of the kernel as more channels.

extension Tensor {
  /// The three-dimensional convolution (cross-correlation) with a weight `[O, C / groups, KD, KH, KW]`:
  /// volumes `[N, C, D, H, W]` become `[N, O, D', H', W']`.
  ///
  /// As `conv2d`, with a further axis. Each output plane is the two-dimensional convolution of the KD input
  /// planes that it sees, copied side by side as channels. A single volume `[C, D, H, W]` is accepted too.
  public final func conv3d(
    weight: Tensor, bias: Tensor? = nil, stride: Size3d = 1, padding: Size3d = 0,
    dilation: Size3d = 1, groups: Int = 1, relu: Bool = false
  ) -> Tensor {
    checkVolumes("conv3d", weight, bias, biasSize: weight.shape.first ?? 0)
    if shape.count == 4 {
      return unsqueezed(axis: 0).conv3d(
        weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
        groups: groups, relu: relu
      ).squeezed(axis: 0)
    }
    let (inputs, outputs, kernel) = (weight.shape[1], weight.shape[0], weight.kernel3d)
    require(
      groups > 0 && outputs % groups == 0 && shape[1] == inputs * groups,
      "conv3d: an input of shape \(shape) for a weight of shape \(weight.shape) ([out, in / groups, depth, height, width]) with \(groups) groups"
    )
    let count = windowCount(
      "conv3d", shape.suffix(3).map { $0 }, kernel.sizes, stride.sizes, padding.sizes,
      dilation.sizes)
    let planes = zeroPadded(axis: 2, by: padding.depth)
      .unfolded(axis: 2, size: kernel.depth, step: stride.depth, dilation: dilation.depth)
    // [N, C, D', H, W, KD] as images that lie channels last, with the channels of a group together.
    let grouped =
      groups == 1
      ? planes.permuted([0, 2, 3, 4, 5, 1])
      : planes.reshaped(
        to: [shape[0], groups, inputs, count[0], shape[3], shape[4], kernel.depth]
      ).permuted([0, 3, 4, 5, 1, 6, 2])
    let images = grouped.reshaped(
      to: [shape[0] * count[0], shape[3], shape[4], kernel.depth * shape[1]]
    ).permuted([0, 3, 1, 2])
    let flat = weight.transposed(1, 2).reshaped(
      to: [outputs, kernel.depth * inputs, kernel.height, kernel.width])
    let y = images.conv2d(
      weight: flat, bias: bias, stride: stride.plane, padding: padding.plane,
      dilation: dilation.plane, groups: groups, relu: relu)
    return y.permuted([0, 2, 3, 1])
      .reshaped(to: [shape[0], count[0], count[1], count[2], outputs])
      .permuted([0, 4, 1, 2, 3])
  }

  /// The transposed three-dimensional convolution with a weight `[C, O / groups, KD, KH, KW]`: volumes
  /// `[N, C, D, H, W]` become `[N, O, D', H', W']`.
  ///
  /// As `convTranspose2d`, with a further axis: D' = (D − 1) stride − 2 padding + dilation (KD − 1) +
  /// outputPadding + 1. A single volume `[C, D, H, W]` is accepted too.
  public final func convTranspose3d(
    weight: Tensor, bias: Tensor? = nil, stride: Size3d = 1, padding: Size3d = 0,
    outputPadding: Size3d = 0, dilation: Size3d = 1, groups: Int = 1
  ) -> Tensor {
    checkVolumes(
      "convTranspose3d", weight, bias,
      biasSize: weight.shape.count == 5 ? weight.shape[1] * groups : 0)
    if shape.count == 4 {
      return unsqueezed(axis: 0).convTranspose3d(
        weight: weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
        dilation: dilation, groups: groups
      ).squeezed(axis: 0)
    }
    require(
      groups > 0 && weight.shape[0] % groups == 0 && shape[1] == weight.shape[0],
      "convTranspose3d: an input of shape \(shape) for a weight of shape \(weight.shape) ([in, out / groups, depth, height, width]) with \(groups) groups"
    )
    require(
      outputPadding.depth >= 0 && padding.depth >= 0
        && outputPadding.depth < Swift.max(stride.depth, dilation.depth),
      "convTranspose3d: an output padding of \(outputPadding) must be less than the stride \(stride) or the dilation \(dilation)"
    )
    let (images, depth, outputs) = (shape[0], shape[2], weight.shape[1])
    let kernel = weight.kernel3d
    let full = (depth - 1) * stride.depth + dilation.depth * (kernel.depth - 1) + 1
    let target = full - 2 * padding.depth + outputPadding.depth
    require(
      target > 0 && depth > 0,
      "convTranspose3d: an input of shape \(shape) and a kernel \(kernel) with padding \(padding) give an output of depth \(target)"
    )
    let flat = weight.transposed(1, 2).reshaped(
      to: [shape[1], kernel.depth * outputs, kernel.height, kernel.width])
    let planes = transposed(1, 2).reshaped(to: [images * depth, shape[1], shape[3], shape[4]])
      .convTranspose2d(
        weight: flat, stride: stride.plane, padding: padding.plane,
        outputPadding: outputPadding.plane, dilation: dilation.plane, groups: groups)
    let (height, width) = (planes.shape[2], planes.shape[3])
    let windows = planes.reshaped(
      to: [images, depth, groups, kernel.depth, outputs, height, width]
    ).permuted([0, 2, 4, 1, 5, 6, 3])
      .reshaped(to: [images, groups * outputs, depth, height, width, kernel.depth])
    let y = windows.overlapped(
      in: [
        images, groups * outputs, Swift.max(full, padding.depth + target), height, width,
      ], axis: 2, step: stride.depth, dilation: dilation.depth
    ).sliced(padding.depth..<padding.depth + target, axis: 2).converted(to: dataType)
    return bias.map { y + $0.reshaped(to: [groups * outputs, 1, 1, 1]) } ?? y
  }

  private var kernel3d: Size3d { Size3d(depth: shape[2], height: shape[3], width: shape[4]) }

  private func checkVolumes(
    _ name: StaticString, _ weight: Tensor, _ bias: Tensor?, biasSize: Int
  ) {
    require(
      shape.count == 5 || shape.count == 4,
      "\(name): volumes are [N, C, D, H, W] or [C, D, H, W], not \(shape)")
    require(
      weight.shape.count == 5 && weight.count > 0,
      "\(name): the weight has five axes with elements, not \(weight.shape)")
    require(
      bias == nil || bias!.shape == [biasSize],
      "\(name): a bias of shape \(bias?.shape ?? []) for a weight of shape \(weight.shape)")
    requireFloatingPoint(name, self, weight, bias)
  }
}
