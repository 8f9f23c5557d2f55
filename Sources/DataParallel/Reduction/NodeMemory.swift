import CKernels
import Collectives
import Optimizers
import TensorCore

/// The memory of an arena: the ranks of a node have values and optimizer state in common, and read
/// each other's gradients.
final class NodeMemory: ArenaMemory {
  private let communicator: any Communicator
  /// Why memory could not be shared, if that happened; private memory stands in until it is thrown.
  private(set) var failure: SharedMemoryError?
  /// The gradients of all ranks of this node; nil for a single process.
  private var gradients: SharedMemory?

  init(_ communicator: any Communicator) {
    self.communicator = communicator
  }

  /// The first rank of each node provides the values.
  var takesOverValues: Bool { communicator.node.rank == 0 }

  func allocateCommon(byteCount: Int) -> Storage {
    let memory = share(byteCount: takesOverValues ? byteCount : 0)
    return storage(memory, segment: 0, byteCount)
  }

  func allocateOwn(byteCount: Int) -> Storage {
    gradients = share(byteCount: byteCount)
    return storage(gradients, segment: communicator.node.rank, byteCount)
  }

  /// The gradients of all ranks of this node, once the arena has been made.
  func nodeGradients(of arena: ParameterArena) -> NodeGradients {
    let segments = gradients?.segments.map {
      ArenaBuffer($0.baseAddress!, count: arena.count, arena.dataType)
    }
    return NodeGradients(
      buffers: segments ?? [arena.gradientBuffer], localRank: communicator.node.rank)
  }

  private func share(byteCount: Int) -> SharedMemory? {
    guard communicator.worldSize > 1 else { return nil }
    do {
      return try communicator.node.allocateShared(byteCount: byteCount)
    } catch {
      failure = failure ?? error
      return nil
    }
  }

  private func storage(_ memory: SharedMemory?, segment: Int, _ byteCount: Int) -> Storage {
    if let memory {
      return Storage(memory.segments[segment].baseAddress!, byteCount: byteCount, owner: memory)
    }
    let storage = Storage(byteCount: byteCount)
    storage.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    return storage
  }
}

/// The gradients of all ranks of a node, each of which reads those of the others in place.
struct NodeGradients {
  /// The gradients of each local rank.
  let buffers: [ArenaBuffer]
  /// This rank's number among them.
  let localRank: Int
  /// The sums of the ranks' blocks of slices, where a rank may have several; else nil.
  var blocks: NodeBlocks?

  /// This rank's gradients.
  var own: ArenaBuffer { buffers[localRank] }

  /// Adds up some elements over the ranks of this node, pairwise.
  func sum(_ elements: Range<Int>, into sums: UnsafeMutableRawPointer) {
    guard !elements.isEmpty else { return }
    if let blocks { return blocks.sum(elements, into: sums) }
    let terms = buffers.map { UnsafeRawPointer($0.pointer(at: elements.lowerBound)) }
    ck_sum_tree(own.kernelType, sums, terms, terms.count, elements.count)
  }

  /// Adds up some elements over the ranks of this node, in the place of this rank's gradients.
  func sumInPlace(_ elements: Range<Int>) {
    if buffers.count > 1 { sum(elements, into: own.pointer(at: elements.lowerBound)) }
  }
}
