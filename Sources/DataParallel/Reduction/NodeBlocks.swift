import CKernels
import Collectives
import Optimizers

/// The sums of the blocks of slices that the ranks of a node compute, in shared memory, for fixed
/// slices that the ranks do not share evenly.
///
/// The sums of a rank's last block take the place of its gradients; those of the blocks before have
/// memory of their own.
struct NodeBlocks {
  /// The blocks of the node's ranks, in the order of the slices.
  let blocks: [Range<Int>]
  /// The sums of this rank's blocks, but for the last one's.
  let own: [ArenaBuffer]
  /// The sums of each block.
  private let sums: [ArenaBuffer]
  /// The sum of all slices; nil where the node does not have all.
  private let wholeSum: BlockSum?
  private let memory: SharedMemory

  /// Allocates the sums.
  ///
  /// Collective over the ranks of the node.
  init(
    _ slices: BatchSlices, _ gradients: NodeGradients, _ communicator: any Communicator
  ) throws(SharedMemoryError) {
    let own = gradients.own
    let blocksOfRank = slices.ofLocalRank.map(BatchSlices.blocks)
    let byteCount = own.bytes.count
    memory = try communicator.node.allocateShared(
      byteCount: (blocksOfRank[gradients.localRank].count - 1) * byteCount)
    let sumsOfRank = zip(blocksOfRank, memory.segments).map { blocks, segment in
      (0..<blocks.count - 1).map {
        ArenaBuffer(segment.baseAddress! + $0 * byteCount, count: own.count, own.dataType)
      }
    }
    blocks = blocksOfRank.flatMap { $0 }
    sums = zip(sumsOfRank, gradients.buffers).flatMap { $0 + [$1] }
    self.own = sumsOfRank[gradients.localRank]
    let all = 0..<slices.count
    wholeSum = communicator.topology.nodeCount == 1 ? BlockSum(all, from: blocks) : nil
  }

  /// The sums of each block from an element on.
  func addends(at element: Int) -> [UnsafeRawPointer] {
    sums.map { UnsafeRawPointer($0.pointer(at: element)) }
  }

  /// Adds up some elements over all slices, which are all on this node.
  func sum(_ elements: Range<Int>, into target: UnsafeMutableRawPointer) {
    wholeSum!.write(
      sums[0].kernelType, to: target, from: addends(at: elements.lowerBound),
      count: elements.count)
  }
}
