/// Which slices of every global batch a process computes.
///
/// `DataParallel` decides it, and tells whoever reads samples.
public struct BatchPartition: Sendable, Equatable {
  /// The numbers of these slices, from 0: consecutive ones.
  public let slices: Range<Int>
  /// How many slices there are.
  public let count: Int

  /// One of several slices; the whole batch unless told otherwise.
  public init(index: Int = 0, of count: Int = 1) {
    precondition(index >= 0 && index < count, "BatchPartition: no slice \(index) of \(count)")
    self.init(slices: index..<index + 1, of: count)
  }

  /// Some of several slices.
  public init(slices: Range<Int>, of count: Int) {
    precondition(
      !slices.isEmpty && slices.lowerBound >= 0 && slices.upperBound <= count,
      "BatchPartition: no slices \(slices) of \(count)")
    self.slices = slices
    self.count = count
  }

  /// The consecutive positions that belong to these slices; may be empty.
  public func slice(of positions: Range<Int>) -> Range<Int> {
    func samples(_ slice: Int) -> Range<Int> {
      GlobalBatchSampler.slice(of: positions, rank: slice, worldSize: count)
    }
    return samples(slices.lowerBound).lowerBound..<samples(slices.upperBound - 1).upperBound
  }

  /// The most samples of a batch of `samples` that belong to these slices.
  func capacity(of samples: Int) -> Int { (samples * slices.count + count - 1) / count }
}
