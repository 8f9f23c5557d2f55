import Collectives

/// Merges the running statistics of batch normalization, and other buffers of a model, over the slices
/// of a batch: each slice starts from the same state, and the mean weighted by samples is kept.
final class RunningStatistics {
  private let buffers: [UnsafeMutableBufferPointer<Float>]
  private let slices: Int
  private let count: Int
  /// The state before the step.
  private var before: [Float] = []
  /// Each slice's contribution to the mean if the mean is ordered, otherwise their sum.
  private var contributions: [Float] = []
  private let isOrdered: Bool

  /// - Parameters:
  ///   - buffers: The memory of the model's buffers.
  ///   - slices: The slices of a batch over all ranks.
  ///   - isOrdered: Whether the mean has the same bits however many slices each rank computes.
  ///   - canRestore: Whether `restore()` is needed with a single slice too.
  init(
    _ buffers: [UnsafeMutableBufferPointer<Float>], slices: Int, isOrdered: Bool, canRestore: Bool
  ) {
    self.buffers = buffers
    self.slices = slices
    count = slices == 1 && !canRestore ? 0 : buffers.reduce(0) { $0 + $1.count }
    self.isOrdered = isOrdered
  }

  /// Saves the state before a step.
  func begin() {
    guard count > 0 else { return }
    before = buffers.flatMap { Array($0) }
    contributions = Array(repeating: 0, count: isOrdered ? slices * count : count)
  }

  /// Restores the state before the step.
  func restore() {
    guard count > 0 else { return }
    write { before[$0] }
  }

  /// Records the buffers after the forward passes over a slice, with its weight in the mean.
  func record(_ slice: Int, weight: Double) {
    guard count > 0 else { return }
    var index = isOrdered ? slice * count : 0
    for value in buffers.joined() {
      contributions[index] = Float(weight) * value
      index += 1
    }
  }

  /// Replaces the buffers by the mean over the slices of all ranks.
  func merge(_ communicator: any Communicator) {
    guard count > 0 else { return }
    contributions.withUnsafeMutableBufferPointer { communicator.allReduce($0, .sum) }
    write { index in
      stride(from: index, to: contributions.count, by: count).reduce(0) { $0 + contributions[$1] }
    }
  }

  private func write(_ value: (Int) -> Float) {
    var index = 0
    for buffer in buffers {
      for i in buffer.indices {
        buffer[i] = value(index)
        index += 1
      }
    }
  }
}
