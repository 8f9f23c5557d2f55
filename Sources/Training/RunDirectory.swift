// The directory of a run: its configuration, environment, metrics, checkpoints, status and lock.
public import Base
public import Checkpointing
public import Foundation

/// What a run's STATUS file says.
public enum RunStatus: String, Sendable, CaseIterable {
  case running, done, failed, stopped
}

/// A run directory that is in use or is not one.
public enum RunDirectoryError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// Another process trains in this directory.
  case inUse(path: String, host: String, process: Int)
  /// The lock cannot be read, so that it is unknown who holds it.
  case unreadableLock(path: String)

  /// Who holds what, and what can be done.
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

/// The places of a run's files.
public struct RunDirectory: Sendable, Equatable {
  /// The directory.
  public let path: String
  private let fileSystem: FileSystem

  /// Names a directory, which need not exist yet.
  public init(path: String) {
    self.init(path: path, fileSystem: FileSystem())
  }

  package init(path: String, fileSystem: FileSystem) {
    self.path = path
    self.fileSystem = fileSystem
  }

  /// Creates a new directory `<root>/<name>/<UTC time>_<four hexadecimal digits>`.
  public static func create(in root: String, name: String, at date: Date = Date()) throws
    -> RunDirectory
  {
    precondition(name.isPlainFileName, "run directory: '\(name)' cannot name one")
    let fileSystem = FileSystem()
    let parent = root.appendingPath(name)
    try fileSystem.makeDirectories(parent)
    while true {
      let digits = String(hexadecimal: .random(in: 0 ... .max)).suffix(4)
      let path = parent.appendingPath("\(timestamp(date))_\(digits)")
      do {
        try fileSystem.makeDirectory(path)
        return RunDirectory(path: path)
      } catch let error as FileSystemError where error.code == EEXIST {
        continue
      }
    }
  }

  /// The newest run of a name that has a checkpoint.
  public static func newest(in root: String, name: String) throws -> RunDirectory? {
    let parent = root.appendingPath(name)
    return try FileSystem().names(in: parent).reversed().lazy
      .map { RunDirectory(path: parent.appendingPath($0)) }
      .first { try !$0.checkpoints(keep: 0).steps().isEmpty }
  }

  private static func timestamp(_ date: Date) -> String {
    var seconds = time_t(date.timeIntervalSince1970.rounded(.down))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
      + "T\(two(parts.tm_hour))-\(two(parts.tm_min))-\(two(parts.tm_sec))"
  }

  /// Two values that name the same directory are equal.
  public static func == (first: RunDirectory, second: RunDirectory) -> Bool {
    first.path == second.path
  }

  /// The resolved configuration.
  public var configurationPath: String { path.appendingPath("config.yaml") }
  /// The log of metrics.
  public var metricsPath: String { path.appendingPath("metrics.jsonl") }
  /// The description of host, tools and ranks.
  public var environmentPath: String { path.appendingPath("env.json") }

  /// The checkpoints of the run.
  public func checkpoints(keep: Int) -> CheckpointStore {
    CheckpointStore(
      directory: path.appendingPath("checkpoints"), keep: keep, fileSystem: fileSystem)
  }

  /// Creates the directory where missing and proves that it can be written durably.
  public func prepare() throws {
    try fileSystem.preflight(path)
  }

  /// Writes the resolved configuration.
  public func write(_ configuration: TrainingConfiguration) throws {
    try fileSystem.replaceFile(configurationPath, with: configuration.yaml())
  }

  /// Writes the description of host, tools and ranks.
  public func write(environment: [String: JSONValue]) throws {
    let members = environment.sorted { $0.key < $1.key }
      .map { JSONValue.Member($0.key, $0.value) }
    try fileSystem.replaceFile(environmentPath, with: JSONValue.object(members).text + "\n")
  }

  /// Opens the log of metrics of a run that continues after a step, or of a new run after step 0.
  public func metricsLog(continuingAfter step: Int) throws -> MetricsLog {
    try MetricsLog(path: metricsPath, continuingAfter: step, fileSystem: fileSystem)
  }

