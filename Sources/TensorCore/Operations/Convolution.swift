internal import CKernels

extension Tensor {
  /// The two-dimensional convolution (cross-correlation) with a weight `[O, C / groups, KH, KW]`:
  /// images `[N, C, H, W]` become `[N, O, H', W']`.
  ///
  /// y[n, o, r, c] = bias[o] + Σ weight[o, k, i, j] x[n, k, r·stride + i·dilation − padding,
  /// c·stride + j·dilation − padding], where x is 0 in the padding and k counts the channels of the
  /// group that o belongs to; H' = (H + 2 padding − dilation (KH − 1) − 1) / stride + 1, rounded
  /// down. A single image `[C, H, W]` is welcome too.
  ///
  /// The gradients are the transposed convolution of `dy` with the weight, the correlation of x and
  /// `dy`, and the sum of `dy` over images and places.
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
  /// (KH − 1) + outputPadding + 1. A single image `[C, H, W]` is welcome too.
  ///
  /// The gradients are the convolution of `dy` with the weight, the correlation of `dy` and x, and
  /// the sum of `dy` over images and places.
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
      "convTranspose2d: an input of shape \(shape) and a kernel \(kernel) with padding \(padding) leave an output of \(result)"
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
    require(
      dataType.isFloatingPoint && dataType == weight.dataType
        && dataType == (bias?.dataType ?? dataType),
      "\(name): the input is \(dataType), the weight \(weight.dataType); both must be of one floating-point type"
    )
  }
}

/// The sizes of a convolution: what its forward pass and its two gradients have in common.
///
/// The three are functions of two tensors each, linear in both, and the gradients of each are the
/// other two, so all can be differentiated any number of times.
private struct Convolution {
  let images: Int
  let groups: Int
  /// The channels of one group.
  let inputChannels: Int, outputChannels: Int
  let windows: ck_windows

  private var inputShape: Shape {
    [images, groups * inputChannels, windows.height, windows.width]
  }
  private var outputShape: Shape {
    [images, groups * outputChannels, windows.out_height, windows.out_width]
  }
  private var weightShape: Shape {
    [groups * outputChannels, inputChannels, windows.kernel_height, windows.kernel_width]
  }

  /// y from x, the weight and the bias.
  func forward(_ x: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    let y = Tensor(uninitialized: outputShape, x.dataType)
    let (dense, denseWeight, denseBias) = (x.dense(), weight.dense(), bias?.dense())
    if x.dataType == .float32 {
      ConvolutionLoops<Float>(self).forward(y.f32, dense.f32, denseWeight.f32, denseBias?.f32)
    } else {
      ConvolutionLoops<Double>(self).forward(y.f64, dense.f64, denseWeight.f64, denseBias?.f64)
    }
    return recorded("Conv2d", y, x, weight, bias) { dy, x, weight in
      [weight.map { inputGradient(dy, $0) }, x.map { weightGradient($0, dy) }]
    }
  }

  /// dx from dy and the weight, plus the bias of a transposed convolution.
  func inputGradient(_ dy: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    let dx = Tensor(uninitialized: inputShape, dy.dataType)
    let (dense, denseWeight, denseBias) = (dy.dense(), weight.dense(), bias?.dense())
    if dy.dataType == .float32 {
      ConvolutionLoops<Float>(self)
        .inputGradient(dx.f32, dense.f32, denseWeight.f32, denseBias?.f32)
    } else {
      ConvolutionLoops<Double>(self)
        .inputGradient(dx.f64, dense.f64, denseWeight.f64, denseBias?.f64)
    }
    return recorded("ConvTranspose2d", dx, dy, weight, bias) { g, dy, weight in
      [weight.map { forward(g, $0) }, dy.map { weightGradient(g, $0) }]
    }
  }

