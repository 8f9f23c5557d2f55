/// A rank's contiguous part of a dataset, once and in order, in batches: for evaluation.
///
/// Over all ranks each sample comes exactly once, or of so many spread evenly each. Ranks may have different numbers of batches, and
/// none where there are fewer samples than ranks.
public struct SequentialBatches {
  private let batchSize: Int
  private let positions: Range<Int>
  private let order: [Int]
  private let pool: BatchPool
  private var step = 0

  /// Creates the batches of a rank, each of `batchSize` samples but the last.
  ///
  /// Where a dataset has more than `limit` samples, only so many come, spread evenly over it.
  public init(
    _ dataset: any Dataset, batchSize: Int, rank: Int = 0, worldSize: Int = 1, limit: Int? = nil
  ) {
    precondition(batchSize > 0, "SequentialBatches: batches of \(batchSize) samples")
    self.batchSize = batchSize
    let count = min(dataset.count, limit ?? dataset.count)
    positions = GlobalBatchSampler.slice(of: 0..<count, rank: rank, worldSize: worldSize)
    order = (0..<count).map { $0 * dataset.count / count }
    pool = BatchPool(dataset: dataset, capacity: min(batchSize, positions.count))
  }

  /// The next batch, read now; nil after the last.
  public mutating func next() throws -> Batch? {
    let first = positions.lowerBound + step * batchSize
    guard first < positions.upperBound else { return nil }
    let mine = first..<min(first + batchSize, positions.upperBound)
    defer { step += 1 }
    return try Batch(
      step: step, epoch: 0, index: step, globalPositions: mine, positions: mine,
      sampleIndices: order[mine], pool: pool)
  }
}
