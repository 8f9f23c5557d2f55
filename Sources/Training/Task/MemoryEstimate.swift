package import Base
package import DataLoading

/// The least memory that the ranks of a computer need together for a model.
///
/// Weights, what training keeps for them, and batches count; activations come on top.
package struct MemoryEstimate: Sendable, Equatable {
  /// The elements of all parameters and buffers; nil if there are more than an `Int` counts.
  package let elementCount: Int?
  /// The bytes; nil if there are more than an `Int` counts.
  package let byteCount: Int?
  /// The ranks that the computer has.
  package let ranks: Int
  private let purpose: Purpose

  /// What the model is for.
  private enum Purpose: Sendable {
    case applying, training

    var name: String {
      switch self {
      case .applying: "applying"
      case .training: "training"
      }
    }

    var remedy: String {
      switch self {
      case .applying: "a computer with more memory, or fewer ranks on it"
      case .training:
        "a smaller model or 'training.globalBatch', or fewer ranks on each computer"
      }
    }
  }

  /// The memory of applying a model, of which each rank has its own.
  package init(applying elementCount: Int?, ranks: Int) {
    self.elementCount = elementCount
    self.ranks = ranks
    purpose = .applying
    byteCount = elementCount?.multiplied(by: MemoryLayout<Float>.size)?.multiplied(by: ranks)
  }

  /// The memory of training a model: the ranks have values and optimizer state in common; each has
  /// initial weights, gradients and batches of its own.
  ///
  /// - Parameters:
  ///   - elementCount: The elements of all parameters and buffers.
  ///   - stateBuffers: How many numbers the optimizer keeps for each element.
  ///   - stateNodes: The nodes that share out the optimizer's state; 1 where this one has all of it.
  ///   - weightCopies: How many further numbers are kept for each element, such as a moving average.
  ///   - batchByteCount: The bytes of a rank's batches; nil if there are more than an `Int` counts.
  ///   - ranks: The ranks of the computer.
  package init(
    training elementCount: Int?, stateBuffers: Int, stateNodes: Int = 1, weightCopies: Int = 0,
    batchByteCount: Int?, ranks: Int
  ) {
    self.elementCount = elementCount
    self.ranks = ranks
    purpose = .training
    let perElement = MemoryLayout<Float>.size * (1 + weightCopies + 2 * ranks)
    let state = elementCount?.multiplied(by: MemoryLayout<Float>.size * stateBuffers)
    let batches = batchByteCount?.multiplied(by: ranks)
    byteCount = batches.flatMap {
      elementCount?.multiplied(by: perElement)?.adding($0)?
        .adding(state.map { $0 / stateNodes } ?? .max)
    }
  }

  /// Throws if less memory is available.
  package func check(_ available: AvailableMemory?) throws(ModelTooLarge) {
    guard let available, byteCount ?? .max > available.byteCount else { return }
    let parameters = elementCount.map(grouped) ?? "more than \(grouped(.max))"
    let needed = byteCount.map(MemoryEstimate.text) ?? "more than \(grouped(.max)) bytes"
    throw ModelTooLarge(
      message:
        "the model is too large for this computer: \(purpose.name) its \(parameters) parameters "
        + "on \(count(ranks, "rank")) needs at least \(needed) of memory, and "
        + "\(available.limit) has \(MemoryEstimate.text(available.byteCount)) available; choose "
        + purpose.remedy)
  }

  private static func text(_ bytes: Int) -> String {
    "\(grouped(bytes)) bytes (\((Double(bytes) / 0x1p30 * 10).rounded() / 10) GiB)"
  }
}

/// A model that does not fit into the computer's memory.
package struct ModelTooLarge: ExitStatusProviding, Equatable, CustomStringConvertible {
  let message: String

  /// The bytes that are needed and available, and what to do.
  package var description: String { message }

  /// The exit code 78: the configuration does not fit the computer.
  package var exitStatus: ExitStatus { .configuration }
}

extension Trainer.Options {
  /// The bytes of a rank's batches, and of the order of an epoch, where that is kept; nil if there are
  /// more than an `Int` counts.
  package func batchByteCount(for data: any Dataset, worldSize: Int) -> Int? {
    let sampler = GlobalBatchSampler(for: data, globalBatch: globalBatch, seed: 0)
    let largest = min(sampler.count, globalBatch)
    let samples = (largest + worldSize - 1) / worldSize
    let inputs = data.inputShape.reduce(1 as Int?) { $0?.multiplied(by: $1) }
    let targets = max(data.targetKind.labelCount, data.targetKind.valueCount)
    // One batch is in use, and the loader prepares two more.
    let batches = inputs?.adding(targets)?.multiplied(by: 3 * 4)?.multiplied(by: samples)
    // Draws with replacement are made as they are needed.
    let order = sampler.replacement ? 0 : sampler.count.multiplied(by: MemoryLayout<Int>.size)
    return order.flatMap { batches?.adding($0) }
  }
}