  /// The gradient of the weight from x and dy.
  func weightGradient(_ x: Tensor, _ dy: Tensor) -> Tensor {
    let (dense, denseGradient) = (x.dense(), dy.dense())
    let parts = weightGradientChunks
    let partial = Tensor(
      uninitialized: [parts, weightShape.elementCount], x.dataType)
    if x.dataType == .float32 {
      ConvolutionLoops<Float>(self).weightGradient(partial.f32, dense.f32, denseGradient.f32)
    } else {
      ConvolutionLoops<Double>(self).weightGradient(partial.f64, dense.f64, denseGradient.f64)
    }
    let dw = withoutGrad {
      parts == 1 ? partial : partial.sum(axes: [0])
    }.view(weightShape, weightShape.denseStrides, 0, true)
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
      // Two sums over neighbouring axes need no permuted copy.
      pullback(dy, savedA?(), savedB?())
        + [needsBias ? dy.sum(axes: [2, 3]).sum(axes: [0]) : nil]
    }
  }
}

// MARK: - How it is computed

// Everything above knows the three functions of `ConvolutionLoops` alone, so that others can take
// their place. These gather tiles of the matrix of patches (im2col), of bounded size, and leave the
// arithmetic to BLAS. How the work is cut depends on the sizes alone, never on the number of
// threads, and so do the results.

/// Some places of one image, or all places of some.
private struct Tile {
  let images: Range<Int>
  let places: Range<Int>
  /// The columns that the tile's places have in a matrix: image after image.
  var columns: Int { images.count * places.count }
}

extension Convolution {
  /// The most columns of a tile, and the most rows (taps) of a panel of patches.
  private static let tileColumns = 384
  private static let panelTaps = 576

  /// The elements of one channel of the input and of the output.
  var inputPlane: Int { windows.height * windows.width }
  var outputPlane: Int { windows.out_height * windows.out_width }
  /// The taps of one channel and of all channels of a group: the columns of the weight.
  var kernelArea: Int { windows.kernel_height * windows.kernel_width }
  var taps: Int { inputChannels * kernelArea }

  /// Whether the matrix of patches is the image itself.
  var isPointwise: Bool {
    kernelArea == 1 && windows.stride_y == 1 && windows.stride_x == 1 && windows.padding_y == 0
      && windows.padding_x == 0 && inputPlane == outputPlane
  }

  /// How many images a tile takes when their places are few, and the number of such groups.
  var imagesPerTile: Int { max(1, min(images, Self.tileColumns / max(1, outputPlane))) }
  var imageGroups: Int { (images + imagesPerTile - 1) / imagesPerTile }
  /// How many tiles an image is cut into when its places are many, and the places of each.
  var tilesPerImage: Int { max(1, (outputPlane + Self.tileColumns - 1) / Self.tileColumns) }
  var placesPerTile: Int { (outputPlane + tilesPerImage - 1) / tilesPerImage }
  var tileCount: Int { imageGroups * tilesPerImage }
  /// The columns of the largest tile and the rows of the largest panel.
  var largestTile: Int { imagesPerTile * placesPerTile }
  var largestPanel: Int { min(taps, Self.panelTaps) }

  /// How many channels share a panel.
  var channelsPerPanel: Int { max(1, min(inputChannels, Self.panelTaps / kernelArea)) }
  var channelBlocks: Int { (inputChannels + channelsPerPanel - 1) / channelsPerPanel }
  var tapBlocks: Int { (taps + Self.panelTaps - 1) / Self.panelTaps }

  /// Into how many sums the gradient of the weight is cut, so that several threads have work.
  var weightGradientChunks: Int { max(1, min(tileCount, 16 / (groups * tapBlocks))) }

  func tile(_ index: Int) -> Tile {
    let image = index / tilesPerImage * imagesPerTile
    let place = index % tilesPerImage * placesPerTile
    return Tile(
      images: image..<min(image + imagesPerTile, images),
      places: place..<min(place + placesPerTile, outputPlane))
  }

  /// `range` in pieces of at most a panel's taps.
  func panels(_ range: Range<Int>) -> [Range<Int>] {
    stride(from: range.lowerBound, to: range.upperBound, by: Self.panelTaps).map {
      $0..<min($0 + Self.panelTaps, range.upperBound)
    }
  }
}

/// The arithmetic of a convolution in one element type, over dense memory.
private struct ConvolutionLoops<T: PatchScalar> {
  typealias Pointer = UnsafeMutablePointer<T>
  private let sizes: Convolution

  init(_ sizes: Convolution) { self.sizes = sizes }

