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
    let first = measurements[0]
    let last = Double(measurements[measurements.count - 1].ranks)
    let perfect = first.samplesPerSecond / Double(first.ranks) * last
    let highest = max(perfect, measurements.map(\.samplesPerSecond).max()!)
    let points = measurements.map { (x: Double($0.ranks), y: $0.samplesPerSecond) }
    var chart = Chart(title: title, left: 80, top: 50, bottom: 45, largest: (last, highest))
    chart.addDashedLine(to: (last, perfect))
    chart.addCurve(points)
    chart.addDots(points)
    chart.addLabel("samples per second", x: chart.leftEdge - 6, y: chart.topEdge - 12, .start)
    chart.addLabel("ranks", x: chart.middle, y: chart.bottomEdge + 36)
    chart.addVerticalLabels(largest: grouped(Int(highest)))
    // From right to left; a number that would overlap the one before is left out.
    var room = Double.infinity
    for ranks in measurements.reversed().map(\.ranks) where chart.x(Double(ranks)) < room {
      let place = chart.x(Double(ranks))
      chart.addLabel("\(ranks)", x: place, y: chart.bottomEdge + 17)
      room = place - 25
    }
    chart.addLabel(
      "measured", x: chart.leftEdge + 12, y: chart.topEdge + 16, .start, color: Chart.blue)
    chart.addLabel(
      "perfect scaling", x: chart.leftEdge + 12, y: chart.topEdge + 32, .start, color: "#666")
    return chart.svg
  }
}
