public import Collectives
public import Settings
import TensorCore

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
    guard wire == .bfloat16 || !errorFeedback else {
      throw SettingError(
        "errorFeedback",
        "is true, but messages in float32 are not rounded; set 'wire' to bfloat16 too, or leave it out"
      )
    }
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

  /// Throws when the options do not fit the nodes of the run, or the all-reduce between them.
  func check(_ topology: Topology, _ algorithm: InterNodeAllReduce) throws(SettingError) {
    if topology.nodeCount > 1, algorithm.plan == nil, shardOptimizer {
      throw SettingError(
        "shardOptimizer",
        "is true, which needs an inter-node all-reduce with a plan; '\(algorithm.name)' has none")
    }
    if topology.nodeCount > 1, algorithm.plan == nil, wire != .float32 {
      throw SettingError(
        "wire",
        "is \(wire.rawValue), which needs an inter-node all-reduce with a plan; '\(algorithm.name)' has none"
      )
    }
    guard let fixedSlices else { return }
    guard topology.isEven, topology.localSize & (topology.localSize - 1) == 0 else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which needs the same power of two of ranks on every node; this one has \(topology.localSize), another \(topology.smallestLocalSize)"
      )
    }
    guard topology.nodeCount == 1 || algorithm.addsPairwise else {
      throw SettingError(
        "fixedSlices",
        "is \(fixedSlices), which needs an inter-node all-reduce that adds nodes pairwise; '\(algorithm.name)' does not"
      )
    }
  }
}
