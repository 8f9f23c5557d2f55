import Base
import CKernels
import Collectives
import Foundation
package import Optimizers

/// The state of the optimizer of another node's replica, which `localSteps` keep apart.
package final class ReplicaState {
  /// The numbers of each element, under the optimizer's names.
  package let buffers: [(name: String, values: ArenaBuffer)]

  /// Memory for a state like that of `optimizer`.
  package init(like optimizer: any Optimizer) {
    buffers = optimizer.stateBuffers.map { name, values in
      let memory = UnsafeMutableRawPointer.allocate(
        byteCount: max(values.bytes.count, 1), alignment: 64)
      return (name, ArenaBuffer(memory, count: values.count, values.dataType))
    }
  }

  deinit { for (_, values) in buffers { values.address.deallocate() } }
}

extension DataParallel {
  /// The number of replicas that have an optimizer state of their own.
  package var replicaCount: Int { localSteps == nil ? 1 : topology.nodeCount }

  /// The optimizer states of the replicas but that of node zero, on rank zero; on other ranks none.
  ///
  /// Collective: all ranks call it after the same step.
  package func gatherReplicaStates() -> [ReplicaState] {
    guard replicaCount > 1, topology.localRank == 0 else { return [] }
    let tag = communicator.acrossNodes.nextTag()
    guard topology.nodeIndex == 0 else {
      exchange(optimizer.stateBuffers, with: 0, tag, sends: true)
      return []
    }
    return (1..<replicaCount).map { node in
      let state = ReplicaState(like: optimizer)
      exchange(state.buffers, with: node, tag, sends: false)
      return state
    }
  }

  /// Gives the replicas but that of node zero the optimizer states that rank zero has for them; without
  /// any, all keep what they have.
  ///
  /// Collective: all ranks call it.
  package func restoreReplicaStates(_ states: [ReplicaState]) {
    guard communicator.broadcast(states.count) == replicaCount - 1, replicaCount > 1 else { return }
    if topology.localRank == 0 {
      let tag = communicator.acrossNodes.nextTag()
      if topology.nodeIndex > 0 {
        exchange(optimizer.stateBuffers, with: 0, tag, sends: false)
      }
      for (index, state) in states.enumerated() {
        exchange(state.buffers, with: index + 1, tag, sends: true)
      }
    }
    communicator.node.barrier()
  }

  /// Replaces the optimizer's state by the average of it and others.
  package func averageStates(_ others: [ReplicaState]) {
    for (index, (_, values)) in optimizer.stateBuffers.enumerated() {
      for other in others {
        ck_accumulate(
          values.kernelType, values.address, other.buffers[index].values.address, values.count)
      }
      ck_affine(
        values.kernelType, values.address, values.address, values.count,
        1 / Double(others.count + 1), 0)
    }
  }

  /// The state of the outer steps, under PyTorch's names; empty without any.
  package var outerStateBuffers: [(name: String, values: ArenaBuffer)] {
    guard let velocity = localSteps?.outer.velocity else { return [] }
    return [("momentum_buffer", velocity)]
  }

  /// Sends buffers to the same local rank of another node, or receives them, some megabytes at a time.
  private func exchange(
    _ buffers: [(name: String, values: ArenaBuffer)], with node: Int, _ tag: Int, sends: Bool
  ) {
    let limit = 1 << 24
    for (_, values) in buffers {
      for start in stride(from: 0, to: values.bytes.count, by: limit) {
        let piece = UnsafeMutableRawBufferPointer(
          rebasing: values.bytes[start..<min(start + limit, values.bytes.count)])
        let message =
          sends
          ? communicator.acrossNodes.startSend(UnsafeRawBufferPointer(piece), to: node, tag: tag)
          : communicator.acrossNodes.startReceive(piece, from: node, tag: tag)
        while !message.test() { sched_yield() }
        Activity.advance()
      }
    }
  }
}
