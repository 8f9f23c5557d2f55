import Base
import Checkpointing
package import Collectives
import Configuration
package import DataLoading
import Foundation
package import Training

/// What the model of a run's checkpoint does on samples that it was not trained on.
package struct ModelFindings: Sendable {
  /// A wrongly predicted sample, to be looked at.
  package struct Sample: Sendable {
    /// What was predicted.
    package let mistake: DetailedEvaluation.Mistake
    /// The sample as a PNG file; nil unless samples are images.
    package let picture: [UInt8]?
    /// The numbers of the sample before normalization; empty for images.
    package let numbers: [Float]
  }

  /// A text that the model continued.
  package struct Continuation: Sendable {
    /// What was given.
    package let prompt: String
    /// What the model added.
    package let text: String
  }

  /// The checkpoint's directory.
  package let checkpoint: String
  /// The steps that led to it.
  package let step: Int
  /// The part of the data that was measured.
  package let part: DataPart
  /// Its loss and the rest; nil for texts, whose loss the metrics have.
  package let evaluation: DetailedEvaluation?
  /// The classes; nil unless targets are classes.
  package let classes: Classes?
  /// The worst mistakes.
  package let samples: [Sample]
  /// The names of a sample's numbers; empty for images.
  package let numberNames: [String]
  /// A text of the model; nil unless it continues texts.
  package let continuation: Continuation?

  private static let mistakeCount = 24
  private static let promptLength = 48
  private static let continuationLength = 400

  /// Opens the best or newest checkpoint of a run and the data of its configuration, and evaluates the model.
  ///
  /// Collective: the ranks share the evaluation, and rank zero has the samples and the text. Throws
  /// `ModelFindingsMissing` where the checkpoint or the data cannot be used.
  package init(
    _ run: RunHistory, _ communicator: any Communicator
  ) throws(ModelFindingsMissing) {
    do {
      let checkpoint = try communicator.collectiveTry {
        let best = try? run.directory.checkpoints(keep: 0).best()
        return try best ?? Run.findCheckpoint(at: run.directory.path)
      }
      let (configuration, signature) = try communicator.collectiveTry {
        (try checkpoint.configuration(), try checkpoint.signature())
      }
      let task = try TrainingTask(
        configuration, communicator, loadsInitialWeights: false, preparation: signature.preparation)
      let part: DataPart = try communicator.collectiveTry {
        try loadWeights(of: task.model, from: checkpoint.evaluatedWeights())
        let parts = [DataPart.test, .validation].filter { task.data[$0].count > 0 }
        guard let part = parts.first else {
          throw ModelFindingsMissing(reason: "no samples were held out for validation")
        }
        return part
      }
      self.checkpoint = checkpoint.path
      self.step = checkpoint.step
      self.part = part
      classes = signature.preparation.classes
      evaluation =
        task.countsTokens
        ? nil
        : try task.evaluateInDetail(
          part, batchSize: min(configuration.group(Trainer.Options.self).globalBatch, 256),
          mistakes: Self.mistakeCount, communicator)
      numberNames = Self.names(signature)
      let isRoot = communicator.isRoot
      samples = isRoot ? try Self.samples(evaluation?.worst ?? [], of: task.data, part) : []
      continuation = isRoot ? try Self.continuation(checkpoint, task.data[part]) : nil
    } catch let error as ModelFindingsMissing {
      throw error
    } catch {
      throw ModelFindingsMissing(reason: "\(error)")
    }
  }

  private static func samples(
    _ mistakes: [DetailedEvaluation.Mistake], of data: DataSplits, _ part: DataPart
  ) throws -> [Sample] {
    guard !mistakes.isEmpty, data[part].inputKind == .numbers else { return [] }
    let preview = try SamplePreview(data[part], mistakes.map(\.index), epoch: nil)
    let standardization = data.preparation.standardization
    let images = ImagePreparation(inputShape: data[part].inputShape)
    return zip(mistakes, preview.inputs).map { mistake, input in
      let picture = images.map {
        ImageSheet([input], $0, standardization, columns: 1).png
      }
      let numbers = picture == nil ? standardization?.undone(input) ?? input : []
      return Sample(mistake: mistake, picture: picture, numbers: numbers)
    }
  }

  private static func names(_ signature: ModelSignature) -> [String] {
    guard signature.inputShape.count == 1 else { return [] }
    let columns = signature.preparation.table?.columns.enumerated().flatMap { index, column in
      let name = column.name ?? "column \(column.position + 1)"
      return column.categories?.map { "\(name) = \($0)" } ?? [name]
    }
    return columns ?? (1...signature.inputShape[0]).map { "input \($0)" }
  }

  private static func continuation(
    _ checkpoint: Checkpoint, _ data: any Dataset
  ) throws -> Continuation? {
    let preparation = try checkpoint.signature().preparation
    guard let tokenizer = preparation.tokenizer, data is TokenDataset, data.count > 0 else {
      return nil
    }
    let tokens = try SamplePreview(data, [0], epoch: nil).tokens[0]
    let prompt = tokenizer.decode(tokens.prefix(promptLength))
    let text = try TextGenerator(checkpoint).text(
      after: prompt, count: continuationLength, TokenSampling(temperature: 0.8), seed: 1)
    return Continuation(prompt: prompt, text: String(text.dropFirst(prompt.count)))
  }
}

/// Why a page does not show what a model does.
package struct ModelFindingsMissing: Error {
  /// The reason, in one line.
  package let reason: String

  /// A reason, of which the first line counts.
  package init(reason: String) {
    self.reason = reason.split(separator: "\n").first.map(String.init) ?? "unknown"
  }
}
