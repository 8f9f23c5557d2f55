// Mixed precision: matrix products and convolutions of bfloat16, everything else as its operands are.

/// Computes `body` in mixed precision: matrix products, linear layers, convolutions and attention take their
/// operands as bfloat16 and give results of it, with sums of float32.
///
/// PyTorch's `autocast("cpu", dtype=torch.bfloat16)`. Parameters stay float32, as do their gradients.
/// Activations, normalization, dropout and pooling keep the type of their input; reductions, softmax and losses
/// give float32. Put the forward pass and the loss into the scope; backward computes each gradient in the types
/// of its operation, wherever it is called.
public func withAutocast<Result>(
  _ isEnabled: Bool = true, _ body: () throws -> Result
) rethrows -> Result {
  let context = ExecutionContext.withCurrent { $0 }
  let before = context.isAutocasting
  context.isAutocasting = isEnabled
  defer { context.isAutocasting = before }
  return try body()
}

/// Whether this thread computes in mixed precision: see `withAutocast(_:_:)`.
public var isAutocasting: Bool { ExecutionContext.withCurrent(\.isAutocasting) }

/// The type in which a model's products are computed.
public enum Precision: String, Sendable, CaseIterable {
  /// All in float32.
  case float32
  /// Mixed precision: see `withAutocast(_:_:)`.
  case bfloat16

  /// Computes `body` in this precision.
  public func callAsFunction<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withAutocast(self == .bfloat16, body)
  }
}

extension Tensor {
  /// This tensor as an operand of a product: rounded to bfloat16 in mixed precision.
  final var asFactor: Tensor {
    dataType == .float32 && isAutocasting ? converted(to: .bfloat16) : self
  }

  /// This tensor, or its elements as float32 if they are bfloat16.
  final var widened: Tensor { converted(to: dataType.sumType) }
}
