internal import CKernels
internal import Glibc

extension Tensor {
  /// The two-dimensional convolution (cross-correlation) with a weight `[O, C / groups, KH, KW]`:
  /// images `[N, C, H, W]` become `[N, O, H', W']`.
  ///
  /// y[n, o, r, c] = bias[o] + Σ weight[o, k, i, j] x[n, k, r·stride + i·dilation − padding,
  /// c·stride + j·dilation − padding], where x is 0 in the padding and k counts the channels of the
  /// group that o belongs to; H' = (H + 2 padding − dilation (KH − 1) − 1) / stride + 1, rounded
  /// down. A single image `[C, H, W]` is accepted too.
  ///
  /// With `relu`, negative elements of the result become 0, in the same pass over memory.
  ///
  /// The gradients are the transposed convolution of `dy` with the weight, the correlation of x and
  /// `dy`, and the sum of `dy` over images and output positions.
  public final func conv2d(
    weight: Tensor, bias: Tensor? = nil, stride: Size2d = 1, padding: Size2d = 0,
    dilation: Size2d = 1, groups: Int = 1, relu: Bool = false
  ) -> Tensor {
    if shape.count == 3 {
      return unsqueezed(axis: 0).conv2d(
        weight: weight, bias: bias, stride: stride, padding: padding, dilation: dilation,
        groups: groups, relu: relu
      ).squeezed(axis: 0)
    }
    return convolution(weight, bias, stride, padding, dilation, groups)
      .forward(asFactor, weight, bias, relu: relu).result
  }

  /// The convolution of images `[N, C, H, W]`, and the mean and variance of each channel of the result, which
  /// are summed while it is stored: what `batchNorm` needs next.
  public final func conv2dWithStatistics(
    weight: Tensor, bias: Tensor? = nil, stride: Size2d = 1, padding: Size2d = 0,
    dilation: Size2d = 1, groups: Int = 1
  ) -> (result: Tensor, statistics: ChannelStatistics) {
    require(shape.count == 4, "conv2dWithStatistics: images are [N, C, H, W], not \(shape)")
    let (result, statistics) = convolution(weight, bias, stride, padding, dilation, groups)
      .forward(asFactor, weight, bias, takesStatistics: true)
    return (result, statistics!)
  }

  private func convolution(
    _ weight: Tensor, _ bias: Tensor?, _ stride: Size2d, _ padding: Size2d, _ dilation: Size2d,
    _ groups: Int
  ) -> Convolution {
    checkImages("conv2d", weight, bias, biasSize: weight.shape.first ?? 0)
    require(
      groups > 0 && weight.shape[0] % groups == 0 && shape[1] == weight.shape[1] * groups,
      "conv2d: an input of shape \(shape) for a weight of shape \(weight.shape) ([out, in / groups, height, width]) with \(groups) groups"
    )
    let kernel = Size2d(height: weight.shape[2], width: weight.shape[3])
    let windows = ck_windows(
      "conv2d", self, kernel: kernel, stride: stride, padding: padding, dilation: dilation)
    return Convolution(
      images: shape[0], groups: groups, inputChannels: weight.shape[1],
      outputChannels: weight.shape[0] / groups, windows: windows)
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
    ).inputGradient(asFactor, weight, bias)
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

/// How convolutions are computed.
public enum ConvolutionAlgorithms {
  /// Whether 3x3 convolutions with stride 1 may use Winograd's algorithm.
  ///
  /// It multiplies less and rounds more. The shape of a convolution decides whether it is used. The
  /// environment variable `LOCKSTEP_CONVOLUTION=direct` turns it off.
  public static let includeWinograd =
    getenv("LOCKSTEP_CONVOLUTION").map { String(cString: $0) } != "direct"

  fileprivate static var kernelChoice: ck_algorithm {
    includeWinograd ? ck_automatic : ck_direct
  }
}

/// The sizes of a convolution, and its forward pass and two gradients.
///
/// Images are channels last in memory, whatever they were. Each of the three is linear in its two tensors,
/// and its gradients are the other two functions, so all can be differentiated any number of times.
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

