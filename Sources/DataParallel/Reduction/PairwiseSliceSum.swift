import CKernels
import Optimizers
import TensorCore

/// Sums the gradients of a rank's slices in pairs, then pairs of pairs, as a binary counter counts.
///
/// Where the slices are one block of the fixed tree, the sums over the ranks are the next levels of the
/// same tree: the result does not depend on how many slices each rank computes. Otherwise they are
/// several blocks, whose sums are kept apart.
final class PairwiseSliceSum {
  private let arena: ParameterArena
  private let slices: Range<Int>
  /// Where the sums of the rank's blocks go, but for the last one's, which is completed in the arena.
  private let blocks: [(slices: Range<Int>, sums: ArenaBuffer)]
  /// Sums that wait for the other half of their pair, largest first.
  private var waiting: [(slices: Range<Int>, sums: UnsafeMutableRawBufferPointer)] = []
  private var spare: [UnsafeMutableRawBufferPointer] = []
  private var nextSlice: Int

  /// - Parameters:
  ///   - arena: Has the gradients of each slice in turn.
  ///   - slices: The slices, in a power of two of them.
  ///   - blockSums: Where the sums of their blocks go, but for the last one's; none for slices that
  ///     are one block.
  init(_ arena: ParameterArena, slices: Range<Int>, blockSums: [ArenaBuffer]) {
    self.arena = arena
    self.slices = slices
    blocks = Array(zip(BatchSlices.blocks(of: slices), blockSums))
    nextSlice = slices.lowerBound
  }

  deinit { (waiting.map(\.sums) + spare).forEach { $0.deallocate() } }

  /// Begins the sum of the next step.
  func reset() {
    spare += waiting.map(\.sums)
    waiting = []
    nextSlice = slices.lowerBound
  }

  /// Adds the arena's gradients, which are those of a slice that is not the rank's last.
  func addSlice() {
    var sum = nextSlice..<nextSlice + 1
    while let left = waiting.last, BatchSlices.isPair(left.slices, sum) {
      add(left.sums, to: 0..<arena.count)
      sum = left.slices.lowerBound..<sum.upperBound
      spare.append(left.sums)
      waiting.removeLast()
    }
    nextSlice += 1
    if let block = blocks.first(where: { $0.slices == sum }) {
      block.sums.copy(from: arena.gradientBuffer)
      return
    }
    let gradients = arena.gradientBuffer.bytes
    let sums = spare.popLast() ?? .allocate(byteCount: gradients.count, alignment: 64)
    sums.copyMemory(from: UnsafeRawBufferPointer(gradients))
    waiting.append((sum, sums))
  }

  /// Completes the sums of some elements in the arena, which has the gradients of the last slice.
  func addWaitingSums(to elements: Range<Int>) {
    for (_, sums) in waiting.reversed() { add(sums, to: elements) }
  }

  private func add(_ sums: UnsafeMutableRawBufferPointer, to elements: Range<Int>) {
    guard !elements.isEmpty else { return }
    let gradients = arena.gradientBuffer[elements]
    ck_accumulate(
      gradients.kernelType, gradients.address,
      sums.baseAddress! + elements.lowerBound * arena.dataType.byteCount, elements.count)
  }
}
