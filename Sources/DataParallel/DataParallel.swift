import Base
public import Collectives
public import DataLoading
public import NeuralNetworks
public import Optimizers
public import Settings
public import TensorCore

/// Trains one model on all ranks of a run: each rank computes gradients on its slice of every global
/// batch, they are all-reduced, and all ranks make the same update.
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
/// The gradient is that of the mean loss over the global batch, exactly: ranks may have different
/// numbers of samples, or none, and a parameter may be used once, often, or only on some ranks.
///
/// The ranks of a node have one copy of the parameters, of which the optimizer updates a chunk on each
/// rank. Other changes to parameters are made on one rank of each node, in `changeParameters`.
///
/// With `localSteps` the nodes make updates of their own, from the gradient over each node's samples, and an
/// outer step after some of them brings the nodes together; `synchronize()` makes one at once.
///
/// Three nouns for parts:
/// - A *slice* is consecutive samples of a global batch whose gradients are computed together.
/// - A *bucket* is consecutive elements of the gradients that are all-reduced together.
/// - A *chunk* is the part of a bucket that one rank of a node sums and updates.
public final class DataParallel {
  /// What a step has computed, the same on all ranks.
  public struct Result: Sendable, Equatable {
    /// The samples of the global batch that were computed.
    public let sampleCount: Double
    /// The sum of their losses.
    public let lossSum: Double
    /// The further sums that `step` was asked for, by name.
    public let sums: [String: Double]
    /// Whether any rank wants to stop.
    public let stops: Bool
    /// Whether any rank wants to save.
    public let saves: Bool
    /// The Euclidean norm of the gradient of the mean loss over the global batch, or with `localSteps` over a
    /// node's samples, before clipping; nil if it was neither asked for nor needed.
    public internal(set) var gradientNorm: Double?

    /// The mean loss of a sample.
    public var loss: Double { lossSum / sampleCount }
  }

  /// Where the time of steps goes, in seconds.
  public struct Times: Sendable, Equatable {
    /// Forward and backward passes.
    public var compute = 0.0
    /// Waiting for slower ranks.
    public var waiting = 0.0
    /// Waiting for inter-node all-reduces.
    public var exposedCommunication = 0.0
    /// Inter-node all-reduces behind computation.
    public var hiddenCommunication = 0.0
    /// Summing on the node, and the optimizer.
    public var update = 0.0

    /// Creates times of zero.
    public init() {}
  }

  /// The settings.
  public let options: Options
  /// The parameters and their gradients.
  public let arena: ParameterArena
  /// The optimizer of the parameters.
  public let optimizer: any Optimizer
  /// How inter-node all-reduces make progress in this run; never `auto`.
  public let overlap: Overlap
  /// The algorithm of all-reduces between nodes; nil on one node.
  public let interNodeAllReduce: AllReduceChoice?
  /// What does not fit the nodes of this run in the settings, which it does without; nil if all is well.
  public let warning: SettingError?
  /// The nodes of the run, and where this rank stands.
  public let topology: Topology
  /// Where the time of all steps has gone.
  public internal(set) var times = Times()
  /// The number of updates made, those before a resume included.
  package var stepCount = 0
  /// Called in each step when this rank's gradients are complete.
  ///
  /// No rank updates weights before it has returned on all.
  package var willUpdate: (() -> Void)?
  /// Called in each step when a parameter's gradient is final on this rank.
  package var didCompleteGradient: ((Tensor) -> Void)?
  let communicator: any Communicator
  let reducer: Reducer
  let sliceSum: PairwiseSliceSum?
  /// The buffers of the model, such as running statistics, and their memory.
  let buffers: [(name: String, values: UnsafeMutableBufferPointer<Float>)]
  let statistics: RunningStatistics
  /// The parameters that are not trained; nil if there are none.
  let frozen: FrozenParameters?
  /// The average of the weights over the steps; nil without `emaDecay`.
  let average: WeightAverage?
  /// Whether the first node has the whole state of the optimizer, of which it otherwise keeps a part.
  var isStateGathered = false
  /// What the nodes need to make steps of their own; nil without `localSteps`.
  let localSteps: LocalSteps?
  /// The step after which an outer step is due also between others: that of the end of the run.
  package var lastStep: Int?
  /// The updates made before the last audit.
  var auditedStep = 0
  /// The first samples of this step whose loss is not finite.
  var nonFiniteSamples: Range<Int>?
  /// The slices of a global batch, and which of them each rank computes.
  let slices: BatchSlices
  private let hasSyncBatchNorm: Bool

