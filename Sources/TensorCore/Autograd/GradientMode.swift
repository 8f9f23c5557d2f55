internal import CKernels

/// Whether operations record themselves on this thread.
public var isGradientEnabled: Bool { ck_current_thread_state().pointee.grad_disabled == 0 }

/// Runs `body` without recording operations: what it computes requires no gradients.
public func withoutGrad<Result>(_ body: () throws -> Result) rethrows -> Result {
  let state = ck_current_thread_state()
  state.pointee.grad_disabled += 1
  defer { state.pointee.grad_disabled -= 1 }
  return try body()
}

/// Runs `body` with recording switched on or off, whatever the scopes around it say.
func withGradientMode<Result>(_ isEnabled: Bool, _ body: () throws -> Result) rethrows -> Result {
  let state = ck_current_thread_state()
  let previous = state.pointee.grad_disabled
  state.pointee.grad_disabled = isEnabled ? 0 : 1
  defer { state.pointee.grad_disabled = previous }
  return try body()
}

/// The gradients that a fused kernel computes, or, when they are to be differentiated themselves
/// (`createGraph`), the same composed of tensor operations that are recorded.
@inline(__always)
func fused<Gradients>(_ fused: () -> Gradients, composed: () -> Gradients) -> Gradients {
  isGradientEnabled ? composed() : fused()
}

/// Stops the program when the gradients of an operation are to be differentiated that exist only
/// fused.
func requireFirstDerivative(_ operation: StaticString, instead: StaticString) {
  require(
    !isGradientEnabled,
    "backward: the gradient of \(operation) cannot be differentiated (createGraph); \(instead)")
}
