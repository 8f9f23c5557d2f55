public import NeuralNetworks

/// The models that a configuration can name.
public enum ModelRegistry {
  /// The names, as `model.kind` takes them.
  public static let kinds = [
    "mlp", "perceptron", "lenet", "cnn", "vgg11", "vgg13", "vgg16", "vgg19", "resnet18", "resnet34",
    "resnet50", "gpt",
  ]

  /// Builds the model of a configuration with initial weights drawn from `seed`.
  ///
  /// Throws when the samples are not what the model takes.
  ///
  /// - Parameters:
  ///   - configuration: The `model` section.
  ///   - inputShape: The shape of one sample, as `[1, 28, 28]`.
  ///   - outputs: How many numbers the model gives for a sample.
  ///   - seed: What the initial weights follow from.
  public static func makeModel(
    _ configuration: TrainingConfiguration.Model, inputShape: [Int], outputs: Int, seed: UInt64
  ) throws(ConfigurationError) -> any Layer {
    let kind = configuration.kind
    let image = try Image(inputShape, kind)
    return withRandomSource(seed: seed) {
      switch kind {
      case "perceptron": Sequential(Flatten(), Linear(inputShape.reduce(1, *), outputs))
      case "lenet":
        ConvolutionalNetworks.leNet(channels: image.channels, size: image.size, classes: outputs)
      case "cnn":
        ConvolutionalNetworks.cnn(
          channels: image.channels, size: image.size, classes: outputs,
          dropout: configuration.dropout)
      case _ where kind.hasPrefix("vgg"):
        // The dense layers of the paper are for 1,000 classes of large images.
        VGG(
          depth: Int(kind.dropFirst(3))!, channels: image.channels, size: image.size,
          classes: outputs, hidden: image.size < 224 ? 512 : 4096, dropout: configuration.dropout)
      case _ where kind.hasPrefix("resnet"):
        ResNet(
          depth: Int(kind.dropFirst(6))!, stem: image.size < 64 ? .cifar : .imageNet,
          channels: image.channels, classes: outputs)
      case "gpt":
        GPT(
          GPT.Options(
            vocabulary: outputs, context: inputShape[0], layers: configuration.layers,
            heads: configuration.heads, width: configuration.width,
            dropout: configuration.dropout))
      default:
        multilayerPerceptron(configuration, inputs: inputShape.reduce(1, *), outputs: outputs)
      }
    }
  }

  /// The channels and the rows (and columns) of the images that a convolutional model takes.
  private struct Image {
    var channels = 0
    var size = 0

    init(_ shape: [Int], _ kind: String) throws(ConfigurationError) {
      if ["mlp", "perceptron", "gpt"].contains(kind) { return }
      let smallest = kind == "lenet" ? 12 : kind == "cnn" ? 6 : kind.hasPrefix("vgg") ? 32 : 1
      let divisor = kind.hasPrefix("vgg") ? 32 : 1
      guard shape.count == 3, shape[1] == shape[2], shape[1] >= smallest,
        shape[1].isMultiple(of: divisor)
      else {
        throw ConfigurationError(
          "'model.kind' is \(kind), which takes square images [channels, size, size] of at least \(smallest) rows\(divisor > 1 ? ", a multiple of \(divisor)" : ""); the data has \(shape)"
        )
      }
      (channels, size) = (shape[0], shape[1])
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