  /// Moves the parameters of `model`, which have the same shapes on all ranks, into memory that the
  /// ranks of a node share, with the values of rank zero.
  ///
  /// Collective. Throws on all ranks: `RankDisagreement` if they have different models, programs or
  /// `invariants`, `CollectiveFailure` if the options do not fit the run, and `SharedMemoryError`.
  ///
  /// - Parameters:
  ///   - model: What is trained.
  ///   - communicator: The ranks.
  ///   - options: The settings.
  ///   - interNodeAllReduce: An algorithm of all-reduces between nodes, instead of what the options say.
  ///   - invariants: Further values that must be the same on all ranks, by name.
  ///   - makeOptimizer: Creates the optimizer of the parameters.
  public init(
    _ model: any Module, _ communicator: any Communicator, options: Options = Options(),
    interNodeAllReduce: InterNodeAllReduce? = nil, invariants: [String: String] = [:],
    makeOptimizer: (ParameterArena) -> any Optimizer
  ) throws {
    self.communicator = communicator
    self.options = options
    topology = communicator.topology
    // Steps of a node have nothing to overlap.
    let overlap = options.localSteps == nil ? options.overlap.resolved(communicator) : .sync
    self.overlap = overlap
    let hasSyncBatchNorm = model.hasSyncBatchNorm
    self.hasSyncBatchNorm = hasSyncBatchNorm
    let allReduces = try communicator.collectiveTry {
      try options.check(worldSize: communicator.worldSize)
      if hasSyncBatchNorm, let slices = options.fixedSlices {
        throw SettingError(
          "fixedSlices",
          "is \(slices), which takes batch statistics over each slice; the model's SyncBatchNorm takes them over the whole batch. Choose one"
        )
      }
      try options.check(model.trainedParameters().first?.parameter.dataType ?? .float32)
      if hasSyncBatchNorm, let steps = options.localSteps {
        throw SettingError(
          "localSteps",
          "is \(steps), with which nodes have weights of their own; the model's SyncBatchNorm takes statistics over all nodes at every step. Choose one"
        )
      }
      return try options.allReduces(communicator.topology, own: interNodeAllReduce, overlap)
    }
    warning = interNodeAllReduce == nil ? options.warning(topology) : nil
    slices = BatchSlices(fixed: options.fixedSlices, topology)
    try communicator.checkInvariants(
      DataParallel.invariants(model, options, allReduces).merging(invariants) { $1 })
    buffers = model.namedBuffers().map { name, buffer in
      require(
        buffer.dataType == .float32,
        "DataParallel: the buffer \(name) is \(buffer.dataType); running statistics are float32")
      let start = buffer.pointer(Float.self)
      return (name, UnsafeMutableBufferPointer(start: start, count: buffer.count))
    }
    statistics = RunningStatistics(
      buffers.map(\.values), slices: slices.count, isOrdered: options.fixedSlices != nil,
      canRestore: options.checksGradients)
    let memory = NodeMemory(
      communicator, bucketBytes: options.bucketBytes,
      elementByteCount: model.trainedParameters().first?.parameter.dataType.byteCount ?? 4,
      placesPages: !options.shardOptimizer)
    arena = ParameterArena(model.trainedParameters(), memory: memory)
    frozen = FrozenParameters(model, memory: memory)
    optimizer = makeOptimizer(arena)
    average = options.emaDecay.map {
      [arena, buffers] in WeightAverage(arena, buffers: buffers.map(\.values), decay: $0)
    }
    if options.auditEverySteps != nil { arena.checksums = WeightChecksums(arena) }
    if let failure = memory.failure { throw failure }
    var gradients = memory.nodeGradients(of: arena)
    // Without blocks, float64 is all-reduced between nodes in another order than that of the tree.
    let isFloat64BetweenNodes = topology.nodeCount > 1 && arena.dataType == .float64
    if slices.isUneven || options.fixedSlices != nil && isFloat64BetweenNodes {
      gradients.blocks = try NodeBlocks(slices, gradients, communicator)
    }
    sliceSum =
      slices.own.count > 1
      ? PairwiseSliceSum(
        arena, slices: slices.own, blockSums: gradients.blocks?.own ?? []) : nil
    reducer = try Reducer(
      arena, gradients, sliceSum: sliceSum, slices, communicator, options, overlap: overlap,
      algorithms: allReduces)
    localSteps = try options.localSteps.map { [arena, optimizer, reducer] interval in
      require(
        arena.dataType == .float32,
        "DataParallel: the parameters are \(arena.dataType); localSteps takes float32")
      let outer = OuterOptimizer(
        arena, learningRate: options.outerLearningRate, momentum: options.outerMomentum)
      let sumCount = (optimizer as? LayerwiseOptimizer)?.sumCount ?? 0
      return LocalSteps(
        interval: interval, outer,
        allReduces.isEmpty
          ? nil : AllReduceChoice(among: allReduces, chunks: reducer.chunks, communicator),
        try NodeSum(capacity: max(sumCount, arena.normBlockCount, 1), communicator.node))
    }
    if let failure = memory.failure { throw failure }
    self.interNodeAllReduce = reducer.algorithm ?? localSteps?.allReduce
    if synchronizesBatchNorm {
      model.synchronizeBatchNorm(
        StatisticsReduction { [communicator] in communicator.allReduce($0, .sum) },
        onlySyncBatchNorm: !options.synchronizedBatchNorm)
    }
    if shardsOptimizer {
      for (_, values) in optimizer.stateBuffers { SharedMemory.avoidHugePages(values.bytes) }
    }
    if memory.takesOverValues { average?.start() }
    shareRootState()
  }

