/// What can stand in the brackets of `x[…]`, one for each axis.
///
/// | Index | Selects |
/// |---|---|
/// | `2`, `-1` | one index, without the axis; negative ones count from the end |
/// | `1..<3`, `1...2`, `2...`, `..<3`, `-3...`, `..<-1`, `1..<-1` | a range |
/// | `.all` | the whole axis |
/// | `.by(2)`, `.slice(from: 1, to: -1, by: 2)`, `stride(from: 0, to: 6, by: 2)` | with a step |
/// | `.ellipsis` | as many whole axes as are left |
/// | `.newAxis` | a new axis of size one |
/// | an integer tensor, `[0, 2]` | those indices, in its shape |
/// | a mask (`x .> 0`) | where it is true |
public protocol TensorIndexing {
  /// The index in the form that `x[…]` evaluates.
  var tensorIndex: TensorIndex { get }
}

/// An index of one axis, or of none (`.newAxis`) or several (`.ellipsis`, masks).
public struct TensorIndex: TensorIndexing {
  enum Kind {
    case element(Int)
    /// The bounds may be negative, which counts from the end; nil is the end itself.
    case slice(from: Int, to: Int?, step: Int)
    case newAxis
    case ellipsis
    case elements(Tensor)
  }

  let kind: Kind

  init(_ kind: Kind) { self.kind = kind }

  /// This index.
  public var tensorIndex: TensorIndex { self }
}

extension TensorIndexing where Self == TensorIndex {
  /// All of an axis, PyTorch's `:`.
  public static var all: TensorIndex { TensorIndex(.slice(from: 0, to: nil, step: 1)) }
  /// A new axis of size one, PyTorch's `None`.
  public static var newAxis: TensorIndex { TensorIndex(.newAxis) }
  /// As many whole axes as the other indices leave, PyTorch's `...`.
  public static var ellipsis: TensorIndex { TensorIndex(.ellipsis) }
  /// Every `step`-th index of an axis, PyTorch's `::step`.
  public static func by(_ step: Int) -> TensorIndex {
    TensorIndex(.slice(from: 0, to: nil, step: step))
  }
  /// The indices from `from` to before `to`, PyTorch's `from:to:by`; negative ones count from the end.
  public static func slice(from: Int = 0, to: Int? = nil, by step: Int = 1) -> TensorIndex {
    TensorIndex(.slice(from: from, to: to, step: step))
  }
}

extension Int: TensorIndexing {
  /// One index of an axis, which the result does not have.
  public var tensorIndex: TensorIndex { TensorIndex(.element(self)) }
}

extension Range: TensorIndexing where Bound == Int {
  /// The range's indices.
  public var tensorIndex: TensorIndex {
    TensorIndex(.slice(from: lowerBound, to: upperBound, step: 1))
  }
}

extension ClosedRange: TensorIndexing where Bound == Int {
  /// The range's indices.
  public var tensorIndex: TensorIndex {
    TensorIndex(.slice(from: lowerBound, to: upperBound == -1 ? nil : upperBound + 1, step: 1))
  }
}

extension PartialRangeFrom: TensorIndexing where Bound == Int {
  /// The indices from the lower bound on.
  public var tensorIndex: TensorIndex { TensorIndex(.slice(from: lowerBound, to: nil, step: 1)) }
}

extension PartialRangeUpTo: TensorIndexing where Bound == Int {
  /// The indices below the upper bound.
  public var tensorIndex: TensorIndex { TensorIndex(.slice(from: 0, to: upperBound, step: 1)) }
}

extension PartialRangeThrough: TensorIndexing where Bound == Int {
  /// The indices up to the upper bound.
  public var tensorIndex: TensorIndex {
    TensorIndex(.slice(from: 0, to: upperBound == -1 ? nil : upperBound + 1, step: 1))
  }
}

// Bounds that count from the end. Swift reads `-3...` as the negative of a range, and `..<-1` as one
// operator.

prefix operator ..<-
infix operator ..<- : RangeFormationPrecedence

extension PartialRangeFrom where Bound == Int {
  /// `-3...`, in the brackets of a tensor: the last three indices.
  public static prefix func - (range: PartialRangeFrom<Int>) -> PartialRangeFrom<Int> {
    (-range.lowerBound)...
  }
}

extension Int {
  /// `..<-1`, in the brackets of a tensor: all indices but the last.
  public static prefix func ..<- (end: Int) -> PartialRangeUpTo<Int> { ..<(-end) }
  /// `1..<-1`, in the brackets of a tensor: all indices but the first and the last.
  public static func ..<- (start: Int, end: Int) -> TensorIndex {
    TensorIndex(.slice(from: start, to: -end, step: 1))
  }
}

