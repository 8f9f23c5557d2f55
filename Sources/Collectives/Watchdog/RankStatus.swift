package import Base
import Foundation
import Synchronization

/// What one rank of this node does, as the watchdogs see it.
package struct RankStatus: Equatable, Sendable {
  /// The rank in the run.
  package let rank: Int
  /// Its process.
  package let process: Int
  /// Grows as long as the rank's watchdog runs: a stopped process does not.
  package var heartbeat = 0
  /// What the rank does.
  package var activity = Activity.Snapshot()

  package init(rank: Int, process: Int) {
    (self.rank, self.process) = (rank, process)
  }
}

/// The statuses of a node's ranks in shared memory.
///
/// A rank writes there at once what it does, so that the others see it even after it was stopped; its
/// watchdog adds a heartbeat.
struct StatusBoard: @unchecked Sendable {
  // Unchecked, because the compiler does not see that the memory holds atomic numbers only.
  private let memory: SharedMemory
  private let localRank: Int

  /// The numbers before those of `Activity`.
  private enum Field: Int, CaseIterable { case rank, process, heartbeat }

  /// Allocates the board.
  ///
  /// Collective over the ranks of the node. The board must stay until the process ends.
  init(_ communicator: any Communicator) throws(SharedMemoryError) {
    memory = try communicator.node.allocateShared(
      byteCount: (Field.allCases.count + Activity.cellCount) * MemoryLayout<Int>.stride)
    localRank = communicator.node.rank
    store(communicator.rank, .rank)
    store(Int(getpid()), .process)
    Activity.move(to: activity(localRank))
    publish(heartbeat: 1)
  }

  /// Shows that the watchdog of this rank runs.
  func publish(heartbeat: Int) {
    // Ranks that are threads have their activity at one of them.
    Activity.copy(to: activity(localRank))
    store(heartbeat, .heartbeat)
  }

  /// The statuses by local rank; a rank whose watchdog does not run yet is missing.
  var statuses: [RankStatus] {
    memory.segments.indices.compactMap { local in
      let heartbeat = load(local, .heartbeat)
      guard heartbeat > 0 else { return nil }
      var status = RankStatus(rank: load(local, .rank), process: load(local, .process))
      status.heartbeat = heartbeat
      status.activity = Activity.snapshot(of: activity(local))
      return status
    }
  }

  private func store(_ value: Int, _ field: Field) {
    (cells(localRank) + field.rawValue).pointee.store(value, ordering: .releasing)
  }

  private func load(_ local: Int, _ field: Field) -> Int {
    (cells(local) + field.rawValue).pointee.load(ordering: .acquiring)
  }

  private func activity(_ local: Int) -> Activity.Cells { cells(local) + Field.allCases.count }

  private func cells(_ local: Int) -> UnsafeMutablePointer<Atomic<Int>> {
    memory.segments[local].baseAddress!.assumingMemoryBound(to: Atomic<Int>.self)
  }
}

/// What the system says about a process.
package struct ProcessState: Equatable, Sendable {
  /// The letter of `/proc/PID/stat`: R runs, S sleeps, D waits for a disk, T is stopped, Z has ended;
  /// nil when there is no such process.
  var letter: Character?
  /// Whether a debugger traces it.
  var isTraced = false

  package init(letter: Character? = "S", isTraced: Bool = false) {
    (self.letter, self.isTraced) = (letter, isTraced)
  }

  /// Reads the state of a process.
  init(process: Int) {
    let status = fileText("/proc/\(process)/status") ?? ""
    func value(_ key: String) -> Substring? {
      status.split(separator: "\n").first { $0.hasPrefix(key + ":") }?
        .dropFirst(key.count + 1).drop { $0 == " " || $0 == "\t" }
    }
    letter = value("State")?.first
    isTraced = value("TracerPid").map { $0 != "0" } ?? false
  }

  /// Why a process in this state does nothing; nil if the state does not tell.
  var problem: String? {
    if isTraced { return "it is traced by a debugger" }
    switch letter {
    case "T", "t": return "it is stopped (SIGSTOP)"
    case "Z", "X", nil: return "it has ended"
    case "D": return "it waits for a disk or a file system"
    default: return nil
    }
  }
}
