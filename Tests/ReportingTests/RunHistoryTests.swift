import Foundation
import Reporting
import TestSupport
import Testing
import Training

@Suite struct RunHistoryTests {
  @Test func `a log is read by kind`() throws {
    let metrics = try RunFixture(["metrics.jsonl": log(steps: 25)]).history.metrics
    #expect(metrics.steps.count == 25)
    #expect(metrics.epochs.map(\.step) == [10, 20])
    #expect(metrics.evaluations.map(\.step) == [10, 20])
    #expect(metrics.best?.step == 20)
    #expect(metrics.seconds == 25)
    #expect(metrics.last?.step == 25)
    #expect(metrics.epochs[0].phases["data"] == [1, 2])
  }

  @Test func `without its steps a log has the last of them`() throws {
    let fixture = try RunFixture(["metrics.jsonl": log(steps: 25)])
    let metrics = MetricsHistory(path: fixture.directory.metricsPath, withSteps: false)
    #expect(metrics.steps.map(\.step) == [25])
    #expect(metrics.evaluations.map(\.step) == [10, 20])
  }

  @Test func `torn and foreign lines are left out`() throws {
    let log = """
      {"kind":"step","step":1,"epoch":1,"loss":2.0}
      not JSON
      {"kind":"other","step":2,"epoch":1}
      {"kind":"step","step":-5,"epoch":1}
      {"kind":"step","step":3,"epoch":1,"loss":"NaN","accuracy":"high","phases":7}
      {"kind":"step","step":1e400,"epoch":1}
      {"kind":"step","step":4,"epo
      """
    let metrics = try RunFixture(["metrics.jsonl": log]).history.metrics
    #expect(metrics.steps.map(\.step) == [1, 3])
    #expect(metrics.steps[1][.loss]?.isNaN == true)
    #expect(metrics.steps[1][.accuracy] == nil)
  }

  @Test func `keys may stand in any order, among others that are not known`() throws {
    let log = #"""
       { "note" : "a\"},{" , "x":[1,{"step":9,"loss":8}],"loss":0.5, "best":true,"accuracy":null,
      {"note":"a\"},{","x":[1,{"step":9,"loss":8}],"loss":0.5 , "best":true,"accuracy":null,"epoch":2,"step":5,"kind":"eval"}
      {"kind":"eval","step":6,"epoch":1,"loss":"Infinity"}trailing
      {"kind":"eval","step":7.5,"epoch":1}
      """#
    let metrics = try RunFixture(["metrics.jsonl": log]).history.metrics
    #expect(metrics.evaluations.map(\.step) == [5])
    #expect(metrics.best?[.loss] == 0.5)
    #expect(metrics.best?[.accuracy] == nil)
    #expect(metrics.best?.epoch == 2)
  }

  @Test func `a directory with nothing but a status is a run without anything`() throws {
    let run = try RunFixture().history
    #expect(run.state == .done)
    #expect(run.configuration == nil)
    #expect(run.environment.isEmpty)
    #expect(run.metrics.last == nil)
    #expect(run.dataText == "–")
  }

  @Test func `a run that says it is running without a process has died`() throws {
    let fixture = try RunFixture(["STATUS": "running\n"])
    #expect(fixture.history.state == .died)
    let lock = try fixture.directory.lock()
    #expect(fixture.history.state == .running)
    lock.release()
    #expect(fixture.history.state == .died)
  }

  @Test func `attempts are paired, and a killed one has no end`() throws {
    let log = """
      {"event":"start","time":100,"step":0,"ranks":2,"host":"a","pid":1,"version":"0.1.0"}
      {"event":"start","time":200,"step":40,"ranks":4,"host":"b","pid":2,"version":"0.1.0"}
      {"event":"end","time":260,"step":80,"status":"stopped","reason":"SIGTERM"}
      {"event":"sta
      """
    let attempts = try RunFixture(["attempts.jsonl": log]).history.attempts
    #expect(attempts.map(\.ranks) == [2, 4])
    #expect(attempts.map(\.end) == [nil, 260])
    #expect(attempts[1].reason == "SIGTERM")
  }

  @Test
  func `a launch tells why an attempt was killed, and is silent about one that says so itself`()
    throws
  {
    let log = """
      {"event":"start","time":100,"step":0,"ranks":2,"host":"a","launch":"f00","attempt":1}
      {"event":"launch","launch":"f00","attempt":1,"exitCode":137,"cause":"rank 1 was killed"}
      {"event":"launch","launch":"f00","attempt":2,"exitCode":205,"cause":"did not start"}
      {"event":"start","time":200,"step":40,"ranks":2,"host":"a","launch":"f00","attempt":3}
      {"event":"end","time":260,"step":80,"status":"failed","reason":"no space"}
      {"event":"launch","launch":"f00","attempt":3,"exitCode":74,"cause":"rank 0 failed"}
      """
    let attempts = try RunFixture(["attempts.jsonl": log]).history.attempts
    #expect(attempts.map(\.reason) == ["rank 1 was killed", "no space"])
    #expect(attempts.map(\.status) == [nil, "failed"])
  }

  @Test func `the start is in the name of the directory`() throws {
    let folder = try TemporaryDirectory()
    let path = folder.path("2026-11-21T06-50-38_dfd8")
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    #expect(RunHistory(RunDirectory(path: path)).start == 1_795_243_838)
  }

  @Test func `runs are found below a directory, and a checkpoint is none`() throws {
    let folder = try TemporaryDirectory()
    for path in ["a/1/STATUS", "a/2/run.json", "b/metrics.jsonl", "c/d/x.txt", "a/1/checkpoints/f"]
    {
      let file = URL(fileURLWithPath: folder.path(path))
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data("x".utf8).write(to: file)
    }
    let found = try RunDirectory.all(in: folder.path).map(\.path)
    #expect(found == ["a/1", "a/2", "b"].map { folder.path($0) })
    #expect(throws: RunNotFound.self) { try RunDirectory.existing(at: folder.path("c")) }
    #expect(try RunDirectory.existing(at: folder.path("a")).path == folder.path("a/2"))
  }
}
