import Base
import Checkpointing
import Foundation

/// The lock of a run directory, held until it is released or the process ends.
///
/// The file LOCK names the holder. While the holder lives it also holds an `flock` on that file, which
/// tells it from a dead one where process numbers do not: in another container with the same host
/// name.
public final class RunLock {
  private struct Holder: Codable, Equatable {
    let host: String
    let process: Int
    /// When the process started, in the kernel's ticks: tells the holder from a later process of the
    /// same number.
    let start: Int
    /// The batch job of the process, if there is one, and how often Slurm restarted it, or when a
    /// launch script of another scheduler started.
    let job: String?
    let restarts: Int?
    /// The `lockstep launch` that started the process, if one did, and the number of its attempt.
    let launch: String?
    let attempt: Int?

    static func current() -> Holder {
      let process = Int(getpid())
      let environment = ProcessInfo.processInfo.environment
      let attempt = LaunchAttempt(environment)
      return Holder(
        host: ProcessInfo.processInfo.hostName, process: process,
        start: startTicks(of: process) ?? 0,
        job: environment["SLURM_JOB_ID"] ?? environment["LOCKSTEP_JOB"],
        restarts: (environment["SLURM_RESTART_COUNT"] ?? environment["LOCKSTEP_JOB_START"])
          .flatMap { Int($0) },
        launch: attempt?.launch, attempt: attempt?.number)
    }

    /// Whether the holder has certainly ended.
    ///
    /// Nothing is known about another host, unless this is the same job after it was requeued, or a
    /// later attempt of the same launch: schedulers and `lockstep launch` end all processes before they
    /// start them again.
    func isGone(asSeenBy own: Holder, lockFile path: String) -> Bool {
      if let job, job == own.job, host != own.host, restarts ?? 0 < own.restarts ?? 0 {
        return true
      }
      if let launch, launch == own.launch, attempt ?? 0 < own.attempt ?? 0 { return true }
      if RunLock.isLocked(path) { return false }
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
      guard let text = fileText("/proc/\(process)/stat"),
        let parenthesis = text.lastIndex(of: ")")
      else { return nil }
      let fields = text[text.index(after: parenthesis)...].split(separator: " ")
      return fields.count > 19 ? fields : nil
    }

    private enum CodingKeys: String, CodingKey {
      case host, start, job, restarts, launch, attempt
      case process = "pid"
    }
  }

  private let path: String
  private let fileSystem: FileSystem
  private let holder: Holder
  /// The open file LOCK, with its `flock`; -1 when the lock is not held.
  private var descriptor: Int32 = -1

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
    let file = open(temporary, O_RDWR | O_CLOEXEC)
    guard file >= 0 else { throw FileSystemError(.create, temporary, code: errno) }
    defer { if descriptor != file { close(file) } }
    // Some file systems have no such locks: then the file alone must do.
    _ = flock(file, LOCK_EX | LOCK_NB)
    if try link(temporary, file) { return }
    let content = try fileSystem.readFile(path)
    guard let other = try? JSON.decode(Holder.self, from: content) else {
      throw RunDirectoryError.unreadableLock(path: directory)
    }
    // The processes of a killed job may outlive its launcher for a moment.
    for _ in 0..<20 where !other.isGone(asSeenBy: holder, lockFile: path) { usleep(100_000) }
    guard other.isGone(asSeenBy: holder, lockFile: path) else {
      throw RunDirectoryError.inUse(path: directory, host: other.host, process: other.process)
    }
    try fileSystem.remove(path)
    guard try link(temporary, file) else {
      throw RunDirectoryError.unreadableLock(path: directory)
    }
  }

  private func link(_ temporary: String, _ file: Int32) throws -> Bool {
    guard Foundation.link(temporary, path) == 0 else {
      if errno != EEXIST { throw FileSystemError(.create, path, code: errno) }
      return false
    }
    descriptor = file
    return true
  }

  /// Whether another open file, of this process or of another, holds an `flock` on the file.
  private static func isLocked(_ path: String) -> Bool {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
  }

  /// Whether the directory has a lock whose holder has not certainly ended.
  static func isHeld(in directory: String) -> Bool {
    let path = directory.appendingPath("LOCK")
    guard let content = try? FileSystem().readFile(path) else { return false }
    guard let holder = try? JSON.decode(Holder.self, from: content) else { return true }
    return !holder.isGone(asSeenBy: .current(), lockFile: path)
  }

  /// What has the lock's name.
  enum State {
    /// The lock of this process.
    case held
    /// Nothing: the lock, or the whole directory, was removed.
    case removed
    /// The lock of another process.
    case replaced
  }

  /// What has the lock's name now.
  var state: State {
    var (mine, found) = (stat(), stat())
    guard stat(path, &found) == 0 else { return .removed }
    guard descriptor >= 0, fstat(descriptor, &mine) == 0 else { return .replaced }
    return mine.st_ino == found.st_ino && mine.st_dev == found.st_dev ? .held : .replaced
  }

  /// Releases the directory; does nothing the second time, or when another process has the lock.
  public func release() {
    guard descriptor >= 0 else { return }
    if state == .held { try? fileSystem.remove(path) }
    close(descriptor)
    descriptor = -1
  }

  /// Whether an error says that a process of this host trains in the directory.
  static func isHeldOnThisHost(_ error: any Error) -> Bool {
    guard case RunDirectoryError.inUse(_, let host, _) = error else { return false }
    return host == ProcessInfo.processInfo.hostName
  }

  deinit {
    release()
  }
}
