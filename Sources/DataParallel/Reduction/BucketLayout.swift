package import Collectives
import Optimizers
import TensorCore

/// How the gradients of an arena are cut into buckets, and each bucket into chunks.
///
/// All boundaries are multiples of `alignment` elements or the end of the arena.
package struct BucketLayout {
  /// The elements of each bucket, in the order in which backward completes them.
  package let buckets: [Range<Int>]
  /// The number of chunks of a bucket, one for each local rank that all nodes have.
  package let chunksPerBucket: Int

  /// The norm of the gradients is a sum over blocks of this many elements; a chunk has whole blocks.
  package static let alignment = ParameterArena.normBlock

  /// - Parameters:
  ///   - count: The number of elements of the arena.
  ///   - bytes: The size of a bucket; 0 makes one bucket of everything.
  ///   - chunksPerBucket: The number of chunks of a bucket.
  ///   - partsPerChunk: The number of parts into which nodes divide a chunk: all buckets but the last can
  ///     be divided evenly.
  package init(count: Int, bytes: Int, chunksPerBucket: Int, partsPerChunk: Int = 1) {
    self.chunksPerBucket = chunksPerBucket
    let alignment =
      BucketLayout.alignment * (partsPerChunk > 1 ? chunksPerBucket * partsPerChunk : 1)
    // A message of this many elements has fewer bytes than MPI can count.
    let largest = 1 << 26
    func elements(_ bytes: Int) -> Int {
      max(1, bytes / MemoryLayout<Float>.stride / alignment) * alignment
    }
    guard bytes > 0 else {
      buckets = stride(from: 0, to: count, by: largest).map { $0..<min($0 + largest, count) }
      return
    }
    let size = min(elements(bytes), largest)
    // Backward has nothing left to compute while the last buckets are all-reduced, so the last
    // megabyte is cut into small ones.
    let small = min(size, elements(1 << 18))
    let tail = elements(1 << 20)
    var bounds = [0]
    while bounds.last! < count {
      let rest = count - bounds.last!
      let next =
        rest > tail + small ? min(size, (rest - tail) / alignment * alignment) : min(small, rest)
      bounds.append(bounds.last! + next)
    }
    buckets = zip(bounds, bounds.dropFirst()).map { $0..<$1 }
  }

  /// The layout of a run: on one node there is nothing to send early, and one bucket of everything.
  ///
  /// - Parameter sharesChunks: Whether the nodes divide each chunk between them.
  package init(
    count: Int, bucketBytes: Int, _ topology: Topology, sharesChunks: Bool = false
  ) {
    self.init(
      count: count, bytes: topology.nodeCount == 1 ? 0 : bucketBytes,
      chunksPerBucket: topology.smallestLocalSize,
      partsPerChunk: sharesChunks ? topology.nodeCount : 1)
  }

  /// The chunk of each bucket that a rank sums and updates; empty for a local rank that some node
  /// does not have.
  package func chunks(ofLocalRank localRank: Int) -> [Range<Int>] {
    buckets.map { bucket in
      let blocks = (bucket.count + BucketLayout.alignment - 1) / BucketLayout.alignment
      func bound(_ rank: Int) -> Int {
        let block = blocks * min(rank, chunksPerBucket) / chunksPerBucket
        return min(bucket.lowerBound + block * BucketLayout.alignment, bucket.upperBound)
      }
      return bound(localRank)..<bound(localRank + 1)
    }
  }
}