  /// y = weight · patches + bias, a tile of one group at a time.
  func forward(_ y: Pointer, _ x: Pointer, _ weight: Pointer, _ bias: Pointer?) {
    let scratch = sizes.largestTile * (sizes.largestPanel + sizes.outputChannels)
    forEachPart(sizes.tileCount * sizes.groups, scratch) { part, scratch in
      let tile = sizes.tile(part / sizes.groups)
      let group = part % sizes.groups
      let isInPlace = tile.images.count == 1
      let buffer = scratch + sizes.largestTile * sizes.largestPanel
      let target = isInPlace ? outputRows(y, tile.images.lowerBound, group, tile) : buffer
      let leading = isInPlace ? sizes.outputPlane : tile.columns
      if let bias {
        for channel in 0..<sizes.outputChannels {
          (target + channel * leading).update(
            repeating: bias[group * sizes.outputChannels + channel], count: tile.columns)
        }
      }
      for taps in sizes.panels(0..<sizes.taps) {
        T.multiply(
          into: target, ldc: leading, weights(weight, group, taps),
          patches(x, group, taps, tile, scratch), m: sizes.outputChannels, n: tile.columns,
          k: taps.count, adds: bias != nil || taps.lowerBound > 0)
      }
      if !isInPlace { copyRows(tile, group, from: buffer, to: y) }
    }
  }

  /// dx = bias + the transpose of gathering, applied to weightᵀ · dy: some channels of some images at
  /// a time, which nobody else adds to.
  func inputGradient(_ dx: Pointer, _ dy: Pointer, _ weight: Pointer, _ bias: Pointer?) {
    let scratch = sizes.largestTile * (sizes.largestPanel + sizes.outputChannels)
    let blocks = sizes.channelBlocks
    forEachPart(sizes.imageGroups * sizes.groups * blocks, scratch) { part, scratch in
      let group = part / blocks % sizes.groups
      let firstTile = part / blocks / sizes.groups * sizes.tilesPerImage
      let first = part % blocks * sizes.channelsPerPanel
      let channels = first..<min(first + sizes.channelsPerPanel, sizes.inputChannels)
      for image in sizes.tile(firstTile).images {
        for channel in channels {
          (inputPlanes(dx, image, group) + channel * sizes.inputPlane).update(
            repeating: bias?[group * sizes.inputChannels + channel] ?? 0, count: sizes.inputPlane)
        }
      }
      let taps = channels.lowerBound * sizes.kernelArea..<channels.upperBound * sizes.kernelArea
      for tile in (firstTile..<firstTile + sizes.tilesPerImage).map(sizes.tile) {
        let gradient = rows(of: dy, tile, group, scratch + sizes.largestTile * sizes.largestPanel)
        for taps in sizes.panels(taps) {
          addPatches(
            of: weights(weight, group, taps), gradient, taps, tile, group, to: dx, scratch)
        }
      }
    }
  }

  /// `weightGradientChunks` partial sums of dw = dy · patchesᵀ, each over some of the tiles.
  func weightGradient(_ dw: Pointer, _ x: Pointer, _ dy: Pointer) {
    let scratch = sizes.largestTile * (sizes.largestPanel + sizes.outputChannels)
    let (chunks, panels) = (sizes.weightGradientChunks, sizes.panels(0..<sizes.taps))
    let size = sizes.groups * sizes.outputChannels * sizes.taps
    if sizes.tileCount == 0 || sizes.outputPlane == 0 {
      return dw.update(repeating: 0, count: size)
    }
    forEachPart(chunks * sizes.groups * panels.count, scratch) { part, scratch in
      let chunk = part / panels.count / sizes.groups
      let group = part / panels.count % sizes.groups
      let taps = panels[part % panels.count]
      let tiles = sizes.tileCount * chunk / chunks..<sizes.tileCount * (chunk + 1) / chunks
      for index in tiles {
        let tile = sizes.tile(index)
        var transposed = patches(x, group, taps, tile, scratch)
        transposed.isTransposed = true
        T.multiply(
          into: weights(dw + chunk * size, group, taps).elements, ldc: sizes.taps,
          rows(of: dy, tile, group, scratch + sizes.largestTile * sizes.largestPanel), transposed,
          m: sizes.outputChannels, n: taps.count, k: tile.columns, adds: index > tiles.lowerBound)
      }
    }
  }

