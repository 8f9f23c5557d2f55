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
  /// The number of distinct tokens where inputs are tokens; nil where they are numbers.
  public var tokens: Int?
  /// The objective that was minimized.
  public var objective: Objective
  /// How its samples were prepared.
  public var preparation: SamplePreparation

  /// A signature by its values.
  package init(
    inputShape: [Int], outputs: Int, tokens: Int? = nil, objective: Objective,
    preparation: SamplePreparation
  ) {
    (self.inputShape, self.outputs, self.tokens) = (inputShape, outputs, tokens)
    (self.objective, self.preparation) = (objective, preparation)
  }
}

// The file of a checkpoint.
extension ModelSignature {
  /// The most numbers of a sample and outputs that are believed, so that their bytes can be counted.
  private static let largestCount = 1 << 40

  private struct File: Codable {
    var inputShape: [Int]
    var outputs: Int
    var tokens: Int?
    var objective: String
    var means: [Float]?
    var deviations: [Float]?
    var targetMeans: [Float]?
    var targetDeviations: [Float]?
    var classCount: Int?
    var classNames: [String]?
    var table: TableSchema?
    var images: ImagePreparation?
    var characters: String?
  }

  /// The signature as JSON; a byte-pair tokenizer has a file of its own.
  var json: String {
    var characters: String?
    if case .characters(let codec) = preparation.tokenizer { characters = codec.alphabet }
    return JSON.text(
      File(
        inputShape: inputShape, outputs: outputs, tokens: tokens, objective: objective.name,
        means: preparation.standardization?.means, deviations: preparation.standardization?.stds,
        targetMeans: preparation.targetStandardization?.means,
        targetDeviations: preparation.targetStandardization?.stds,
        classCount: preparation.classes?.count, classNames: preparation.classes?.names,
        table: preparation.table, images: preparation.images,
        characters: characters))
  }

  /// Reads the signature of a checkpoint.
  init(_ checkpoint: Checkpoint) throws {
    let name = Checkpoint.signatureFile
    let file = try checkpoint.decode(File.self, from: name)
    let path = try checkpoint.path(of: name)
    func damaged(_ reason: String) -> CheckpointError { .damaged(path: path, reason: reason) }
    let inputCount = file.inputShape.elementCount ?? 0
    guard !file.inputShape.isEmpty, (1...Self.largestCount).contains(inputCount),
      (1...Self.largestCount).contains(file.outputs),
      (1...Self.largestCount).contains(file.tokens ?? 1)
    else {
      throw damaged("inputs of shape \(file.inputShape) and \(file.outputs) outputs are impossible")
    }
    guard let objective = Objective.all.named(file.objective) else {
      throw damaged("'objective' is '\(file.objective.prefix(80))', which is none")
    }
    self.init(
      inputShape: file.inputShape, outputs: file.outputs, tokens: file.tokens,
      objective: objective,
      preparation: SamplePreparation())
    func standardization(
      _ name: String, _ means: [Float]?, _ stds: [Float]?, of count: Int
    ) throws -> Standardization? {
      guard let means, let stds else { return nil }
      // Each may be for several numbers, such as those of a channel.
      guard !means.isEmpty, count.isMultiple(of: means.count), stds.count == means.count else {
        throw damaged("the \(name) do not fit inputs of shape \(inputShape) and \(outputs) outputs")
      }
      guard means.allSatisfy(\.isFinite), stds.allSatisfy({ $0.isFinite && $0 > 0 }) else {
        throw damaged("the \(name) have impossible values")
      }
      return Standardization(means: means, stds: stds)
    }
    preparation.standardization = try standardization(
      "means or deviations", file.means, file.deviations, of: inputCount)
    preparation.targetStandardization = try standardization(
      "means or deviations of targets", file.targetMeans, file.targetDeviations, of: outputs)
    if let names = file.classNames {
      // With binary cross-entropy two classes have one output.
      guard outputs == 1 ? names.count == 2 : names.count == outputs else {
        throw damaged("\(names.count) class names for \(outputs) outputs")
      }
      preparation.classes = Classes(names: names)
    } else if let count = file.classCount {
      guard outputs == 1 ? (1...2).contains(count) : count == outputs else {
        throw damaged("\(count) classes for \(outputs) outputs")
      }
      preparation.classes = Classes(count: count)
    }
    if let table = file.table {
      guard table.isConsistent, table.width == inputCount else {
        throw damaged("the columns of 'table' do not fit inputs of shape \(inputShape)")
      }
      preparation.table = table
    }
    if let images = file.images {
      guard images.fits(inputShape) else {
        throw damaged("'images' does not fit inputs of shape \(inputShape)")
      }
      preparation.images = images
    }
    if let characters = file.characters {
      let codec = CharacterCodec(characters: characters.unicodeScalars)
      guard codec.vocabularySize == outputs, inputShape.count == 1 else {
        throw damaged(
          "\(codec.vocabularySize) characters for \(outputs) outputs and inputs of shape \(inputShape)"
        )
      }
      preparation.tokenizer = .characters(codec)
    } else if checkpoint.fileNames.contains(Checkpoint.tokenizerFile) {
      preparation.tokenizer = .bytePairs(try Self.tokenizer(of: checkpoint, outputs, inputShape))
    }
  }

  /// Reads the tokenizer of a checkpoint, which may have fewer tokens than the model has outputs.
  private static func tokenizer(
    of checkpoint: Checkpoint, _ outputs: Int, _ inputShape: [Int]
  ) throws -> BytePairTokenizer {
    let path = try checkpoint.path(of: Checkpoint.tokenizerFile)
    let content = try checkpoint.content(of: Checkpoint.tokenizerFile)
    let tokenizer: BytePairTokenizer
    do {
      tokenizer = try BytePairTokenizer(json: content, name: path)
    } catch let error as DataError {
      throw CheckpointError.damaged(path: path, reason: error.message)
    }
    guard tokenizer.vocabularySize <= outputs, inputShape.count == 1 else {
      throw CheckpointError.damaged(
        path: path,
        reason: "\(tokenizer.vocabularySize) tokens for \(outputs) outputs and inputs of shape "
          + "\(inputShape)")
    }
    return tokenizer
  }
}
