// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CKernels

// In-place operations, named with a trailing underscore as in PyTorch.
//
// All views see the new elements, and the storage's version tells backward that values saved before
// were overwritten. In the graph, the tensor becomes the result of the new operation.

extension Tensor {
  /// Adds `scale * other` to this tensor's elements in place; `other` may broadcast.
  ///
  /// The gradients are `dy` and `scale * dy`.
  @discardableResult
  public final func add_(_ other: Tensor, scale: Double = 1) -> Tensor {
    add("Add", other, scale)
  }

  /// Subtracts `scale * other` from this tensor's elements in place; `other` may broadcast.
  ///
  /// The gradients are `dy` and `-scale * dy`.
  @discardableResult
  public final func sub_(_ other: Tensor, scale: Double = 1) -> Tensor {
    add("Subtract", other, -scale)
  }

  private final func add(_ name: StaticString, _ other: Tensor, _ scale: Double) -> Tensor {
    overwrite(name, with: other, savesNothing: true) {
      scale == 1 ? self + other : scale == -1 ? self - other : self + other.scaled(scale)
    } pullback: { dy in
      [dy, scale == 1 ? dy : scale == -1 ? -dy : scale * dy]
    }
  }

  /// scale * x, of integers in their own type if the factor is an integer.
  private final func scaled(_ scale: Double) -> Tensor {
    Int(exactly: scale).map { self * $0 } ?? self * scale
  }

  /// Multiplies this tensor's elements in place; `other` may broadcast.
  ///
  /// The gradients are `dy * other` and `dy * x`, which needs a copy of the old elements.
  @discardableResult
  public final func mul_(_ other: Tensor) -> Tensor {
    followBase("Multiply")
    let x = other.requiresGrad ? Saved(copy(), by: "Multiply") : nil
    let w = requiresGrad ? Saved(other, by: "Multiply") : nil
    return overwrite("Multiply", with: other) {
      self * other
    } pullback: { dy in
      [w.map { dy * $0() }, x.map { dy * $0() }]
    }
  }

  /// Divides this tensor's elements in place; `other` may broadcast.
  ///
  /// The gradients are `dy / other` and `-(dy / other) * (x / other)`, which needs a copy of the old
  /// elements.
  @discardableResult
  public final func div_(_ other: Tensor) -> Tensor {
    followBase("Divide")
    let x = other.requiresGrad ? Saved(copy(), by: "Divide") : nil
    let w = Saved(other, by: "Divide")
    return overwrite("Divide", with: other) {
      self / other
    } pullback: { dy in
      let w = w()
      let dx = dy / w
      guard let x else { return [dx, nil] }
      return [dx, -dx * (x() / w)]
    }
  }

  /// Overwrites the elements with those of `other`, which may broadcast and is converted to the type of
  /// this tensor.
  ///
  /// The old elements get no gradient, the new ones `dy`.
  @discardableResult
  public final func copy_(_ other: Tensor) -> Tensor {
    let other = other.converted(to: dataType)
    return overwrite("Copy", with: other, savesNothing: true) {
      other.expanded(to: self.shape)
    } pullback: { dy in
      [nil, dy]
    }
  }

  /// Overwrites every element with `value`.
  @discardableResult
  public final func fill_(_ value: Double) -> Tensor { copy_(scalar(value)) }

  /// Overwrites every element with 0.
  @discardableResult
  public final func zero_() -> Tensor { fill_(0) }

  /// Adds in place.
  public static func += (x: inout Tensor, other: Tensor) { x.add_(other) }
  /// Subtracts in place.
  public static func -= (x: inout Tensor, other: Tensor) { x.sub_(other) }
  /// Multiplies in place.
  public static func *= (x: inout Tensor, other: Tensor) { x.mul_(other) }
  /// Divides in place.
  public static func /= (x: inout Tensor, other: Tensor) { x.div_(other) }
  /// Adds a number in place.
  public static func += (x: inout Tensor, c: Double) { x.add_(x.scalar(c)) }
  /// Adds a number in place.
  @_disfavoredOverload
  public static func += (x: inout Tensor, c: Float) { x.add_(x.scalar(Double(c))) }
  /// Adds a number in place.
  public static func += (x: inout Tensor, c: Int) { x.add_(x.scalar(c)) }
  /// Subtracts a number in place.
  public static func -= (x: inout Tensor, c: Double) { x.sub_(x.scalar(c)) }
  /// Subtracts a number in place.
  @_disfavoredOverload
  public static func -= (x: inout Tensor, c: Float) { x.sub_(x.scalar(Double(c))) }
  /// Subtracts a number in place.
  public static func -= (x: inout Tensor, c: Int) { x.sub_(x.scalar(c)) }
  /// Multiplies by a number in place.
  public static func *= (x: inout Tensor, c: Double) { x.mul_(x.scalar(c)) }
  /// Multiplies by a number in place.
  @_disfavoredOverload
  public static func *= (x: inout Tensor, c: Float) { x.mul_(x.scalar(Double(c))) }
  /// Multiplies by a number in place.
  public static func *= (x: inout Tensor, c: Int) { x.mul_(x.scalar(c)) }
  /// Divides by a number in place.
  public static func /= (x: inout Tensor, c: Double) { x.div_(x.scalar(c)) }
  /// Divides by a number in place.
  @_disfavoredOverload
  public static func /= (x: inout Tensor, c: Float) { x.div_(x.scalar(Double(c))) }
  /// Divides by a number in place.
  public static func /= (x: inout Tensor, c: Int) { x.div_(x.scalar(c)) }

  private func overwrite(
    _ name: StaticString, with other: Tensor, savesNothing: Bool = false, value: () -> Tensor,
    pullback: @escaping Pullback
  ) -> Tensor {
    require(
      !(isGradientEnabled && (leafRequiresGrad || base?.leafRequiresGrad == true)),
      """
      \(name): a leaf that requires gradients \(base?.shape ?? shape) cannot be changed in place\
      \(base == nil ? "" : ", nor can a view of it"); use withoutGrad or detached()
      """)
    if isGradientEnabled {
      followBase(name)
      other.followBase(name)
    }
    let isRecorded = isGradientEnabled && (requiresGrad || other.requiresGrad || isViewOfGraph)
    require(
      !isRecorded || recordsChanges,
      """
      \(name): this \(shape) is a view that was taken in withoutGrad; it cannot be changed in place while \
      gradients are recorded, because the original tensor would not record it; change the original, \
      or a copy()
      """)
    let y = withoutGrad(value)
    require(
      y.shape == shape,
      "\(name): \(other.shape) does not broadcast to \(shape), which is changed in place")
    require(
      y.dataType.category <= dataType.category,
      "\(name): \(other.dataType) does not fit into \(dataType); use converted(to:)")
    write(y, name)
    if isRecorded {
      recordChange(name, with: other, savesNothing: savesNothing, pullback: pullback)
    }
    return self
  }
}
