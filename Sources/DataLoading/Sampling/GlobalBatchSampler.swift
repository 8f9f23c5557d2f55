/// Decides which samples each batch of a run has, independent of the number of ranks.
///
/// The order of an epoch is a pure function of seed and epoch. Batch `k` is the positions
/// `k * globalBatch ..< (k + 1) * globalBatch` of it, and a rank takes a contiguous slice of those.
/// No sample is repeated or left out: the last batch may be short, and a rank's slice of it empty.
///
/// With `draws`, an epoch is that many samples drawn at random with replacement, and all its batches
/// are full.
public struct GlobalBatchSampler: Sendable, Equatable {
  /// The samples of an epoch.
  public let count: Int
  /// The samples of a batch over all ranks.
  public let globalBatch: Int
  /// The random seed; the order depends on it and the epoch.
  public let seed: UInt64
  /// Whether the order of an epoch is random.
  public let shuffle: Bool
  /// The samples of the dataset.
  public let population: Int
  /// Whether samples are drawn with replacement.
  public let replacement: Bool
  /// The samples of each class, which are drawn equally often; nil draws all samples equally often.
  private let classes: [[Int]]?

  /// Creates a sampler.
  public init(
    count: Int, globalBatch: Int, seed: UInt64 = 0, shuffle: Bool = true
  ) {
    precondition(
      count >= 0 && globalBatch > 0,
      "GlobalBatchSampler: \(count) samples in batches of \(globalBatch)")
    self.count = count
    self.globalBatch = globalBatch
    self.seed = seed
    self.shuffle = shuffle
    population = count
    replacement = false
    classes = nil
  }

  /// Creates a sampler that draws at random with replacement.
  ///
  /// - Parameters:
  ///   - draws: The least number of samples of an epoch; it is rounded up to whole batches.
  ///   - population: The samples of the dataset.
  ///   - globalBatch: The samples of a batch over all ranks.
  ///   - seed: The random seed.
  public init(draws: Int, from population: Int, globalBatch: Int, seed: UInt64 = 0) {
    precondition(
      draws > 0 && population > 0 && globalBatch > 0,
      "GlobalBatchSampler: \(draws) draws from \(population) samples in batches of \(globalBatch)")
    count = (draws + globalBatch - 1) / globalBatch * globalBatch
    self.globalBatch = globalBatch
    self.seed = seed
    shuffle = true
    self.population = population
    replacement = true
    classes = nil
  }

  /// Creates a sampler that draws, with replacement, first a class and then a sample of it; an epoch
  /// has as many draws as there are samples.
  ///
  /// - Parameters:
  ///   - labels: The class of each sample of the dataset.
  ///   - globalBatch: The samples of a batch over all ranks.
  ///   - seed: The random seed.
  public init(balancing labels: [Int32], globalBatch: Int, seed: UInt64 = 0) {
    precondition(
      !labels.isEmpty && globalBatch > 0,
      "GlobalBatchSampler: \(labels.count) labels in batches of \(globalBatch)")
    count = labels.count
    self.globalBatch = globalBatch
    self.seed = seed
    shuffle = true
    population = labels.count
    replacement = true
    let members = Dictionary(grouping: labels.indices) { labels[$0] }
    classes = members.sorted { $0.key < $1.key }.map(\.value)
  }

  /// Creates the sampler of a dataset: every sample once in an epoch, or `drawsPerEpoch` draws.
  public init(for dataset: any Dataset, globalBatch: Int, seed: UInt64) {
    if let draws = dataset.drawsPerEpoch {
      self.init(draws: draws, from: dataset.count, globalBatch: globalBatch, seed: seed)
    } else {
      self.init(count: dataset.count, globalBatch: globalBatch, seed: seed)
    }
  }

  /// The number of batches of an epoch.
  public var batchesPerEpoch: Int {
    (count + globalBatch - 1) / globalBatch
  }

  /// The samples in the order of an epoch.
  public func order(epoch: Int) -> [Int] { Order(self, epoch: epoch)[0..<count] }

  /// The order of an epoch, of which draws with replacement are made as they are needed: an epoch of a
  /// large text has very many.
  struct Order {
    private let sampler: GlobalBatchSampler
    private let key: UInt64
    private var shuffled: [Int]?

    init(_ sampler: GlobalBatchSampler, epoch: Int) {
      self.sampler = sampler
      key = mixed(mixed(sampler.seed) ^ UInt64(epoch))
      guard !sampler.replacement, sampler.shuffle else { return }
      var order = Array(0..<sampler.count)
      for i in stride(from: sampler.count - 1, through: 1, by: -1) {  // Fisher-Yates
        order.swapAt(i, random(i, below: i + 1))
      }
      shuffled = order
    }

    /// The samples at some positions.
    subscript(positions: Range<Int>) -> [Int] {
      if let shuffled { return Array(shuffled[positions]) }
      guard sampler.replacement else { return Array(positions) }
      guard let classes = sampler.classes else {
        return positions.map { random($0, below: sampler.population) }
      }
      return positions.map { draw in
        let members = classes[random(2 * draw, below: classes.count)]
        return members[random(2 * draw + 1, below: members.count)]
      }
    }

    /// Word `i` of the epoch is a hash of the key and `i`, so there is no state.
    private func random(_ i: Int, below bound: Int) -> Int {
      let word = mixed(key &+ UInt64(i) &* 0x9E37_79B9_7F4A_7C15)
      return Int(word.multipliedFullWidth(by: UInt64(bound)).high)
    }
  }

  /// The positions of a batch in its epoch's order.
  public func positions(ofBatch batch: Int) -> Range<Int> {
    precondition(
      batch >= 0 && batch < batchesPerEpoch,
      "GlobalBatchSampler: no batch \(batch), an epoch has \(batchesPerEpoch)")
    return batch * globalBatch..<min((batch + 1) * globalBatch, count)
  }

  /// A rank's slice of a batch's positions; sizes differ by at most 1.
  ///
  /// The bounds are `n * rank / worldSize`, so that a slice of 2 ranks is exactly two slices of 4.
  public static func slice(of positions: Range<Int>, rank: Int, worldSize: Int) -> Range<Int> {
    precondition(
      rank >= 0 && rank < worldSize, "GlobalBatchSampler: no rank \(rank) of \(worldSize)")
    let bound = { positions.lowerBound + positions.count * $0 / worldSize }
    return bound(rank)..<bound(rank + 1)
  }
}
