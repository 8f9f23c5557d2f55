import DataLoading
import NeuralNetworks
import TensorCore
import Training

/// A model that a configuration can name, with the inputs that it takes.
struct NamedModel {
  let model: any Layer
  let signature: ModelSignature

  /// A model of a kind with its default options and four outputs.
  init(_ kind: ModelKind) throws {
    let shape: [Int] =
      switch kind.inputs {
      case .squareImages: [3, 32, 32]
      case .tokens: [16]
      case .numbers, .any: [6]
      }
    let tokens = kind.inputs == .tokens ? 4 : nil
    // Numbers for each pixel, where the model gives them.
    let outputs = kind.name == "unet" ? 4 * 32 * 32 : 4
    model = try kind.make(
      kind.settings, inputShape: shape, outputs: outputs, tokens: tokens, seed: 1)
    signature = ModelSignature(
      inputShape: shape, outputs: outputs, tokens: tokens, objective: .crossEntropy,
      preparation: SamplePreparation())
  }
}

/// A layer of a program.
struct OwnLayer: Layer {
  func callAsFunction(_ x: Tensor) -> Tensor { x }
}
