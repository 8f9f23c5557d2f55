public import TensorCore

/// Numbers from a linear congruential generator, for weights and data that golden files need not
/// store; `Goldens/make_goldens_models.py` has the same generator and says more about it.
public struct GoldenGenerator {
  private var state: UInt64 = 3

  /// A generator at its start.
  public init() {}

  /// A number from 0 to below 1.
  private mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 40) / 0x1p24
  }

  /// Numbers from `center - bound` to below `center + bound`.
  public mutating func uniform(_ shape: TensorShape, bound: Double = 1, center: Double = 0)
    -> Tensor
  {
    .of(
      (0..<shape.elementCount).map { _ in Float(center + bound * (2 * next() - 1)) }, shape: shape)
  }

  /// Whole numbers from 0 to below `limit`, as int32.
  public mutating func integers(_ shape: TensorShape, below limit: Int) -> Tensor {
    .of((0..<shape.elementCount).map { _ in Int32(next() * Double(limit)) }, shape: shape)
  }

  /// Gives a parameter numbers with which signals neither vanish nor explode, and few units stand
  /// where rounding decides whether ReLU lets them pass.
  public mutating func fill(_ parameter: Tensor, named name: String) {
    let shape = parameter.shape
    let isBatchNorm = name.contains("bn") || name.contains("downsample.1")
    let (bound, center) =
      if shape.count > 1 {
        (2 / Double(shape.dropFirst().reduce(1, *)).squareRoot(), 0.0)
      } else if name.hasSuffix("weight") {
        isBatchNorm ? (1.0 / 16, 1.0 / 8) : (0.25, 0.5)
      } else {
        (0.1, isBatchNorm ? 0.15 : 0)
      }
    parameter.assign(uniform(shape, bound: bound, center: center))
  }
}
