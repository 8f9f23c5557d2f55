import Settings

/// The functions that can follow a hidden layer.
private enum Activation: String, CaseIterable, SettingRepresentable {
  case relu, tanh, sigmoid

  var layer: any Layer {
    switch self {
    case .relu: ReLU()
    case .tanh: Tanh()
    case .sigmoid: Sigmoid()
    }
  }
}

private struct PerceptronOptions: SettingsGroup {
  @Setting("widths of the hidden layers, first to last", in: 1...(1 << 20), unit: "units")
  var hidden = [128, 64]
  @Setting("activation after each hidden layer") var activation = Activation.relu
  @Setting("whether hidden layers have a bias") var bias = true
  @Setting(shared: .dropout) var dropout: Double
}

extension ModelKind {
  /// Dense layers with an activation (and dropout) between them, PyTorch's
  /// `nn.Sequential(nn.Flatten(), nn.Linear(...), nn.ReLU(), ..., nn.Linear(...))`.
  static let mlp = ModelKind("mlp", .numbers, PerceptronOptions()) { shapes, options in
    var layers: [any Layer] = [Flatten()]
    var width = shapes.inputs
    for hidden in options.hidden {
      layers += [Linear(width, hidden, bias: options.bias), options.activation.layer]
      if options.dropout > 0 {
        layers.append(Dropout(options.dropout))
      }
      width = hidden
    }
    return Sequential(layers + [Linear(width, shapes.outputs)])
  }

  /// A single dense layer.
  static let perceptron = ModelKind("perceptron", .numbers) { shapes in
    Sequential(Flatten(), Linear(shapes.inputs, shapes.outputs))
  }
}
