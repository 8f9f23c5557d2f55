// Padding, PyTorch's torch.nn.functional.pad.

/// What padding consists of.
public enum PaddingMode: String, Sendable, CaseIterable {
  /// A constant.
  case constant
  /// The elements mirrored at the border, which is not repeated.
  case reflect
  /// The element at the border.
  case replicate
  /// The elements from the other end.
  case circular
}

extension Tensor {
  /// The elements with padding around them, PyTorch's `pad`.
  ///
  /// The padding is `[left, right]` of the last axis, then `[top, bottom]` of the one before it, and so
  /// on. Negative padding cuts elements off.
  ///
  ///     x.padded([1, 1, 2, 2])                      // zeros around images [N, C, H, W]
  ///     x.padded([3, 3], mode: .reflect)
  ///
  /// Reflected padding must be smaller than the axis, circular padding at most as large.
  ///
  /// The gradient of an element is the sum over its copies.
  public final func padded(_ padding: [Int], mode: PaddingMode = .constant, value: Double = 0)
    -> Tensor
  {
    require(
      padding.count % 2 == 0 && padding.count <= 2 * shape.count,
      "padded: \(padding) for \(shape); write [left, right, top, bottom, …], the last axis first")
    var y = self
    for pair in 0..<padding.count / 2 {
      let axis = shape.count - 1 - pair
      let (before, after) = (padding[2 * pair], padding[2 * pair + 1])
      require(
        shape[axis] + Swift.min(before, 0) + Swift.min(after, 0) >= 0,
        "padded: \(padding) cuts off more than axis \(axis) of \(shape) has")
      if before < 0 || after < 0 {
        y = y.sliced(Swift.max(-before, 0)..<shape[axis] - Swift.max(-after, 0), axis: axis)
      }
    }
    let widths = padding.map { Swift.max($0, 0) }
    if widths.allSatisfy({ $0 == 0 }) { return y }
    if mode == .constant { return y.surrounded(widths, value) }
    for pair in 0..<widths.count / 2 {
      let (before, after) = (widths[2 * pair], widths[2 * pair + 1])
      guard before > 0 || after > 0 else { continue }
      y = y.extended(before, after, axis: shape.count - 1 - pair, mode)
    }
    return y
  }

  /// A constant around the elements.
  private func surrounded(_ padding: [Int], _ value: Double) -> Tensor {
    var target = shape
    for pair in 0..<padding.count / 2 {
      target[shape.count - 1 - pair] += padding[2 * pair] + padding[2 * pair + 1]
    }
    let from = shape
    func inside(_ x: Tensor) -> Tensor {
      var x = x
      for pair in 0..<padding.count / 2 {
        let axis = from.count - 1 - pair
        x = x.sliced(padding[2 * pair]..<padding[2 * pair] + from[axis], axis: axis)
      }
      return x
    }
    let y = Tensor.full(target, value, dataType)
    withoutGrad { copyElements(from: self, to: inside(y)) }
    return y.recorded("Pad", from: self) { dy in [inside(dy)] }
  }

  /// Elements of the tensor itself before and after it along an axis.
  private func extended(_ before: Int, _ after: Int, axis: Int, _ mode: PaddingMode) -> Tensor {
    let size = shape[axis]
    let most =
      switch mode {
      case .reflect: size - 1
      case .circular: size
      default: size > 0 ? Int.max : -1
      }
    require(
      Swift.max(before, after) <= most,
      "padded: \(mode.rawValue) padding \(before), \(after) of axis \(axis) of \(shape) is too large"
    )
    func part(_ range: Range<Int>) -> Tensor { sliced(range, axis: axis) }
    func edge(_ index: Int, _ width: Int) -> Tensor {
      var target = shape
      target[axis] = width
      return part(index..<index + 1).expanded(to: target)
    }
    let (first, last) =
      switch mode {
      case .reflect:
        (
          part(1..<1 + before).flipped(axis: axis),
          part(size - 1 - after..<size - 1).flipped(axis: axis)
        )
      case .circular: (part(size - before..<size), part(0..<after))
      default: (edge(0, before), edge(size - 1, after))
      }
    return .concatenated([first, self, last], axis: axis)
  }
}
