import Collectives
import Foundation

/// The processor cores that this process may use.
enum Cores {
  /// How many compute at a time: hardware threads of one core count once, as for mpirun, and a CPU quota
  /// limits them.
  static let count = SingleProcess().threadsPerRank()

  /// Whether they are all cores of the machine.
  static let areAll = Affinity.current.cores.count == ProcessInfo.processInfo.processorCount
}
