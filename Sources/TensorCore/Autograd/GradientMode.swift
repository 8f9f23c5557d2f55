/// Whether operations are recorded on this thread.
public var isGradientEnabled: Bool { ExecutionContext.withCurrent(\.isGradientEnabled) }

/// Runs `body` without recording operations: its results do not require gradients.
public func withoutGrad<Result>(_ body: () throws -> Result) rethrows -> Result {
  try withGradientMode(false, body)
}

/// Runs `body` with operations recorded, also inside `withoutGrad`: PyTorch's `torch.enable_grad`.
public func withGrad<Result>(_ body: () throws -> Result) rethrows -> Result {
  try withGradientMode(true, body)
}

/// Runs `body` with recording switched on or off, independent of the enclosing scopes.
@inline(__always)
func withGradientMode<Result>(_ isEnabled: Bool, _ body: () throws -> Result) rethrows -> Result {
  let context = ExecutionContext.withCurrent { $0 }
  let previous = context.isGradientEnabled
  context.isGradientEnabled = isEnabled
  defer { context.isGradientEnabled = previous }
  return try body()
}

/// The gradients from a fused kernel or, if they are to be differentiated themselves (`createGraph`),
/// composed of recorded tensor operations.
@inline(__always)
func fused<Gradients>(_ fused: () -> Gradients, composed: () -> Gradients) -> Gradients {
  isGradientEnabled ? composed() : fused()
}

/// Stops the program if the gradients of an operation that has only fused ones are to be
/// differentiated.
func requireFirstDerivative(_ operation: StaticString, instead: StaticString) {
  require(
    !isGradientEnabled,
    "backward: the gradient of \(operation) cannot be differentiated (createGraph); \(instead)")
}
