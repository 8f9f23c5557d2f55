import Base
public import Checkpointing
public import Foundation

/// The content of a run's STATUS file.
public enum RunStatus: String, Sendable, CaseIterable {
  case running, done, failed, stopped
}

/// The directory of a run: its configuration, environment, metrics, checkpoints, status and lock.
public struct RunDirectory: Sendable, Equatable {
  /// The directory.
  public let path: String
  private let fileSystem: FileSystem

  /// A directory, which need not exist yet.
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
    precondition(name.isPlainFileName, "RunDirectory.create: '\(name)' is not a file name")
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

  /// The directory of a run, given itself or the directory of several runs, of which the one that started
  /// last is taken: `runs/digits-mlp` is its newest run.
  ///
  /// A path without runs is returned as it is.
  public static func find(at path: String) throws -> RunDirectory {
    let fileSystem = FileSystem()
    func isRun(_ path: String) throws -> Bool {
      try fileSystem.names(in: path).contains {
        ["run.json", "checkpoints", "STATUS"].contains($0)
      }
    }
    guard try fileSystem.findsDirectory(path), try !isRun(path) else {
      return RunDirectory(path: path)
    }
    // Names begin with the time of the start.
    for name in try fileSystem.names(in: path).sorted(by: >) where !name.hasPrefix(".") {
      let inner = path.appendingPath(name)
      if try fileSystem.findsDirectory(inner), (try? isRun(inner)) ?? false {
        return RunDirectory(path: inner)
      }
    }
    return RunDirectory(path: path)
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
  /// The log of the processes that trained the run.
  public var attemptsPath: String { path.appendingPath("attempts.jsonl") }
  /// The description of host, tools and ranks.
  public var environmentPath: String { path.appendingPath("env.json") }

  /// Which run the directory holds.
  private var runFilePath: String { path.appendingPath("run.json") }

  /// The checkpoints of the run, which get its id.
  public func checkpoints(keep: Int, run: String? = nil) -> CheckpointStore {
    CheckpointStore(
      directory: path.appendingPath("checkpoints"), keep: keep, run: run, fileSystem: fileSystem)
  }

  /// Creates the directory where missing and proves that it can be written durably.
  public func prepare() throws {
    try fileSystem.preflight(path)
  }

  /// Removes temporary files that a killed run left; call it while holding the lock.
  func removeTemporaries() throws {
    let host = ProcessInfo.processInfo.hostName
    for name in try fileSystem.names(in: path) {
      // A process of another host may be about to ask for the lock.
      let isOurs =
        name.wholeMatch(of: /\.preflight-[0-9]+-[0-9]+/) != nil
        || name.wholeMatch(
          of: /\.(config\.yaml|env\.json|metrics\.jsonl|run\.json|STATUS)\.tmp-[0-9]+/) != nil
        || name.hasPrefix(".LOCK.tmp-\(host)-")
      if isOurs { try fileSystem.remove(path.appendingPath(name)) }
    }
  }

  /// Which run the directory holds; nil in directories of earlier versions, and where the file is
  /// damaged.
  func runFile() throws -> RunFile? {
    do {
      return RunFile(try fileSystem.readFile(runFilePath))
    } catch let error as FileSystemError where error.showsDamage {
      return nil
    }
  }

  /// The folder in which the run was started, which its relative paths are relative to; nil in
  /// directories of earlier versions.
  public var startFolder: String? { (try? runFile())?.folder }

  /// Writes which run the directory holds.
  func write(_ file: RunFile) throws {
    try fileSystem.replaceFile(runFilePath, with: file.text)
  }

  /// Writes the resolved configuration.
  public func write(configuration: String) throws {
    try fileSystem.replaceFile(configurationPath, with: configuration)
  }

  /// Writes the description of host, tools and ranks.
  public func write(environment: some Encodable) throws {
    try fileSystem.replaceFile(environmentPath, with: JSON.text(environment) + "\n")
  }

  /// Opens the log of metrics of a run that continues after a step, or of a new run after step 0.
  public func metricsLog(continuingAfter step: Int) throws -> MetricsLog {
    try MetricsLog(path: metricsPath, continuingAfter: step, fileSystem: fileSystem)
  }

  /// The content of the STATUS file; nil before the first run.
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

  /// Locks the directory for this process, or throws who has locked it.
  public func lock() throws -> RunLock {
    try RunLock(directory: path, fileSystem: fileSystem)
  }
}
