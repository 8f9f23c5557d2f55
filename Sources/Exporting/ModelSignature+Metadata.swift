import Base
import DataLoading
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