  // MARK: Where things are

  private func inputPlanes(_ x: Pointer, _ image: Int, _ group: Int) -> Pointer {
    x + (image * sizes.groups + group) * sizes.inputChannels * sizes.inputPlane
  }

  /// The tile's places of one image, in the first channel of a group of the output.
  private func outputRows(_ y: Pointer, _ image: Int, _ group: Int, _ tile: Tile) -> Pointer {
    y + (image * sizes.groups + group) * sizes.outputChannels * sizes.outputPlane
      + tile.places.lowerBound
  }

  /// The columns `taps` of a group's weight.
  private func weights(_ weight: Pointer, _ group: Int, _ taps: Range<Int>) -> BLAS.Factor<T> {
    BLAS.Factor(
      elements: weight + group * sizes.outputChannels * sizes.taps + taps.lowerBound,
      leading: sizes.taps)
  }

  /// The matrix [taps, tile columns] of patches: part of the image itself if possible, or gathered.
  private func patches(
    _ x: Pointer, _ group: Int, _ taps: Range<Int>, _ tile: Tile, _ panel: Pointer
  ) -> BLAS.Factor<T> {
    if sizes.isPointwise, tile.images.count == 1 {
      return BLAS.Factor(
        elements: inputPlanes(x, tile.images.lowerBound, group)
          + taps.lowerBound * sizes.inputPlane + tile.places.lowerBound, leading: sizes.inputPlane)
    }
    for (index, image) in tile.images.enumerated() {
      T.im2col(
        panel + index * tile.places.count, inputPlanes(x, image, group), sizes.windows, taps,
        tile.places, tile.columns)
    }
    return BLAS.Factor(elements: panel, leading: tile.columns)
  }

  /// Adds weightᵀ · dy to the elements of dx that the patches were taken from.
  private func addPatches(
    of weight: BLAS.Factor<T>, _ gradient: BLAS.Factor<T>, _ taps: Range<Int>, _ tile: Tile,
    _ group: Int, to dx: Pointer, _ panel: Pointer
  ) {
    var transposed = weight
    transposed.isTransposed = true
    let isInPlace = sizes.isPointwise && tile.images.count == 1
    let target =
      isInPlace
      ? inputPlanes(dx, tile.images.lowerBound, group) + taps.lowerBound * sizes.inputPlane
        + tile.places.lowerBound : panel
    T.multiply(
      into: target, ldc: isInPlace ? sizes.inputPlane : tile.columns, transposed, gradient,
      m: taps.count, n: tile.columns, k: sizes.outputChannels, adds: isInPlace)
    if isInPlace { return }
    for (index, image) in tile.images.enumerated() {
      T.col2im(
        inputPlanes(dx, image, group), panel + index * tile.places.count, sizes.windows, taps,
        tile.places, tile.columns)
    }
  }

  /// The matrix [channels, tile columns] of a group of the output: in place for one image, else
  /// copied to `buffer`.
  private func rows(
    of y: Pointer, _ tile: Tile, _ group: Int, _ buffer: Pointer
  ) -> BLAS.Factor<T> {
    if tile.images.count == 1 {
      return BLAS.Factor(
        elements: outputRows(y, tile.images.lowerBound, group, tile), leading: sizes.outputPlane)
    }
    forEachRow(tile, group) { place, column in
      (buffer + column).update(from: y + place, count: tile.places.count)
    }
    return BLAS.Factor(elements: buffer, leading: tile.columns)
  }

  private func copyRows(_ tile: Tile, _ group: Int, from buffer: Pointer, to y: Pointer) {
    forEachRow(tile, group) { place, column in
      (y + place).update(from: buffer + column, count: tile.places.count)
    }
  }

  /// Calls `body` with the offset of each image's part of each channel in the output and in a matrix.
  private func forEachRow(_ tile: Tile, _ group: Int, _ body: (Int, Int) -> Void) {
    for (index, image) in tile.images.enumerated() {
      let first = (image * sizes.groups + group) * sizes.outputChannels
      for channel in 0..<sizes.outputChannels {
        body(
          (first + channel) * sizes.outputPlane + tile.places.lowerBound,
          channel * tile.columns + index * tile.places.count)
      }
    }
  }

