public import Collectives
import DataLoading
public import NeuralNetworks
public import Optimizers
public import TensorCore

/// Trains one model on all ranks of a run: each rank computes on its slice of every global batch,
/// the gradients are added up over all samples, and all ranks make the same update.
///
///     let parallel = try DataParallel(model, ranks) { SGD($0) }
///     for batch in 0..<batches {
///       let result = try parallel.step(
///         samples: batch * 64..<(batch + 1) * 64, learningRate: 0.1
///       ) { samples in
///         crossEntropy(model(inputs(samples)), targets(samples))
///       }
///       if ranks.isRoot { print(result.loss) }
///     }
///
/// The gradient is that of the mean loss over the global batch, exactly: ranks may hold different
/// numbers of samples, or none, and a parameter may be used once, often, or only on some ranks.
///
/// The ranks of a machine keep one copy of the parameters, which the optimizer updates in parts, one
/// for each rank. Other changes to them are made on one rank of each machine, in `changeParameters`.
public final class DataParallel {
  /// What can be chosen.
  public struct Options: Sendable, Equatable {
    /// The fixed parts of a global batch whose gradients are added up in a fixed order, so that the
    /// weights get the same bits on any number of ranks.
    ///
    /// A power of two, as is then the number of ranks, which divides it. With 0, runs on different
    /// numbers of ranks agree to rounding.
    public var shards = 0
    /// The parts in which a rank computes its slice, or its shards, to save memory.
    public var microBatches = 1
    /// The bytes of gradient that are added up at a time across machines; 0 is all at once.
    public var bucketBytes = 1 << 19
    /// How sums across machines get on while ranks compute.
    public var overlap = Overlap.auto
    /// The norm to which a longer gradient is scaled down; 0 is none.
    public var gradientClipNorm = 0.0
    /// Whether batch normalisation takes its statistics over the samples of all ranks.
    public var synchronizesBatchNorm = false
    /// The steps between two comparisons of the weights of all ranks; 0 is never.
    public var auditEverySteps = 100
    /// What dropout depends on, together with the sample.
    public var seed: UInt64 = 0

    /// The defaults.
    public init() {}
  }

  /// What a step has found, the same on all ranks.
  public struct Result: Sendable, Equatable {
    /// The samples of the global batch that were computed.
    public let sampleCount: Double
    /// The sum of their losses.
    public let lossSum: Double
    /// The sum of what `step` was told to count besides, such as right answers.
    public let correctCount: Double
    /// Whether any rank wants to stop.
    public let stops: Bool

    /// The mean loss of a sample.
    public var loss: Double { lossSum / sampleCount }
  }

  /// Where the time of steps has gone, in seconds.
  public struct Times: Sendable, Equatable {
    /// Forward and backward passes.
    public var compute = 0.0
    /// Waiting for slower ranks.
    public var waiting = 0.0
    /// Waiting for sums across machines.
    public var exposedCommunication = 0.0
    /// Sums across machines that went on behind computation.
    public var hiddenCommunication = 0.0
    /// Adding up within the machine, and the optimizer.
    public var update = 0.0

    /// No time.
    public init() {}
  }