  /// What the STATUS file says; `nil` before the first run.
  public func status() throws -> RunStatus? {
    let statusPath = path.appendingPath("STATUS")
    guard fileSystem.exists(statusPath) else { return nil }
    let text = String(decoding: try fileSystem.readFile(statusPath), as: UTF8.self)
    return RunStatus(rawValue: text.trimmingCharacters(in: .whitespacesAndNewlines))
  }

  /// Replaces the STATUS file.
  public func setStatus(_ status: RunStatus) throws {
    try fileSystem.replaceFile(path.appendingPath("STATUS"), with: status.rawValue + "\n")
  }

  /// Takes the directory for this process, or tells who has it.
  public func lock() throws -> RunLock {
    try RunLock(directory: path, fileSystem: fileSystem)
  }
}

/// The right to train in a run directory, held until it is released or the process ends.
public final class RunLock {
  private struct Holder: Equatable {
    let host: String
    let process: Int
    /// When the process started, in the kernel's ticks: it tells the holder from a later process of
    /// its number.
    let start: Int
    /// The Slurm job that the process belongs to, empty without one, and how often it had been
    /// started again.
    let job: String
    let restarts: Int

    static func current() -> Holder {
      let process = Int(getpid())
      let environment = ProcessInfo.processInfo.environment
      return Holder(
        host: ProcessInfo.processInfo.hostName, process: process,
        start: startTicks(of: process) ?? 0, job: environment["SLURM_JOB_ID"] ?? "",
        restarts: Int(environment["SLURM_RESTART_COUNT"] ?? "") ?? 0)
    }

    /// Whether the holder surely is no more.
    ///
    /// Of another host nothing is known, unless this is the same job after it was put back into the
    /// queue: Slurm ends all processes of a job before it starts it again.
    func isGone(asSeenBy own: Holder) -> Bool {
      if !job.isEmpty, job == own.job, restarts < own.restarts { return true }
      guard host == own.host else { return false }
      guard let process = pid_t(exactly: process), process > 0 else { return true }
      if kill(process, 0) != 0 && errno == ESRCH { return true }
      guard let fields = Holder.statFields(of: Int(process)) else { return false }
      // A zombie is gone too: nobody may ever collect it, in a container without an init.
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

    var text: String {
      JSONValue.object([
        "host": .string(host), "pid": .integer(process), "start": .integer(start),
        "job": .string(job), "restarts": .integer(restarts),
      ]).text + "\n"
    }

    init(host: String, process: Int, start: Int, job: String, restarts: Int) {
      self.host = host
      self.process = process
      self.start = start
      self.job = job
      self.restarts = restarts
    }

    init?(parsing bytes: [UInt8]) {
      guard let json = try? JSONValue(parsing: bytes), let host = json["host"]?.stringValue,
        let process = json["pid"]?.integerValue, let start = json["start"]?.integerValue
      else { return nil }
      self.init(
        host: host, process: process, start: start, job: json["job"]?.stringValue ?? "",
        restarts: json["restarts"]?.integerValue ?? 0)
    }
  }

  private let path: String
  private let fileSystem: FileSystem
  private let holder: Holder
  private var isHeld = false

  fileprivate init(directory: String, fileSystem: FileSystem) throws {
    path = directory.appendingPath("LOCK")
    self.fileSystem = fileSystem
    holder = .current()
    // Takers of the same host queue here, so that of two which find a dead holder only one replaces
    // it.
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
    try writer.write(holder.text)
    try writer.finish()
    if try link(temporary) { return }
    guard let other = Holder(parsing: try fileSystem.readFile(path)) else {
      throw RunDirectoryError.unreadableLock(path: directory)
    }
    // The processes of a killed job may outlive its launcher by a moment.
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

  /// Gives the directory free; doing so again does nothing.
  public func release() {
    guard isHeld else { return }
    isHeld = false
    guard let bytes = try? fileSystem.readFile(path), Holder(parsing: bytes) == holder else {
      return
    }
    try? fileSystem.remove(path)
  }

  deinit {
    release()
  }
}
