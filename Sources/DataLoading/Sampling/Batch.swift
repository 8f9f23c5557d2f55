import Synchronization

/// A rank's samples of one step, in memory that its loader reuses when the batch is released.
public final class Batch: Sendable {
  /// The step of the run, counted over all epochs from 0.
  public let step: Int
  /// The epoch.
  public let epoch: Int
  /// Its number among the epoch's batches.
  public let index: Int
  /// The positions of all ranks' samples in the epoch's order.
  public let globalPositions: Range<Int>
  /// The positions of this rank's samples in the epoch's order; may be empty.
  public let positions: Range<Int>
  /// The indices of this rank's samples in the dataset.
  public let sampleIndices: ArraySlice<Int>
  /// The shape of the inputs, the number of samples first.
  public let inputShape: [Int]
  /// Whether inputs are numbers or tokens.
  public let inputKind: InputKind
  /// Whether targets are labels, values or tokens.
  public let targetKind: TargetKind
  /// Whether samples have a second label.
  public let mixesLabels: Bool
  private let memory: BatchMemory
  private let pool: BatchPool

  /// The number of this rank's samples; may be 0.
  public var count: Int { positions.count }

  /// The shape of the targets, the number of samples first.
  public var targetShape: [Int] {
    switch targetKind {
    case .classes: [count]
    case .values(let shape): [count] + shape
    case .tokens(_, let length): [count, length]
    }
  }

  init(
    step: Int, epoch: Int, index: Int, globalPositions: Range<Int>, positions: Range<Int>,
    sampleIndices: ArraySlice<Int>, pool: BatchPool, isTraining: Bool
  ) throws {
    self.step = step
    self.epoch = epoch
    self.index = index
    self.globalPositions = globalPositions
    self.positions = positions
    self.sampleIndices = sampleIndices
    self.pool = pool
    inputShape = [positions.count] + pool.dataset.inputShape
    inputKind = pool.dataset.inputKind
    targetKind = pool.dataset.targetKind
    mixesLabels = isTraining && pool.dataset.mixesLabels
    memory = pool.takeMemory()
    try pool.dataset.read(
      sampleIndices, epoch: isTraining ? epoch : nil, into: memory.buffers(count: positions.count))
  }

  deinit { pool.giveBack(memory) }

  /// Calls `body` with the inputs, row-major and aligned to 64 bytes; there are none if they are
  /// tokens.
  ///
  /// The memory stays valid and unchanged for as long as the batch is retained.
  public func withInputs<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(.init(memory.buffers(count: count).inputs)) }
  }

  /// Calls `body` with the inputs that are tokens, row-major; there are none if they are numbers.
  ///
  /// The memory stays valid and unchanged for as long as the batch is retained.
  public func withTokens<R>(_ body: (UnsafeBufferPointer<Int32>) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(.init(memory.buffers(count: count).tokens)) }
  }

  /// Calls `body` with the labels, row-major; there are none unless the targets are classes or
  /// tokens.
  ///
  /// The memory stays valid and unchanged for as long as the batch is retained.
  public func withLabels<R>(_ body: (UnsafeBufferPointer<Int32>) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(.init(memory.buffers(count: count).labels)) }
  }

  /// Calls `body` with the second label of each sample; there are none unless the dataset mixes labels.
  ///
  /// The memory stays valid and unchanged for as long as the batch is retained.
  public func withMixedLabels<R>(_ body: (UnsafeBufferPointer<Int32>) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(.init(memory.buffers(count: count).mixedLabels)) }
  }

  /// Calls `body` with the share of the first label of each sample; there are none unless the dataset
  /// mixes labels.
  ///
  /// The memory stays valid and unchanged for as long as the batch is retained.
  public func withLabelShares<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(.init(memory.buffers(count: count).labelShares)) }
  }

  /// Calls `body` with the values to predict, row-major; there are none unless the targets are
  /// values.
  ///
  /// The memory stays valid and unchanged for as long as the batch is retained.
  public func withValues<R>(_ body: (UnsafeBufferPointer<Float>) throws -> R) rethrows -> R {
    try withExtendedLifetime(self) { try body(.init(memory.buffers(count: count).values)) }
  }
}

/// Memory for one batch.
///
/// Sendable because it has one owner at a time: the pool, or a batch, which writes it only in its
/// initializer.
final class BatchMemory: @unchecked Sendable {
  private let inputs: UnsafeMutableRawBufferPointer
  private let targets: UnsafeMutableRawBufferPointer
  private let mixing: UnsafeMutableRawBufferPointer  // labels, then shares
  private let capacity: Int
  private let mixesLabels: Bool
  private let inputCount: Int
  private let inputKind: InputKind
  private let targetKind: TargetKind

  init(capacity: Int, dataset: any Dataset) {
    func allocate(_ elements: Int) -> UnsafeMutableRawBufferPointer {
      .allocate(byteCount: max(1, elements * 4), alignment: 64)
    }
    inputCount = dataset.inputShape.reduce(1, *)
    inputKind = dataset.inputKind
    targetKind = dataset.targetKind
    self.capacity = capacity
    mixesLabels = dataset.mixesLabels
    mixing = allocate(mixesLabels ? 2 * capacity : 0)
    inputs = allocate(capacity * inputCount)
    targets = allocate(capacity * max(targetKind.labelCount, targetKind.valueCount))
  }

  deinit {
    mixing.deallocate()
    inputs.deallocate()
    targets.deallocate()
  }

  /// Views of the first `count` samples.
  func buffers(count: Int) -> SampleBuffers {
    func view<T>(_ memory: UnsafeMutableRawBufferPointer, _ elements: Int, from first: Int = 0)
      -> UnsafeMutableBufferPointer<T>
    {
      UnsafeMutableBufferPointer(
        start: memory.baseAddress!.assumingMemoryBound(to: T.self) + first, count: elements)
    }
    let mixed = mixesLabels ? count : 0
    let isNumbers = inputKind == .numbers
    return SampleBuffers(
      inputs: view(inputs, isNumbers ? count * inputCount : 0),
      labels: view(targets, count * targetKind.labelCount),
      values: view(targets, count * targetKind.valueCount),
      tokens: view(inputs, isNumbers ? 0 : count * inputCount),
      mixedLabels: view(mixing, mixed),
      labelShares: view(mixing, mixed, from: mixesLabels ? capacity : 0))
  }
}

/// Allocates memory for batches of a dataset, and reuses that of released batches.
final class BatchPool: Sendable {
  let dataset: any Dataset
  private let capacity: Int  // in samples
  private let unused = Mutex<[BatchMemory]>([])

  init(dataset: any Dataset, capacity: Int) {
    self.dataset = dataset
    self.capacity = capacity
  }

  func takeMemory() -> BatchMemory {
    unused.withLock { $0.popLast() } ?? BatchMemory(capacity: capacity, dataset: dataset)
  }

  func giveBack(_ memory: BatchMemory) {
    unused.withLock { $0.append(memory) }
  }
}
