public import Base
import Checkpointing
import Foundation

/// A run directory that another process uses.
public enum RunDirectoryError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// Another process trains in this directory.
  case inUse(path: String, host: String, process: Int)
  /// The lock cannot be read, so its holder is unknown.
  case unreadableLock(path: String)

  /// Who uses the directory, and what to do.
  public var description: String {
    switch self {
    case .inUse(let path, let host, let process):
      "the run directory '\(path)' is in use by process \(process) on host '\(host)'; wait for it "
        + "or name another --run-dir (if that process is gone, remove '\(path)/LOCK')"
    case .unreadableLock(let path):
      "'\(path)/LOCK' does not say which process holds it; remove it if no process trains here"
    }
  }

  /// The directory cannot be used for output.
  public var exitStatus: ExitStatus { .cannotCreate }
}

/// The lock of a run directory, held until it is released or the process ends.
public final class RunLock {
  private struct Holder: Codable, Equatable {
    let host: String
    let process: Int
    /// When the process started, in the kernel's ticks: tells the holder from a later process of the
    /// same number.
    let start: Int
    /// The Slurm job of the process, if there is one, and how often it was restarted.
    let job: String?
    let restarts: Int?

    static func current() -> Holder {
      let process = Int(getpid())
      let environment = ProcessInfo.processInfo.environment
      return Holder(
        host: ProcessInfo.processInfo.hostName, process: process,
        start: startTicks(of: process) ?? 0, job: environment["SLURM_JOB_ID"],
        restarts: environment["SLURM_RESTART_COUNT"].flatMap { Int($0) })
    }

    /// Whether the holder has certainly ended.
    ///
    /// Nothing is known about another host, unless this is the same job after it was requeued: Slurm
    /// ends all processes of a job before it restarts it.
    func isGone(asSeenBy own: Holder) -> Bool {
      if let job, job == own.job, restarts ?? 0 < own.restarts ?? 0 { return true }
      guard host == own.host else { return false }
      guard let process = pid_t(exactly: process), process > 0 else { return true }
      if kill(process, 0) != 0 && errno == ESRCH { return true }
      guard let fields = Holder.statFields(of: Int(process)) else { return false }
      // A zombie has ended too: in a container without an init nobody may ever collect it.
      return fields[0] == "Z" || Int(fields[19]) != start
    }

    private static func startTicks(of process: Int) -> Int? {
      statFields(of: process).flatMap { Int($0[19]) }
    }

    /// The fields of `/proc/<pid>/stat` from the third, the state, to the 22nd, the start, and on;
    /// the second, in parentheses, may hold spaces.
    private static func statFields(of process: Int) -> [Substring]? {
      guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
        let parenthesis = text.lastIndex(of: ")")
      else { return nil }
      let fields = text[text.index(after: parenthesis)...].split(separator: " ")
      return fields.count > 19 ? fields : nil
    }

    private enum CodingKeys: String, CodingKey {
      case host, start, job, restarts
      case process = "pid"
    }
  }

  private let path: String
  private let fileSystem: FileSystem
  private let holder: Holder
  private var isHeld = false

  init(directory: String, fileSystem: FileSystem) throws {
    path = directory.appendingPath("LOCK")
    self.fileSystem = fileSystem
    holder = .current()
    // Processes of the same host queue here, so that only one replaces a dead holder.
    let guardDescriptor = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard guardDescriptor >= 0 else { throw FileSystemError(.create, path, code: errno) }
    defer { close(guardDescriptor) }
    while flock(guardDescriptor, LOCK_EX) != 0 && errno == EINTR {}
    try take(directory: directory)
  }

  /// Links a complete file to the lock's name: unlike `O_EXCL` this shows no empty lock, and holds
  /// on NFS.
  private func take(directory: String) throws {
    let temporary = directory.appendingPath(".LOCK.tmp-\(holder.host)-\(holder.process)")
    if fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
    defer { try? fileSystem.remove(temporary) }
    let writer = try fileSystem.createFile(temporary)
    try writer.write(JSON.text(holder) + "\n")
    try writer.finish()
    if try link(temporary) { return }
    let content = try fileSystem.readFile(path)
    guard let other = try? JSON.decode(Holder.self, from: content) else {
      throw RunDirectoryError.unreadableLock(path: directory)
    }
    // The processes of a killed job may outlive its launcher for a moment.
    for _ in 0..<20 where !other.isGone(asSeenBy: holder) { usleep(100_000) }
    guard other.isGone(asSeenBy: holder) else {
      throw RunDirectoryError.inUse(path: directory, host: other.host, process: other.process)
    }
    try fileSystem.remove(path)
    guard try link(temporary) else { throw RunDirectoryError.unreadableLock(path: directory) }
  }

  private func link(_ temporary: String) throws -> Bool {
    isHeld = Foundation.link(temporary, path) == 0
    if !isHeld && errno != EEXIST { throw FileSystemError(.create, path, code: errno) }
    return isHeld
  }

  /// Releases the directory; does nothing the second time.
  public func release() {
    guard isHeld else { return }
    isHeld = false
    guard (try? JSON.decode(Holder.self, from: fileSystem.readFile(path))) == holder else { return }
    try? fileSystem.remove(path)
  }

  deinit {
    release()
  }
}
