import Base
import Collectives
import DataParallel

/// Where the time of a rank went between two reports, in seconds.
public struct PhaseTimes: Sendable, Equatable, BitwiseCopyable {
  /// Waiting for the data loader.
  public var data = 0.0
  /// Forward and backward passes.
  public var compute = 0.0
  /// Waiting for slower ranks.
  public var waiting = 0.0
  /// Waiting for the sums of gradients between nodes.
  public var communication = 0.0
  /// Sums of gradients on the node, and the optimizer.
  public var update = 0.0
  /// Evaluations.
  public var evaluation = 0.0
  /// Waiting for checkpoints.
  public var checkpoint = 0.0

  /// No time.
  public init() {}

  /// The phases by name, in the order of a step.
  public static var names: [String] { phases.map(\.name) }

  private static var phases: [(name: String, path: KeyPath<PhaseTimes, Double>)] {
    [
      ("data", \.data), ("compute", \.compute), ("waiting", \.waiting),
      ("communication", \.communication), ("update", \.update), ("evaluation", \.evaluation),
      ("checkpoint", \.checkpoint),
    ]
  }

  /// The seconds of each phase on each rank.
  static func json(_ ranks: [PhaseTimes]) -> JSONObject {
    JSONObject(
      phases.map { name, path in
        (key: name, value: ranks.map { ($0[keyPath: path] * 1e6).rounded() / 1e6 })
      })
  }

  /// Adds the time of steps between two readings of `DataParallel.times`.
  mutating func add(_ times: DataParallel.Times, since earlier: DataParallel.Times) {
    compute += times.compute - earlier.compute
    waiting += times.waiting - earlier.waiting
    communication += times.exposedCommunication - earlier.exposedCommunication
    update += times.update - earlier.update
  }

  /// The times of all ranks, in rank order.
  ///
  /// Collective.
  func gathered(_ communicator: any Communicator) -> [PhaseTimes] {
    communicator.gather([self])
  }
}
