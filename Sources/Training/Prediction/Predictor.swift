public import DataLoading
import Foundation
public import NeuralNetworks
public import TensorCore

/// A trained model, ready to be applied to samples: in files, or in memory, as in a server.
///
///     let predictor = try Predictor(Run.findCheckpoint(at: "runs/digits/2026-11-21T06-50-38_dfd8"))
///     let prediction = try predictor.predict(pixels)
///
/// Several threads may use one: calls take turns, for each of them computes with all threads of
/// `Threads.count`.
public final class Predictor: @unchecked Sendable {
  // Sendable because the model is used by one thread at a time, and never changed.
  private let model: any Layer
  let signature: ModelSignature
  private let precision: Precision
  private let lock = NSLock()

  /// A trained model whose inputs are numbers.
  public init(
    _ model: any Layer, _ signature: ModelSignature, precision: Precision = .float32
  ) {
    (self.model, self.signature, self.precision) = (model, signature, precision)
  }

  /// Applies the model to all samples of a file.
  public func predictions(for path: String) throws -> [Prediction] {
    let file = try InputFile(
      path: path, inputShape: signature.inputShape, table: signature.preparation.table,
      images: signature.preparation.images)
    return predictions(of: file.inputs, count: file.count)
  }

  /// Applies the model to all samples of a file in memory, in the format that its beginning shows: .npy,
  /// IDX, JPEG or PNG, else CSV.
  ///
  /// - Parameter name: What messages call the file.
  public func predictions(forBytes bytes: [UInt8], name: String) throws -> [Prediction] {
    let file = try InputFile(
      name: name, bytes: bytes, inputShape: signature.inputShape,
      table: signature.preparation.table, images: signature.preparation.images)
    return predictions(of: file.inputs, count: file.count)
  }

  /// The predictions for samples as they are before normalization, row-major.
  func predictions(of inputs: [Float], count: Int) -> [Prediction] {
    let preparation = signature.preparation
    var inputs = inputs
    inputs.withUnsafeMutableBufferPointer {
      preparation.standardization?.apply(to: $0.baseAddress!, rows: count, width: $0.count / count)
    }
    let x = Tensor.of(inputs, shape: TensorShape([count] + signature.inputShape))
    return lock.withLock {
      let outputs = withEvaluation {
        withoutGrad { precision { model(x) }.flattened(from: 1).converted(to: .float32) }
      }
      return (0..<count).map { index in
        let prediction = signature.objective.prediction(outputs[index])
        guard case .values(let values) = prediction,
          let standardization = preparation.targetStandardization
        else { return prediction }
        return .values(standardization.undone(values))
      }
    }
  }

  /// The classes whose probabilities are predicted; nil if values are.
  public var classes: Classes? { signature.preparation.classes }
}
