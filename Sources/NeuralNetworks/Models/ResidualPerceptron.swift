import Settings
public import TensorCore

/// Dense layers of one width, each with a ReLU and added to its input.
public struct ResidualPerceptron: Layer {
  private let input: Linear
  private let blocks: [Linear]
  private let output: Linear

  /// A network for `inputs` numbers that gives `outputs`.
  public init(inputs: Int, outputs: Int, blocks: Int, features: Int) {
    input = Linear(inputs, features)
    self.blocks = (0..<blocks).map { _ in Linear(features, features) }
    output = Linear(features, outputs)
  }

  /// Applies the network to samples `[N, ...]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    var x = input(x.flattened(from: 1))
    for block in blocks { x = x + block(x).relu() }
    return output(x)
  }
}

private struct ResidualOptions: SettingsGroup {
  @Setting("number of blocks", in: 1...64) var blocks = 2
  @Setting("features of each block", in: 1...4096) var features = 64
}

extension ModelKind {
  /// `ResidualPerceptron`.
  static let residual = ModelKind("residual", .numbers, ResidualOptions()) { shapes, options in
    ResidualPerceptron(
      inputs: shapes.inputs, outputs: shapes.outputs, blocks: options.blocks,
      features: options.features)
  }
}
