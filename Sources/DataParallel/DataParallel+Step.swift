import Base
import CKernels
import Collectives
import DataLoading
import Optimizers
import TensorCore

extension DataParallel {
  /// A slice of the global batch.
  private struct Slice {
    /// Its number among the slices of all ranks.
    let number: Int
    let samples: Range<Int>
  }

  typealias LossClosure = (Range<Int>) throws -> (loss: Tensor, sums: [String: Double])

  /// Computes gradients on this rank's slices, all-reduces them, and updates the parameters.
  func makeStep(
    _ samples: Range<Int>, _ epoch: Int, _ learningRate: Double, wantsToStop: Bool,
    wantsToSave: Bool, wantsNorm: Bool, _ sumNames: [String], _ loss: LossClosure
  ) throws -> Result {
    OperationProfiler.mark("between steps")
    var clock = Stopwatch()
    var header = StepHeader(
      slices: slices.count, parameters: arena.entries.count, sums: sumNames)
    header.setStep([
      UInt64(stepCount), UInt64(bitPattern: Int64(samples.lowerBound)), UInt64(samples.count),
      UInt64(bitPattern: Int64(epoch)), learningRate.bitPattern,
    ])
    nonFiniteSamples = nil
    statistics.begin()
    reducer.beginStep()
    sliceSum?.reset()
    let ownSlices = ownSlices(of: samples)
    for (index, slice) in ownSlices.enumerated() {
      if index > 0 { statistics.restore() }
      try computeGradients(
        of: slice, isLast: index == ownSlices.count - 1, batch: samples, epoch, &header, loss)
    }
    reducer.completeBuckets()
    header.stopRequests = wantsToStop ? 1 : 0
    header.saveRequests = wantsToSave ? 1 : 0
    header.normRequests = wantsNorm ? 1 : 0
    let isFinite = header.lossSum.isFinite && reducer.nonFiniteEntry == nil
    header.nonFiniteRanks = isFinite ? 0 : 1
    header.changedRanks = arena.checksums?.changed == nil ? 0 : 1
    times.compute += clock.lap()
    OperationProfiler.mark("other")
    willUpdate?()
    if isStateGathered, communicator.isRoot { releaseOtherState() }
    isStateGathered = false

    header.allReduce(communicator)
    times.waiting += clock.lap()
    OperationProfiler.mark("wait for slower ranks")

    for (entry, ranks) in zip(arena.entries, header.gradientRanks) {
      if ranks > 0 { entry.showGradient() } else { entry.parameter.grad = nil }
    }
    var result = Result(
      sampleCount: header.sampleCount, lossSum: header.lossSum, sums: header.namedSums,
      stops: header.stopRequests > 0, saves: header.saveRequests > 0)
    let isSameStep = header.isSameStep(on: communicator.worldSize)
    guard header.nonFiniteRanks == 0, header.changedRanks == 0, isSameStep else {
      reducer.discard()
      statistics.restore()
      guard isSameStep else { throw StepsDiffer(step: stepCount + 1) }
      try requireUnchangedWeights()
      throw NonFiniteStep(loss: result.loss, findNonFinite(in: samples, isHere: !isFinite))
    }
    if !options.synchronizedBatchNorm { statistics.merge(communicator) }
    result.gradientNorm = update(
      learningRate: learningRate, measuresNorm: header.normRequests > 0, &clock)
    stepCount += 1
    noteLocalStep(samples)
    synchronizeIfDue()
    if isAuditDue { try audit() }
    return result
  }

  /// This rank's slices of a global batch.
  private func ownSlices(of samples: Range<Int>) -> [Slice] {
    slices.own.map {
      Slice(number: $0, samples: BatchPartition(index: $0, of: slices.count).slice(of: samples))
    }
  }

