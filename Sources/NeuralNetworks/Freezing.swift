public import Settings
public import TensorCore

extension Module {
  /// Freezes the parameters whose names fit any of the shell patterns, as in `["features.*"]`: they
  /// keep their values, and no gradient is computed for them.
  ///
  /// A batch normalization whose parameters are all frozen also keeps its running statistics, and
  /// normalizes by them in training too, as `timm.utils.freeze` and Keras do; in plain PyTorch
  /// `requires_grad = False` alone would let them move. Call it before the parameters are moved into an
  /// arena. Throws an error of the setting `freeze` for a pattern that fits nothing, and when nothing is
  /// left to train.
  public func freeze(_ patterns: [String]) throws(SettingError) {
    if patterns.isEmpty { return }
    let parameters = namedParameters()
    let names = parameters.map(\.name)
    let patterns = patterns.map(NamePattern.init)
    for pattern in patterns { try pattern.requireFit(among: names, setting: "freeze") }
    let frozen = parameters.filter { place in patterns.contains { $0.fits(place.name) } }
    guard frozen.count < parameters.count else {
      throw SettingError(
        "freeze",
        "fits all \(parameters.count) parameters of the model, so nothing is left to train: leave out the last layer, "
          + "'\(names.last ?? "")' for example")
    }
    for place in frozen { place.parameter.requiresGrad = false }
    freezeStatistics()
  }

  /// Whether gradients are computed for any parameter; setting it freezes or frees all of them:
  /// PyTorch's `module.requires_grad_(False)`.
  ///
  ///     model.backbone.requiresGrad = false
  ///
  /// As in PyTorch, batch normalization still updates its running statistics in training; `freeze(_:)`
  /// and `InEvaluation` keep them. Set it before the parameters are moved into an arena.
  public var requiresGrad: Bool {
    get { parameters.contains(where: \.requiresGrad) }
    nonmutating set {
      for parameter in parameters { parameter.requiresGrad = newValue }
    }
  }

  /// The parameters that are trained, with their names: those that are not frozen.
  public func trainedParameters() -> [(name: String, parameter: Parameter)] {
    namedParameters().filter(\.parameter.requiresGrad)
  }
}
