import Collectives

/// A model's buffers, such as the running statistics of batch normalisation, after forward passes
/// over several slices of a batch: each slice starts from the same state, and the mean over all
/// samples is what remains.
final class RunningStatistics {
  private let buffers: [UnsafeMutableBufferPointer<Float>]
  private let slices: Int
  private let count: Int
  /// The state before the step.
  private var before: [Float] = []
  /// Each slice's part of the mean, or the sum of these where their order does not matter.
  private var parts: [Float] = []
  private let isOrdered: Bool

  /// - Parameters:
  ///   - buffers: The memory of the model's buffers.
  ///   - slices: The slices of a batch over all ranks.
  ///   - inOrder: Whether the mean is to have the same bits however slices fall on ranks.
  init(_ buffers: [UnsafeMutableBufferPointer<Float>], slices: Int, inOrder: Bool) {
    self.buffers = buffers
    self.slices = slices
    count = slices == 1 ? 0 : buffers.reduce(0) { $0 + $1.count }
    isOrdered = inOrder
  }

  /// Remembers the state before a step.
  func begin() {
    guard count > 0 else { return }
    before = buffers.flatMap { Array($0) }
    parts = Array(repeating: 0, count: isOrdered ? slices * count : count)
  }

  /// Returns to the state before the step.
  func restore() {
    guard count > 0 else { return }
    write { before[$0] }
  }

  /// Takes what the forward pass over a slice has left, which counts for `share` of the mean.
  func record(_ slice: Int, share: Double) {
    guard count > 0 else { return }
    var index = isOrdered ? slice * count : 0
    for value in buffers.joined() {
      parts[index] = Float(share) * value
      index += 1
    }
  }

  /// Puts the mean over the slices of all ranks into the buffers.
  func merge(_ communicator: any Communicator) {
    guard count > 0 else { return }
    parts.withUnsafeMutableBufferPointer { communicator.allReduce($0, .sum) }
    write { index in
      stride(from: index, to: parts.count, by: count).reduce(0) { $0 + parts[$1] }
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
