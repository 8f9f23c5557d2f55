public import Collectives
public import Settings
import TensorCore

extension DataParallel {
  /// How ranks train together.
  public struct Options: SettingsGroup {
    /// The fixed slices of every global batch, a power of two, whose gradients are added up in a
    /// fixed order, so that the weights get the same bits on any number of ranks up to this one.
    ///
    /// With nil, runs on different numbers of ranks agree to rounding.
    @Setting(
      "fixed slices of every global batch, a power of two: results have the same bits on any number of ranks up to this; null is none",
      in: 1...4096, unit: "slices", unset: 0, oldNames: ["shards"])
    public var fixedSlices: Int? = nil
    /// The steps that each node makes on its own samples, between outer steps that bring the nodes
    /// together (DiLoCo); nil makes every step together.
    @Setting(
      "steps that each node makes on its own samples between two outer steps, which average the nodes (DiLoCo); null makes every step together",
      in: 1...1_000_000, unit: "steps")
    public var localSteps: Int? = nil
    /// The learning rate of the outer steps.
    @Setting("learning rate of the outer steps of localSteps", in: 0...)
    public var outerLearningRate = 0.7
    /// The factor of Nesterov's momentum in the outer steps.
    @Setting("factor of Nesterov's momentum in the outer steps of localSteps", in: 0..<1)
    public var outerMomentum = 0.9
    /// The micro-batches in which a slice is computed, one after the other, to save memory.
    @Setting("micro-batches in which a slice is computed, to save memory", in: 1...1_000_000)
    public var microBatches = 1
    /// The megabytes of gradient that are all-reduced at a time between nodes; nil all-reduces all
    /// at once.
    @Setting(
      "gradient that is all-reduced at a time between nodes; null all-reduces all at once",
      in: 0..<4096, unit: "MB", unset: 0, mayChangeOnResume: true)
    public var bucketMegabytes: Double? = 0.5
    /// How inter-node all-reduces progress during backward.
    @Setting("how inter-node all-reduces progress during backward", mayChangeOnResume: true)
    public var overlap = Overlap.auto
    /// The algorithm of all-reduces between nodes, by its name in `InterNodeAllReduce.all`; `auto` takes
    /// the fastest at the start of the run.
    @Setting(
      "algorithm of all-reduces between nodes; auto times them at start and takes the fastest",
      type: .word(["auto"] + InterNodeAllReduce.all.map(\.name)), mayChangeOnResume: true)
    public var allReduce = "auto"
    /// The consecutive nodes that share a switch, for the two-level all-reduce; nil is unknown.
    @Setting(
      "consecutive nodes that share a switch, for the two-level all-reduce; null is unknown",
      in: 1...,
      unit: "nodes", mayChangeOnResume: true)
    public var nodesPerSwitch: Int? = nil
    /// The type of numbers in the messages of gradients between nodes.
    ///
    /// bfloat16 halves the traffic, and rounds gradients to eight significant bits; see `WireFormat`.
    /// Fixed slices need float32.
    @Setting(
      "type of numbers in messages of gradients between nodes; bfloat16 halves the traffic",
      mayChangeOnResume: true)
    public var wire = WireFormat.float32
    /// Whether what rounding to bfloat16 took away is added to the gradients of the next step.
    ///
    /// What is left over is dropped where a checkpoint is saved: a run that resumes from it computes what
    /// it would have computed without the interruption.
    @Setting(
      "whether what rounding to bfloat16 took away is added to the gradients of the next step",
      mayChangeOnResume: true)
    public var errorFeedback = false
    /// Whether each node keeps and updates only its part of the optimizer's state (ZeRO, stage 1).
    ///
    /// The state of N nodes then takes 1/N of the memory on each of them. Weights get the same bits, and
    /// checkpoints are the same: the first node has the whole state while one is saved. On one node it
    /// has no effect: its ranks share the state anyway.
    @Setting(
      "whether each node keeps and updates only its part of the optimizer's state, to save memory",
      mayChangeOnResume: true)
    public var shardOptimizer = false
    /// The norm to which a longer gradient is scaled down; nil leaves gradients as they are.
    @Setting(
      "norm to which a longer gradient is scaled down; null leaves gradients as they are", in: 0...,
      unset: 0)
    public var gradientClipNorm: Double? = nil
    /// The decay of the moving average of the weights, which is evaluated and saved; nil keeps none.
    ///
    /// The larger, the more steps it spans: 0.999 about the last thousand. See `withAverages`.
    @Setting(
      "decay of a moving average of the weights over the steps, which is evaluated, and saved beside them, as 0.999; null is none",
      in: 0..<1)
    public var emaDecay: Double? = nil
    /// Whether batch normalization takes its statistics over the samples of all ranks.
    @Setting("whether batch normalization takes its statistics over the samples of all ranks")
    public var synchronizedBatchNorm = false
    /// The steps between two audits, besides the one before each checkpoint.
    ///
    /// An audit compares the weights of all nodes, and the weights in memory with those that the last
    /// update wrote. With nil there is none between checkpoints, and no step looks for weights that
    /// changed in memory.
    @Setting(
      "steps between two comparisons of the ranks' weights, besides the one before each checkpoint; null is none",
      in: 1...,
      unit: "steps", unset: 0, mayChangeOnResume: true)
    public var auditEverySteps: Int? = 100
    /// The random seed of dropout.
    public var seed: UInt64 = 0
    /// Whether a gradient that is infinite or NaN makes a step fail before the update, as such a loss
    /// always does.
    public var checksGradients = false

