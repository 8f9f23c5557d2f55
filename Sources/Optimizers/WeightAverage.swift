import CKernels
public import NeuralNetworks
import TensorCore

/// The exponential moving average of the weights over the steps (Polyak averaging), and that of the model's
/// buffers.
///
/// After each update, with t the number of updates before it:
///
///     d = min(decay, (1 + t) / (10 + t))
///     average = d * average + (1 - d) * weights
///
///     let optimizer = SGD(arena)
///     let average = WeightAverage(of: model, in: arena, decay: 0.999)
///     for batch in batches {
///       crossEntropy(model(batch.inputs), batch.labels).backward()
///       optimizer.step(learningRate: 0.1)
///       arena.zeroGrad()
///       average.update()
///     }
///     average.withAverages { print(evaluate(model)) }
///
/// `DataParallel` keeps one of its own where its option `emaDecay` says so.
///
/// The average of buffers, such as running statistics, is that of `timm.utils.ModelEmaV2` and of
/// `torch.optim.swa_utils.AveragedModel(use_buffers=True)`; the smaller decay of the first steps, in which
/// the initial weights would count too much, that of TensorFlow's `ExponentialMovingAverage`.
public final class WeightAverage {
  private let arena: ParameterArena
  private let storage: Storage
  private let decay: Double
  /// The memory of the model's buffers.
  private let buffers: [UnsafeMutableBufferPointer<Float>]
  /// Their averages, on each rank the same.
  package private(set) var bufferAverages: [[Float]]
  /// The calls of `update()`.
  public private(set) var updateCount = 0

  /// The average of a model whose parameters are in an arena; it starts as the weights of now.
  ///
  /// - Parameters:
  ///   - model: The model, whose buffers are averaged too.
  ///   - arena: Its parameters.
  ///   - decay: How much of the average an update keeps, below 1: 0.999 spans about a thousand.
  public convenience init(of model: some Module, in arena: ParameterArena, decay: Double) {
    require(
      decay >= 0 && decay < 1, "WeightAverage: the decay \(decay) is not in 0..<1")
    let buffers = model.namedBuffers().map { name, buffer in
      require(
        buffer.dataType == .float32, "WeightAverage: the buffer \(name) is \(buffer.dataType)")
      return UnsafeMutableBufferPointer(start: buffer.pointer(Float.self), count: buffer.count)
    }
    self.init(arena, buffers: buffers, decay: decay)
    start()
  }

  /// Adds the weights and buffers of now to the average: call it after each step of the optimizer.
  public func update() {
    add(0..<arena.count, after: updateCount)
    addBuffers(after: updateCount)
    updateCount += 1
  }

  /// An average that starts as zeros; `start()` makes it that of the initial weights.
  package init(
    _ arena: ParameterArena, buffers: [UnsafeMutableBufferPointer<Float>], decay: Double
  ) {
    (self.arena, self.buffers, self.decay) = (arena, buffers, decay)
    storage = arena.allocateState()
    bufferAverages = buffers.map { Array($0) }
  }

  /// The averages of all parameters, in the arena's order; the ranks of a node have one copy.
  package var values: ArenaBuffer { arena.buffer(storage) }

  /// Takes the weights as the average, on one rank of each node.
  package func start() { values.copy(from: arena.valueBuffer) }

  /// The decay of an update after `steps` others.
  private func decay(after steps: Int) -> Double {
    min(decay, Double(1 + steps) / Double(10 + steps))
  }

  /// Adds some elements, which were updated; each element on one rank of a node.
  package func add(_ elements: Range<Int>, after steps: Int) {
    guard !elements.isEmpty else { return }
    ck_moving_average(
      values.kernelType, values.pointer(at: elements.lowerBound),
      arena.valueBuffer.pointer(at: elements.lowerBound), elements.count, decay(after: steps))
  }

  /// Adds the buffers of the model, on each rank.
  package func addBuffers(after steps: Int) {
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
  package func restore(buffers: [[Float]]) { bufferAverages = buffers }

  /// Lets the model have the averages as its weights and buffers while `body` runs, on this rank.
  ///
  /// `body` must not change weights.
  public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
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
