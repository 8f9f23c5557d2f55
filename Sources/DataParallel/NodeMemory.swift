import Collectives
import Optimizers
import TensorCore

/// The memory of an arena whose values and optimizer state the ranks of a machine have in common,
/// and whose gradients they show each other.
final class NodeMemory: ArenaMemory {
  private let communicator: any Communicator
  /// Why memory could not be shared, if that happened; private memory stands in until it is thrown.
  private(set) var failure: SharedMemoryError?
  /// The gradients of all ranks of this machine, by local rank.
  private(set) var gradients: SharedMemory?

  init(_ communicator: any Communicator) {
    self.communicator = communicator
  }

  /// The first rank of each machine brings in the values.
  var takesOverValues: Bool { communicator.node.rank == 0 }

  func allocateCommon(byteCount: Int) -> Storage {
    let memory = share(byteCount: takesOverValues ? byteCount : 0)
    return storage(memory, segment: 0, byteCount)
  }

  func allocateOwn(byteCount: Int) -> Storage {
    gradients = share(byteCount: byteCount)
    return storage(gradients, segment: communicator.node.rank, byteCount)
  }

  private func share(byteCount: Int) -> SharedMemory? {
    do {
      return try communicator.node.allocateShared(byteCount: byteCount)
    } catch {
      failure = failure ?? error
      return nil
    }
  }

  private func storage(_ memory: SharedMemory?, segment: Int, _ byteCount: Int) -> Storage {
    guard let memory else { return Storage(byteCount: byteCount) }
    return Storage(memory.segments[segment].baseAddress!, byteCount: byteCount, owner: memory)
  }
}