  /// y from x, the weight and the bias, without what is negative if `relu`, and the statistics of its channels
  /// if they are wanted.
  func forward(
    _ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil, relu: Bool = false,
    takesStatistics: Bool = false
  ) -> (result: Tensor, statistics: ChannelStatistics?) {
    let y = Tensor(uninitialized: outputShape, .channelsLast, x.dataType)
    let blocks = takesStatistics ? statisticsOfBlocks(x.dataType) : nil
    run(ck_forward, ck_conv_forward, y, from: x, weight, bias, relu: relu, statistics: blocks)
    let statistics = blocks.map {
      ChannelStatistics(
        ofBlocks: $0, count: images * windows.out_height * windows.out_width)
    }
    let result = recorded("Conv2d", y, x, weight, bias, relu: relu) { dy, x, weight, destination in
      (weight.map { inputGradient(dy, $0) }, x.map { weightGradient($0, dy, destination) } ?? .none)
    }
    return (result, statistics)
  }

  /// dx from dy and the weight, plus the bias of a transposed convolution.
  func inputGradient(_ dy: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    let dx = Tensor(uninitialized: inputShape, .channelsLast, dy.dataType)
    run(ck_input_gradient, ck_conv_input_gradient, dx, from: dy, weight, bias)
    return recorded("ConvTranspose2d", dx, dy, weight, bias) { g, dy, weight, destination in
      (weight.map { forward(g, $0).result }, dy.map { weightGradient(g, $0, destination) } ?? .none)
    }
  }

  /// The gradient of the weight from x and dy, written or added to the destination if there is one.
  private func weightGradient(
    _ x: Tensor, _ dy: Tensor, _ destination: (gradient: Tensor, adds: Bool)?
  ) -> InputGradient {
    guard let (gradient, adds) = destination else { return .value(weightGradient(x, dy)) }
    gradient.storage.version += 1
    write(to: gradient, adds: adds, x, dy)
    return .accumulated
  }

  /// The gradient of the weight from x and dy.
  private func weightGradient(_ x: Tensor, _ dy: Tensor) -> Tensor {
    let dw = Tensor(uninitialized: weightShape, x.dataType.sumType)
    write(to: dw, adds: false, x, dy)
    let savedX = dy.requiresGrad ? Saved(x, by: "Conv2dWeightGradient") : nil
    let savedGradient = x.requiresGrad ? Saved(dy, by: "Conv2dWeightGradient") : nil
    return dw.recorded("Conv2dWeightGradient", from: x, dy) { g in
      [savedGradient.map { inputGradient($0(), g) }, savedX.map { forward($0(), g).result }]
    }
  }

  /// Records one of the first two; `pullback` gets each input only if the other one's gradient needs it,
  /// and where the gradient of the weight may be written to.
  private func recorded(
    _ name: StaticString, _ result: Tensor, _ images: Tensor, _ weight: Tensor, _ bias: Tensor?,
    relu: Bool = false,
    pullback:
      @escaping (
        _ dy: Tensor, _ images: Tensor?, _ weight: Tensor?,
        _ destination: (gradient: Tensor, adds: Bool)?
      ) -> (images: Tensor?, weight: InputGradient)
  ) -> Tensor {
    let inputs = [images, weight, bias].compactMap { $0 }
    guard let operation = result.record(name, inputs) else { return result }
    let savedImages = weight.requiresGrad ? Saved(images, by: name) : nil
    let savedWeight = images.requiresGrad ? Saved(weight, by: name) : nil
    // Outside the graph, so that there is no reference cycle.
    let savedResult = relu ? Saved(result.detached(), by: name) : nil
    let (hasBias, needsBias) = (bias != nil, bias?.requiresGrad ?? false)
    operation.pullback = .accumulating { [unowned operation] dy, leaves in
      // Reordered once for all, if it must be.
      var dy = isGradientEnabled ? dy : dy.ordered(.channelsLast)
      if let savedResult { dy = dy.gated(by: savedResult(), of: operation) }
      let gradients = pullback(dy, savedImages?(), savedWeight?(), leaves.destination(of: 1))
      return [gradients.images.map { .value($0) } ?? .none, gradients.weight]
        + (hasBias ? [needsBias ? .value(dy.sum(axes: [0, 2, 3])) : .none] : [])
    }
    return result
  }

  // MARK: Kernels

