import Base
import Collectives
import Optimizers
import TensorCore

// The optimizer's state where nodes share it out, and what is done before it is saved.

extension DataParallel {
  /// Whether each node keeps a part of the optimizer's state.
  var shardsOptimizer: Bool { options.shardOptimizer && topology.nodeCount > 1 }

  /// Prepares the state to be saved: call it after a step, before rank zero reads the optimizer's state.
  ///
  /// With `shardOptimizer` rank zero gets the whole state, which is there until the update of the next
  /// step. With `errorFeedback` what rounding took away from the gradients so far is dropped: it is not
  /// saved.
  ///
  /// Collective: all ranks call it.
  public func prepareToSave() {
    reducer.dropResiduals()
    guard shardsOptimizer, !isStateGathered else { return }
    Activity.during(.checkpoint) { gatherState() }
    isStateGathered = true
  }

  /// Sends this rank's parts of the optimizer's state to the rank of its local rank on the first node.
  private func gatherState() {
    let ranks = communicator.acrossNodes
    let tag = ranks.nextTag()
    // Local ranks that some node does not have, have no parts.
    let parts =
      topology.nodeIndex == 0
      ? (0..<ranks.size).map { reducer.parts(ofNode: $0) } : [reducer.parts]
    for (_, values) in optimizer.stateBuffers {
      for bucket in reducer.chunks.indices {
        var messages: [any PendingMessage] = []
        if topology.nodeIndex > 0, !reducer.parts[bucket].isEmpty {
          let bytes = values[reducer.parts[bucket]].bytes
          messages = [ranks.startSend(UnsafeRawBufferPointer(bytes), to: 0, tag: tag)]
        } else if topology.nodeIndex == 0 {
          for node in parts.indices.dropFirst() where !parts[node][bucket].isEmpty {
            messages.append(
              ranks.startReceive(values[parts[node][bucket]].bytes, from: node, tag: tag))
          }
        }
        while !messages.isEmpty { messages.removeAll { $0.test() } }
        Activity.advance()
      }
    }
    communicator.node.barrier()
  }

  /// Frees the memory of the optimizer's state that this node does not keep; one rank of it calls this.
  func releaseOtherState() {
    for (_, values) in optimizer.stateBuffers {
      for range in reducer.otherParts { SharedMemory.releasePages(values[range].bytes) }
    }
  }

  /// Copies rank zero's state to all nodes, as much as each of them keeps.
  func scatterState(_ values: ArenaBuffer) {
    let limit = 1 << 20
    let scratch = ArenaBuffer(
      .allocate(byteCount: limit * values.dataType.byteCount, alignment: 64), count: limit,
      values.dataType)
    defer { scratch.address.deallocate() }
    for start in stride(from: 0, to: values.count, by: limit) {
      let elements = start..<min(start + limit, values.count)
      let piece = communicator.isRoot ? values[elements] : scratch[0..<elements.count]
      communicator.broadcast(piece.bytes, root: 0)
      // The first node has all of it.
      guard topology.nodeIndex > 0 else { continue }
      for part in reducer.parts where part.overlaps(elements) {
        let own = part.clamped(to: elements)
        values[own].copy(from: piece[own.lowerBound - start..<own.upperBound - start])
      }
    }
  }
}
