import Base
import Collectives
import Foundation

/// The processor cores that this process may use.
enum Cores {
  /// Their number; hardware threads of one core count once, as for mpirun.
  static let count = Set(
    Affinity.current.cores.map { core in
      let path = "/sys/devices/system/cpu/cpu\(core)/topology/thread_siblings_list"
      return fileText(path) ?? "\(core)"
    }
  ).count

  /// Whether they are all cores of the machine.
  static let areAll = Affinity.current.cores.count == ProcessInfo.processInfo.processorCount
}
