internal import CKernels

extension Tensor {
  /// The two-dimensional convolution (cross-correlation) with a weight `[O, C / groups, KH, KW]`:
  /// images `[N, C, H, W]` become `[N, O, H', W']`.
  ///
  /// y[n, o, r, c] = bias[o] + Σ weight[o, k, i, j] x[n, k, r·stride + i·dilation − padding,
  /// c·stride + j·dilation − padding], where x is 0 in the padding and k counts the channels of the
  /// group that o belongs to; H' = (H + 2 padding − dilation (KH − 1) − 1) / stride + 1, rounded
  /// down. A single image `[C, H, W]` is accepted too.
  ///
  /// The gradients are the transposed convolution of `dy` with the weight, the correlation of x and
  /// `dy`, and the sum of `dy` over images and output positions.
  public final func conv2d(
    weight: Tensor, bias: Tensor? = nil, stride: Size2d = 1, padding: Size2d = 0,
    dilation: Size2d = 1, groups: Int = 1
  ) -> Tensor {
    checkImages("conv2d", weight, bias, biasSize: weight.shape.first ?? 0)
    if shape.count == 3 {
      return unsqueezed(axis: 0).conv2d(
        weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
        groups: groups
      ).squeezed(axis: 0)
    }
    require(
      groups > 0 && weight.shape[0] % groups == 0 && shape[1] == weight.shape[1] * groups,
      "conv2d: an input of shape \(shape) for a weight of shape \(weight.shape) ([out, in / groups, height, width]) with \(groups) groups"
    )
    let kernel = Size2d(height: weight.shape[2], width: weight.shape[3])
    let windows = ck_windows(
      "conv2d", self, kernel: kernel, stride: stride, padding: padding, dilation: dilation)
    return Convolution(
      images: shape[0], groups: groups, inputChannels: weight.shape[1],
      outputChannels: weight.shape[0] / groups, windows: windows
    ).forward(self, weight, bias)
  }

  /// The transposed two-dimensional convolution with a weight `[C, O / groups, KH, KW]`: images
  /// `[N, C, H, W]` become `[N, O, H', W']`.
  ///
  /// Each x[n, k, r, c] adds weight[k, o, i, j] x[n, k, r, c] to y[n, o, r·stride + i·dilation −
  /// padding, c·stride + j·dilation − padding], and bias[o] is added to all: the gradient that a
  /// convolution with this weight sends to its input. H' = (H − 1) stride − 2 padding + dilation
  /// (KH − 1) + outputPadding + 1. A single image `[C, H, W]` is accepted too.
  ///
  /// The gradients are the convolution of `dy` with the weight, the correlation of `dy` and x, and
  /// the sum of `dy` over images and output positions.
  public final func convTranspose2d(
    weight: Tensor, bias: Tensor? = nil, stride: Size2d = 1, padding: Size2d = 0,
    outputPadding: Size2d = 0, dilation: Size2d = 1, groups: Int = 1
  ) -> Tensor {
    checkImages(
      "convTranspose2d", weight, bias,
      biasSize: weight.shape.count == 4 ? weight.shape[1] * groups : 0)
    if shape.count == 3 {
      return unsqueezed(axis: 0).convTranspose2d(
        weight: weight, bias: bias, stride: stride, padding: padding, outputPadding: outputPadding,
        dilation: dilation, groups: groups
      ).squeezed(axis: 0)
    }
    require(
      groups > 0 && weight.shape[0] % groups == 0 && shape[1] == weight.shape[0],
      "convTranspose2d: an input of shape \(shape) for a weight of shape \(weight.shape) ([in, out / groups, height, width]) with \(groups) groups"
    )
    require(
      outputPadding.isAtLeast(0)
        && outputPadding.height < Swift.max(stride.height, dilation.height)
        && outputPadding.width < Swift.max(stride.width, dilation.width),
      "convTranspose2d: an output padding of \(outputPadding) must be less than the stride \(stride) or the dilation \(dilation)"
    )
    func extent(_ size: Int, _ kernel: Int, _ part: KeyPath<Size2d, Int>) -> Int {
      (size - 1) * stride[keyPath: part] - 2 * padding[keyPath: part]
        + dilation[keyPath: part] * (kernel - 1) + outputPadding[keyPath: part] + 1
    }
    let kernel = Size2d(height: weight.shape[2], width: weight.shape[3])
    let result = Size2d(
      height: extent(shape[2], kernel.height, \.height),
      width: extent(shape[3], kernel.width, \.width))
    require(
      result.isAtLeast(1) && shape[2] > 0 && shape[3] > 0,
      "convTranspose2d: an input of shape \(shape) and a kernel \(kernel) with padding \(padding) give an output of \(result)"
    )
    // The convolution whose input the result is, and whose output this tensor is.
    var windows = ck_windows(
      "convTranspose2d", plane: result, kernel: kernel, stride: stride, padding: padding,
      dilation: dilation)
    (windows.out_height, windows.out_width) = (shape[2], shape[3])
    return Convolution(
      images: shape[0], groups: groups, inputChannels: weight.shape[1],
      outputChannels: weight.shape[0] / groups, windows: windows
    ).inputGradient(self, weight, bias)
  }

