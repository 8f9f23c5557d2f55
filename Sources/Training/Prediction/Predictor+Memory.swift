import DataLoading
public import TensorCore

// Samples in memory, as a server has them.
extension Predictor {
  /// The shape of a sample.
  public var inputShape: [Int] { signature.inputShape }

  /// Applies the model to samples `[count] + inputShape`, as they were before any normalization, which is
  /// that of the training.
  ///
  /// Throws a `DataError` for samples of another shape.
  public func predict(_ samples: Tensor) throws -> [Prediction] {
    let shape = samples.shape.array
    guard shape.count == inputShape.count + 1, Array(shape.dropFirst()) == inputShape else {
      throw DataError(
        .malformed,
        "samples of shape \(shape) were given, and the model takes [count] + \(inputShape)")
    }
    if shape[0] == 0 { return [] }
    return predictions(
      of: withoutGrad { samples.converted(to: .float32).array() }, count: shape[0])
  }

  /// Applies the model to one sample: its numbers, row-major.
  ///
  /// Throws a `DataError` for another number of numbers.
  public func predict(_ sample: [Float]) throws -> Prediction {
    let count = inputShape.reduce(1, *)
    guard sample.count == count else {
      throw DataError(
        .malformed,
        "a sample of \(sample.count) numbers was given, and the model takes \(count), \(inputShape)"
      )
    }
    return predictions(of: sample, count: 1)[0]
  }
}
