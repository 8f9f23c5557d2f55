internal import CKernels

extension Tensor {
  /// The largest element of each window: `[N, C, H, W]` becomes `[N, C, H', W']`.
  ///
  /// H' = (H + 2 padding − dilation (KH − 1) − 1) / stride + 1, rounded down, or up with `ceilMode`, except
  /// that no window starts in the padding at the end. The default stride is the kernel size. The result
  /// of a window with a NaN is NaN. A single image `[C, H, W]` is accepted too.
  ///
  /// The gradient flows to the largest element of each window, the first of equal ones.
  public final func maxPool2d(
    kernel: Size2d, stride: Size2d? = nil, padding: Size2d = 0, dilation: Size2d = 1,
    ceilMode: Bool = false
  ) -> Tensor {
    if isSingleBFloat16Image {
      return unsqueezed(axis: 0).maxPool2d(
        kernel: kernel, stride: stride, padding: padding, dilation: dilation, ceilMode: ceilMode
      ).squeezed(axis: 0)
    }
    let stride = stride ?? kernel
    checkPooling("maxPool2d", kernel, padding)
    var windows = ck_windows(
      "maxPool2d", self, kernel: kernel, stride: stride, padding: padding, dilation: dilation,
      roundsUp: ceilMode)
    require(
      windows.meetPlane,
      "maxPool2d: a window of kernel \(kernel), dilation \(dilation) and padding \(padding) lies wholly outside the image \(shape)"
    )
    require(
      windows.height * windows.width <= Int(Int32.max),
      "maxPool2d: an image of \(shape) has too many elements")
    let (planes, target) = (planeCount, pooledShape(windows.out_height, windows.out_width))
    let order = poolingOrder
    let x = ordered(order)
    let y = Tensor(uninitialized: target, order, dataType)
    let indices = Tensor(uninitialized: target, order, .int32)
    if order == .channelsLast {
      ck_max_pool_last(
        dataType.kernelType, y.bytes, indices.pointer(), x.bytes, shape[0], shape[1], &windows)
    } else {
      ck_max_pool(dataType.kernelType, y.bytes, indices.pointer(), x.bytes, planes, &windows)
    }
    let (source, size) = (shape, windows.height * windows.width)
    let outputSize = windows.out_height * windows.out_width
    let sizes = windows
    return y.recorded("MaxPool2d", from: self) { dy in
      fused {
        let dy = dy.ordered(order)
        let dx = Tensor(uninitialized: source, order, dy.dataType)
        let type = dy.dataType.kernelType
        if order == .channelsLast {
          withUnsafePointer(to: sizes) {
            ck_max_pool_last_backward(
              type, dx.bytes, dy.bytes, indices.pointer(), source[0], source[1], $0)
          }
        } else {
          ck_max_pool_backward(
            type, dx.bytes, dy.bytes, indices.pointer(), planes, size, outputSize)
        }
        return [dx]
      } composed: {
        let flat = dy.reshaped(to: [planes, outputSize])
        let elements = withoutGrad { indices.reshaped(to: [planes, outputSize]) }
        return [flat.scattered(elements, in: [planes, size], axis: 1).reshaped(to: source)]
      }
    }
  }

  /// The mean of each window: `[N, C, H, W]` becomes `[N, C, H', W']`, with the sizes of `maxPool2d`.
  ///
  /// With `countIncludePad` the padding counts as zeros, otherwise it does not count. The default stride
  /// is the kernel size.
  ///
  /// The gradient is distributed evenly over the elements of each window.
  public final func avgPool2d(
    kernel: Size2d, stride: Size2d? = nil, padding: Size2d = 0, ceilMode: Bool = false,
    countIncludePad: Bool = true
  ) -> Tensor {
    let stride = stride ?? kernel
    checkPooling("avgPool2d", kernel, padding)
    let windows = ck_windows(
      "avgPool2d", self, kernel: kernel, stride: stride, padding: padding, dilation: 1,
      roundsUp: ceilMode)
    func spans(_ size: Int, _ count: Int, _ part: KeyPath<Size2d, Int>) -> [ck_span] {
      let (kernel, stride, padding) = (
        kernel[keyPath: part], stride[keyPath: part], padding[keyPath: part]
      )
      return (0..<count).map { index in
        let start = index * stride - padding
        let end = Swift.min(start + kernel, size + padding)
        let inside = Swift.max(start, 0)..<Swift.min(end, size)
        return ck_span(inside, divisor: countIncludePad ? end - start : inside.count)
      }
    }
    return averaged(
      spans(windows.height, windows.out_height, \.height),
      spans(windows.width, windows.out_width, \.width))
  }

