import Base
import Collectives
import Optimizers
import TensorCore

extension DataParallel {
  /// Completes the summed gradients in `grad` of every parameter: after a step each rank has those of
  /// its own chunks only.
  ///
  /// Collective: all ranks call it after a step.
  public func gatherGradients() {
    reducer.sumInPlace()
    reducer.gatherSums()
    communicator.node.barrier()
    reducer.copySumsOfOtherRanks()
    communicator.node.barrier()
  }

  /// Changes parameters otherwise than by a step: `body` runs on one rank of each node, and all ranks
  /// see what it did.
  ///
  /// Collective: all ranks call it. `body` must do the same on every node. With `localSteps`, call
  /// `synchronize()` before it.
  public func changeParameters(_ body: () throws -> Void) rethrows {
    require(
      isSynchronized, "DataParallel.changeParameters: between outer steps; call synchronize()")
    communicator.node.barrier()
    if topology.localRank == 0 {
      try withoutGrad { try body() }
      localSteps?.outer.start()
    }
    arena.markValuesChanged()
    communicator.node.barrier()
  }

  /// Copies rank zero's state to all ranks: parameters, their moving average, the optimizer's state, and
  /// the model's buffers.
  ///
  /// Collective: all ranks call it.
  public func shareRootState() {
    communicator.node.barrier()
    reducer.dropResiduals()
    broadcastNodeMemory(arena.valueBuffer)
    if let frozen { broadcastNodeMemory(frozen.values) }
    if let average {
      broadcastNodeMemory(average.values)
      average.restore(
        buffers: average.bufferAverages.map { values in
          var values = values
          values.withUnsafeMutableBytes { communicator.broadcast($0, root: 0) }
          return values
        })
    }
    for (_, values) in optimizer.stateBuffers {
      if shardsOptimizer { scatterState(values) } else { broadcastNodeMemory(values) }
    }
    if let localSteps {
      if let velocity = localSteps.outer.velocity { broadcastNodeMemory(velocity) }
      if topology.localRank == 0 { localSteps.outer.start() }
      localSteps.reset()
    }
    for (_, values) in buffers {
      communicator.broadcast(UnsafeMutableRawBufferPointer(values), root: 0)
    }
    optimizer.restore(stateCounters: communicator.broadcast(optimizer.stateCounters))
    arena.markValuesChanged()
    communicator.node.barrier()
    if shardsOptimizer {
      if topology.localRank == 0 { releaseOtherState() }
      isStateGathered = false
      communicator.node.barrier()
    }
  }

  /// Copies memory that the ranks of a node share from rank zero's node to the others.
  private func broadcastNodeMemory(_ values: ArenaBuffer) {
    guard topology.nodeCount > 1 else { return }
    // One rank of each node receives into the memory, the others into scratch, four megabytes at a time.
    let isReceiver = topology.localRank == 0
    let limit = 1 << 22
    let bytes = values.bytes
    let scratch = UnsafeMutableRawBufferPointer.allocate(
      byteCount: isReceiver ? 0 : limit, alignment: 64)
    defer { scratch.deallocate() }
    for start in stride(from: 0, to: bytes.count, by: limit) {
      let count = min(limit, bytes.count - start)
      let target = isReceiver ? bytes[start..<start + count] : scratch[..<count]
      communicator.broadcast(UnsafeMutableRawBufferPointer(rebasing: target), root: 0)
    }
  }

  /// Compares the parameters of all nodes and the buffers of all ranks, bit by bit, and the parameters
  /// with what the last update wrote.
  ///
  /// Collective: all ranks call it. Throws `ReplicasDiverged` or `WeightsChanged` on all of them. With
  /// `localSteps`, call `synchronize()` before it.
  ///
  /// - Parameter includesOptimizer: Whether to compare the optimizer's state too.
  public func audit(includesOptimizer: Bool = false) throws {
    require(isSynchronized, "DataParallel.audit: between outer steps; call synchronize()")
    auditedStep = stepCount
    try Activity.during(.audit) { try compareReplicas(includesOptimizer: includesOptimizer) }
  }

  /// Whether an audit is due after a step: at every multiple of `auditEverySteps`, or at the outer step
  /// that follows it.
  var isAuditDue: Bool {
    guard let interval = options.auditEverySteps, isSynchronized else { return false }
    return localSteps == nil
      ? stepCount.isMultiple(of: interval) : stepCount / interval > auditedStep / interval
  }

  private func compareReplicas(includesOptimizer: Bool) throws {
    arena.checksums?.compareAll()
    try requireUnchangedWeights()
    guard communicator.worldSize > 1 else { return }
    var values = buffers.map {
      ReplicaAudit.Values(
        name: $0.name, bytes: UnsafeRawBufferPointer($0.values), isSharedByNode: false)
    }
    // The ranks of a node have one copy.
    if topology.nodeCount > 1 {
      func add(_ prefix: String, _ memory: ArenaBuffer) {
        values += arena.entries.map {
          ReplicaAudit.Values(
            name: prefix + $0.name, bytes: UnsafeRawBufferPointer(memory[$0.range].bytes),
            isSharedByNode: true)
        }
      }
      add("", arena.valueBuffer)
      if let average { add("average.", average.values) }
      if let frozen {
        values += frozen.entries.map {
          ReplicaAudit.Values(
            name: $0.name, bytes: UnsafeRawBufferPointer(frozen.values[$0.range].bytes),
            isSharedByNode: true)
        }
      }
      // Parts of the optimizer's state have no replica.
      if includesOptimizer, !shardsOptimizer {
        // Nodes that make steps of their own have states of their own, but for that of the outer steps.
        if let localSteps {
          if let velocity = localSteps.outer.velocity { add("outer.", velocity) }
        } else {
          for (name, memory) in optimizer.stateBuffers { add(name + ".", memory) }
        }
      }
    }
    try ReplicaAudit.run(values, step: stepCount, communicator)
  }

  // MARK: - The moving average

  /// Runs `body` while the model has the moving averages of its weights and buffers, where `emaDecay` keeps
  /// them, else as it is: for an evaluation, or to save them.
  ///
  /// All ranks of a node call it between the same steps. `body` must not change weights.
  public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let average else { return try body() }
    return try average.withAverages(body)
  }

  /// Whether there is a moving average of the weights.
  package var hasAverages: Bool { average != nil }

  /// Replaces the moving averages by the values that `body` gives the model, on this rank; `shareRootState`
  /// then gives them to the others.
  package func restoreAverages(_ body: () throws -> Void) rethrows {
    guard let average else { return }
    try average.withAverages(body)
  }
}
