import Base
import Checkpointing
import Foundation
import TestSupport
import Testing
import Training

@Suite struct MetricsLogTests {
  private func record(_ step: Int, kind: MetricsKind = .step) -> MetricsRecord {
    MetricsRecord(
      kind, step: step, epoch: 1, values: ["loss": Float(1) / Float(step), "note": Float?.none])
  }

  @Test("a record is one line of JSON with its keys in order")
  func append() throws {
    let directory = try TemporaryDirectory()
    let log = try MetricsLog(path: directory.path("metrics.jsonl"), continuingAfter: 0)
    try log.append(MetricsRecord(.step, step: 1, epoch: 1, values: ["loss": Float(0.1)]))
    try log.append(
      MetricsRecord(.evaluation, step: 1, epoch: 1, values: ["loss": Double.nan]))
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
    let lines = records.map { $0.line + "\n" }
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

  @Test("a line that was written in part does not swallow the next one")
  func tornAppend() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let path = directory.path("metrics.jsonl")
      let log = try MetricsLog(path: path, continuingAfter: 0)
      let records = (1...3).map {
        MetricsRecord(.step, step: $0, epoch: 1, values: ["loss": 0.5])
      }
      try log.append(records[0])
      // The disk is full in the middle of the second line, and then it is not.
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(1), &limit)
      let old = limit.rlim_cur
      limit.rlim_cur = rlim_t(records[0].line.utf8.count + 11)
      setrlimit(__rlimit_resource_t(1), &limit)
      #expect(throws: FileSystemError.self) { try log.append(records[1]) }
      limit.rlim_cur = old
      setrlimit(__rlimit_resource_t(1), &limit)
      try log.append(records[2])
      #expect(try MetricsLog.records(at: path) == [records[0], records[2]])
      #expect(
        try directory.read("metrics.jsonl") == records[0].line + "\n" + records[2].line + "\n")
    }
  }

  @Test("lines that are no records are dropped, the rest stays as it is")
  func foreignLines() throws {
    let directory = try TemporaryDirectory()
    let good = record(1).line + "\n"
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

  @Test("a full disk is an error of the record, and later records are written again")
  func full() async {
    // In a process of its own, because the limit holds for all files of a process.
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let log = try MetricsLog(path: directory.path("metrics.jsonl"), continuingAfter: 0)
      func record(_ step: Int) -> MetricsRecord {
        MetricsRecord(.step, step: step, epoch: 1, values: ["loss": 0.5])
      }
      try log.append(record(1))
      signal(SIGXFSZ, SIG_IGN)
      var limit = rlimit()
      getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      let size = rlim_t(record(1).line.utf8.count + 1)
      var low = rlimit(rlim_cur: size, rlim_max: limit.rlim_max)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &low)
      let error = #expect(throws: FileSystemError.self) { try log.append(record(2)) }
      #expect(error?.isOutOfSpace == true)
      setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
      try log.append(record(3))
      #expect(try MetricsLog.records(at: log.path) == [record(1), record(3)])
    }
  }
}
