/// Which samples each batch of a run holds, whatever the number of ranks.
///
/// The order of an epoch is a pure function of seed and epoch. Batch `k` is the positions
/// `k * globalBatch ..< (k + 1) * globalBatch` of it, and a rank takes a contiguous slice of those.
/// No sample is repeated, and none is left out unless `dropLast` asks for it: the last batch may be
/// short, and a rank's slice of it may be empty.
public struct GlobalBatchSampler: Sendable, Equatable {
  /// How many samples an epoch has.
  public let count: Int
  /// How many samples a batch has over all ranks.
  public let globalBatch: Int
  /// What the orders depend on, together with the epoch.
  public let seed: UInt64
  /// Whether an epoch's order is random, and not that of the dataset.
  public let shuffle: Bool
  /// Whether an incomplete last batch is left out.
  public let dropLast: Bool

  /// Creates a sampler.
  public init(
    count: Int, globalBatch: Int, seed: UInt64 = 0, shuffle: Bool = true, dropLast: Bool = false
  ) {
    precondition(
      count >= 0 && globalBatch > 0,
      "GlobalBatchSampler: \(count) samples in batches of \(globalBatch)")
    self.count = count
    self.globalBatch = globalBatch
    self.seed = seed
    self.shuffle = shuffle
    self.dropLast = dropLast
  }

  /// How many batches an epoch has.
  public var batchesPerEpoch: Int {
    count / globalBatch + (dropLast || count % globalBatch == 0 ? 0 : 1)
  }

  /// The samples in the order in which an epoch shows them.
  public func order(epoch: Int) -> [Int] {
    var order = Array(0..<count)
    guard shuffle, count > 1 else { return order }
    // Fisher-Yates. Word i of the epoch is a hash of the key and i, and so needs no state.
    let key = mixed(mixed(seed) ^ UInt64(epoch))
    for i in stride(from: count - 1, through: 1, by: -1) {
      let word = mixed(key &+ UInt64(i) &* 0x9E37_79B9_7F4A_7C15)
      order.swapAt(i, Int(word.multipliedFullWidth(by: UInt64(i + 1)).high))
    }
    return order
  }

  /// The positions of a batch in its epoch's order.
  public func positions(ofBatch batch: Int) -> Range<Int> {
    precondition(
      batch >= 0 && batch < batchesPerEpoch,
      "GlobalBatchSampler: no batch \(batch), an epoch has \(batchesPerEpoch)")
    return batch * globalBatch..<min((batch + 1) * globalBatch, count)
  }

  /// The part of a batch's positions that a rank takes; sizes differ by at most one.
  ///
  /// The bounds are `n * rank / worldSize`, so that the slice of one rank of two is exactly those
  /// of two ranks of four.
  public static func slice(of positions: Range<Int>, rank: Int, worldSize: Int) -> Range<Int> {
    precondition(
      rank >= 0 && rank < worldSize, "GlobalBatchSampler: no rank \(rank) of \(worldSize)")
    let bound = { positions.lowerBound + positions.count * $0 / worldSize }
    return bound(rank)..<bound(rank + 1)
  }
}
