/// What rounding to bfloat16 took away from the gradients of a rank's chunks, which is added to those of
/// the next step (error feedback; Seide et al., 2014).
final class ChunkResiduals {
  /// The elements of each chunk.
  let chunks: [UnsafeMutableBufferPointer<Float>]
  private let all: UnsafeMutableBufferPointer<Float>

  /// Allocates zeros for chunks of a bucket each.
  init(_ chunks: [Range<Int>]) {
    all = .allocate(capacity: chunks.reduce(0) { $0 + $1.count })
    all.initialize(repeating: 0)
    var end = 0
    self.chunks = chunks.map { [all] chunk in
      defer { end += chunk.count }
      return all.extracting(end..<end + chunk.count)
    }
  }

  deinit { all.deallocate() }

  /// Makes all of them zero.
  func drop() { all.update(repeating: 0) }
}