  /// The choices.
  public let options: Options
  /// The parameters and their gradients.
  public let arena: ParameterArena
  /// What updates the parameters.
  public let optimizer: any Optimizer
  /// How sums across machines get on.
  public let overlap: Overlap
  /// Where this rank stands among the machines.
  public let placement: Placement
  /// Where the time of all steps has gone.
  public private(set) var times = Times()
  private let communicator: any Communicator
  /// The running statistics and the like of the model.
  private let buffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)]
  private let statistics: RunningStatistics
  /// The slices into which a batch is cut over all ranks.
  private let sliceCount: Int
  private let memory: NodeMemory
  private var exchange: GradientExchange?
  private let tree: ShardTree?
  private var stepsDone = 0

  /// Brings the parameters of `model`, which have the same shapes on all ranks, into shared memory,
  /// with the values of rank zero.
  ///
  /// Throws on all ranks: `RankDisagreement` when they differ in their model, their program or in
  /// `facts`, `CollectiveFailure` when the options do not fit the run, and `SharedMemoryError`.
  ///
  /// - Parameters:
  ///   - model: What is trained.
  ///   - communicator: The ranks.
  ///   - options: The choices.
  ///   - facts: What else must be the same on all ranks, by name.
  ///   - makeOptimizer: Makes the optimizer of the parameters.
  public init(
    _ model: any Module, _ communicator: any Communicator, options: Options = Options(),
    facts: [String: String] = [:], makeOptimizer: (ParameterArena) -> any Optimizer
  ) throws {
    self.communicator = communicator
    self.options = options
    try communicator.agreeing { try options.check(worldSize: communicator.worldSize) }
    try AgreementCheck.run(
      DataParallel.facts(model, options).merging(facts) { $1 }, on: communicator)
    let placement = communicator.findPlacement()
    self.placement = placement
    sliceCount = max(options.shards, communicator.worldSize)
    try communicator.agreeing { try options.check(placement) }
    overlap = options.overlap.resolved(placement, communicator)
    buffers = model.namedBuffers().map { name, buffer in
      let start = buffer.pointer(Float.self)
      return (name, UnsafeMutableBufferPointer(start: start, count: buffer.count))
    }
    statistics = RunningStatistics(
      buffers.map(\.values), slices: sliceCount, inOrder: options.shards > 0)
    if options.synchronizesBatchNorm && communicator.worldSize > 1 {
      model.synchronizeBatchNorm(
        StatisticsReduction { [communicator] in communicator.allReduce($0, .sum) })
    }
    memory = NodeMemory(communicator)
    arena =
      communicator.worldSize == 1
      ? ParameterArena(model.namedParameters())
      : ParameterArena(model.namedParameters(), memory: memory)
    optimizer = makeOptimizer(arena)
    tree = sliceCount > communicator.worldSize ? ShardTree(arena) : nil
    if let failure = memory.failure { throw failure }
    if let gradients = memory.gradients {
      exchange = try GradientExchange(
        arena, gradients, communicator, placement, bucketBytes: options.bucketBytes,
        overlap: overlap
      ) { [arena, tree] bucket, entries in
        arena.zeroFillMissingGradients(of: entries)
        tree?.complete(bucket)
      }
    }
    shareRootState()
  }

  /// The values that must be the same on all ranks.
  private static func facts(_ model: any Module, _ options: Options) -> [String: String] {
    let shapes = model.namedParameters().map { "\($0.name) \($0.parameter.shape)" }
    return [
      "model": shapes.joined(separator: ", "), "options": "\(options)",
      "program version": Version.current, "instruction set": Threads.instructionSet,
      "OpenBLAS kernels": BLAS.coreName,
    ]
  }

  // MARK: - Steps

  /// The slice of a global batch that this rank computes; may be empty.
  public func slice(of samples: Range<Int>) -> Range<Int> {
    GlobalBatchSampler.slice(
      of: samples, rank: placement.position, worldSize: communicator.worldSize)
  }

  /// Makes one update from a global batch.
  ///
  /// - Parameters:
  ///   - samples: The global batch: consecutive numbers that tell its samples apart within the epoch.
  ///   - epoch: The epoch, on which dropout depends.
  ///   - learningRate: The learning rate of this step.
  ///   - wantsToStop: Whether this rank wants all ranks to stop after this step.
  ///   - loss: Computes the mean loss over some of this rank's samples, a single number. Called once
  ///     or several times for parts of `slice(of: samples)`, in training mode.
  public func step(
    samples: Range<Int>, epoch: Int = 0, learningRate: Double, wantsToStop: Bool = false,
    loss: (Range<Int>) throws -> Tensor
  ) throws -> Result {
    try step(
      samples: samples, epoch: epoch, learningRate: learningRate, wantsToStop: wantsToStop
    ) { (try loss($0), correct: 0) }
  }

  /// Makes one update from a global batch, counting right answers.
  package func step(
    samples: Range<Int>, epoch: Int, learningRate: Double, wantsToStop: Bool,
    loss: (Range<Int>) throws -> (loss: Tensor, correct: Int)
  ) throws -> Result {
    func step() throws -> Result {
      try makeStep(samples, epoch, learningRate, wantsToStop, loss)
    }
    // One rank may have all threads of a machine, and several ranks few each.
    return try options.shards > 0 ? withDeterministicPartitioning(step) : step()
  }

  private func makeStep(
    _ samples: Range<Int>, _ epoch: Int, _ learningRate: Double, _ wantsToStop: Bool,
    _ loss: (Range<Int>) throws -> (loss: Tensor, correct: Int)
  ) throws -> Result {
    require(!samples.isEmpty, "DataParallel.step: a global batch without samples")
    var clock = Clock()
    let slices = ownSlices(of: samples)
    var header = StepHeader(slices: sliceCount, parameters: arena.entries.count)
    header.setTask([
      UInt64(stepsDone), UInt64(bitPattern: Int64(samples.lowerBound)), UInt64(samples.count),
      UInt64(bitPattern: Int64(epoch)), learningRate.bitPattern,
    ])
    var isUsed = Array(repeating: false, count: arena.entries.count)
    statistics.begin()
    exchange?.begin()
    tree?.reset()
    for (index, slice) in slices.enumerated() {
      arena.zeroGrad()
      if index > 0 { statistics.restore() }
      header.lossSums[slice.number] = try accumulateGradients(
        slice.samples, of: samples, epoch, isLast: index == slices.count - 1, &header, loss)
      statistics.record(
        slice.number, share: Double(slice.samples.count) / Double(samples.count))
      for (index, entry) in arena.entries.enumerated() where entry.parameter.grad != nil {
        isUsed[index] = true
      }
      if let tree, index < slices.count - 1 {
        arena.zeroFillMissingGradients()
        tree.fold()
      }
    }
    if let exchange {
      exchange.markAllFinal()
    } else {
      arena.zeroFillMissingGradients(of: arena.entries.indices)
      tree?.complete(0..<arena.count)
    }
    header.stopRequests = wantsToStop ? 1 : 0
    header.nonFiniteRanks = header.lossSum.isFinite ? 0 : 1
    header.gradientRanks = isUsed.map { $0 ? 1 : 0 }
    times.compute += clock.lap()
    header.reduce(communicator)
    times.waiting += clock.lap()
    for (entry, ranks) in zip(arena.entries, header.gradientRanks) {
      if ranks > 0 { entry.showGradient() } else { entry.parameter.grad = nil }
    }
    let result = Result(
      sampleCount: header.sampleCount, lossSum: header.lossSum, correctCount: header.correctCount,
      stops: header.stopRequests > 0)
    guard header.nonFiniteRanks == 0, header.isSameTask(on: communicator.worldSize) else {
      exchange?.discard()
      if header.nonFiniteRanks == 0 { throw StepsDiffer(step: stepsDone + 1) }
      throw NonFiniteStep(loss: result.loss)
    }
    if !options.synchronizesBatchNorm { statistics.merge(communicator) }
    update(learningRate: learningRate, &clock)
    stepsDone += 1
    if options.auditEverySteps > 0, stepsDone.isMultiple(of: options.auditEverySteps) {
      try audit()
    }
    return result
  }

  /// This rank's slice or shards of a batch, with their numbers among those of all ranks.
  private func ownSlices(of samples: Range<Int>) -> [(number: Int, samples: Range<Int>)] {
    let own = sliceCount / communicator.worldSize
    return (0..<own).map {
      let number = placement.position * own + $0
      return (
        number, GlobalBatchSampler.slice(of: samples, rank: number, worldSize: sliceCount)
      )
    }
  }

  /// Adds the gradients of a slice, weighted by its share of the global batch, and returns the sum
  /// of its losses.
  private func accumulateGradients(
    _ slice: Range<Int>, of batch: Range<Int>, _ epoch: Int, isLast: Bool,
    _ header: inout StepHeader, _ loss: (Range<Int>) throws -> (loss: Tensor, correct: Int)
  ) throws -> Double {
    let synchronizes = options.synchronizesBatchNorm && communicator.worldSize > 1
    // Who takes part in the statistics of all ranks does so without samples too.
    let parts = (0..<options.microBatches).map {
      GlobalBatchSampler.slice(of: slice, rank: $0, worldSize: options.microBatches)
    }.filter { synchronizes || !$0.isEmpty }
    var sum = 0.0
    for (index, part) in parts.enumerated() {
      let randomness = SampleRandomness(
        seed: options.seed, epoch: epoch, firstSample: part.lowerBound)
      let (loss, correct) = try withTraining(randomness) { try loss(part) }
      let share = Double(part.count) / Double(batch.count)
      let isFinal = isLast && index == parts.count - 1
      loss.backward(
        gradient: Tensor.full(loss.shape, share, loss.dataType),
        onFinalGradient: isFinal ? exchange.map { exchange in { exchange.markFinal($0) } } : nil)
      guard !part.isEmpty else { continue }
      header.sampleCount += Double(part.count)
      header.correctCount += Double(correct)
      sum += loss.item() * Double(part.count)
    }
    return sum
  }

  /// Adds up gradients and updates parameters, this rank its share.
  private func update(learningRate: Double, _ clock: inout Clock) {
    let maximum = options.gradientClipNorm
    guard let exchange else {
      if maximum > 0 { arena.clipGradients(toNorm: maximum) }
      optimizer.step(learningRate: learningRate)
      times.update += clock.lap()
      return
    }
    var exposed = 0.0
    optimizer.step(learningRate: learningRate) { update in
      guard maximum > 0 else {
        return exchange.forEachShare { share, sums in
          if placement.nodeCount > 1 { exposed += clock.lap() }
          update(share, sums)
          if placement.nodeCount > 1 { times.update += clock.lap() }
        }
      }
      exchange.sumShares()
      if placement.nodeCount > 1 { exposed += clock.lap() }
      let norm = gradientNorm(exchange.shares)
      for share in exchange.shares {
        arena.scaleGradients(toNorm: maximum, from: norm, in: share)
        update(share, UnsafePointer(arena.gradients.baseAddress! + share.lowerBound))
      }
    }
    times.exposedCommunication += exposed
    times.hiddenCommunication += max(0, exchange.secondsUnderWay - exposed)
    // Nobody reads parameters that another rank is still writing.
    communicator.nodeBarrier()
    times.update += clock.lap()
  }

  /// The norm of the summed gradients, of which each rank of a machine has its shares.
  ///
  /// The squares of a block are added up on one rank, and the blocks in their order on all: the norm
  /// does not depend on the number of ranks.
  private func gradientNorm(_ shares: [Range<Int>]) -> Double {
    var sums = [Double](repeating: 0, count: arena.normBlockCount)
    // All machines have the same sums.
    for share in shares where placement.nodeIndex == 0 && !share.isEmpty {
      let block = ParameterArena.normBlock
      let blocks = share.lowerBound / block..<(share.upperBound + block - 1) / block
      sums.replaceSubrange(blocks, with: arena.squareSums(ofBlocks: blocks))
    }
    return communicator.allReduce(sums, .sum).reduce(0, +).squareRoot()
  }

  /// Completes the summed gradients in `grad` of every parameter, of which a step leaves each rank
  /// its own share.
  ///
  /// Collective, after a step: all ranks call it.
  public func gatherGradients() {
    guard let exchange, let gradients = memory.gradients else { return }
    exchange.sumShares()
    communicator.nodeBarrier()
    let own = gradients.segments[placement.localRank].baseAddress!
    for (localRank, segment) in gradients.segments.enumerated()
    where localRank != placement.localRank {
      for share in exchange.shares(ofLocalRank: localRank) {
        let offset = share.lowerBound * MemoryLayout<Float>.stride
        (own + offset).copyMemory(
          from: segment.baseAddress! + offset, byteCount: share.count * MemoryLayout<Float>.stride)
      }
    }
    communicator.nodeBarrier()
  }

  // MARK: - Parameters

  /// Changes parameters otherwise than by a step: `body` runs on one rank of each machine, and all
  /// ranks see what it did.
  ///
  /// Collective: all ranks call it. `body` must do the same on every machine.
  public func changeParameters(_ body: () throws -> Void) rethrows {
    communicator.nodeBarrier()
    if placement.localRank == 0 { try withoutGrad { try body() } }
    arena.markValuesChanged()
    communicator.nodeBarrier()
  }

  /// Gives all ranks what rank zero has: parameters, the optimizer's memory, and the model's buffers.
  ///
  /// Collective: all ranks call it.
  public func shareRootState() {
    communicator.nodeBarrier()
    broadcastCommon(arena.values)
    for (_, values) in optimizer.stateBuffers { broadcastCommon(values) }
    for (_, values) in buffers {
      communicator.broadcast(UnsafeMutableRawBufferPointer(values), root: 0)
    }
    optimizer.restore(stepCounts: communicator.broadcast(optimizer.stepCounts))
    arena.markValuesChanged()
    communicator.nodeBarrier()
  }

  /// Sends what the ranks of a machine have in common from rank zero's to all.
  private func broadcastCommon(_ values: UnsafeMutableBufferPointer<Float>) {
    guard placement.nodeCount > 1 else { return }
    let isReceiver = placement.localRank == 0
    let piece = 1 << 20
    let scratch = UnsafeMutableBufferPointer<Float>.allocate(capacity: isReceiver ? 0 : piece)
    defer { scratch.deallocate() }
    for start in stride(from: 0, to: values.count, by: piece) {
      let count = min(piece, values.count - start)
      let target =
        isReceiver ? values.extracting(start..<start + count) : scratch.extracting(..<count)
      communicator.broadcast(UnsafeMutableRawBufferPointer(target), root: 0)
    }
  }

  /// Compares the weights of all machines and the buffers of all ranks.
  ///
  /// Collective: all ranks call it. Throws `ReplicasDiverged` on all of them.
  public func audit() throws {
    guard communicator.worldSize > 1 else { return }
    let weights = arena.entries.map {
      ($0.name, UnsafeBufferPointer(arena.values.extracting($0.range)))
    }
    let statistics = buffers.map { ($0.name, UnsafeBufferPointer($0.values)) }
    try ReplicaAudit.run(weights + statistics, step: stepsDone, communicator)
  }
}

