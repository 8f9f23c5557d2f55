import Base
import Foundation
import Synchronization

/// Prepares a rank's batches in the background, step after step and epoch after epoch.
///
/// Batches come in the sampler's order without end. A run's position is one integer: starting at step
/// `s` gives the batches that a loader which started at 0 gives from step `s`, for any number of
/// ranks.
public final class DataLoader: Sendable {
  /// Decides which samples each batch has.
  public let sampler: GlobalBatchSampler
  private let worker: PrefetchWorker
  private let thread: Mutex<pthread_t?>

  /// Creates a loader and starts its thread.
  ///
  /// - Parameters:
  ///   - dataset: Where the samples come from.
  ///   - sampler: Decides which samples each batch has; must have at least one batch.
  ///   - partition: Which slice of each batch to read.
  ///   - step: The first step to prepare.
  ///   - prefetch: The batches prepared ahead; at least 1.
  public init(
    _ dataset: any Dataset, sampler: GlobalBatchSampler,
    partition: BatchPartition = BatchPartition(), startingAt step: Int = 0, prefetch: Int = 2
  ) {
    precondition(
      sampler.population == dataset.count,
      "DataLoader: the sampler is for \(sampler.population) samples, the dataset has \(dataset.count)"
    )
    precondition(
      sampler.batchesPerEpoch > 0,
      "DataLoader: \(sampler.count) samples make no batch of \(sampler.globalBatch)")
    precondition(step >= 0 && prefetch > 0, "DataLoader: step \(step), prefetch \(prefetch)")
    self.sampler = sampler
    worker = PrefetchWorker(
      dataset: dataset, sampler: sampler, partition: partition, firstStep: step, depth: prefetch)
    thread = Mutex(worker.start())
  }

  deinit { cancel() }

  /// The batch of the next step.
  ///
  /// Throws what the dataset threw when it read that batch, and `CancellationError` after
  /// `cancel()`.
  public func next() throws -> Batch { try worker.next() }

  /// Stops the thread and waits for its end; releasing the loader does the same.
  public func cancel() {
    worker.cancel()
    let running = thread.withLock { thread in
      defer { thread = nil }
      return thread
    }
    if let running { pthread_join(running, nil) }
  }
}

/// The thread of a loader, and the queue of its batches.
///
/// Sendable because `ready` and `isCancelled` are used only while `condition` is locked. It has no
/// reference to the loader, so that releasing the loader ends the thread.
private final class PrefetchWorker: @unchecked Sendable {
  private let pool: BatchPool
  private let sampler: GlobalBatchSampler
  private let partition: BatchPartition
  private let firstStep: Int
  private let depth: Int
  private let condition = NSCondition()
  private var ready: [Result<Batch, any Error>] = []
  private var isCancelled = false

  init(
    dataset: any Dataset, sampler: GlobalBatchSampler, partition: BatchPartition, firstStep: Int,
    depth: Int
  ) {
    let largest = min(sampler.count, sampler.globalBatch)
    pool = BatchPool(dataset: dataset, capacity: partition.capacity(of: largest))
    self.sampler = sampler
    self.partition = partition
    self.firstStep = firstStep
    self.depth = depth
  }

  func start() -> pthread_t {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<PrefetchWorker>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    precondition(code == 0, "DataLoader: no thread: \(String(cString: strerror(code)))")
    return thread
  }

  func next() throws -> Batch {
    condition.lock()
    defer { condition.unlock() }
    while ready.isEmpty && !isCancelled { condition.wait() }
    if isCancelled { throw CancellationError() }
    if case .failure(let error) = ready[0] { throw error }  // It stays: no batch follows.
    defer { condition.broadcast() }
    return try ready.removeFirst().get()
  }

  func cancel() {
    condition.lock()
    isCancelled = true
    ready = []
    condition.broadcast()
    condition.unlock()
  }

  private func run() {
    var epoch = firstStep / sampler.batchesPerEpoch
    var order = GlobalBatchSampler.Order(sampler, epoch: firstStep / sampler.batchesPerEpoch)
    var step = firstStep
    while waitForRoom() {
      if step / sampler.batchesPerEpoch != epoch {
        epoch = step / sampler.batchesPerEpoch
        order = GlobalBatchSampler.Order(sampler, epoch: epoch)
      }
      let batch = Timeline.span("batch \(step + 1)", .dataLoader) {
        Result { try makeBatch(step: step, epoch: epoch, order: order) }
      }
      append(batch)
      if case .failure = batch { return }
      step += 1
    }
  }

  private func makeBatch(step: Int, epoch: Int, order: GlobalBatchSampler.Order) throws
    -> Batch
  {
    let index = step % sampler.batchesPerEpoch
    let all = sampler.positions(ofBatch: index)
    let mine = partition.slice(of: all)
    return try Batch(
      step: step, epoch: epoch, index: index, globalPositions: all, positions: mine,
      sampleIndices: order[mine][...], pool: pool, isTraining: true)
  }

  /// Waits until another batch may be prepared; false when cancelled.
  private func waitForRoom() -> Bool {
    condition.lock()
    defer { condition.unlock() }
    while ready.count >= depth && !isCancelled { condition.wait() }
    return !isCancelled
  }

  private func append(_ batch: Result<Batch, any Error>) {
    condition.lock()
    if !isCancelled { ready.append(batch) }
    condition.broadcast()
    condition.unlock()
  }
}
