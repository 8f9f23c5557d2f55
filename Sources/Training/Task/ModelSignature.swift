import Settings
import Base
import Checkpointing
public import DataLoading

/// A model's inputs and outputs, and how samples are prepared: with this, a checkpoint can be used
/// without the data that it was trained on.
public struct ModelSignature: Sendable {
  /// The shape of one sample.
  public var inputShape: [Int]
  /// How many numbers the model gives for a sample, or with tokens for each position.
  public var outputs: Int
  /// The objective that was minimized.
  public var objective: Objective
  /// How inputs were normalized, if they were.
  public var standardization: Standardization?
  /// The characters that its tokens stand for, if it was trained on a text.
  public var codec: CharacterCodec?

  init(
    inputShape: [Int], outputs: Int, objective: Objective, standardization: Standardization?,
    codec: CharacterCodec? = nil
  ) {
    (self.inputShape, self.outputs) = (inputShape, outputs)
    (self.objective, self.standardization) = (objective, standardization)
    self.codec = codec
  }
}

// The file of a checkpoint.
extension ModelSignature {
  /// The most numbers of a sample and outputs that are believed, so that their bytes can be counted.
  private static let largestCount = 1 << 40

  private struct File: Codable {
    var inputShape: [Int]
    var outputs: Int
    var objective: String
    var means: [Float]?
    var deviations: [Float]?
    var characters: String?
  }

  /// The signature as JSON.
  var json: String {
    JSON.text(
      File(
        inputShape: inputShape, outputs: outputs, objective: objective.name,
        means: standardization?.means, deviations: standardization?.stds,
        characters: codec?.alphabet))
  }

  /// Reads the signature of a checkpoint.
  init(_ checkpoint: Checkpoint) throws {
    let name = Checkpoint.signatureFile
    let file = try checkpoint.decode(File.self, from: name)
    let path = try checkpoint.path(of: name)
    func damaged(_ reason: String) -> CheckpointError { .damaged(path: path, reason: reason) }
    let inputCount = file.inputShape.elementCount ?? 0
    guard !file.inputShape.isEmpty, (1...Self.largestCount).contains(inputCount),
      (1...Self.largestCount).contains(file.outputs)
    else {
      throw damaged("inputs of shape \(file.inputShape) and \(file.outputs) outputs are impossible")
    }
    guard let objective = Objective.all.named(file.objective) else {
      throw damaged("'objective' is '\(file.objective.prefix(80))', which is none")
    }
    self.init(
      inputShape: file.inputShape, outputs: file.outputs, objective: objective,
      standardization: nil)
    if let means = file.means, let stds = file.deviations {
      guard means.count == inputCount, stds.count == means.count else {
        throw damaged("'means' or 'deviations' do not fit inputs of shape \(inputShape)")
      }
      guard means.allSatisfy(\.isFinite), stds.allSatisfy({ $0.isFinite && $0 > 0 }) else {
        throw damaged("'means' or 'deviations' have impossible values")
      }
      standardization = Standardization(means: means, stds: stds)
    }
    if let characters = file.characters {
      let codec = CharacterCodec(characters: characters.unicodeScalars)
      guard codec.vocabularySize == outputs, inputShape.count == 1 else {
        throw damaged(
          "\(codec.vocabularySize) characters for \(outputs) outputs and inputs of shape \(inputShape)"
        )
      }
      self.codec = codec
    }
  }
}
