import Collectives
import Foundation

/// The processor cores that this process may use.
enum Cores {
  /// How many compute at a time: hardware threads of one core count once, as for mpirun, and a CPU quota
  /// limits them.
  static let count = SingleProcess().threadsPerRank()

  /// Whether they are all cores of the machine, so that ranks can be bound to them: others that have a CPU
  /// quota, as containers do, would be bound to the same ones.
  static let areAll = CPUQuota.areAllCores(
    allowed: Affinity.current.cores.count, of: ProcessInfo.processInfo.processorCount,
    quotas: CPUQuota.current())
}
