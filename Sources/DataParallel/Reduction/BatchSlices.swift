import Collectives

/// The slices of every global batch, and which of them each rank computes.
///
/// The gradients of fixed slices, of which there is a power of two, are added up by a balanced tree:
///
///     ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7))
///
/// A *block* is the slices of one addend or sum of that tree, here `4..<6` for s4 + s5. Any consecutive
/// slices are a few blocks, each as large as it can be.
struct BatchSlices {
  /// The number of slices of a batch.
  let count: Int
  /// Those of this rank.
  let own: Range<Int>
  /// Those of each rank of this node.
  let ofLocalRank: [Range<Int>]
  /// Those of the ranks of each node together.
  let ofNode: [Range<Int>]
  /// Whether the slices are fixed, and some rank or node may have several blocks.
  ///
  /// Else a rank's gradients are the sum of one block, and adding ranks and then nodes in pairs
  /// completes the tree.
  let isUneven: Bool

  /// Divides a number of fixed slices evenly between the ranks; nil makes one slice for each rank, in
  /// no fixed tree.
  init(fixed fixedSlices: Int?, _ topology: Topology) {
    let ranks = topology.nodes.reduce(0) { $0 + $1.count }
    let count = fixedSlices ?? ranks
    self.count = count
    /// The slices of consecutive positions.
    func slices(_ start: Int, _ end: Int) -> Range<Int> {
      count * start / ranks..<count * end / ranks
    }
    own = slices(topology.position, topology.position + 1)
    let first = topology.position - topology.localRank
    ofLocalRank = (first..<first + topology.localSize).map { slices($0, $0 + 1) }
    var start = 0
    ofNode = topology.nodes.map { node in
      defer { start += node.count }
      return slices(start, start + node.count)
    }
    func isPowerOfTwo(_ number: Int) -> Bool { number & (number - 1) == 0 }
    let isEven = isPowerOfTwo(ranks) && topology.isEven && isPowerOfTwo(topology.localSize)
    isUneven = fixedSlices != nil && !isEven
  }

  /// Whether two blocks, of which the second follows the first, are the addends of a sum of the tree.
  static func isPair(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
    left.count == right.count && left.lowerBound.isMultiple(of: 2 * left.count)
  }

  /// The blocks that make up consecutive slices, in their order.
  static func blocks(of slices: Range<Int>) -> [Range<Int>] {
    var blocks: [Range<Int>] = []
    var start = slices.lowerBound
    while start < slices.upperBound {
      // The largest power of two that divides the start, halved until it fits.
      var size = start == 0 ? 1 << (Int.bitWidth - 2) : start & -start
      while start + size > slices.upperBound { size /= 2 }
      blocks.append(start..<start + size)
      start += size
    }
    return blocks
  }
}
