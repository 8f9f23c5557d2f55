import Base
import Checkpointing
import Foundation
import TestSupport
import Testing
import Training

@Suite struct RunDirectoryTests {
  @Test("a new run gets a directory of its own, named by time and chance")
  func create() throws {
    let directory = try TemporaryDirectory()
    let date = Date(timeIntervalSince1970: 1_795_230_612)
    let paths = try (0..<20).map { _ in
      try RunDirectory.create(in: directory.path("runs"), name: "digits-mlp", at: date).path
    }
    #expect(Set(paths).count == 20)
    let name = try #require(paths[0].split(separator: "/").last)
    #expect(name.wholeMatch(of: /2026-11-21T03-10-12_[0-9a-f]{4}/) != nil)
  }

  @Test("the newest run that has a checkpoint is found")
  func newest() throws {
    let directory = try TemporaryDirectory()
    let root = directory.path("runs")
    #expect(try RunDirectory.newest(in: root, name: "a") == nil)
    let runs = try (0..<3).map { index in
      try RunDirectory.create(
        in: root, name: "a", at: Date(timeIntervalSince1970: 1e9 + 86_400 * Double(index)))
    }
    #expect(try RunDirectory.newest(in: root, name: "a") == nil)
    for run in runs.dropLast() {
      try run.checkpoints(keep: 1).commit(step: 1, files: [.text("state.json", "{}")])
    }
    #expect(try RunDirectory.newest(in: root, name: "a") == runs[1])
  }