  private func checkImages(
    _ name: StaticString, _ weight: Tensor, _ bias: Tensor?, biasSize: Int
  ) {
    require(
      shape.count == 4 || shape.count == 3,
      "\(name): images are [N, C, H, W] or [C, H, W], not \(shape)")
    require(
      weight.shape.count == 4 && weight.count > 0,
      "\(name): the weight has four axes with elements, not \(weight.shape)")
    require(
      bias == nil || bias!.shape == [biasSize],
      "\(name): a bias of shape \(bias!.shape) for a weight of shape \(weight.shape)")
    requireFloatingPoint(name, self, weight, bias)
  }
}

/// The sizes of a convolution, and its forward pass and two gradients.
///
/// Each of the three is linear in its two tensors, and its gradients are the other two functions, so all
/// can be differentiated any number of times.
struct Convolution {
  let images: Int
  let groups: Int
  /// The channels of one group.
  let inputChannels: Int, outputChannels: Int
  let windows: ck_windows

  private var inputShape: TensorShape {
    [images, groups * inputChannels, windows.height, windows.width]
  }
  private var outputShape: TensorShape {
    [images, groups * outputChannels, windows.out_height, windows.out_width]
  }
  private var weightShape: TensorShape {
    [groups * outputChannels, inputChannels, windows.kernel_height, windows.kernel_width]
  }

  /// y from x, the weight and the bias.
  func forward(_ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    let y = Tensor(uninitialized: outputShape, x.dataType)
    let (dense, denseWeight, denseBias) = (
      x.contiguousUnrecorded(), weight.contiguousUnrecorded(), bias?.contiguousUnrecorded()
    )
    ConvolutionLoops(self, x.dataType)
      .forward(y.elements, dense.elements, denseWeight.elements, denseBias?.elements)
    return recorded("Conv2d", y, x, weight, bias) { dy, x, weight in
      [weight.map { inputGradient(dy, $0) }, x.map { weightGradient($0, dy) }]
    }
  }

  /// dx from dy and the weight, plus the bias of a transposed convolution.
  func inputGradient(_ dy: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    let dx = Tensor(uninitialized: inputShape, dy.dataType)
    let (dense, denseWeight, denseBias) = (
      dy.contiguousUnrecorded(), weight.contiguousUnrecorded(), bias?.contiguousUnrecorded()
    )
    ConvolutionLoops(self, dy.dataType)
      .inputGradient(dx.elements, dense.elements, denseWeight.elements, denseBias?.elements)
    return recorded("ConvTranspose2d", dx, dy, weight, bias) { g, dy, weight in
      [weight.map { forward(g, $0) }, dy.map { weightGradient(g, $0) }]
    }
  }

  /// The gradient of the weight from x and dy.
  func weightGradient(_ x: Tensor, _ dy: Tensor) -> Tensor {
    let (dense, denseGradient) = (x.contiguousUnrecorded(), dy.contiguousUnrecorded())
    let parts = weightGradientChunks
    let partial = Tensor(
      uninitialized: [parts, weightShape.elementCount], x.dataType)
    ConvolutionLoops(self, x.dataType)
      .weightGradient(partial.elements, dense.elements, denseGradient.elements)
    let dw = withoutGrad {
      parts == 1 ? partial : partial.sum(axes: [0])
    }.view(weightShape, weightShape.contiguousStrides, 0, true)
    return recorded("Conv2dWeightGradient", dw, x, dy, nil) { g, x, dy in
      [dy.map { inputGradient($0, g) }, x.map { forward($0, g) }]
    }
  }

  /// Records one of the three; `pullback` gets each input only if the other one's gradient needs it.
  private func recorded(
    _ name: StaticString, _ result: Tensor, _ a: Tensor, _ b: Tensor, _ bias: Tensor?,
    pullback: @escaping (_ dy: Tensor, _ a: Tensor?, _ b: Tensor?) -> [Tensor?]
  ) -> Tensor {
    let savedA = b.requiresGrad ? Saved(a, by: name) : nil
    let savedB = a.requiresGrad ? Saved(b, by: name) : nil
    guard let bias else {
      return result.recorded(name, from: a, b) { dy in pullback(dy, savedA?(), savedB?()) }
    }
    let needsBias = bias.requiresGrad
    return result.recorded(name, from: a, b, bias) { dy in
      // Two sums over adjacent axes need no permuted copy.
      pullback(dy, savedA?(), savedB?())
        + [needsBias ? dy.sum(axes: [2, 3]).sum(axes: [0]) : nil]
    }
  }
}
