import CKernels
import Optimizers
import TensorCore

/// Sums the gradients of a rank's slices in pairs, then pairs of pairs, as a binary counter counts.
///
/// With a power of two of slices on every rank, and of ranks, the sums over the ranks are the next
/// levels of the same tree: the result does not depend on how many slices each rank computes.
final class PairwiseSliceSum {
  private let arena: ParameterArena
  /// Sums that wait for the other half of their pair, largest first.
  private var waiting: [UnsafeMutableRawBufferPointer] = []
  private var spare: [UnsafeMutableRawBufferPointer] = []
  private var addedSlices = 0

  init(_ arena: ParameterArena) {
    self.arena = arena
  }

  deinit { (waiting + spare).forEach { $0.deallocate() } }

  /// Begins the sum of the next step.
  func reset() {
    spare += waiting
    waiting = []
    addedSlices = 0
  }

  /// Adds the arena's gradients, which are those of a slice that is not the rank's last.
  func addSlice() {
    var carry = addedSlices
    while carry & 1 == 1 {
      let other = waiting.removeLast()
      add(other, to: 0..<arena.count)
      spare.append(other)
      carry >>= 1
    }
    addedSlices += 1
    let gradients = arena.gradientBuffer.bytes
    let sum = spare.popLast() ?? .allocate(byteCount: gradients.count, alignment: 64)
    sum.copyMemory(from: UnsafeRawBufferPointer(gradients))
    waiting.append(sum)
  }

  /// Completes the sums of some elements in the arena, which has the gradients of the last slice.
  func addWaitingSums(to elements: Range<Int>) {
    for sum in waiting.reversed() { add(sum, to: elements) }
  }

  private func add(_ sum: UnsafeMutableRawBufferPointer, to elements: Range<Int>) {
    guard !elements.isEmpty else { return }
    let gradients = arena.gradientBuffer[elements]
    ck_accumulate(
      gradients.kernelType, gradients.address,
      sum.baseAddress! + elements.lowerBound * arena.dataType.byteCount, elements.count)
  }
}
