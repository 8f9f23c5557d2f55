import Base
import Foundation
public import Settings
import Synchronization

/// A thread that notices when the ranks of a run do not get on: a rank that was stopped, is in an
/// endless loop, or makes another collective call than the others.
///
/// It calls no MPI. Each rank's watchdog publishes what its rank does in memory of the node, and one
/// of each node warns after `stallWarning` seconds in which no rank of the node did anything while
/// some wait, and again after as many more. After `stallTimeout` seconds it ends the process, which
/// makes the launcher end the other ranks; after half an hour at least where all ranks of the node are in a
/// checkpoint, which a slow disk may take. A process under a debugger is not ended, nor ranks that
/// wait for one.
public final class Watchdog: Sendable {
  /// When a run counts as stalled.
  public struct Options: SettingsGroup {
    /// The seconds without progress after which ranks say what they wait for; nil is never.
    @Setting(
      "time without progress after which ranks say what they wait for; null is never", in: 0.2...,
      unit: "seconds", mayChangeOnResume: true)
    public var stallWarning: Double? = 30
    /// The seconds without progress after which the job ends with exit code 83; nil is never.
    @Setting(
      "time without progress after which the job ends with exit code 83; null is never", in: 0.2...,
      unit: "seconds", mayChangeOnResume: true)
    public var stallTimeout: Double? = 1800

    /// The defaults.
    public init() {}
  }

  private struct State {
    var options = Options()
    var runDirectory: String?
  }

  private let state = Mutex(State())

  /// Starts the watchdog of this rank.
  ///
  /// Collective.
  ///
  /// - Parameters:
  ///   - communicator: The ranks.
  ///   - onWarning: Called with what to tell, on a thread of its own, on one rank of the node.
  ///   - onStall: The same before the process ends with exit code 83.
  public init(
    _ communicator: any Communicator, onWarning: @escaping @Sendable (String) -> Void,
    onStall: @escaping @Sendable (String) -> Void
  ) throws {
    let board = try StatusBoard(communicator)
    let hosts = communicator.allGather(hostName())
    let topology = communicator.topology
    let others = hosts.indices.filter { !topology.nodes[topology.nodeIndex].contains($0) }
    let rank = communicator.rank
    let otherNodes = others.isEmpty ? nil : describe(ranks: others, hosts: hosts)
    let thread = Thread { [self] in
      watch(
        board, rank: rank, host: hosts[rank], otherNodes: otherNodes, onWarning: onWarning,
        onStall: onStall)
    }
    thread.name = "watchdog"
    thread.start()
  }

  /// The settings; a change takes effect at once.
  public var options: Options {
    get { state.withLock { $0.options } }
    set { state.withLock { $0.options = newValue } }
  }

  /// The run's directory, in whose folder `errors` the states of stalled ranks are written.
  public var runDirectory: String? {
    get { state.withLock { $0.runDirectory } }
    set { state.withLock { $0.runDirectory = newValue } }
  }

  private func watch(
    _ board: StatusBoard, rank: Int, host: String, otherNodes: String?,
    onWarning: (String) -> Void, onStall: (String) -> Void
  ) {
    /// The seconds between two looks.
    let interval = 0.2
    var detector = StallDetector(
      rank: rank, host: host, otherNodes: otherNodes, longestLook: 2 * interval)
    var heartbeat = 1
    var last = ContinuousClock.now
    while true {
      usleep(UInt32(interval * 1e6))
      heartbeat += 1
      board.publish(heartbeat: heartbeat)
      let now = ContinuousClock.now
      let seconds = (now - last) / .seconds(1)
      last = now
      let options = options
      switch detector.look(at: board.statuses, after: seconds, options) {
      case .nothing: break
      case .warn(let report):
        let isLonger = report.timeout != options.stallTimeout
        let end = report.timeout.map {
          "\n  the job ends after \(Int($0.rounded())) s "
            + (isLonger ? "(during a checkpoint)" : "(distributed.stallTimeout)")
        }
        onWarning(report.description + (end ?? ""))
      case .end(let report):
        Watchdog.tell(report, onStall) { [self] in write(report) }
        // MPI_Abort needs the thread that waits in MPI. The launcher ends the other ranks when one
        // exits with a code other than 0.
        _exit(ExitStatus.stalled.rawValue)
      }
    }
  }

  /// Tells why the job ends, and gives the states of the ranks two seconds to be written: the file system may
  /// be what hangs.
  ///
  /// - Parameter write: Writes them, and returns the folder; nil if that fails.
  package static func tell(
    _ report: StallReport, _ onStall: (String) -> Void, write: @escaping @Sendable () -> String?
  ) {
    let folder = WrittenFolder()
    let isDone = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
      let written = write()
      folder.path.withLock { $0 = written }
      isDone.signal()
    }
    // Not longer: other nodes end the job soon.
    let isWritten = isDone.wait(timeout: .now() + 0.5) == .success
    let place = folder.path.withLock { $0 }.map { "\n  the state of each rank is in '\($0)'" } ?? ""
    onStall(report.description + place)
    if !isWritten { _ = isDone.wait(timeout: .now() + 1.5) }
  }

  /// Writes the states of the ranks, and returns the folder; nil if that fails.
  private func write(_ report: StallReport) -> String? {
    // On another node than rank zero's it may not exist.
    guard let runDirectory, FileManager.default.fileExists(atPath: runDirectory) else { return nil }
    let folder = runDirectory + "/errors"
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      for file in report.files {
        try Data(file.content.utf8).write(
          to: URL(fileURLWithPath: folder + "/" + file.name), options: .atomic)
      }
      return folder
    } catch {
      return nil
    }
  }
}

/// Where the states of stalled ranks were written, for two threads; nil is not, or not yet.
private final class WrittenFolder: Sendable {
  let path = Mutex<String?>(nil)
}
