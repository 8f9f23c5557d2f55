/// The samples of a dataset in order, in batches, of which each rank reads a contiguous part: for
/// evaluation.
///
/// Across ranks every sample appears once; with `limit`, `limit` evenly spaced samples do. Ranks may
/// have different numbers of batches, and none where there are fewer samples than ranks.
public struct SequentialBatches {
  private let batchSize: Int
  private let positions: Range<Int>
  private let order: [Int]
  private let pool: BatchPool
  private var step = 0

  /// Creates the batches of a rank, each of `batchSize` samples but the last.
  ///
  /// - Parameters:
  ///   - dataset: Where the samples come from.
  ///   - batchSize: The samples of a batch.
  ///   - partition: Which part of the samples to read.
  ///   - limit: How many samples to read on all ranks, evenly spaced; nil reads all.
  public init(
    _ dataset: any Dataset, batchSize: Int, partition: BatchPartition = BatchPartition(),
    limit: Int? = nil
  ) {
    precondition(batchSize > 0, "SequentialBatches: batches of \(batchSize) samples")
    self.batchSize = batchSize
    let count = min(dataset.count, limit ?? dataset.count)
    positions = partition.slice(of: 0..<count)
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
      sampleIndices: order[mine], pool: pool, isTraining: false)
  }
}
