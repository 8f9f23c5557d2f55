import Base
package import Collectives
import TensorCore

extension StepProfile {
  /// The profiles of all ranks in the format of Chrome's trace viewer and Perfetto, on rank zero; nil on
  /// others.
  ///
  /// Collective: all ranks call it, right after the last step. Each rank is a process, and each of its
  /// threads a lane. The ranks of one computer have the same clock. That of another computer is moved so
  /// that all ranks leave a barrier at the same time, which is as exact as a message is fast.
  package func trace(_ communicator: any Communicator) -> String? {
    communicator.barrier()
    let now = Timeline.now
    let rootNow = communicator.broadcast(now)
    let sharesClock = communicator.topology.nodes[0].contains(communicator.rank)
    /// What this clock says when that of rank zero says `rootNow`.
    let zero = sharesClock ? rootNow : now
    let start = nanoseconds(events.first?.start ?? now, since: zero)
    let first = communicator.allReduce(Double(start), .min)
    let origin = zero &+ UInt64(bitPattern: Int64(first))
    let ranks = communicator.allGather(
      traceEvents(rank: communicator.rank, origin: origin).joined(separator: ",\n"))
    guard communicator.isRoot else { return nil }
    return "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n" + ranks.joined(separator: ",\n")
      + "\n]}\n"
  }

  /// The events of this rank as JSON objects; `origin` is the time zero of the trace on this rank's clock.
  private func traceEvents(rank: Int, origin: UInt64) -> [String] {
    func metadata(_ kind: String, lane: Int, _ name: String) -> String {
      let arguments: JSONObject = ["name": name]
      let object: JSONObject = [
        "name": kind, "ph": "M", "pid": rank, "tid": lane, "args": arguments,
      ]
      return object.text
    }
    func complete(
      _ name: String, _ category: String, _ lane: Timeline.Lane, _ start: UInt64, _ end: UInt64,
      _ arguments: JSONObject = [:]
    ) -> String {
      let object: JSONObject = [
        "name": name, "cat": category, "ph": "X", "ts": microseconds(start, since: origin),
        "dur": microseconds(end, since: start), "pid": rank, "tid": lane.rawValue,
        "args": arguments,
      ]
      return object.text
    }
    let first = events.first?.start ?? 0
    let spans = spans.filter { $0.start >= first }
    let lanes = Timeline.Lane.allCases.filter { lane in
      lane == .compute || spans.contains { $0.lane == lane }
    }
    return [metadata("process_name", lane: 0, "rank \(rank)")]
      + lanes.map { metadata("thread_name", lane: $0.rawValue, $0.name) }
      + stepTimes.enumerated().map {
        complete("step \($0 + 1)", "step", .compute, $1.start, $1.end)
      }
      + events.map { event in
        complete(
          event.pass == .backward ? "\(event.name) backward" : "\(event.name)",
          event.pass.rawValue, .compute, event.start, event.end, arguments(event))
      }
      + spans.map {
        complete(
          $0.name, $0.lane == .dataLoader ? "data" : "communication", $0.lane, $0.start, $0.end)
      }
  }

  /// The steps: what lies between two times "between steps".
  private var stepTimes: [(start: UInt64, end: UInt64)] {
    let between = events.filter { $0.pass == .other && "\($0.name)" == "between steps" }
    return zip(between, between.dropFirst()).map { ($0.end, $1.start) }
  }

  private func arguments(_ event: OperationProfiler.Event) -> JSONObject {
    guard event.pass != .other else { return [:] }
    var arguments: JSONObject = [:]
    if event.module > 0 { arguments.append("module", modules[event.module]) }
    if let result = event.shapes.last {
      let inputs = event.shapes.dropLast().map { "\($0)" }.joined(separator: ", ")
      arguments.append("shapes", "\(inputs) -> \(result)")
    }
    if event.work.operations > 0 { arguments.append("flop", event.work.operations) }
    if event.work.bytes > 0 { arguments.append("bytes", event.work.bytes) }
    return arguments
  }

  private func microseconds(_ time: UInt64, since start: UInt64) -> Double {
    Double(nanoseconds(time, since: start)) / 1e3
  }

  private func nanoseconds(_ time: UInt64, since start: UInt64) -> Int64 {
    Int64(bitPattern: time &- start)
  }
}