  /// Computes the gradients of the mean loss over the batch, as far as they come from one slice; those
  /// of the last slice stay in the arena, with those of the slices before.
  private func computeGradients(
    of slice: Slice, isLast: Bool, batch: Range<Int>, _ epoch: Int, _ header: inout StepHeader,
    _ loss: LossClosure
  ) throws {
    arena.zeroGrad()
    // A rank without samples still takes part in synchronized statistics.
    let microBatches = (0..<options.microBatches).map {
      BatchPartition(index: $0, of: options.microBatches).slice(of: slice.samples)
    }.filter { synchronizesBatchNorm || !$0.isEmpty }
    for (index, microBatch) in microBatches.enumerated() {
      let randomness = SampleRandomness(
        seed: options.seed, epoch: epoch, firstSample: microBatch.lowerBound)
      let (loss, sums) = try withTraining(randomness) { try loss(microBatch) }
      let weight = Double(microBatch.count) / Double(max(replicaSamples(of: batch).count, 1))
      let isFinal = isLast && index == microBatches.count - 1
      let isWatched = isFinal && (overlap != .sync || didCompleteGradient != nil)
      loss.backward(
        gradient: Tensor.full(loss.shape, weight, loss.dataType),
        onFinalGradient: isWatched
          ? { [reducer, didCompleteGradient] leaf in
            reducer.markFinal(leaf)
            didCompleteGradient?(leaf)
          } : nil)
      Activity.advance()
      guard !microBatch.isEmpty else { continue }
      let value = loss.item()
      if !value.isFinite, nonFiniteSamples == nil { nonFiniteSamples = microBatch }
      header.sampleCount += Double(microBatch.count)
      header.lossSums[slice.number] += value * Double(microBatch.count)
      header.add(sums)
    }
    for (index, entry) in arena.entries.enumerated() where entry.parameter.grad != nil {
      header.markGradient(index)
    }
    statistics.record(
      slice.number, weight: Double(slice.samples.count) / Double(batch.count))
    if let sliceSum, !isLast {
      arena.zeroFillMissingGradients()
      sliceSum.addSlice()
    }
  }

  /// Sums the gradients of this rank's chunks and updates their parameters; returns the norm of all sums,
  /// before clipping, if it was measured.
  private func update(
    learningRate: Double, measuresNorm: Bool, _ clock: inout Stopwatch
  ) -> Double? {
    let isDistributed = topology.nodeCount > 1 && localSteps == nil
    var exposed = 0.0
    let maximum = options.gradientClipNorm ?? 0
    var norm = 0.0
    var squares = 0.0
    if maximum > 0 {
      reducer.sumInPlace()
      if isDistributed { exposed += lapOfExposed(&clock) }
      norm = gradientNorm()
    }
    optimizer.beginStep()
    let layerwise = optimizer as? LayerwiseOptimizer
    if maximum > 0 {
      for chunk in reducer.parts {
        arena.scaleGradients(toNorm: maximum, from: norm, in: chunk)
      }
    }
    if let layerwise {
      if maximum <= 0 {
        reducer.sumInPlace()
        if isDistributed { exposed += lapOfExposed(&clock) }
      }
      measureLayers(layerwise)
    }
    arena.checksums?.begin()
    reducer.forEachSum { elements, sums in
      if isDistributed { exposed += lapOfExposed(&clock) }
      if maximum <= 0, measuresNorm {
        squares += updateAll(elements, gradients: sums, learningRate: learningRate)
      }
      if maximum > 0 || !measuresNorm {
        optimizer.updateAll(elements, gradients: sums, learningRate: learningRate)
      }
      if !shardsOptimizer { average?.add(elements, after: stepCount) }
      if isDistributed { lapOfUpdate(&clock) }
    }
    if shardsOptimizer {
      reducer.waitForParameters()
      exposed += lapOfExposed(&clock)
      for chunk in reducer.chunks { average?.add(chunk, after: stepCount) }
    }
    optimizer.endStep()
    average?.addBuffers(after: stepCount)
    arena.checksums?.end()
    times.exposedCommunication += exposed
    times.hiddenCommunication += max(0, reducer.secondsUnderWay - exposed)
    // No rank may read parameters that another one is still writing.
    communicator.node.barrier()
    if maximum <= 0, measuresNorm {
      // Those of the first node, where nodes make steps of their own.
      norm = communicator.allReduce(countsSums ? squares : 0, .sum).squareRoot()
    }
    lapOfUpdate(&clock)
    return maximum > 0 || measuresNorm ? norm : nil
  }

