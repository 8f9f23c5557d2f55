import DataLoading
public import NeuralNetworks
public import TensorCore

/// A trained model, ready to be applied to files of samples.
public final class Predictor {
  private let model: any Layer
  private let signature: ModelSignature
  private let precision: Precision

  /// A trained model whose inputs are numbers.
  public init(
    _ model: any Layer, _ signature: ModelSignature, precision: Precision = .float32
  ) {
    (self.model, self.signature, self.precision) = (model, signature, precision)
  }

  /// Applies the model to all samples of a file.
  public func predictions(for path: String) throws -> [Prediction] {
    let file = try InputFile(path: path, inputShape: signature.inputShape)
    var inputs = file.inputs
    inputs.withUnsafeMutableBufferPointer {
      signature.standardization?.apply(to: $0.baseAddress!, rows: file.count)
    }
    let x = Tensor.of(inputs, shape: TensorShape([file.count] + signature.inputShape))
    let outputs = withEvaluation {
      withoutGrad { precision { model(x) }.flattened(from: 1).converted(to: .float32) }
    }
    return (0..<file.count).map { signature.objective.prediction(outputs[$0]) }
  }
}
