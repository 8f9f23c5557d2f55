public import NeuralNetworks

/// The models that a configuration can name.
public enum ModelRegistry {
  /// The names, as `model.kind` takes them.
  public static let kinds = ["mlp"]

  /// Builds the model of a configuration with initial weights drawn from `seed`.
  ///
  /// - Parameters:
  ///   - configuration: The `model` section.
  ///   - inputShape: The shape of one sample, as `[1, 28, 28]`.
  ///   - outputs: How many numbers the model gives for a sample.
  ///   - seed: What the initial weights follow from.
  public static func makeModel(
    _ configuration: TrainingConfiguration.Model, inputShape: [Int], outputs: Int, seed: UInt64
  ) -> any Layer {
    withRandomSource(seed: seed) {
      multilayerPerceptron(configuration, inputs: inputShape.reduce(1, *), outputs: outputs)
    }
  }

  /// Flatten, then dense layers with an activation (and dropout) between them; the same as
  /// PyTorch's `nn.Sequential(nn.Flatten(), nn.Linear(...), nn.ReLU(), ..., nn.Linear(...))`.
  private static func multilayerPerceptron(
    _ configuration: TrainingConfiguration.Model, inputs: Int, outputs: Int
  ) -> Sequential {
    var layers: [any Layer] = [Flatten()]
    var width = inputs
    for hidden in configuration.hidden {
      layers.append(Linear(width, hidden))
      layers.append(configuration.activation.layer)
      if configuration.dropout > 0 { layers.append(Dropout(configuration.dropout)) }
      width = hidden
    }
    layers.append(Linear(width, outputs))
    return Sequential(layers)
  }
}

extension TrainingConfiguration.Model.Activation {
  fileprivate var layer: any Layer {
    switch self {
    case .relu: ReLU()
    case .tanh: Tanh()
    case .sigmoid: Sigmoid()
    }
  }
}
