import Base
import Collectives
import NeuralNetworks
import TensorCore
import Testing

import Benchmarking

/// A trace as its viewers read it.
private struct Trace: Decodable {
  struct Event: Decodable {
    struct Arguments: Decodable {
      var name: String?
      var module: String?
      var shapes: String?
      var flop: Double?
    }
    var name: String
    var ph: String
    var cat: String?
    var ts: Double?
    var dur: Double?
    var pid: Int
    var tid: Int
    var args: Arguments
  }
  var displayTimeUnit: String
  var traceEvents: [Event]
}

@Suite("Profile of steps")
struct StepProfileTests {
  private static let workload = Workload.all.first { $0.name == "mlp-tiny" }!

  /// A profile of three steps, of this thread's operations alone: tests beside this one wait as well.
  private static func profile(on communicator: any Communicator) throws -> StepProfile {
    let run = try WorkloadRun(workload, on: communicator)
    let profile = try run.profile(about: 1, communicator)
    let first = profile.events[0], last = profile.events.last!
    return StepProfile(
      steps: profile.steps, events: profile.events, modules: profile.modules,
      spans: [
        Timeline.Span(name: "wait", lane: .compute, start: last.start, end: last.end),
        Timeline.Span(name: "batch 1", lane: .dataLoader, start: first.start, end: last.end),
        Timeline.Span(name: "before", lane: .dataLoader, start: first.start - 1, end: last.end),
      ])
  }

  @Test("the rows of both tables add up to the time of the steps")
  func sums() throws {
    let profile = try Self.profile(on: SingleProcess())
    #expect(profile.steps == 3)
    let whole = Double(profile.events.last!.end - profile.events[0].start) / 1e9
    for rows in [profile.operations(), profile.byModule()] {
      #expect(abs(rows.reduce(0) { $0 + $1.seconds } - whole) < 1e-9)
      #expect(rows.reduce(0) { $0 + $1.calls } == profile.events.count)
      #expect(zip(rows, rows.dropFirst()).allSatisfy { $0.seconds >= $1.seconds })
    }
  }

  @Test("each layer has its operations and modules, and other parts have rows of their own")
  func rows() throws {
    let profile = try Self.profile(on: SingleProcess())
    func calls(_ rows: [StepProfile.Row]) -> [String: Int] {
      Dictionary(uniqueKeysWithValues: rows.map { ("\($0.pass) \($0.name)", $0.calls) })
    }
    let operations = calls(profile.operations())
    #expect(operations["forward Linear"] == 6 && operations["backward Linear"] == 6)
    #expect(operations["forward Sigmoid"] == 6 && operations["backward Sigmoid"] == 6)
    #expect(operations["other update"] == 3 && operations["other wait for slower ranks"] == 3)
    // Linear and Sigmoid, and with the second also the loss.
    let modules = calls(profile.byModule())
    #expect(modules["forward 0"] == 6 && modules["backward 0"] == 6)
    #expect(modules["forward 2"]! >= 9)
  }

  @Test("the work of the first layer is 2 m n k forward, and the same for its weight's gradient")
  func work() throws {
    let profile = try Self.profile(on: SingleProcess())
    let events = profile.events.filter { "\($0.name)" == "Linear" }
    let linear: [Double] = events.prefix(4).map { $0.work.operations }
    // 32 samples; the second layer needs the gradient of its input too.
    #expect(Array(linear) == [384, 192, 384, 384])
  }

  @Test("the report and the JSON have all rows")
  func report() throws {
    let profile = try Self.profile(on: SingleProcess())
    let limits = StepProfile.Limits(operations: 1e9, bfloat16: 2e9, bytes: 1e9)
    let text = profile.report(limits)
    let lines = text.split(separator: "\n")
    #expect(text.hasPrefix("profile of 3 steps, "))
    for row in profile.operations() { #expect(lines.contains { $0.hasPrefix(row.name) }) }
    #expect(lines.contains { $0.hasPrefix("all ") && $0.hasSuffix("100.0 %") })
    let json = profile.record(limits).text
    #expect(json.contains(#""operation":"Linear","pass":"backward","calls":2.0"#))
    #expect(json.contains(#""module":"2","pass":"forward""#))
  }

  @Test("a trace has a lane for each rank and thread, and what is in a lane nests")
  func trace() throws {
    let texts = try withRanks(2) { communicator in
      try Self.profile(on: communicator).trace(communicator)
    }
    #expect(texts[1] == nil)
    let trace = try JSON.decode(Trace.self, from: try #require(texts[0]).utf8)
    #expect(trace.displayTimeUnit == "ms")
    let names = trace.traceEvents.filter { $0.ph == "M" }
      .map { "\($0.pid) \($0.tid) \($0.name) \($0.args.name ?? "")" }
    #expect(
      names == [
        "0 0 process_name rank 0", "0 0 thread_name compute", "0 2 thread_name data loader",
        "1 0 process_name rank 1", "1 0 thread_name compute", "1 2 thread_name data loader",
      ])
    #expect(trace.traceEvents.compactMap(\.ts).min() == 0)
    for rank in 0..<2 {
      let own = trace.traceEvents.filter { $0.ph == "X" && $0.pid == rank }
      #expect(own.filter { $0.cat == "step" }.count == 3)
      #expect(own.filter { $0.name == "Linear backward" }.count == 6)
      #expect(own.filter { $0.name == "wait" && $0.cat == "communication" }.count == 1)
      #expect(own.filter { $0.tid == 2 }.map(\.name) == ["batch 1"])
      let first = try #require(own.first { $0.name == "Linear" })
      #expect(first.args.module == "0" && first.args.shapes == "[32, 2], [3, 2], [3] -> [32, 3]")
      #expect(first.args.flop == 384)
      for lane in Set(own.map(\.tid)) { Self.expectNesting(own.filter { $0.tid == lane }) }
    }
  }

  /// Each event of a lane ends before the next one begins, or contains it.
  private static func expectNesting(_ events: [Trace.Event]) {
    func nanoseconds(_ microseconds: Double) -> Int { Int((microseconds * 1e3).rounded()) }
    let intervals = events.map { event in
      let start = nanoseconds(event.ts!)
      return start..<start + nanoseconds(event.dur!)
    }.sorted { ($0.lowerBound, -$0.count) < ($1.lowerBound, -$1.count) }
    var open: [Range<Int>] = []
    for interval in intervals {
      while let last = open.last, last.upperBound <= interval.lowerBound { open.removeLast() }
      #expect(open.last.map { interval.upperBound <= $0.upperBound } ?? true)
      open.append(interval)
    }
  }
}