    /// The defaults.
    public init() {}

    /// How many numbers are kept for each weight besides those of the optimizer.
    package var weightCopies: Int {
      (emaDecay == nil ? 0 : 1) + (localSteps == nil ? 0 : outerMomentum == 0 ? 1 : 2)
    }

    /// The bytes of a bucket; 0 is all at once.
    var bucketBytes: Int { Int((bucketMegabytes ?? 0) * Double(1 << 20)) }
  }
}

extension Overlap: SettingRepresentable {}

extension DataParallel.Options {
  /// Throws when the options do not fit the type of the model's parameters.
  func check(_ parameters: DataType) throws(SettingError) {
    guard parameters == .float64 else { return }
    guard !shardOptimizer else {
      throw SettingError(
        "shardOptimizer",
        "is true, and the model's parameters are float64, which every node updates; leave it out")
    }
    guard wire != .float32 else { return }
    throw SettingError(
      "wire",
      "is \(wire.rawValue), and the model's parameters are float64, whose gradients are never rounded; leave it out"
    )
  }
}

extension DataParallel.Options {
  /// Throws when the options do not fit together.
  public func check() throws(SettingError) {
    guard allReduce != "two-level" || nodesPerSwitch != nil else {
      throw SettingError("allReduce", "is two-level, which needs 'nodesPerSwitch'")
    }
    guard wire == .bfloat16 || !errorFeedback else {
      throw SettingError(
        "errorFeedback",
        "is true, but messages in float32 are not rounded; set 'wire' to bfloat16 too, or leave it out"
      )
    }
    try checkLocalSteps()
    guard let fixedSlices else { return }
    guard fixedSlices & (fixedSlices - 1) == 0 else {
      throw SettingError("fixedSlices", "is \(fixedSlices), which is not a power of two")
    }
    guard wire == .float32 else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which gives the same bits on any number of nodes; 'wire' \(wire.rawValue) rounds the sums of each node. Choose one"
      )
    }
    guard !synchronizedBatchNorm else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which takes batch statistics over each slice; 'synchronizedBatchNorm' takes them over the whole batch. Choose one"
      )
    }
  }

  private func checkLocalSteps() throws(SettingError) {
    guard let localSteps else { return }
    let others = [
      (fixedSlices != nil, "fixedSlices", "makes the same steps on any number of ranks"),
      (
        synchronizedBatchNorm, "synchronizedBatchNorm",
        "takes statistics over all nodes at every step"
      ),
      (
        emaDecay != nil, "emaDecay", "averages weights that are the same on all nodes at every step"
      ),
      (wire != .float32, "wire", "is for gradients, which the nodes then do not send"),
      (shardOptimizer, "shardOptimizer", "shares out a state that all nodes have in common"),
    ]
    for (isSet, name, meaning) in others where isSet {
      throw SettingError(
        "localSteps",
        "is \(localSteps), with which nodes have weights of their own; '\(name)' \(meaning). Choose one"
      )
    }
  }

  /// Throws when the options are wrong or do not fit the number of ranks.
  package func check(worldSize: Int) throws(SettingError) {
    try validate()
    guard let fixedSlices else { return }
    guard worldSize <= fixedSlices else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), too few for \(worldSize) ranks; start at most \(fixedSlices) ranks, or choose more slices"
      )
    }
  }

  /// Whether a run with these options can have these numbers of ranks, one for each node.
  package func allows(ranksOfNodes ranks: [Int]) -> Bool {
    (try? check(worldSize: ranks.reduce(0, +))) != nil
  }

  /// The algorithms of all-reduces between nodes that these options allow; `own` is one that the program
  /// brings, instead of any that they name.
  ///
  /// Where a rank polls, none may wait for other nodes: these may wait for this rank elsewhere.
  ///
  /// Throws when the options do not fit the nodes of the run.
  func allReduces(
    _ topology: Topology, own: InterNodeAllReduce?, _ overlap: Overlap
  ) throws(SettingError) -> [InterNodeAllReduce] {
    guard topology.nodeCount > 1 else { return [] }
    let named = own ?? namedAllReduce(topology)
    if let named, named.plan == nil, shardOptimizer {
      throw SettingError(
        "shardOptimizer",
        "is true, which needs an inter-node all-reduce in two halves; '\(named.name)' is not")
    }
    if let named, named.plan == nil, wire != .float32 {
      throw SettingError(
        "wire",
        "is \(wire.rawValue), which needs an inter-node all-reduce in two halves; '\(named.name)' is not"
      )
    }
    if let fixedSlices, let named, !named.addsPairwise {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which needs an inter-node all-reduce that adds nodes pairwise; '\(named.name)' does not"
      )
    }
    if let named, named.blocks, overlap == .poll {
      throw SettingError(
        "allReduce",
        "is \(named.name), which waits for the other nodes and cannot be polled; set 'overlap' to thread or sync"
      )
    }
    if let named { return [named] }
    if wire == .bfloat16 { return [.standardForBFloat16(between: topology.nodeCount)] }
    let twoLevel = twoLevelAllReduce(topology)
    return InterNodeAllReduce.all(withSameBitsFor: topology.nodeCount).compactMap { algorithm in
      algorithm.name == "two-level" ? twoLevel : algorithm
    }.filter {
      (overlap != .poll || !$0.blocks)
        && (!shardOptimizer || $0.givesEach(of: topology.nodeCount))
    }
  }

  /// The algorithm that the options name; nil for `auto`, and for `two-level` where the nodes of the run do
  /// not fill several switches: a run that has lost a node must go on.
  private func namedAllReduce(_ topology: Topology) -> InterNodeAllReduce? {
    allReduce == "two-level"
      ? twoLevelAllReduce(topology) : InterNodeAllReduce.all.first { $0.name == allReduce }
  }

  /// What is wrong with `nodesPerSwitch` in a run on these nodes, which takes another all-reduce then.
  func warning(_ topology: Topology) -> SettingError? {
    guard allReduce == "two-level", topology.nodeCount > 1, twoLevelAllReduce(topology) == nil
    else {
      return nil
    }
    return SettingError(
      "nodesPerSwitch",
      "is \(nodesPerSwitch ?? 0), of which the \(topology.nodeCount) nodes of this run are no larger multiple, so that 'allReduce' is not two-level but what auto takes; use another number of nodes, correct it, or set 'allReduce' to auto"
    )
  }

  /// The two-level all-reduce, if the nodes of the run fill several switches.
  private func twoLevelAllReduce(_ topology: Topology) -> InterNodeAllReduce? {
    guard let nodesPerSwitch, topology.nodeCount > nodesPerSwitch,
      topology.nodeCount.isMultiple(of: nodesPerSwitch)
    else { return nil }
    return .twoLevel(nodesPerSwitch: nodesPerSwitch)
  }
}

extension InterNodeAllReduce {
  /// Whether each of some nodes owns a part between the halves.
  fileprivate func givesEach(of nodes: Int) -> Bool {
    guard let plan else { return false }
    return (0..<nodes).allSatisfy { !plan($0, nodes, nodes).owned.isEmpty }
  }
}
