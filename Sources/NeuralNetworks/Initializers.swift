import Base
import Synchronization
public import TensorCore

/// The thread's source of random numbers, for initial values.
enum DefaultRandomSource {
  /// Draws one tensor from the source.
  static func draw(_ shape: TensorShape, _ body: (inout RandomSource) -> Tensor) -> Tensor {
    ShapesOnly.current?.tensor(shape) ?? body(&randomSource)
  }
}

/// Distributions of initial values.
public enum Initializer {
  /// Uniform in ±bound.
  public static func uniform(_ shape: TensorShape, bound: Double) -> Tensor {
    DefaultRandomSource.draw(shape) { .uniform(shape, in: -bound..<bound, using: &$0) }
  }

  /// PyTorch's default for the weights and biases of layers with `fanIn` inputs to each output:
  /// uniform in ±1/√fanIn.
  ///
  /// For weights this is `kaiming_uniform_(a=sqrt(5))`: the bound √(6 / ((1 + a²) fanIn)).
  public static func fanIn(_ shape: TensorShape, _ fanIn: Int) -> Tensor {
    uniform(shape, bound: fanIn > 0 ? 1 / Double(fanIn).squareRoot() : 0)
  }

  /// Zeros.
  public static func zeros(_ shape: TensorShape) -> Tensor {
    ShapesOnly.current?.tensor(shape) ?? .zeros(shape)
  }

  /// Ones.
  public static func ones(_ shape: TensorShape) -> Tensor {
    ShapesOnly.current?.tensor(shape) ?? .ones(shape)
  }

  /// Normally distributed with mean 0 and the standard deviation `std`.
  public static func normal(_ shape: TensorShape, std: Double) -> Tensor {
    DefaultRandomSource.draw(shape) { .normal(shape, std: std, using: &$0) }
  }
}

/// While a model is made only to learn its shapes: initial values are tensors without memory, whose
/// elements must not be read.
final class ShapesOnly: Sendable {
  @TaskLocal static var current: ShapesOnly?
  private let hasOverflowed = Atomic<Bool>(false)

  /// The elements of all parameters and buffers of a model that is not made; nil if there are more
  /// than an `Int` counts.
  static func elementCount(of makeModel: () throws -> any Layer) rethrows -> Int? {
    let shapes = ShapesOnly()
    let model = try $current.withValue(shapes, operation: makeModel)
    if shapes.hasOverflowed.load(ordering: .relaxed) { return nil }
    let counts = model.parameters.map(\.count) + model.namedBuffers().map(\.buffer.count)
    return counts.reduce(0 as Int?) { $0?.adding($1) }
  }

  /// A tensor of this shape without memory.
  func tensor(_ shape: TensorShape) -> Tensor {
    var shape = shape
    let bytes = shape.reduce(MemoryLayout<Float>.size as Int?) { $0?.multiplied(by: $1) }
    if bytes == nil {
      hasOverflowed.store(true, ordering: .relaxed)
      for axis in shape.indices { shape[axis] = 1 }
    }
    let nowhere = UnsafeMutableRawPointer(bitPattern: 64)!
    return Tensor(
      shape: shape, storage: Storage(nowhere, byteCount: bytes ?? 4, owner: self),
      dataType: .float32)
  }
}
