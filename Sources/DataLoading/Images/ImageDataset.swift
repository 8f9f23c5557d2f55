import Settings
import Synchronization

/// Images that are read, cut, changed at random while training, and standardized, when a batch needs
/// them.
public struct ImageDataset: Dataset {
  /// The number of samples of this view.
  public var count: Int { samples?.count ?? store.count }
  /// `[channels, height, width]`.
  public var inputShape: [Int] { preparation.inputShape }
  /// Whether targets are labels or values.
  public var targetKind: TargetKind { store.targetKind }
  /// A hash of all samples.
  public private(set) var fingerprint: UInt64
  /// Whether samples have two labels each while training.
  public var mixesLabels: Bool { !augmentation.mixing.isEmpty && store.labels != nil }

  /// How images become inputs.
  let preparation: ImagePreparation
  /// What changes while training.
  private(set) var augmentation: Augmentation
  /// The seed of the changes.
  var seed: UInt64 = 0
  /// How many threads read a batch.
  var threads = 1
  private let store: any ImageStore
  private let workers = WorkerPool()
  private var samples: [Int]?  // of a subset; nil for all
  private var standardization: Standardization?

  init(
    _ store: any ImageStore, _ preparation: ImagePreparation, _ augmentation: Augmentation = .init()
  ) {
    self.store = store
    self.preparation = preparation
    self.augmentation = augmentation
    var hash = Fingerprint(store.fingerprint)
    hash.combine(preparation.inputShape + [preparation.resize ?? 0])
    fingerprint = hash.value
  }

  /// The images of a dataset in memory, changed while training.
  ///
  /// Throws a `SettingError` where the samples are not images.
  init(augmenting dataset: InMemoryDataset, _ augmentation: Augmentation) throws(SettingError) {
    let shape = dataset.inputShape
    guard shape.count == 3 else {
      throw SettingError(
        "augment", "is for images [channels, height, width]; samples have shape \(shape)")
    }
    if augmentation.jitter != nil && !dataset.areBounded {
      throw SettingError(
        "augment",
        "has colorJitter, which needs images with values of 0...1 or 0...255; there are others")
    }
    self.init(
      ImagesInMemory(dataset),
      ImagePreparation(channels: shape[0], height: shape[1], width: shape[2]), augmentation)
  }

  /// The label of each sample; nil if targets are values.
  public var labels: [Int32]? {
    guard let labels = store.labels else { return nil }
    return samples.map { $0.map { labels[$0] } } ?? labels
  }

  /// A view of the samples at `indices`, in that order.
  public func subset(_ indices: some Sequence<Int>) -> ImageDataset {
    var view = self
    let chosen = indices.map { samples?[$0] ?? $0 }
    var hash = Fingerprint(fingerprint)
    hash.combine(chosen)
    view.samples = chosen
    view.fingerprint = hash.value
    return view
  }

  /// The same samples without random changes.
  var unchanged: ImageDataset {
    var view = self
    view.augmentation = Augmentation()
    return view
  }

  /// A view whose inputs are standardized after all else.
  func standardized(_ standardization: Standardization) -> ImageDataset {
    var view = self
    view.standardization = standardization
    view.fingerprint = standardization.fingerprint(of: fingerprint)
    return view
  }

  /// Writes the samples at `indices` one after another; several threads share the work.
  public func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) throws {
    let width = inputShape.reduce(1, *)
    precondition(buffers.inputs.count >= indices.count * width, "read: the inputs have no room")
    nonisolated(unsafe) let buffers = buffers  // Each row is written by one thread.
    try concurrently(indices.count, threads: threads) { row in
      try workers.withWorker { worker in
        let index = indices[indices.startIndex + row]
        try read(index, epoch, row, into: buffers, width, worker)
      }
    }
  }

  private func sample(_ index: Int) -> Int {
    precondition(
      index >= 0 && index < count, "ImageDataset: no sample \(index), there are \(count)")
    return samples?[index] ?? index
  }

  private func read(
    _ index: Int, _ epoch: Int?, _ row: Int, into buffers: SampleBuffers, _ width: Int,
    _ worker: ImageWorker
  ) throws {
    let sample = sample(index)
    let planes = buffers.inputs.baseAddress! + row * width
    try draw(sample, epoch, into: planes, worker)
    store.readTarget(sample, row: row, into: buffers)
    if !buffers.mixedLabels.isEmpty {
      buffers.mixedLabels[row] = buffers.labels[row]
      buffers.labelShares[row] = 1
    }
    if let epoch, !augmentation.mixing.isEmpty {
      try mix(sample, epoch, row, into: buffers, planes, width, worker)
    }
    standardization?.apply(to: planes, rows: 1, width: width)
  }

  private func draw(
    _ sample: Int, _ epoch: Int?, into planes: UnsafeMutablePointer<Float>, _ worker: ImageWorker
  ) throws {
    try store.draw(sample, preparation, into: planes, worker) { size in
      guard let epoch else { return preparation.centered(in: size) }
      return augmentation.window(of: size, preparation, seed: seed, epoch: epoch, sample: sample)
    }
    if let epoch, let jitter = augmentation.jitter {
      var random = SampleRandom(seed: seed, epoch: epoch, sample: sample, .color)
      jitter.apply(
        to: planes, pixels: preparation.width * preparation.height, channels: preparation.channels,
        largest: store.largestValue, &random)
    }
  }

  /// Mixes a sample with another one of this dataset, as that looks in the same epoch.
  private func mix(
    _ sample: Int, _ epoch: Int, _ row: Int, into buffers: SampleBuffers,
    _ planes: UnsafeMutablePointer<Float>, _ width: Int, _ worker: ImageWorker
  ) throws {
    var random = SampleRandom(seed: seed, epoch: epoch, sample: sample, .mixing)
    let partner = self.sample(random.integer(below: count))
    let mixing = augmentation.mixing[random.integer(below: augmentation.mixing.count)]
    let other = worker.room(width)
    try draw(partner, epoch, into: other, worker)
    let share = mixing.apply(
      to: planes, other, preparation.size, channels: preparation.channels, &random)
    if let labels = store.labels {
      buffers.mixedLabels[row] = labels[partner]
      buffers.labelShares[row] = share
    } else {
      let count = targetKind.valueCount
      withUnsafeTemporaryAllocation(of: Float.self, capacity: count) { values in
        let none = UnsafeMutableBufferPointer<Int32>(start: nil, count: 0)
        let room = SampleBuffers(
          inputs: .init(start: nil, count: 0), labels: none, values: values)
        store.readTarget(partner, row: 0, into: room)
        for k in 0..<count {
          let mine = buffers.values[row * count + k]
          buffers.values[row * count + k] = share * mine + (1 - share) * values[k]
        }
      }
    }
  }
}

/// The workers that no thread uses now.
///
/// Sendable because a worker is in the pool or used by one thread.
final class WorkerPool: Sendable {
  private struct Workers: @unchecked Sendable { var unused: [ImageWorker] = [] }
  private let workers = Mutex(Workers())

  func withWorker(_ body: (ImageWorker) throws -> Void) throws {
    let worker = workers.withLock { $0.unused.popLast() } ?? ImageWorker()
    defer {
      nonisolated(unsafe) let worker = worker
      workers.withLock { $0.unused.append(worker) }
    }
    try body(worker)
  }
}
