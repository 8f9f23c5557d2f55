public import Settings
public import TensorCore

extension Precision: SettingRepresentable {}

/// In which precision a model is trained, evaluated and applied.
public struct PrecisionChoice: SettingsGroup {
  /// The type of products.
  @Setting(
    "bfloat16: products and activations in bfloat16, weights, sums and the optimizer in float32")
  public var precision = Precision.float32

  /// All in float32.
  public init() {}
}