  /// Updates some parameters, and returns the sum of the squares of their gradients: in blocks, which stay
  /// in the cache between the two.
  private func updateAll(
    _ elements: Range<Int>, gradients: ArenaBuffer, learningRate: Double
  ) -> Double {
    var squares = 0.0
    let size = 4 * ParameterArena.normBlock * Threads.count
    for start in stride(from: elements.lowerBound, to: elements.upperBound, by: size) {
      let block = start..<min(start + size, elements.upperBound)
      let offset = start - elements.lowerBound
      let sums = gradients[offset..<offset + block.count]
      squares += ck_sum_squares(sums.kernelType, sums.address, block.count)
      optimizer.updateAll(block, gradients: sums, learningRate: learningRate)
    }
    return squares
  }

  /// The seconds of a wait for sums from other nodes, which just ended.
  private func lapOfExposed(_ clock: inout Stopwatch) -> Double {
    OperationProfiler.mark("wait for other nodes")
    return clock.lap()
  }

  /// Adds the time of a part of the update, which just ended.
  private func lapOfUpdate(_ clock: inout Stopwatch) {
    OperationProfiler.mark("update")
    times.update += clock.lap()
  }

  /// What the lowest rank that has a loss or gradient which is not finite knows about it.
  ///
  /// Collective.
  private func findNonFinite(in samples: Range<Int>, isHere: Bool) -> NonFiniteStep.Origin {
    let root = Int(communicator.allReduce(isHere ? Double(communicator.rank) : .infinity, .min))
    let own = nonFiniteSamples ?? slice(of: samples)
    let range = communicator.broadcast([own.lowerBound, own.upperBound], root: root)
    // The weights are the same on all ranks. With a finite loss they are finite.
    let weights = nonFiniteSamples == nil ? nil : arena.firstNonFiniteValues
    let gradient = reducer.nonFiniteEntry.map { arena.entries[$0].name }
    let (part, name) =
      weights.map { ("weights", $0) }
      ?? (nonFiniteSamples == nil ? gradient.map { ("gradient", $0) } : nil) ?? ("loss", "")
    return NonFiniteStep.Origin(
      rank: root, host: communicator.broadcast(hostName(), root: root),
      samples: range[0]..<range[1],
      part: NonFiniteStep.Part(rawValue: communicator.broadcast(part, root: root))!,
      parameter: communicator.broadcast(name, root: root))
  }

  /// Gives an optimizer the norms of whole parameters, of which each rank of a node measures its chunks.
  ///
  /// Each block is measured on one rank of a node, so the norms do not depend on the number of ranks. Every
  /// node measures what it updates, because that may be a part of the update.
  private func measureLayers(_ optimizer: LayerwiseOptimizer) {
    var sums = [Double](repeating: 0, count: optimizer.sumCount)
    for chunk in reducer.parts where !chunk.isEmpty {
      optimizer.measure(chunk, gradients: arena.gradientBuffer[chunk], adding: &sums)
    }
    optimizer.setNorms(sumOfReplica(sums))
  }

  /// Whether sums over this rank's gradients count: those of the first node, unless each node has its
  /// own.
  var countsSums: Bool { topology.nodeIndex == 0 || shardsOptimizer }

  /// The norm of the summed gradients, of which each rank of a node has its chunks.
  ///
  /// The squares of a block are added up on one rank, and the blocks in their order on all ranks: the
  /// norm does not depend on the number of ranks.
  private func gradientNorm() -> Double {
    var sums = [Double](repeating: 0, count: arena.normBlockCount)
    for chunk in reducer.parts where !chunk.isEmpty {
      let size = ParameterArena.normBlock
      let blocks = chunk.lowerBound / size..<(chunk.upperBound + size - 1) / size
      sums.replaceSubrange(blocks, with: arena.squareSums(ofBlocks: blocks))
    }
    return sumOfReplica(sums).reduce(0, +).squareRoot()
  }
}
