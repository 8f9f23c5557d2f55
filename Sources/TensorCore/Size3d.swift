/// Three numbers for the axes of a volume: a kernel size, a stride, a padding.
///
/// It can be written as a literal: `3` for all axes, `[1, 3, 5]` for depth, height and width.
public struct Size3d: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
  CustomStringConvertible
{
  /// The number for the planes, the last axis but two.
  public var depth: Int
  /// The number for the rows, the last axis but one.
  public var height: Int
  /// The number for the columns, the last axis.
  public var width: Int

  /// A number for each axis.
  public init(depth: Int, height: Int, width: Int) {
    self.depth = depth
    self.height = height
    self.width = width
  }

  /// The same number for all axes.
  public init(_ all: Int) { self.init(depth: all, height: all, width: all) }

  /// The same number for all axes.
  public init(integerLiteral all: Int) { self.init(all) }

  /// A depth, a height and a width.
  public init(arrayLiteral sizes: Int...) {
    require(sizes.count == 3, "Size3d: \(sizes) is not a depth, a height and a width")
    self.init(depth: sizes[0], height: sizes[1], width: sizes[2])
  }

  /// The three numbers in brackets, as in `[1, 3, 5]`.
  public var description: String { "[\(depth), \(height), \(width)]" }

  /// Height and width.
  var plane: Size2d { Size2d(height: height, width: width) }

  /// Whether all numbers are at least `bound`.
  func isAtLeast(_ bound: Int) -> Bool { depth >= bound && plane.isAtLeast(bound) }
}