  @Test("configuration, environment and status are written")
  func files() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path("run"))
    try run.prepare()
    #expect(try run.status() == nil)
    for status in RunStatus.allCases {
      try run.setStatus(status)
      #expect(try run.status() == status)
    }
    try run.write(TrainingConfiguration())
    #expect(try directory.read("run/config.yaml") == TrainingConfiguration().yaml())
    try run.write(environment: ["ranks": .integer(4), "host": .string("a")])
    #expect(try directory.read("run/env.json") == "{\"host\":\"a\",\"ranks\":4}\n")
    #expect(try directory.names("run") == ["STATUS", "config.yaml", "env.json"])
  }

  @Test("a directory cannot be made where a file is")
  func refused() throws {
    let directory = try TemporaryDirectory()
    try directory.write("", to: "file")
    let error = #expect(throws: FileSystemError.self) {
      try RunDirectory(path: directory.path("file/run")).prepare()
    }
    #expect(error?.exitStatus == .cannotCreate)
  }

  @Test("of two jobs in one directory the second is refused and told who holds it")
  func lock() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path)
    let lock = try run.lock()
    let error = #expect(throws: RunDirectoryError.self) { try run.lock() }
    #expect(error?.exitStatus == .cannotCreate)
    #expect(error?.description.contains("process \(getpid()) on host") == true)
    lock.release()
    #expect(try directory.names().isEmpty)
    do {
      let second = try run.lock()
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      withExtendedLifetime(second) {}
    }
    #expect(try directory.names().isEmpty)
  }

  @Test("a lock whose process is gone, or is another of the same number, is taken over")
  func staleLock() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path)
    let host = ProcessInfo.processInfo.hostName
    let ended = Process()
    ended.executableURL = URL(fileURLWithPath: "/bin/true")
    try ended.run()
    ended.waitUntilExit()
    for process in [Int(ended.processIdentifier), Int(getpid())] {
      try directory.write(
        JSONValue.object([
          "host": .string(host), "pid": .integer(process), "start": .integer(1),
        ]).text, to: "LOCK")
      let lock = try run.lock()
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      lock.release()
    }
  }

  @Test("a lock of another host, or one that says nothing, is respected")
  func foreignLock() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path)
    try directory.write(#"{"host":"elsewhere.example","pid":1,"start":1}"#, to: "LOCK")
    #expect(
      throws: RunDirectoryError.inUse(path: directory.path, host: "elsewhere.example", process: 1)
    ) { try run.lock() }
    try directory.write("", to: "LOCK")
    #expect(throws: RunDirectoryError.unreadableLock(path: directory.path)) { try run.lock() }
    #expect(try directory.names() == ["LOCK"])
  }

  @Test("a job that was put back into the queue takes over its lock from another host")
  func requeuedJob() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let run = RunDirectory(path: directory.path)
      let lock = #"{"host":"elsewhere.example","pid":1,"start":1,"job":"17","restarts":0}"#
      try directory.write(lock, to: "LOCK")
      setenv("SLURM_JOB_ID", "17", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      setenv("SLURM_RESTART_COUNT", "1", 1)
      try run.lock().release()
      try directory.write(lock, to: "LOCK")
      setenv("SLURM_JOB_ID", "18", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
    }
  }

  @Test("of many that want a dead job's directory one gets it")
  func contendedLock() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path
    let host = ProcessInfo.processInfo.hostName
    try directory.write(#"{"host":"\#(host)","pid":\#(getpid()),"start":1}"#, to: "LOCK")
    let winners = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 {
        group.addTask {
          guard let lock = try? RunDirectory(path: path).lock() else { return false }
          try? await Task.sleep(for: .milliseconds(300))
          withExtendedLifetime(lock) {}
          return true
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(winners >= 1)
    #expect(winners < 8)
    #expect(try directory.names().isEmpty)
  }
}

@Suite struct MetricsLogTests {
  private func record(_ step: Int, kind: MetricsKind = .step) -> MetricsRecord {
    MetricsRecord(
      kind, step: step, epoch: 1, values: ["loss": .number(Float(1) / Float(step)), "note": .null])
  }

  @Test("a record is one line of JSON with its keys in order")
  func append() throws {
    let directory = try TemporaryDirectory()
    let log = try MetricsLog(path: directory.path("metrics.jsonl"), continuingAfter: 0)
    try log.append(MetricsRecord(.step, step: 1, epoch: 1, values: ["loss": .number(Float(0.1))]))
    try log.append(
      MetricsRecord(.evaluation, step: 1, epoch: 1, values: ["loss": .number(Double.nan)]))
    #expect(
      try directory.read("metrics.jsonl") == """
        {"kind":"step","step":1,"epoch":1,"loss":0.1}
        {"kind":"eval","step":1,"epoch":1,"loss":"NaN"}

        """)
    let records = try MetricsLog.records(at: log.path)
    #expect(records.map(\.kind) == [.step, .evaluation])
    #expect(records[0]["loss"] == 0.1)
    #expect(records[1]["loss"]?.isNaN == true)
    #expect(records[0]["accuracy"] == nil)
  }

  @Test("a run that continues finds no later step and no torn line, however the log was cut")
  func resume() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path("metrics.jsonl")
    let records = (1...6).map { record($0) } + [record(6, kind: .epoch)]
    let lines = records.map { $0.json.text + "\n" }
    let bytes = Array(lines.joined().utf8)
    for count in 0...bytes.count {
      try directory.write(Array(bytes.prefix(count)), to: "metrics.jsonl")
      let log = try MetricsLog(path: path, continuingAfter: 4)
      let wholeLines = bytes.prefix(count).count { $0 == UInt8(ascii: "\n") }
      let kept = Array(records.prefix(min(4, wholeLines)))
      #expect(try MetricsLog.records(at: path) == kept)
      try log.append(record(5))
      #expect(try MetricsLog.records(at: path) == kept + [record(5)])
      #expect(try directory.read("metrics.jsonl").hasSuffix("}\n"))
    }
  }

  @Test("lines that are no records are dropped, the rest stays as it is")
  func foreignLines() throws {
    let directory = try TemporaryDirectory()
    let good = record(1).json.text + "\n"
    try directory.write(good + "\0\0\0\n{}\n[1]\n" + good, to: "metrics.jsonl")
    let path = directory.path("metrics.jsonl")
    #expect(try MetricsLog.records(at: path).count == 2)
    _ = try MetricsLog(path: path, continuingAfter: 3)
    #expect(try directory.read("metrics.jsonl") == good + good)
    _ = try MetricsLog(path: path, continuingAfter: 0)
    #expect(try directory.read("metrics.jsonl") == "")
  }

  @Test("a log that cannot be opened is an error")
  func refused() throws {
    let directory = try TemporaryDirectory()
    let error = #expect(throws: FileSystemError.self) {
      try MetricsLog(path: directory.path("missing/metrics.jsonl"), continuingAfter: 0)
    }
    #expect(error?.exitStatus == .cannotCreate)
  }

  @Test("a full disk is an error and no crash")
  func full() throws {
    guard FileManager.default.isWritableFile(atPath: "/dev/full") else { return }
    let directory = try TemporaryDirectory()
    let path = directory.path("metrics.jsonl")
    let log = try MetricsLog(path: path, continuingAfter: 0)
    let full = open("/dev/full", O_WRONLY)
    defer { close(full) }
    let error = #expect(throws: FileSystemError.self) {
      try [UInt8](repeating: 0, count: 10).withUnsafeBytes {
        try writeAll($0, to: full, path: log.path)
      }
    }
    #expect(error?.isOutOfSpace == true)
  }
}