  private typealias Kernel =
    @convention(c) (
      ck_type, UnsafeMutableRawPointer, UnsafeRawPointer, ck_weights, UnsafePointer<ck_convolution>,
      ck_algorithm, UnsafePointer<ck_epilogue>?, UnsafeMutableRawPointer
    ) -> Void

  private var kernelSizes: ck_convolution {
    ck_convolution(
      images: images, height: windows.height, width: windows.width,
      channels: groups * inputChannels, out_height: windows.out_height,
      out_width: windows.out_width, out_channels: groups * outputChannels, groups: groups,
      kernel_height: windows.kernel_height, kernel_width: windows.kernel_width,
      stride_y: windows.stride_y, stride_x: windows.stride_x, padding_y: windows.padding_y,
      padding_x: windows.padding_x, dilation_y: windows.dilation_y, dilation_x: windows.dilation_x,
      threads: Threads.count)
  }

  /// The result of the forward pass or of the gradient of the input, plus a bias.
  private func run(
    _ pass: ck_pass, _ kernel: Kernel, _ result: Tensor, from source: Tensor, _ weight: Tensor,
    _ bias: Tensor?, relu: Bool = false, statistics: Tensor? = nil
  ) {
    guard result.count > 0 else { return }
    let (images, weight, bias) = withoutGrad {
      (
        source.converted(to: result.dataType).ordered(.channelsLast), weight.widened,
        bias?.widened.contiguousUnrecorded()
      )
    }
    withWorkspace(pass, result.dataType) { type, sizes, workspace in
      var epilogue = ck_epilogue()
      epilogue.bias = bias.map { UnsafeRawPointer($0.bytes) }
      epilogue.relu = relu
      epilogue.statistics = statistics.map { UnsafeMutableRawPointer($0.bytes) }
      kernel(
        type, result.bytes, images.bytes, ck_weights(weight), sizes,
        ConvolutionAlgorithms.kernelChoice, &epilogue,
        workspace)
    }
    withExtendedLifetime((images, weight, bias)) {}
  }

  /// Memory for the statistics of the blocks of the forward pass.
  private func statisticsOfBlocks(_ dataType: DataType) -> Tensor {
    let count = withUnsafePointer(to: kernelSizes) { sizes in
      ck_conv_statistics_blocks(
        dataType.kernelType, sizes, ck_forward, ConvolutionAlgorithms.kernelChoice)
    }
    return Tensor(
      uninitialized: [count, Int(CK_STATISTICS), groups * outputChannels], dataType.sumType)
  }

  /// Writes or adds the gradient of the weight.
  private func write(to dw: Tensor, adds: Bool, _ x: Tensor, _ dy: Tensor) {
    guard dw.count > 0, x.count > 0 else {
      if !adds { dw.setAll(to: 0) }
      return
    }
    let type: DataType = [x, dy].contains { $0.dataType == .bfloat16 } ? .bfloat16 : x.dataType
    let (x, dy) = withoutGrad {
      (
        x.converted(to: type).ordered(.channelsLast), dy.converted(to: type).ordered(.channelsLast)
      )
    }
    withWorkspace(ck_weight_gradient, type) { type, sizes, workspace in
      ck_conv_weight_gradient(
        type, ck_weights(dw), dy.bytes, x.bytes, sizes, ConvolutionAlgorithms.kernelChoice, adds,
        workspace)
    }
    withExtendedLifetime((x, dy)) {}
  }

  private func withWorkspace(
    _ pass: ck_pass, _ dataType: DataType,
    _ body: (ck_type, UnsafePointer<ck_convolution>, UnsafeMutableRawPointer) -> Void
  ) {
    let type = dataType.kernelType
    withUnsafePointer(to: kernelSizes) { sizes in
      let workspace = Storage(
        byteCount: ck_conv_workspace(type, sizes, pass, ConvolutionAlgorithms.kernelChoice))
      body(type, sizes, workspace.pointer)
      withExtendedLifetime(workspace) {}
    }
  }
}

extension ck_weights {
  fileprivate init(_ weight: Tensor) {
    let strides = weight.strides
    self.init(
      p: weight.bytes, out: strides[0], in: strides[1], row: strides[2], column: strides[3])
  }
}
