/// A function that is called with a gradient during backward and may replace it.
final class GradientHook {
  let body: (Tensor) -> Tensor?

  init(_ body: @escaping (Tensor) -> Tensor?) { self.body = body }
}

/// A registered hook.
public struct HookHandle {
  private let removal: () -> Void

  init(removal: @escaping () -> Void) { self.removal = removal }

  /// Removes the hook.
  public func remove() { removal() }
}

extension Tensor {
  /// Calls `body` in every backward pass with the complete gradient of this tensor; a returned tensor
  /// replaces the gradient.
  ///
  /// For a leaf, it is called before the gradient is added to `grad`.
  @discardableResult
  public final func registerHook(_ body: @escaping (Tensor) -> Tensor?) -> HookHandle {
    require(requiresGrad, "registerHook: this \(shape) does not require gradients")
    let hook = GradientHook(body)
    if let operation {
      operation.hooks.append(hook)
      return HookHandle { [weak operation] in operation?.hooks.removeAll { $0 === hook } }
    }
    hooks.append(hook)
    return HookHandle { [weak self] in self?.hooks.removeAll { $0 === hook } }
  }

  /// Whether backward sets `grad` of this tensor although it is not a leaf.
  public final var retainsGrad: Bool {
    get { operation?.retainingTensor === self }
    set { if let operation { operation.retainingTensor = newValue ? self : nil } }
  }

  /// The gradient after all hooks.
  static func applying(_ hooks: [GradientHook], to gradient: Tensor) -> Tensor {
    hooks.reduce(gradient) { gradient, hook in
      guard let replaced = hook.body(gradient) else { return gradient }
      require(
        replaced.shape == gradient.shape && replaced.dataType == gradient.dataType,
        "hook: a gradient \(gradient.shape) was replaced by one of shape \(replaced.shape)")
      return replaced
    }
  }
}
