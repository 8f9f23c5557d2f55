import CKernels
package import Collectives
import Optimizers
package import TensorCore

/// The memory of an arena: the ranks of a node have values and optimizer state in common, and read
/// each other's gradients.
///
/// Each rank is the first to write what it owns, so that it lies on the rank's NUMA node: its gradients,
/// and of the common memory the chunks that it updates.
package final class NodeMemory: ArenaMemory {
  private let communicator: any Communicator
  private let bucketBytes: Int
  private let elementByteCount: Int
  private let placesPages: Bool
  /// Why memory could not be shared, if that happened; private memory stands in until it is thrown.
  private(set) var failure: SharedMemoryError?
  /// The gradients of all ranks of this node; nil for a single process.
  private var gradients: SharedMemory?

  /// - Parameters:
  ///   - communicator: All ranks.
  ///   - bucketBytes: The size of a bucket, which decides the chunks.
  ///   - elementByteCount: The bytes of a parameter's element.
  ///   - placesPages: Whether to place the pages of common memory at once. Otherwise a page takes memory
  ///     only when it is first used, as when each node uses a part of the optimizer's state.
  package init(
    _ communicator: any Communicator, bucketBytes: Int, elementByteCount: Int,
    placesPages: Bool = true
  ) {
    self.communicator = communicator
    self.bucketBytes = bucketBytes
    self.elementByteCount = elementByteCount
    self.placesPages = placesPages
  }

  /// The first rank of each node provides the values.
  package var takesOverValues: Bool { communicator.node.rank == 0 }

  package func allocateCommon(byteCount: Int) -> Storage {
    let memory = share(byteCount: takesOverValues ? byteCount : 0)
    if let memory, placesPages {
      for chunk in ownedBytes(of: byteCount) { memory.place(chunk, ofSegment: 0) }
      // The first rank may write its values when all pages have their places.
      communicator.node.barrier()
    }
    return storage(memory, segment: 0, byteCount)
  }

  package func allocateOwn(byteCount: Int) -> Storage {
    gradients = share(byteCount: byteCount)
    gradients?.place(0..<byteCount, ofSegment: communicator.node.rank)
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

  /// The bytes of common memory that this rank updates.
  package func ownedBytes(of byteCount: Int) -> [Range<Int>] {
    let topology = communicator.topology
    return BucketLayout(
      count: byteCount / elementByteCount, bucketBytes: bucketBytes, topology
    ).chunks(ofLocalRank: topology.localRank).map {
      $0.lowerBound * elementByteCount..<$0.upperBound * elementByteCount
    }
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
