import Collectives
public import Settings

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
  /// Throws when the options do not fit together.
  public func check() throws(SettingError) {
    try checkLocalSteps()
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

  /// Throws when the options do not fit the nodes of the run, or the all-reduce between them.
  func check(_ topology: Topology, _ algorithm: InterNodeAllReduce) throws(SettingError) {
    guard let fixedSlices else { return }
    guard topology.nodeCount == 1 || algorithm.addsPairwise else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which needs an inter-node all-reduce that adds nodes pairwise; '\(algorithm.name)' does not"
      )
    }
  }
}
