import Collectives
import Optimizers

/// Sums the gradients of all ranks, in buckets of fixed bounds and order.
///
/// Every rank's gradients are already weighted by its share of the global batch, so the sum is the
/// gradient of the mean loss over all samples, however they are spread.
final class GradientReducer {
  private let arena: ParameterArena
  private let communicator: any Communicator
  /// The bounds of the buckets in the arena.
  let buckets: [Range<Int>]

  /// Cuts the arena into buckets of `bucketBytes`; 0 makes one of all.
  init(_ arena: ParameterArena, _ communicator: any Communicator, bucketBytes: Int) {
    self.arena = arena
    self.communicator = communicator
    let size = bucketBytes == 0 ? max(arena.count, 1) : max(bucketBytes / 4, 1024)
    buckets = stride(from: 0, to: arena.count, by: size).map {
      $0..<min($0 + size, arena.count)
    }
  }

  /// Replaces the gradients by their sum over the ranks.
  ///
  /// `isUsed` tells for each entry of the arena whether any rank has a gradient for it; the others
  /// keep none.
  func reduce(isUsed: [Bool]) {
    guard communicator.worldSize > 1 else { return }
    arena.zeroMissingGradients()
    for bucket in buckets {
      communicator.allReduce(arena.gradients.extracting(bucket), .sum)
    }
    for (entry, isUsed) in zip(arena.entries, isUsed) where isUsed { entry.showGradient() }
  }
}
