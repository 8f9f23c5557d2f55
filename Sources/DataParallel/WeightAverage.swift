import CKernels
import Optimizers
import TensorCore

/// The exponential moving average of the weights over the steps (Polyak averaging), and that of the model's
/// buffers.
///
/// After each update, with t the number of updates before it:
///
///     d = min(decay, (1 + t) / (10 + t))
///     average = d * average + (1 - d) * weights
///
/// The average of buffers, such as running statistics, is that of `timm.utils.ModelEmaV2` and of
/// `torch.optim.swa_utils.AveragedModel(use_buffers=True)`; the smaller decay of the first steps, in which
/// the initial weights would count too much, that of TensorFlow's `ExponentialMovingAverage`.
final class WeightAverage {
  private let arena: ParameterArena
  private let storage: Storage
  private let decay: Double
  /// The memory of the model's buffers.
  private let buffers: [UnsafeMutableBufferPointer<Float>]
  /// Their averages, on each rank the same.
  private(set) var bufferAverages: [[Float]]

  /// An average that starts as zeros; `start()` makes it that of the initial weights.
  init(_ arena: ParameterArena, _ buffers: [UnsafeMutableBufferPointer<Float>], decay: Double) {
    (self.arena, self.buffers, self.decay) = (arena, buffers, decay)
    storage = arena.allocateState()
    bufferAverages = buffers.map { Array($0) }
  }

  /// The averages of all parameters, in the arena's order; the ranks of a node have one copy.
  var values: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(
      start: storage.pointer.assumingMemoryBound(to: Float.self), count: arena.count)
  }

  /// Takes the weights as the average, on one rank of each node.
  func start() { _ = values.update(fromContentsOf: arena.values) }

  /// The decay of an update after `steps` others.
  private func decay(after steps: Int) -> Double {
    min(decay, Double(1 + steps) / Double(10 + steps))
  }

  /// Adds some elements, which were updated; each element on one rank of a node.
  func add(_ elements: Range<Int>, after steps: Int) {
    guard !elements.isEmpty else { return }
    ck_moving_average(
      ck_f32, values.baseAddress! + elements.lowerBound,
      arena.values.baseAddress! + elements.lowerBound, elements.count, decay(after: steps))
  }

  /// Adds the buffers of the model, on each rank.
  func addBuffers(after steps: Int) {
    let decay = decay(after: steps)
    for (index, buffer) in buffers.enumerated() {
      bufferAverages[index].withUnsafeMutableBufferPointer { average in
        guard let start = average.baseAddress, let new = buffer.baseAddress else { return }
        ck_moving_average(ck_f32, start, new, buffer.count, decay)
      }
    }
    storage.version += 1
  }

  /// Replaces the averages of the buffers, on each rank.
  func restore(buffers: [[Float]]) { bufferAverages = buffers }

  /// Lets the model have the averages as its weights and buffers while `body` runs, on this rank.
  func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
    func exchangeBuffers() {
      for (index, buffer) in buffers.enumerated() {
        let own = Array(buffer)
        _ = buffer.update(fromContentsOf: bufferAverages[index])
        bufferAverages[index] = own
      }
    }
    exchangeBuffers()
    defer { exchangeBuffers() }
    return try arena.withValues(of: storage, body)
  }
}
