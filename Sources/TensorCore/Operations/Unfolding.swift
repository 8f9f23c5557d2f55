// Sliding windows as axes of their own, and their sums back.

extension Tensor {
  /// The windows of `size` elements along an axis, as a new last axis: PyTorch's `Tensor.unfold`.
  ///
  /// The result is a view. Element k of window i is element i · step + k · dilation; there are
  /// (n − dilation (size − 1) − 1) / step + 1 windows, rounded down.
  ///
  /// The gradient of an element is the sum over all windows that hold it.
  public final func unfolded(axis: Int, size: Int, step: Int = 1, dilation: Int = 1) -> Tensor {
    let axis = shape.normalized(axis: axis, operation: "unfolded")
    let span = dilation * (size - 1) + 1
    require(
      size > 0 && step > 0 && dilation > 0 && span <= shape[axis],
      "unfolded: windows of \(size) with dilation \(dilation) and step \(step) along axis \(axis) of \(shape)"
    )
    var (newShape, newStrides) = (shape, strides)
    newShape[axis] = (shape[axis] - span) / step + 1
    newStrides[axis] *= step
    newShape.append(size)
    newStrides.append(strides[axis] * dilation)
    let from = shape
    return view(newShape, newStrides, offset).recorded("UnfoldAxis", from: self) { dy in
      [dy.overlapped(in: from, axis: axis, step: step, dilation: dilation)]
    }
  }

  /// A tensor of shape `target` with the windows of the last axis summed along another one: the transpose of
  /// `unfolded(axis:size:step:dilation:)`.
  final func overlapped(in target: TensorShape, axis: Int, step: Int, dilation: Int) -> Tensor {
    if dataType == .bfloat16 {
      return widened.overlapped(in: target, axis: axis, step: step, dilation: dilation)
    }
    let (windows, size) = (shape[axis], shape.last!)
    let y = Tensor.zeros(target, dataType)
    withoutGrad {
      for k in 0..<size where windows > 0 {
        let start = k * dilation
        let part = y.sliced(start..<start + (windows - 1) * step + 1, axis: axis, step: step)
        part.assign(part + selected(k, axis: -1))
      }
    }
    return y.recorded("OverlapAxis", from: self) { g in
      [g.unfolded(axis: axis, size: size, step: step, dilation: dilation)]
    }
  }

  /// The windows of images `[N, C, H, W]` as columns, `[N, C · KH · KW, windows]`: PyTorch's `unfold`, also
  /// called im2col.
  ///
  /// The windows are those of `conv2d`, row by row, with zeros in the padding. A single image `[C, H, W]` is
  /// accepted too. The gradient is `folded`.
  public final func unfolded(
    kernel: Size2d, stride: Size2d = 1, padding: Size2d = 0, dilation: Size2d = 1
  ) -> Tensor {
    require(
      shape.count == 4 || shape.count == 3,
      "unfolded: images are [N, C, H, W] or [C, H, W], not \(shape)")
    if shape.count == 3 {
      return unsqueezed(axis: 0).unfolded(
        kernel: kernel, stride: stride, padding: padding, dilation: dilation
      ).squeezed(axis: 0)
    }
    let count = windowCount(
      "unfolded", [shape[2], shape[3]], kernel.sizes, stride.sizes, padding.sizes, dilation.sizes)
    let padded = zeroPadded(axis: 2, by: padding.height).zeroPadded(axis: 3, by: padding.width)
    return
      padded
      .unfolded(axis: 2, size: kernel.height, step: stride.height, dilation: dilation.height)
      .unfolded(axis: 3, size: kernel.width, step: stride.width, dilation: dilation.width)
      .permuted([0, 1, 4, 5, 2, 3])
      .reshaped(to: [shape[0], shape[1] * kernel.height * kernel.width, count[0] * count[1]])
  }

  /// Images `[N, C, H, W]` of the given height and width from columns `[N, C · KH · KW, windows]`, with
  /// overlapping windows summed: PyTorch's `fold`, also called col2im, the transpose of
  /// `unfolded(kernel:stride:padding:dilation:)`.
  ///
  /// Columns `[C · KH · KW, windows]` of a single image are accepted too. The gradient is `unfolded`.
  public final func folded(
    to size: Size2d, kernel: Size2d, stride: Size2d = 1, padding: Size2d = 0, dilation: Size2d = 1
  ) -> Tensor {
    if shape.count == 2 {
      return unsqueezed(axis: 0).folded(
        to: size, kernel: kernel, stride: stride, padding: padding, dilation: dilation
      ).squeezed(axis: 0)
    }
    let count = windowCount(
      "folded", size.sizes, kernel.sizes, stride.sizes, padding.sizes, dilation.sizes)
    let area = kernel.height * kernel.width
    require(
      shape.count == 3 && shape[1] % area == 0 && shape[2] == count[0] * count[1],
      "folded: columns of shape \(shape) for images \(size) and a kernel \(kernel), which have \(count[0] * count[1]) windows of \(area) elements"
    )
    let (images, channels) = (shape[0], shape[1] / area)
    let height = size.height + 2 * padding.height
    let width = size.width + 2 * padding.width
    let windows = reshaped(
      to: [images, channels, kernel.height, kernel.width, count[0], count[1]]
    ).permuted([0, 1, 4, 5, 2, 3])
    return
      windows
      .overlapped(
        in: [images, channels, count[0], width, kernel.height], axis: 3, step: stride.width,
        dilation: dilation.width
      )
      .overlapped(
        in: [images, channels, height, width], axis: 2, step: stride.height,
        dilation: dilation.height
      )
      .sliced(padding.height..<padding.height + size.height, axis: 2)
      .sliced(padding.width..<padding.width + size.width, axis: 3)
  }

  /// With zeros before and behind the elements along an axis.
  final func zeroPadded(axis: Int, by before: Int, _ after: Int? = nil) -> Tensor {
    let after = after ?? before
    guard before > 0 || after > 0 else { return self }
    let axis = shape.normalized(axis: axis, operation: "zeroPadded")
    var target = shape
    target[axis] += before + after
    return embedded(in: target, before..<before + shape[axis], axis: axis, step: 1)
  }

  /// The number of windows along each axis; stops if one has none.
  final func windowCount(
    _ name: StaticString, _ sizes: [Int], _ kernel: [Int], _ stride: [Int], _ padding: [Int],
    _ dilation: [Int]
  ) -> [Int] {
    require(
      (kernel + stride + dilation).allSatisfy { $0 >= 1 } && padding.allSatisfy { $0 >= 0 },
      "\(name): kernel \(kernel), stride \(stride) and dilation \(dilation) must be positive, padding \(padding) not negative"
    )
    let rooms = sizes.indices.map {
      sizes[$0] + 2 * padding[$0] - dilation[$0] * (kernel[$0] - 1) - 1
    }
    require(
      rooms.allSatisfy { $0 >= 0 },
      "\(name): a kernel \(kernel) with dilation \(dilation) is larger than \(sizes) in the input \(shape) with padding \(padding)"
    )
    return rooms.indices.map { rooms[$0] / stride[$0] + 1 }
  }
}

extension Size2d {
  var sizes: [Int] { [height, width] }
}

extension Size3d {
  var sizes: [Int] { [depth, height, width] }
}