extension DataParallel.Options {
  /// Throws when these choices do not fit a number of ranks.
  func check(worldSize: Int) throws(ConfigurationError) {
    guard shards > 0 else { return }
    guard shards & (shards - 1) == 0 else {
      throw ConfigurationError("'distributed.shards' is \(shards), which is not a power of two")
    }
    guard worldSize & (worldSize - 1) == 0, worldSize <= shards else {
      throw ConfigurationError(
        "'distributed.shards' is \(shards), which \(worldSize) ranks cannot share evenly; start 1, 2, 4, ... or \(shards) ranks"
      )
    }
    guard !synchronizesBatchNorm else {
      throw ConfigurationError(
        "'distributed.synchronizedBatchNorm' takes statistics over the whole batch, 'distributed.shards' over each shard; choose one"
      )
    }
  }

  /// Throws when these choices do not fit how ranks are spread over machines.
  func check(_ placement: Placement) throws(ConfigurationError) {
    guard shards > 0 else { return }
    guard placement.isEven, placement.localSize & (placement.localSize - 1) == 0 else {
      throw ConfigurationError(
        "'distributed.shards' is \(shards), which needs the same power of two of ranks on every machine; this one has \(placement.localSize), another \(placement.smallestLocalSize)"
      )
    }
  }
}

/// Ranks that were about to make different updates; none was made.
public struct StepsDiffer: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The step, counted from 1 on the rank that says so.
  public let step: Int

  /// What happened and what helps.
  public var description: String {
    """
    at step \(step) the ranks have different numbers of steps behind them, batches, epochs or learning rates; the \
    update was not made. These must follow from what all ranks know
    """
  }

  /// The exit code 82.
  public var exitStatus: ExitStatus { .replicasDiverged }
}

/// A loss that is infinite or not a number on some rank; the update was not made.
public struct NonFiniteStep: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The mean loss of the batch.
  public let loss: Double

  /// What happened.
  public var description: String {
    "the loss became \(loss.isNaN ? .nan : loss); the update was not made"
  }

  /// The exit code 80.
  public var exitStatus: ExitStatus { .nonFiniteLoss }
}
