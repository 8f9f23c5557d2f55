/// A function that sees a gradient on its way through the graph and may replace it.
final class GradientHook {
  let body: (Tensor) -> Tensor?

  init(_ body: @escaping (Tensor) -> Tensor?) { self.body = body }
}

/// A registered hook, to be removed when it is no longer wanted.
public struct HookHandle {
  private let removal: () -> Void

  init(removal: @escaping () -> Void) { self.removal = removal }

  /// Removes the hook.
  public func remove() { removal() }
}

extension Tensor {
  /// Calls `body` in every backward pass with this tensor's gradient, once it is complete for the
  /// pass; what it returns takes the gradient's place.
  ///
  /// On a leaf it is called before the gradient is added to `grad`.
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

  /// Whether backward leaves the gradient of this tensor in `grad` although it is not a leaf.
  public final var retainsGrad: Bool {
    get { operation?.retainingTensor === self }
    set { if let operation { operation.retainingTensor = newValue ? self : nil } }
  }

  /// The gradient as the hooks leave it.
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
