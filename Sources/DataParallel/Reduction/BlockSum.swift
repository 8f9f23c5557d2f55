import CKernels

/// Adds up sums of blocks of slices, in the order of the fixed tree, to the sum of a larger block.
struct BlockSum {
  /// The addends' numbers among all that there are.
  private let terms: Range<Int>
  /// How often the two newest sums are added after each addend.
  private let merges: [UInt8]

  /// The sum of a block from those of the blocks that make it up.
  ///
  /// - Parameters:
  ///   - block: The block.
  ///   - blocks: All blocks that there are, in their order; some of them make up the block.
  init(_ block: Range<Int>, from blocks: [Range<Int>]) {
    let first = blocks.firstIndex { $0.lowerBound == block.lowerBound }!
    let last = blocks.firstIndex { $0.upperBound == block.upperBound }!
    terms = first..<last + 1
    // The sums that wait for the other half of their pair.
    var waiting: [Range<Int>] = []
    merges = blocks[terms].map { addend in
      var sum = addend
      var merges = 0
      while sum != block, let left = waiting.last, BatchSlices.isPair(left, sum) {
        waiting.removeLast()
        sum = left.lowerBound..<sum.upperBound
        merges += 1
      }
      waiting.append(sum)
      return UInt8(merges)
    }
    precondition(waiting == [block], "BlockSum: \(blocks) do not make up \(block)")
  }

  /// Writes the sums of `count` numbers; `target` may be one of the addends.
  ///
  /// - Parameters:
  ///   - type: The type of the numbers.
  ///   - target: Where the sums go.
  ///   - addends: The first number of each of the blocks that there are.
  ///   - count: How many numbers each has.
  func write(
    _ type: ck_type, to target: UnsafeMutableRawPointer, from addends: [UnsafeRawPointer],
    count: Int
  ) {
    guard count > 0 else { return }
    let addends = Array(addends[terms])
    ck_sum_stacked(type, target, addends, merges, addends.count, count)
  }
}
