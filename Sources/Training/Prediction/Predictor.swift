public import DataLoading
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
    let preparation = signature.preparation
    let file = try InputFile(
      path: path, inputShape: signature.inputShape, table: preparation.table)
    var inputs = file.inputs
    inputs.withUnsafeMutableBufferPointer {
      preparation.standardization?.apply(to: $0.baseAddress!, rows: file.count)
    }
    let x = Tensor.of(inputs, shape: TensorShape([file.count] + signature.inputShape))
    let outputs = withEvaluation {
      withoutGrad { precision { model(x) }.flattened(from: 1).converted(to: .float32) }
    }
    return (0..<file.count).map { index in
      let prediction = signature.objective.prediction(outputs[index])
      guard case .values(let values) = prediction,
        let standardization = preparation.targetStandardization
      else { return prediction }
      return .values(standardization.undone(values))
    }
  }

  /// The classes whose probabilities are predicted; nil if values are.
  public var classes: Classes? { signature.preparation.classes }
}
