import DataLoading
public import NeuralNetworks
import TensorCore

/// A trained model, ready to be applied to files of samples.
public final class Predictor {
  private let model: any Layer
  private let signature: ModelSignature

  /// A trained model whose inputs are numbers.
  public init(_ model: any Layer, _ signature: ModelSignature) {
    (self.model, self.signature) = (model, signature)
  }

  /// Applies the model to all samples of a file.
  public func predictions(for path: String) throws -> [Prediction] {
    let file = try InputFile(path: path, inputShape: signature.inputShape)
    var inputs = file.inputs
    inputs.withUnsafeMutableBufferPointer {
      signature.standardization?.apply(to: $0.baseAddress!, rows: file.count)
    }
    let x = Tensor.of(inputs, shape: TensorShape([file.count] + signature.inputShape))
    let outputs = withEvaluation { withoutGrad { model(x).flattened(from: 1) } }
    return (0..<file.count).map { signature.objective.prediction(outputs[$0]) }
  }
}