extension StrideTo: TensorIndexing where Element == Int {
  /// The indices of `stride(from:to:by:)`.
  public var tensorIndex: TensorIndex { .stepped(Array(self)) }
}

extension StrideThrough: TensorIndexing where Element == Int {
  /// The indices of `stride(from:through:by:)`.
  public var tensorIndex: TensorIndex { .stepped(Array(self)) }
}

extension Array: TensorIndexing where Element == Int {
  /// The indices of the array, as those of a tensor: `x[[0, 2]]`.
  public var tensorIndex: TensorIndex { Tensor(self).tensorIndex }
}

extension Tensor: TensorIndexing {
  /// The indices that this integer tensor holds, or where this mask is true.
  public final var tensorIndex: TensorIndex { TensorIndex(.elements(self)) }
}

extension TensorIndex {
  /// Indices at equal distances.
  fileprivate static func stepped(_ indices: [Int]) -> TensorIndex {
    guard let first = indices.first, let last = indices.last else {
      return TensorIndex(.slice(from: 0, to: 0, step: 1))
    }
    let step = indices.count > 1 ? indices[1] - first : 1
    return TensorIndex(.slice(from: first, to: last == -1 ? nil : last + 1, step: step))
  }
}

/// Which part of a tensor basic indices select: a view of it.
struct ViewSelection {
  /// For each axis of the tensor, the first index, the step and the number of indices.
  private var parts: [(start: Int, step: Int, count: Int)] = []
  /// For each axis of the view, the axis of the tensor; nil for a new one.
  private var axes: [Int?] = []
  /// The tensors among the indices, each with the axis of the view from which on it selects.
  private(set) var tensors: [(axis: Int, index: Tensor)] = []

  /// Whether the view is the whole tensor.
  private(set) var isWhole = true

  /// The selection of `indices` in a tensor of a shape.
  init(_ indices: [any TensorIndexing], in shape: TensorShape) {
    let kinds = indices.map(\.tensorIndex.kind)
    var used = 0
    var hasEllipsis = false
    for kind in kinds {
      switch kind {
      case .newAxis: break
      case .ellipsis:
        require(!hasEllipsis, "subscript: there may be one .ellipsis, in \(shape)")
        hasEllipsis = true
      case .element, .slice: used += 1
      case .elements(let tensor): used += tensor.isMask ? tensor.shape.count : 1
      }
    }
    require(used <= shape.count, "subscript: \(used) indices for the axes of \(shape)")
    for kind in kinds {
      switch kind {
      case .newAxis:
        axes.append(nil)
        isWhole = false
      case .ellipsis:
        for _ in 0..<shape.count - used { keepAxis(of: shape) }
      case .element(let index):
        let size = shape[parts.count]
        let position = index < 0 ? index + size : index
        require(
          position >= 0 && position < size,
          "subscript: index \(index) is out of range for axis \(parts.count) of \(shape)")
        parts.append((position, 1, 1))
        isWhole = false
      case .slice(let from, let to, let step):
        let size = shape[parts.count]
        let first = from < 0 ? from + size : from
        let end = to.map { $0 < 0 ? $0 + size : $0 } ?? size
        require(
          first >= 0 && first <= size && end >= 0 && end <= size && step > 0,
          """
          subscript: \(from)..<\(to.map(String.init) ?? "") by \(step) is not within axis \(parts.count) of \
          \(shape)\(step > 0 ? "" : "; use flipped(axes:)")
          """)
        let count = first < end ? (end - first + step - 1) / step : 0
        if count != size { isWhole = false }
        axes.append(parts.count)
        parts.append((first, step, count))
      case .elements(let tensor):
        tensors.append((axes.count, tensor))
        for _ in 0..<(tensor.isMask ? tensor.shape.count : 1) { keepAxis(of: shape) }
      }
    }
    while parts.count < shape.count { keepAxis(of: shape) }
  }

  private mutating func keepAxis(of shape: TensorShape) {
    axes.append(parts.count)
    parts.append((0, 1, shape[parts.count]))
  }

  /// The view of a tensor of that shape, outside the graph.
  func view(of x: Tensor) -> Tensor {
    var offset = x.offset
    for (axis, part) in parts.enumerated() { offset += part.start * x.strides[axis] }
    var (shape, strides) = (TensorShape(), TensorShape())
    for axis in axes {
      shape.append(axis.map { parts[$0].count } ?? 1)
      strides.append(axis.map { parts[$0].step * x.strides[$0] } ?? 1)
    }
    if shape.elementCount == 0 { offset = x.offset }
    return x.view(shape, strides, offset)
  }
}
