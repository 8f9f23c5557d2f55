import Collectives
public import Settings

extension DataParallel {
  /// How ranks train together.
  public struct Options: SettingsGroup {
    /// The fixed slices of every global batch, a power of two, whose gradients are added up in a
    /// fixed order, so that the weights get the same bits on any number of ranks.
    ///
    /// The number of ranks is then a power of two that divides it. With nil, runs on different
    /// numbers of ranks agree to rounding.
    @Setting(
      "fixed slices of every global batch, a power of two: results have the same bits on 1, 2, 4, ... ranks up to this number; null is none",
      in: 1...4096, unit: "slices", unset: 0, oldNames: ["shards"])
    public var fixedSlices: Int? = nil
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

    /// The bytes of a bucket; 0 is all at once.
    var bucketBytes: Int { Int((bucketMegabytes ?? 0) * Double(1 << 20)) }
  }
}

extension Overlap: SettingRepresentable {}

extension DataParallel.Options {
  /// Throws when the options do not fit together.
  public func check() throws(SettingError) {
    guard allReduce != "two-level" || nodesPerSwitch != nil else {
      throw SettingError("allReduce", "is two-level, which needs 'nodesPerSwitch'")
    }
    guard let fixedSlices else { return }
    guard fixedSlices & (fixedSlices - 1) == 0 else {
      throw SettingError("fixedSlices", "is \(fixedSlices), which is not a power of two")
    }
    guard !synchronizedBatchNorm else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which takes batch statistics over each slice; 'synchronizedBatchNorm' takes them over the whole batch. Choose one"
      )
    }
  }

  /// Throws when the options are wrong or do not fit the number of ranks.
  package func check(worldSize: Int) throws(SettingError) {
    try validate()
    guard let fixedSlices else { return }
    guard worldSize & (worldSize - 1) == 0, worldSize <= fixedSlices else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which \(worldSize) ranks cannot share evenly; start 1, 2, 4, ... or \(fixedSlices) ranks"
      )
    }
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
    if let fixedSlices {
      guard topology.isEven, topology.localSize & (topology.localSize - 1) == 0 else {
        throw SettingError(
          "fixedSlices",
          "is \(fixedSlices), which needs the same power of two of ranks on every node; this one has \(topology.localSize), another \(topology.smallestLocalSize)"
        )
      }
    }
    guard topology.nodeCount > 1 else { return [] }
    let named = if let own { own } else { try namedAllReduce(topology) }
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
    let twoLevel = twoLevelAllReduce(topology)
    return InterNodeAllReduce.all.compactMap { algorithm in
      algorithm.name == "two-level" ? twoLevel : algorithm
    }.filter { (fixedSlices == nil || $0.addsPairwise) && (overlap != .poll || !$0.blocks) }
  }

  /// The algorithm that the options name; nil for `auto`.
  private func namedAllReduce(_ topology: Topology) throws(SettingError) -> InterNodeAllReduce? {
    guard allReduce == "two-level" else {
      return InterNodeAllReduce.all.first { $0.name == allReduce }
    }
    guard let twoLevel = twoLevelAllReduce(topology) else {
      throw SettingError(
        "nodesPerSwitch",
        "is \(nodesPerSwitch ?? 0), of which the \(topology.nodeCount) nodes of this run are no larger multiple; choose another 'allReduce', or another number of nodes"
      )
    }
    return twoLevel
  }

  /// The two-level all-reduce, if the nodes of the run fill several switches.
  private func twoLevelAllReduce(_ topology: Topology) -> InterNodeAllReduce? {
    guard let nodesPerSwitch, topology.nodeCount > nodesPerSwitch,
      topology.nodeCount.isMultiple(of: nodesPerSwitch)
    else { return nil }
    return .twoLevel(nodesPerSwitch: nodesPerSwitch)
  }
}