  /// Whether batch normalization uses the statistics of the whole global batch: all of it, or that of
  /// `SyncBatchNorm`.
  var synchronizesBatchNorm: Bool {
    (options.synchronizedBatchNorm || hasSyncBatchNorm) && communicator.worldSize > 1
  }

  /// The values that must be the same on all ranks.
  private static func invariants(
    _ model: any Module, _ options: Options, _ allReduces: [InterNodeAllReduce]
  ) -> [String: String] {
    let shapes = model.namedParameters().map {
      "\($0.name) \($0.parameter.shape)\($0.parameter.requiresGrad ? "" : " frozen")"
    }
    return [
      "model": shapes.joined(separator: ", "), "options": "\(options)",
      "inter-node all-reduce": allReduces.map(\.name).joined(separator: " or "),
      "program version": Version.current,
      "instruction set": Threads.instructionSet, "OpenBLAS kernels": BLAS.coreName,
      "Winograd's algorithm": "\(ConvolutionAlgorithms.includeWinograd)",
    ]
  }

  /// Which samples of every global batch this rank computes.
  public var partition: BatchPartition {
    BatchPartition(slices: slices.own, of: slices.count)
  }

  /// The samples of a global batch that this rank computes; may be empty.
  public func slice(of samples: Range<Int>) -> Range<Int> { partition.slice(of: samples) }

  // MARK: - Steps

  /// Makes one update from a global batch.
  ///
  /// Collective. Throws on all ranks, before the update: `NonFiniteStep` if a loss is not finite,
  /// `StepsDiffer` if the ranks take different steps, and `WeightsChanged` if weights were found that
  /// no update has written; after it, `ReplicasDiverged` if an audit fails.
  ///
  /// - Parameters:
  ///   - samples: The global batch: consecutive numbers that tell its samples apart within the epoch.
  ///   - epoch: The epoch, on which dropout depends.
  ///   - learningRate: The learning rate of this step.
  ///   - wantsToStop: Whether this rank wants all ranks to stop after this step.
  ///   - wantsToSave: Whether this rank wants a checkpoint to be saved after this step.
  ///   - wantsNorm: Whether this rank wants to know the norm of the gradient; then all get it.
  ///   - loss: Computes the mean loss over some of this rank's samples, a single number. Called once
  ///     for each micro-batch of `slice(of: samples)`, in training mode.
  public func step(
    samples: Range<Int>, epoch: Int = 0, learningRate: Double, wantsToStop: Bool = false,
    wantsToSave: Bool = false, wantsNorm: Bool = false, loss: (Range<Int>) throws -> Tensor
  ) throws -> Result {
    try step(
      samples: samples, epoch: epoch, learningRate: learningRate, wantsToStop: wantsToStop,
      wantsToSave: wantsToSave, wantsNorm: wantsNorm, summing: []
    ) { (try loss($0), sums: [:]) }
  }

  /// Makes one update from a global batch, and sums up further numbers over all samples, such as the
  /// count of correct answers.
  ///
  ///     let result = try parallel.step(
  ///       samples: 0..<64, learningRate: 0.1, summing: ["correct"]
  ///     ) { samples in
  ///       let (scores, labels) = (model(inputs(samples)), targets(samples))
  ///       let correct = (scores.argmax(axis: 1) .== labels).sum().item()
  ///       return (crossEntropy(scores, labels), ["correct": correct])
  ///     }
  ///     print(result.sums["correct"]! / result.sampleCount)
  ///
  /// - Parameters:
  ///   - samples: The global batch: consecutive numbers that tell its samples apart within the epoch.
  ///   - epoch: The epoch, on which dropout depends.
  ///   - learningRate: The learning rate of this step.
  ///   - wantsToStop: Whether this rank wants all ranks to stop after this step.
  ///   - wantsToSave: Whether this rank wants a checkpoint to be saved after this step.
  ///   - wantsNorm: Whether this rank wants to know the norm of the gradient; then all get it.
  ///   - names: The names of the sums, the same on all ranks.
  ///   - loss: Computes the mean loss over some of this rank's samples, a single number, and their
  ///     contribution to the sums, where a missing name counts as zero.
  public func step(
    samples: Range<Int>, epoch: Int = 0, learningRate: Double, wantsToStop: Bool = false,
    wantsToSave: Bool = false, wantsNorm: Bool = false, summing names: [String],
    loss: (Range<Int>) throws -> (loss: Tensor, sums: [String: Double])
  ) throws -> Result {
    require(!samples.isEmpty, "DataParallel.step: a global batch without samples")
    func step() throws -> Result {
      try Activity.during(.trainingStep, step: stepCount + 1) {
        try makeStep(
          samples, epoch, learningRate, wantsToStop: wantsToStop, wantsToSave: wantsToSave,
          wantsNorm: wantsNorm, names, loss)
      }
    }
    // One rank may have all threads of a node, and several ranks few each.
    return try options.fixedSlices == nil ? step() : withDeterministicPartitioning(step)
  }
}
