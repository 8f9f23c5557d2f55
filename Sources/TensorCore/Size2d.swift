/// Two numbers for the axes of an image: a kernel size, a stride, a padding.
///
/// It can be written as a literal: `3` for both axes, `[3, 5]` for height and width.
public struct Size2d: Hashable, Sendable, ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral,
  CustomStringConvertible
{
  /// The number for the rows, the last axis but one.
  public var height: Int
  /// The number for the columns, the last axis.
  public var width: Int

  /// A number for each axis.
  public init(height: Int, width: Int) {
    self.height = height
    self.width = width
  }

  /// The same number for both axes.
  public init(_ both: Int) { self.init(height: both, width: both) }

  /// The same number for both axes.
  public init(integerLiteral both: Int) { self.init(both) }

  /// A height and a width.
  public init(arrayLiteral sizes: Int...) {
    require(sizes.count == 2, "Size2d: \(sizes) is not a height and a width")
    self.init(height: sizes[0], width: sizes[1])
  }

  /// The two numbers in brackets, as in `[3, 5]`.
  public var description: String { "[\(height), \(width)]" }

  /// Whether both numbers are at least `bound`.
  func isAtLeast(_ bound: Int) -> Bool { height >= bound && width >= bound }
}