  /// The means of a grid of windows that cover the image: `[N, C, H, W]` becomes `[N, C, size.height,
  /// size.width]`.
  ///
  /// Window i covers the rows from ⌊i H / H'⌋ to before ⌈(i + 1) H / H'⌉, and columns likewise.
  ///
  /// The gradient is distributed evenly over the elements of each window.
  public final func adaptiveAvgPool2d(_ size: Size2d) -> Tensor {
    checkPooling("adaptiveAvgPool2d", 1, 0)
    require(size.isAtLeast(1), "adaptiveAvgPool2d: an output of \(size) for an input \(shape)")
    func spans(_ size: Int, _ count: Int) -> [ck_span] {
      (0..<count).map { index in
        let window = index * size / count..<((index + 1) * size + count - 1) / count
        return ck_span(window, divisor: window.count)
      }
    }
    return averaged(
      spans(shape[shape.count - 2], size.height), spans(shape[shape.count - 1], size.width))
  }

  /// The means over each pair of a span of rows and a span of columns.
  private func averaged(_ rows: [ck_span], _ columns: [ck_span]) -> Tensor {
    if isSingleBFloat16Image {
      return unsqueezed(axis: 0).averaged(rows, columns).squeezed(axis: 0)
    }
    let order = poolingOrder
    let x = ordered(order)
    let source = shape
    let (height, width) = (source[source.count - 2], source[source.count - 1])
    let y = Tensor(uninitialized: pooledShape(rows.count, columns.count), order, dataType)
    if order == .channelsLast {
      ck_average_pool_last(
        dataType.kernelType, y.bytes, x.bytes, shape[0], shape[1], height, width, rows, rows.count,
        columns, columns.count)
    } else {
      ck_average_pool(
        dataType.kernelType, y.bytes, x.bytes, planeCount, height, width, rows, rows.count, columns,
        columns.count)
    }
    return y.recorded("AvgPool2d", from: self, savesNothing: true) { dy in
      [dy.spread(rows, columns, source, order)]
    }
  }

  /// Each element distributed evenly over its window in a tensor of shape `target`: the transpose of
  /// `averaged`.
  private func spread(
    _ rows: [ck_span], _ columns: [ck_span], _ target: TensorShape, _ order: MemoryOrder
  ) -> Tensor {
    let dy = ordered(order)
    let dx = Tensor(uninitialized: target, order, dataType)
    let (height, width) = (target[target.count - 2], target[target.count - 1])
    if order == .channelsLast {
      ck_average_pool_last_backward(
        dataType.kernelType, dx.bytes, dy.bytes, shape[0], shape[1], height, width, rows,
        rows.count, columns, columns.count)
    } else {
      ck_average_pool_backward(
        dataType.kernelType, dx.bytes, dy.bytes, planeCount, height, width, rows, rows.count,
        columns, columns.count)
    }
    return dx.recorded("SpreadOverWindows", from: self, savesNothing: true) { g in
      [g.averaged(rows, columns)]
    }
  }

  /// Whether this is an image `[C, H, W]` of bfloat16, for which there are only kernels that want four axes.
  private var isSingleBFloat16Image: Bool { dataType == .bfloat16 && shape.count == 3 }

  /// The order in memory in which these images are pooled: their own if they are dense and it has kernels.
  private var poolingOrder: MemoryOrder {
    dataType == .bfloat16 ? .channelsLast : memoryOrder ?? .rowMajor
  }

