/// Which slice of every global batch a process computes.
///
/// `DataParallel` decides it, and tells whoever reads samples.
public struct BatchPartition: Sendable, Equatable {
  /// The number of this slice, from 0.
  public let index: Int
  /// How many slices there are.
  public let count: Int

  /// One of several slices; the whole batch unless told otherwise.
  public init(index: Int = 0, of count: Int = 1) {
    precondition(index >= 0 && index < count, "BatchPartition: no slice \(index) of \(count)")
    self.index = index
    self.count = count
  }

  /// The slice of consecutive positions, which may be empty.
  public func slice(of positions: Range<Int>) -> Range<Int> {
    GlobalBatchSampler.slice(of: positions, rank: index, worldSize: count)
  }

  /// The most samples that a slice of `samples` has.
  func capacity(of samples: Int) -> Int { (samples + count - 1) / count }
}
