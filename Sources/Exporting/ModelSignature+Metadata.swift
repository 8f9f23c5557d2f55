import Base
package import DataLoading
import Training

extension ModelSignature {
  /// What another program must know to use the model: what inputs and outputs mean.
  var exportMetadata: [(key: String, value: String)] {
    var metadata = [(key: "input", value: inputMeaning)]
    if let classes = preparation.classes {
      let names = (0..<classes.count).map(classes.name)
      metadata.append((key: "classes", value: JSONObject.text(names)))
    }
    if case .characters(let codec) = preparation.tokenizer {
      metadata.append((key: "characters", value: JSONObject.text(codec.alphabet)))
    }
    return metadata
  }

  /// What a number of the input is.
  var inputMeaning: String {
    if tokens != nil { return "tokens, integers from 0 to \(tokens! - 1)" }
    let normalized = preparation.standardization == nil ? "" : "; the model normalizes them itself"
    if preparation.images != nil {
      return
        "pixels of an image \(inputShape), channels first, from 0 to 1, resized and cut as in "
        + "evaluation" + normalized
    }
    if preparation.table != nil {
      return "the numbers of a row, each category as zeros and a one" + normalized
    }
    return "the numbers of a sample \(inputShape) as in the data, bytes of images from 0 to 1"
      + normalized
  }
}

/// The normalization of inputs as tensors that can be subtracted and divided by: their shape is that of a
/// sample with 1 for the axes along which they do not change.
package struct BroadcastStandardization {
  /// The shape of both.
  package let shape: [Int]
  /// The means.
  package let means: [Float]
  /// The standard deviations.
  package let stds: [Float]

  /// The normalization of samples of a shape.
  package init(_ standardization: Standardization, inputShape: [Int]) {
    let values = Array(zip(standardization.means, standardization.stds))
    let first = values.prefix(1)
    let size = inputShape.reduce(1, *)
    func value(_ element: Int) -> (Float, Float) { values[element * values.count / size] }
    let channelSize = size / inputShape[0]
    let channels = (0..<inputShape[0]).map { value($0 * channelSize) }
    let kept: [(Float, Float)]
    if values.allSatisfy({ $0 == first[0] }) {
      (shape, kept) = ([], [first[0]])
    } else if (0..<size).allSatisfy({ value($0) == channels[$0 / channelSize] }) {
      shape = [channels.count] + inputShape.dropFirst().map { _ in 1 }
      kept = channels
    } else {
      (shape, kept) = (inputShape, (0..<size).map(value))
    }
    (means, stds) = (kept.map(\.0), kept.map(\.1))
  }
}

extension ModelSignature {
  /// The normalization of inputs; nil if there is none.
  var inputStandardization: BroadcastStandardization? {
    preparation.standardization.map {
      BroadcastStandardization($0, inputShape: inputShape)
    }
  }
}