  /// The number of planes: images times channels.
  private var planeCount: Int { shape.dropLast(2).reduce(1, *) }

  /// This shape with another height and width.
  private func pooledShape(_ height: Int, _ width: Int) -> TensorShape {
    var target = shape
    target[shape.count - 2] = height
    target[shape.count - 1] = width
    return target
  }

  private func checkPooling(_ name: StaticString, _ kernel: Size2d, _ padding: Size2d) {
    require(
      (shape.count == 4 || shape.count == 3) && dataType.isFloatingPoint,
      "\(name): floating-point images [N, C, H, W] or [C, H, W] are needed, not \(dataType) \(shape)"
    )
    require(
      shape.suffix(2).allSatisfy { $0 > 0 }, "\(name): the images of shape \(shape) are empty")
    require(
      2 * padding.height <= kernel.height && 2 * padding.width <= kernel.width,
      "\(name): a padding of \(padding) is more than half of the kernel \(kernel)")
  }
}

extension ck_span {
  fileprivate init(_ range: Range<Int>, divisor: Int) {
    self.init(
      begin: Int32(range.lowerBound), end: Int32(range.upperBound), divisor: Int32(divisor))
  }
}

extension ck_windows {
  /// The windows of a kernel over the last two axes of `x`.
  init(
    _ name: StaticString, _ x: Tensor, kernel: Size2d, stride: Size2d, padding: Size2d,
    dilation: Size2d, roundsUp: Bool = false
  ) {
    let plane = Size2d(height: x.shape[x.shape.count - 2], width: x.shape[x.shape.count - 1])
    self.init(
      name, plane: plane, kernel: kernel, stride: stride, padding: padding, dilation: dilation)
    func positions(_ part: KeyPath<Size2d, Int>) -> Int {
      let (step, padding) = (stride[keyPath: part], padding[keyPath: part])
      let room =
        plane[keyPath: part] + 2 * padding - dilation[keyPath: part] * (kernel[keyPath: part] - 1)
        - 1
      guard room >= 0 || roundsUp && room + step > 0 else { return 0 }
      let count = (room + (roundsUp ? step - 1 : 0)) / step + 1
      // The last window must start in the image or the padding before it.
      return roundsUp && (count - 1) * step >= plane[keyPath: part] + padding ? count - 1 : count
    }
    (out_height, out_width) = (positions(\.height), positions(\.width))
    require(
      out_height > 0 && out_width > 0,
      "\(name): a kernel \(kernel) with dilation \(dilation) is larger than the image \(x.shape) with padding \(padding)"
    )
  }

  /// The windows of a kernel over planes of a size; the output size is still to be set.
  init(
    _ name: StaticString, plane: Size2d, kernel: Size2d, stride: Size2d, padding: Size2d,
    dilation: Size2d
  ) {
    require(
      kernel.isAtLeast(1) && stride.isAtLeast(1) && dilation.isAtLeast(1) && padding.isAtLeast(0),
      "\(name): kernel \(kernel), stride \(stride) and dilation \(dilation) must be positive, padding \(padding) not negative"
    )
    self.init(
      height: plane.height, width: plane.width, kernel_height: kernel.height,
      kernel_width: kernel.width, out_height: 0, out_width: 0, stride_y: stride.height,
      stride_x: stride.width, padding_y: padding.height, padding_x: padding.width,
      dilation_y: dilation.height, dilation_x: dilation.width)
  }

  /// Whether every window contains an element of the plane.
  fileprivate var meetPlane: Bool {
    func meets(
      _ size: Int, _ kernel: Int, _ positions: Int, _ stride: Int, _ padding: Int, _ dilation: Int
    ) -> Bool {
      (0..<positions).allSatisfy { position in
        (0..<kernel).contains {
          (0..<size).contains(position * stride + $0 * dilation - padding)
        }
      }
    }
    return meets(height, kernel_height, out_height, stride_y, padding_y, dilation_y)
      && meets(width, kernel_width, out_width, stride_x, padding_x, dilation_x)
  }
}
