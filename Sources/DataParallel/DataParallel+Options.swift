public import Base
import Collectives

extension DataParallel {
  /// The settings; the defaults suit most runs.
  public struct Options: Sendable, Equatable {
    /// The number of slices of every global batch, whose gradients are added up in a fixed order, so
    /// that the weights get the same bits on any number of ranks.
    ///
    /// A power of two, as is then the number of ranks, which divides it. With nil there is one slice
    /// for each rank, and runs on different numbers of ranks agree to rounding.
    public var fixedSlices: Int?
    /// The micro-batches in which a slice is computed, one after the other, to save memory.
    public var microBatches = 1
    /// The bytes of gradients in a bucket; 0 makes one bucket of all gradients. Only several nodes
    /// have buckets.
    public var bucketBytes = 1 << 19
    /// How inter-node all-reduces make progress during the backward pass.
    public var overlap = Overlap.auto
    /// The largest norm of the gradient, which is scaled down to it; 0 is no limit.
    public var gradientClipNorm = 0.0
    /// Whether batch normalization computes its statistics over the samples of all ranks.
    public var synchronizesBatchNorm = false
    /// The steps between two audits, which compare the weights of all ranks; 0 is never.
    public var auditEverySteps = 100
    /// The random seed of dropout.
    public var seed: UInt64 = 0

    /// Creates the defaults.
    public init() {}
  }
}

extension DataParallel.Options {
  /// Throws if these options do not fit each other or the number of ranks.
  package func check(worldSize: Int) throws(DataParallelOptionError) {
    guard let fixedSlices else { return }
    guard fixedSlices > 0, fixedSlices & (fixedSlices - 1) == 0 else {
      throw DataParallelOptionError("fixedSlices", "is \(fixedSlices), which is not a power of two")
    }
    guard worldSize & (worldSize - 1) == 0, worldSize <= fixedSlices else {
      throw DataParallelOptionError(
        "fixedSlices",
        "is \(fixedSlices), which \(worldSize) ranks cannot share evenly; start 1, 2, 4, ... or \(fixedSlices) ranks"
      )
    }
    guard !synchronizesBatchNorm else {
      throw DataParallelOptionError(
        "fixedSlices",
        "is \(fixedSlices), which computes batch statistics over each slice; synchronized batch normalization computes them over the whole batch. Choose one"
      )
    }
  }

  /// Throws if these options do not fit the nodes of the run, or the all-reduce between them.
  func check(
    _ topology: Topology, _ algorithm: InterNodeAllReduce
  ) throws(DataParallelOptionError) {
    guard let fixedSlices else { return }
    guard topology.isEven, topology.localSize & (topology.localSize - 1) == 0 else {
      throw DataParallelOptionError(
        "fixedSlices",
        "is \(fixedSlices), which needs the same power of two of ranks on every node; this one has \(topology.localSize), another \(topology.smallestLocalSize)"
      )
    }
    guard topology.nodeCount == 1 || algorithm.addsPairwise else {
      throw DataParallelOptionError(
        "fixedSlices",
        "is \(fixedSlices), which needs an inter-node all-reduce that adds nodes pairwise; '\(algorithm.name)' does not"
      )
    }
  }
}

/// An option of `DataParallel` that does not fit the run.
public struct DataParallelOptionError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// The name of the option in `DataParallel.Options`.
  public let option: String
  /// Its value, what is wrong with it, and the remedy.
  public let problem: String

  init(_ option: String, _ problem: String) {
    (self.option, self.problem) = (option, problem)
  }

  /// The option and the problem.
  public var description: String { "'\(option)' \(problem)" }

  /// The exit code 78.
  public var exitStatus: ExitStatus { .configuration }
}
