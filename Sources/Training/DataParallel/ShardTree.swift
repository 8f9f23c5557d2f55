import CKernels
import Optimizers

/// Adds up the gradients of a rank's shards in pairs, then pairs of pairs, as a binary counter does.
///
/// With a power of two of shards on every rank, and of ranks, the sums of the ranks are the next
/// levels of the same tree: the result does not depend on how shards are spread over ranks.
final class ShardTree {
  private let arena: ParameterArena
  /// Sums that wait for their other half, the largest first.
  private var waiting: [UnsafeMutableBufferPointer<Float>] = []
  private var spare: [UnsafeMutableBufferPointer<Float>] = []
  private var folded = 0

  init(_ arena: ParameterArena) {
    self.arena = arena
  }

  deinit { (waiting + spare).forEach { $0.deallocate() } }

  /// Takes the gradients of a shard that is not the last.
  func fold() {
    var carry = folded
    while carry & 1 == 1 {
      let other = waiting.removeLast()
      add(other, to: 0..<arena.count)
      spare.append(other)
      carry >>= 1
    }
    folded += 1
    let sum = spare.popLast() ?? .allocate(capacity: arena.count)
    _ = sum.update(fromContentsOf: arena.gradients)
    waiting.append(sum)
  }

  /// Completes the sums of some elements, whose last shard's gradients are in the arena.
  func complete(_ elements: Range<Int>) {
    for sum in waiting.reversed() { add(sum, to: elements) }
  }

  /// Makes room for the shards of the next step.
  func reset() {
    spare += waiting
    waiting = []
    folded = 0
  }

  private func add(_ sum: UnsafeMutableBufferPointer<Float>, to elements: Range<Int>) {
    guard !elements.isEmpty else { return }
    ck_accumulate(
      ck_f32, arena.gradients.baseAddress! + elements.lowerBound,
      sum.baseAddress! + elements.lowerBound,
      elements.count)
  }
}
