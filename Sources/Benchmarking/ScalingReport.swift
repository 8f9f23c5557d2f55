package import Base
import Foundation

/// Measurements of one workload's step on different numbers of ranks, as a table, CSV, JSON and SVG.
///
/// The speed-up is samples per second over those of the first measurement, and the efficiency is
/// the speed-up over the ratio of ranks: 1 is perfect scaling.
package struct ScalingReport {
  /// One line of `lockstep bench step --json`.
  package struct Measurement {
    /// The values that are used here; the others are only passed on.
    private struct Record: Decodable {
      let peer: String
      let ranks: Int
      let samplesPerSecond: Double
      let slowestRank: Int
      let total, compute, exposed, hidden, waiting: Double

      enum CodingKeys: String, CodingKey {
        case peer, ranks
        case samplesPerSecond = "samples_per_s"
        case slowestRank = "slowest_rank"
        case total = "median_ms"
        case compute = "compute_ms"
        case exposed = "exposed_communication_ms"
        case hidden = "hidden_communication_ms"
        case waiting = "waiting_ms"
      }
    }

    /// The JSON object.
    private let line: String
    private let record: Record

    /// The number of ranks.
    package var ranks: Int { record.ranks }
    fileprivate var samplesPerSecond: Double { record.samplesPerSecond }
    fileprivate var slowestRank: Int { record.slowestRank }
    /// Milliseconds of a step: total, compute, exposed and hidden communication, waiting.
    fileprivate var times: [Double] {
      [record.total, record.compute, record.exposed, record.hidden, record.waiting]
    }

    /// Finds the JSON object in the output of the command and its launcher; nil if there is none.
    package init?(output: String) {
      let lines = output.split(separator: "\n").compactMap { line in
        (try? JSON.decode(Record.self, from: line.utf8)).map { (line: line, record: $0) }
      }
      guard let (line, record) = lines.last(where: { $0.record.peer == "lockstep" }),
        record.ranks > 0, record.samplesPerSecond > 0
      else { return nil }
      self.line = String(line)
      self.record = record
    }

    /// The members of the object, which is flat, in order, the values as JSON.
    ///
    /// JSONDecoder does not tell the order of keys.
    fileprivate var members: [(key: String, value: String)] {
      line.matches(of: #/"(\w+)":("[^"]*"|[^,}]+)/#).map { (String($0.1), String($0.2)) }
    }
  }

  /// The title of the picture.
  package let title: String
  /// The machine and program, for the JSON.
  package let machine: JSONObject
  /// The measurements, fewest ranks first.
  package var measurements: [Measurement] = []

  /// Creates a report without measurements.
  package init(title: String, machine: JSONObject) {
    self.title = title
    self.machine = machine
  }

  private func speedUp(_ measurement: Measurement) -> Double {
    measurement.samplesPerSecond / measurements[0].samplesPerSecond
  }

  private func efficiency(_ measurement: Measurement) -> Double {
    speedUp(measurement) * Double(measurements[0].ranks) / Double(measurement.ranks)
  }

  /// The measurements with `speed_up` and `efficiency`.
  private var records: [[(key: String, value: String)]] {
    func rounded(_ value: Double) -> String { "\((value * 1e4).rounded() / 1e4)" }
    return measurements.map { measurement in
      measurement.members + [
        ("speed_up", rounded(speedUp(measurement))),
        ("efficiency", rounded(efficiency(measurement))),
      ]
    }
  }

  /// One object: the machine's keys, then `measurements`.
  package var json: String {
    let objects = records.map { record in
      "{" + record.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }
    return machine.text.dropLast() + ",\"measurements\":[\(objects.joined(separator: ","))]}\n"
  }

  /// A line of keys and one for each measurement.
  package var csv: String {
    let rows = records.map { $0.map { $0.value.trimmingCharacters(in: ["\""]) } }
    return ([records.first?.map(\.key) ?? []] + rows)
      .map { $0.joined(separator: ",") + "\n" }.joined()
  }

  /// The table's head, in 80 columns.
  package static let tableHead = row([
    "ranks", "step", "samples/s", "speed-up", "efficiency", "compute", "exposed", "hidden",
    "waiting", "slowest",
  ])

  /// The table's line for a measurement.
  package func tableRow(_ measurement: Measurement) -> String {
    let times = measurement.times.map { time in
      String(format: time < 10 ? "%.3f" : time < 100 ? "%.2f" : time < 1000 ? "%.1f" : "%.0f", time)
    }
    return Self.row(
      [
        "\(measurement.ranks)", times[0], String(format: "%.0f", measurement.samplesPerSecond),
        String(format: "%.2f", speedUp(measurement)),
        String(format: "%.1f %%", 100 * efficiency(measurement)),
      ] + times[1...] + ["\(measurement.slowestRank)"])
  }

  private static func row(_ cells: [String]) -> String {
    zip(cells, [5, 5, 9, 8, 10, 7, 7, 6, 7, 7]).map { cell, width in
      String(repeating: " ", count: max(0, width - cell.count)) + cell
    }.joined(separator: " ")
  }

  /// Samples per second over ranks, with the line of perfect scaling, as SVG.
  package var svg: String {
    let (left, top, width, height) = (80.0, 50.0, 390.0, 220.0)
    let first = measurements[0]
    let last = Double(measurements[measurements.count - 1].ranks)
    let perfect = first.samplesPerSecond / Double(first.ranks) * last
    let highest = max(perfect, measurements.map(\.samplesPerSecond).max()!)
    func text(_ value: Double) -> String { String(format: "%.1f", value) }
    func x(_ ranks: Double) -> Double { left + width * ranks / last }
    func y(_ rate: Double) -> Double { top + height * (1 - rate / highest) }
    func label(
      _ content: String, _ x: Double, _ y: Double, _ anchor: String, fill: String = "black"
    ) -> String {
      "<text x=\"\(text(x))\" y=\"\(text(y))\" text-anchor=\"\(anchor)\" fill=\"\(fill)\">"
        + "\(content)</text>\n"
    }
    let points = measurements.map { (x: x(Double($0.ranks)), y: y($0.samplesPerSecond)) }
    let line = points.map { "\(text($0.x)),\(text($0.y))" }
    let dots = points.map { "<circle cx=\"\(text($0.x))\" cy=\"\(text($0.y))\" r=\"3\"/>" }
    // From right to left; a number that would overlap the one before is left out.
    var labels = ""
    var room = Double.infinity
    for measurement in measurements.reversed() where x(Double(measurement.ranks)) < room {
      let place = x(Double(measurement.ranks))
      labels += label("\(measurement.ranks)", place, top + height + 17, "middle")
      room = place - 25
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 490 315" font-family="sans-serif" font-size="12">
      <rect width="490" height="315" fill="white"/>
      <path d="M\(left) \(top)V\(top + height)H\(left + width)" fill="none" stroke="#888"/>
      <path d="M\(left) \(top + height)L\(text(x(last))) \(text(y(perfect)))" fill="none" stroke="#888" stroke-dasharray="5 4"/>
      <polyline points="\(line.joined(separator: " "))" fill="none" stroke="#1f5fa8" stroke-width="2"/>
      <g fill="#1f5fa8">\(dots.joined())</g>
      \(label(title, left + width / 2, 18, "middle"))\
      \(label("samples per second", left - 6, top - 12, "start"))\
      \(label("ranks", left + width / 2, top + height + 36, "middle"))\
      \(label(grouped(Int(highest)), left - 6, top + 5, "end"))\
      \(label("0", left - 6, top + height, "end"))\
      \(labels)\
      \(label("measured", left + 12, top + 16, "start", fill: "#1f5fa8"))\
      \(label("perfect scaling", left + 12, top + 32, "start", fill: "#666"))\
      </svg>

      """
  }
}
