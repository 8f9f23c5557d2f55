internal import CKernels

/// Whether operations record themselves on this thread.
public var isGradientEnabled: Bool { ck_current_thread_state().pointee.grad_disabled == 0 }

/// Runs `body` without recording operations: what it computes requires no gradients.
public func withoutGrad<Result>(_ body: () throws -> Result) rethrows -> Result {
  let state = ck_current_thread_state()!
  state.pointee.grad_disabled += 1
  defer { state.pointee.grad_disabled -= 1 }
  return try body()
}

/// Runs `body` with recording switched on or off, whatever the scopes around it say.
func withGradientMode<Result>(_ isEnabled: Bool, _ body: () throws -> Result) rethrows -> Result {
  let state = ck_current_thread_state()!
  let previous = state.pointee.grad_disabled
  state.pointee.grad_disabled = isEnabled ? 0 : 1
  defer { state.pointee.grad_disabled = previous }
  return try body()
}
