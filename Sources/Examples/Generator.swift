package import TensorCore

/// Numbers that any language can draw, so that a program in another one can start from the same.
///
/// A linear congruential generator: the state is a 64-bit number that begins at 1, and a number is
/// its top 24 bits, from 0 to below 1.
package struct Generator {
  private var state: UInt64 = 1

  package init() {}

  package mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 40) / 16_777_216
  }

  /// A tensor of numbers in ±`bound`, row by row.
  package mutating func tensor(
    _ shape: TensorShape, bound: Double = 1, _ dataType: DataType = .float32
  ) -> Tensor {
    let numbers = (0..<shape.elementCount).map { _ in (2 * next() - 1) * bound }
    return .of(numbers, shape: shape).converted(to: dataType)
  }

  /// 0, 1, … below `count` in random order.
  package mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for last in order.indices.reversed() {
      order.swapAt(last, min(last, Int(next() * Double(last + 1))))
    }
    return order
  }
}
