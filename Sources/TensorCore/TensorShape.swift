/// The sizes of a tensor's axes, outermost first, stored inline.
///
/// It is used like an array of at most eight `Int`: `shape[0]`, `shape.count`, `shape == [2, 3]`.
public struct TensorShape: RandomAccessCollection, MutableCollection, ExpressibleByArrayLiteral,
  Hashable,
  Sendable, CustomStringConvertible
{
  /// The most axes that a tensor can have.
  public static let maximumAxes = 8

  private var sizes = InlineArray<8, Int>(repeating: 0)
  /// The number of axes.
  public private(set) var count = 0

  /// Creates the shape of a scalar, which has no axes.
  public init() {}

  /// Creates a shape from its sizes, outermost first.
  public init(_ sizes: some Sequence<Int>) {
    for size in sizes { append(size) }
  }

  /// Creates a shape from an array literal, outermost axis first.
  public init(arrayLiteral sizes: Int...) {
    for size in sizes { append(size) }
  }

  /// Creates a shape of `count` axes of the same size.
  public init(repeating size: Int, count: Int) {
    for _ in 0..<count { append(size) }
  }

  /// The index of the first axis, 0.
  public var startIndex: Int { 0 }
  /// The index after the last axis.
  public var endIndex: Int { count }

  /// The size of an axis; negative axes count from the end: `shape[-1]` is the last.
  public subscript(axis: Int) -> Int {
    get { sizes[position(axis)] }
    set { sizes[position(axis)] = newValue }
  }

  @inline(__always)
  private func position(_ axis: Int) -> Int {
    let position = axis < 0 ? axis + count : axis
    require(position >= 0 && position < count, "axis \(axis) of a shape with \(count) axes")
    return position
  }

  /// The number of elements: the product of all sizes, 1 for a scalar.
  public var elementCount: Int {
    var product = 1
    for axis in 0..<count { product *= sizes[axis] }
    return product
  }

  /// Appends an innermost axis.
  public mutating func append(_ size: Int) {
    require(count < TensorShape.maximumAxes, "a tensor has at most \(TensorShape.maximumAxes) axes")
    sizes[count] = size
    count += 1
  }

  /// Returns this shape with an axis of `size` inserted before `axis`.
  public func inserting(_ size: Int, at axis: Int) -> TensorShape {
    var result = TensorShape()
    for index in 0..<count {
      if index == axis { result.append(size) }
      result.append(sizes[index])
    }
    if axis == count { result.append(size) }
    return result
  }

  /// Returns this shape without `axis`.
  public func removing(_ axis: Int) -> TensorShape {
    var result = TensorShape()
    for index in 0..<count where index != axis { result.append(sizes[index]) }
    return result
  }

  /// The sizes as an array.
  public var array: [Int] { Array(self) }

  /// The sizes in brackets, as in `[2, 3]`.
  public var description: String { array.description }

  /// Whether two shapes have the same axes.
  public static func == (a: TensorShape, b: TensorShape) -> Bool {
    guard a.count == b.count else { return false }
    for axis in 0..<a.count where a.sizes[axis] != b.sizes[axis] { return false }
    return true
  }

  /// Feeds the sizes to the hasher.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(count)
    for axis in 0..<count { hasher.combine(sizes[axis]) }
  }
}

extension TensorShape {
  /// The strides of a contiguous tensor of this shape, in elements.
  var contiguousStrides: TensorShape {
    var strides = self
    var step = 1
    for axis in stride(from: count - 1, through: 0, by: -1) {
      strides.sizes[axis] = step
      step *= Swift.max(sizes[axis], 1)
    }
    return strides
  }

  /// `axis` as a non-negative index; negative axes count from the end, as in PyTorch.
  func normalized(axis: Int, operation: StaticString) -> Int {
    let result = axis < 0 ? axis + count : axis
    require(
      result >= 0 && result < count,
      "\(operation): axis \(axis) is out of range for shape \(self)")
    return result
  }

  /// For each axis, whether it is in `axes`; nil stands for all axes.
  func mask(of axes: [Int]?, operation: StaticString) -> InlineArray<8, Bool> {
    var mask = InlineArray<8, Bool>(repeating: axes == nil)
    for axis in axes ?? [] {
      let index = normalized(axis: axis, operation: operation)
      require(!mask[index], "\(operation): axis \(axis) is named twice")
      mask[index] = true
    }
    return mask
  }

  /// The shape that two shapes broadcast to, by NumPy's rules; nil if they do not.
  static func broadcast(_ a: TensorShape, _ b: TensorShape) -> TensorShape? {
    if a == b { return a }
    let count = Swift.max(a.count, b.count)
    var result = TensorShape(repeating: 1, count: count)
    for axis in 0..<count {
      let i = axis - (count - a.count)
      let j = axis - (count - b.count)
      let m = i >= 0 ? a.sizes[i] : 1
      let n = j >= 0 ? b.sizes[j] : 1
      guard m == n || m == 1 || n == 1 else { return nil }
      result.sizes[axis] = m == 1 ? n : m
    }
    return result
  }
}
