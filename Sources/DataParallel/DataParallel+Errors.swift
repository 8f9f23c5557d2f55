public import Base
public import Collectives

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

/// Ranks that were about to make different updates; none was made.
public struct StepsDiffer: AgreedError, ExitStatusProviding, CustomStringConvertible {
  /// The step, counted from 1, on the rank that reports it.
  public let step: Int

  /// What happened and what helps.
  public var description: String {
    """
    at step \(step) the ranks differ in their number of steps, batch, epoch or learning rate; the update was not \
    made. All of these must be computed from values that are the same on all ranks
    """
  }

  /// The exit code 82.
  public var exitStatus: ExitStatus { .replicasDiverged }
}

/// A loss that is infinite or NaN on some rank; the update was not made.
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