  /// Calls `body(part, memory)` for every part on the kernels' threads, with memory for
  /// `scratchCount` elements that no other thread uses meanwhile.
  private func forEachPart(
    _ parts: Int, _ scratchCount: Int, _ body: (Int, Pointer) -> Void
  ) {
    guard parts > 0 else { return }
    let multiplications =
      sizes.images * sizes.outputPlane * sizes.groups * sizes.outputChannels * sizes.taps
    let workers = multiplications < 1 << 17 ? 1 : min(Threads.count, parts)
    let memory = Tensor(uninitialized: [workers, scratchCount], T.dataType)
    let scratch = memory.pointer(T.self)
    parallel(workers) { worker in
      for part in stride(from: worker, to: parts, by: workers) {
        body(part, scratch + worker * scratchCount)
      }
    }
    withExtendedLifetime(memory) {}
  }
}

/// An element type with the kernels that convolutions need.
private protocol PatchScalar: TensorScalar {
  static func im2col(
    _ panel: UnsafeMutablePointer<Self>, _ x: UnsafePointer<Self>, _ windows: ck_windows,
    _ taps: Range<Int>, _ places: Range<Int>, _ leading: Int)
  static func col2im(
    _ x: UnsafeMutablePointer<Self>, _ panel: UnsafePointer<Self>, _ windows: ck_windows,
    _ taps: Range<Int>, _ places: Range<Int>, _ leading: Int)
  static func multiply(
    into c: UnsafeMutablePointer<Self>, ldc: Int, _ a: BLAS.Factor<Self>, _ b: BLAS.Factor<Self>,
    m: Int, n: Int, k: Int, adds: Bool)
}

extension Float: PatchScalar {
  static func im2col(
    _ panel: UnsafeMutablePointer<Float>, _ x: UnsafePointer<Float>, _ windows: ck_windows,
    _ taps: Range<Int>, _ places: Range<Int>, _ leading: Int
  ) {
    withUnsafePointer(to: windows) {
      ck_im2col_f32(
        panel, x, $0, taps.lowerBound, taps.count, places.lowerBound, places.count, leading)
    }
  }
  static func col2im(
    _ x: UnsafeMutablePointer<Float>, _ panel: UnsafePointer<Float>, _ windows: ck_windows,
    _ taps: Range<Int>, _ places: Range<Int>, _ leading: Int
  ) {
    withUnsafePointer(to: windows) {
      ck_col2im_f32(
        x, panel, $0, taps.lowerBound, taps.count, places.lowerBound, places.count, leading)
    }
  }
  static func multiply(
    into c: UnsafeMutablePointer<Float>, ldc: Int, _ a: BLAS.Factor<Float>,
    _ b: BLAS.Factor<Float>, m: Int, n: Int, k: Int, adds: Bool
  ) {
    BLAS.multiply(into: c, ldc: ldc, a, b, m: m, n: n, k: k, adds: adds)
  }
}

extension Double: PatchScalar {
  static func im2col(
    _ panel: UnsafeMutablePointer<Double>, _ x: UnsafePointer<Double>, _ windows: ck_windows,
    _ taps: Range<Int>, _ places: Range<Int>, _ leading: Int
  ) {
    withUnsafePointer(to: windows) {
      ck_im2col_f64(
        panel, x, $0, taps.lowerBound, taps.count, places.lowerBound, places.count, leading)
    }
  }
  static func col2im(
    _ x: UnsafeMutablePointer<Double>, _ panel: UnsafePointer<Double>, _ windows: ck_windows,
    _ taps: Range<Int>, _ places: Range<Int>, _ leading: Int
  ) {
    withUnsafePointer(to: windows) {
      ck_col2im_f64(
        x, panel, $0, taps.lowerBound, taps.count, places.lowerBound, places.count, leading)
    }
  }
  static func multiply(
    into c: UnsafeMutablePointer<Double>, ldc: Int, _ a: BLAS.Factor<Double>,
    _ b: BLAS.Factor<Double>, m: Int, n: Int, k: Int, adds: Bool
  ) {
    BLAS.multiply(into: c, ldc: ldc, a, b, m: m, n: n, k: k, adds: adds)
  }
}
