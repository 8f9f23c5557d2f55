package import Base
import Foundation

/// Measurements of one workload's step on different numbers of ranks, as a table, CSV, JSON and SVG.
///
/// The speed-up is samples per second over those of the first measurement, and the efficiency is
/// the speed-up over the ratio of ranks: 1 is perfect scaling. A number of ranks that was measured several
/// times counts with the run whose step time is the median, so that its parts add up, and the shortest and
/// the longest tell the range.
package struct ScalingReport {
  /// One line of `lockstep bench step --json`.
  package struct Measurement {
    /// The values that are used here; the others are only passed on.
    private struct Record: Decodable {
      let peer: String
      let ranks: Int
      let samplesPerSecond: Double
      let slowestRank: Int
      let total, compute, exposed, waiting, update, other: Double

      enum CodingKeys: String, CodingKey {
        case peer, ranks
        case samplesPerSecond = "samples_per_s"
        case slowestRank = "slowest_rank"
        case total = "median_ms"
        case compute = "compute_ms"
        case exposed = "exposed_communication_ms"
        case waiting = "waiting_ms"
        case update = "update_ms"
        case other = "other_ms"
      }
    }

    /// The JSON object.
    private let line: String
    private let record: Record

    /// The number of ranks.
    package var ranks: Int { record.ranks }
    fileprivate var samplesPerSecond: Double { record.samplesPerSecond }
    /// Milliseconds of a step.
    fileprivate var total: Double { record.total }
    /// Its parts: compute, exposed communication, waiting, update, other.
    fileprivate var parts: [Double] {
      [record.compute, record.exposed, record.waiting, record.update, record.other]
    }
    /// How many cores other processes of this computer kept busy meanwhile; nil if the system does not tell.
    package var coresOfOthers: Double?
    /// Whether they took so much that the times may be wrong.
    package var isDisturbed: Bool { (coresOfOthers ?? 0) > 0.1 }

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
      let own = line.matches(of: #/"(\w+)":("[^"]*"|[^,}]+)/#).map { (String($0.1), String($0.2)) }
      return own + [("cores_of_others", coresOfOthers.map { rounded($0) } ?? "null")]
    }
  }

  /// The measurements of one number of ranks.
  private struct Group {
    /// The one whose step time is the median; of an even number, the shorter of the two.
    let median: Measurement
    /// The shortest and the longest step, in milliseconds.
    let shortest, longest: Double
    /// How often it was measured, and how often with disturbances.
    let count, disturbed: Int

    init(_ measurements: [Measurement]) {
      let sorted = measurements.sorted { $0.total < $1.total }
      median = sorted[(sorted.count - 1) / 2]
      (shortest, longest) = (sorted[0].total, sorted[sorted.count - 1].total)
      count = sorted.count
      disturbed = sorted.count { $0.isDisturbed }
    }

    var ranks: Int { median.ranks }
    /// Samples per second with the longest and with the shortest step.
    var rates: ClosedRange<Double> {
      let samples = median.samplesPerSecond * median.total
      return samples / longest...samples / shortest
    }
  }

  /// The title of the picture.
  package let title: String
  /// Whether the ranks share one batch.
  package let isStrong: Bool
  /// Where and when this was measured, and with which MPI library.
  package let origin: Origin
  /// Further facts about the machine and the program, for the JSON.
  package let machine: JSONObject
  /// The measurements, in the order in which they were made.
  package var measurements: [Measurement] = []

  /// What every file tells about where it comes from.
  package struct Origin: Equatable, Sendable {
    package let host, date, mpi: String

    package init(host: String, date: String, mpi: String) {
      (self.host, self.date, self.mpi) = (host, date, mpi)
    }

    fileprivate var members: [(key: String, value: String)] {
      [("host", host), ("date", date), ("mpi", mpi)].map { ($0, JSONObject.text($1)) }
    }
  }

  /// Creates a report without measurements.
  package init(title: String, isStrong: Bool, origin: Origin, machine: JSONObject) {
    self.title = title
    self.isStrong = isStrong
    self.origin = origin
    self.machine = machine
  }

  /// The numbers of ranks, fewest first.
  private var groups: [Group] {
    Dictionary(grouping: measurements, by: \.ranks).values.map { Group($0) }
      .sorted { $0.ranks < $1.ranks }
  }

  /// The law that the measurements follow; nil if there are too few.
  package var law: ScalingLaw? {
    ScalingLaw(groups.map { ($0.ranks, $0.median.samplesPerSecond) }, isStrong: isStrong)
  }

  /// How much faster and how well used than the fewest ranks.
  private func speedUp(_ group: Group, _ first: Group) -> (factor: Double, efficiency: Double) {
    let factor = group.median.samplesPerSecond / first.median.samplesPerSecond
    return (factor, factor * Double(first.ranks) / Double(group.ranks))
  }

  /// The medians, with `speed_up`, `efficiency`, the range and the origin.
  private var records: [[(key: String, value: String)]] {
    let groups = groups
    return groups.map { group in
      let speedUp = speedUp(group, groups[0])
      return group.median.members + [
        ("speed_up", rounded(speedUp.factor)), ("efficiency", rounded(speedUp.efficiency)),
        ("repetitions", "\(group.count)"), ("shortest_ms", rounded(group.shortest)),
        ("longest_ms", rounded(group.longest)), ("disturbed", "\(group.disturbed)"),
      ] + origin.members
    }
  }

  /// One object: the origin, the machine's keys, the medians as `measurements`, all `runs`, and the law that
  /// fits.
  package var json: String {
    func objects(_ records: [[(key: String, value: String)]]) -> String {
      let texts = records.map { record in
        "{" + record.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
      }
      return "[\(texts.joined(separator: ","))]"
    }
    let first = origin.members.map { ",\"\($0.key)\":\($0.value)" }.joined()
    let fraction = law.map { rounded($0.serialFraction) } ?? "null"
    return machine.text.dropLast() + first + ",\"serial_fraction\":\(fraction)"
      + ",\"measurements\":\(objects(records)),\"runs\":\(objects(measurements.map(\.members)))}\n"
  }

  /// A line of keys and one for each number of ranks.
  package var csv: String {
    let rows = records.map { $0.map { $0.value.trimmingCharacters(in: ["\""]) } }
    return ([records.first?.map(\.key) ?? []] + rows)
      .map { $0.joined(separator: ",") + "\n" }.joined()
  }

  /// The table's head, in 80 columns.
  package static let tableHead = row([
    "ranks", "step", "samples/s", "speed-up", "effic.", "compute", "exposed", "waiting", "update",
    "other", "range",
  ])

  /// The table's lines, one for each number of ranks: the range is that of the step times of repetitions, in
  /// percent of the median, and an asterisk marks disturbances.
  package var tableRows: [String] {
    func text(_ time: Double) -> String {
      String(format: time < 10 ? "%.3f" : time < 100 ? "%.2f" : time < 1000 ? "%.1f" : "%.0f", time)
    }
    let groups = groups
    return groups.map { group in
      let speedUp = speedUp(group, groups[0])
      let range = (group.longest - group.shortest) / group.median.total
      return Self.row(
        [
          "\(group.ranks)", text(group.median.total),
          String(format: "%.0f", group.median.samplesPerSecond),
          String(format: "%.2f", speedUp.factor),
          String(format: "%.0f %%", 100 * speedUp.efficiency),
        ] + group.median.parts.map(text) + [
          (group.count > 1 ? String(format: "%.0f%%", 100 * range) : "-")
            + (group.disturbed > 0 ? "*" : "")
        ])
    }
  }

  private static func row(_ cells: [String]) -> String {
    zip(cells, [5, 5, 9, 8, 6, 7, 7, 7, 6, 5, 5]).map { cell, width in
      String(repeating: " ", count: max(0, width - cell.count)) + cell
    }.joined(separator: " ")
  }

  /// Samples per second over ranks with their range, the line of perfect scaling and the law that fits, as
  /// SVG.
  package var svg: String {
    let groups = groups
    let first = groups[0]
    let last = Double(groups[groups.count - 1].ranks)
    let perfect = first.median.samplesPerSecond / Double(first.ranks) * last
    let highest = max(perfect, groups.map(\.rates.upperBound).max()!)
    let points = groups.map { (x: Double($0.ranks), y: $0.median.samplesPerSecond) }
    var chart = Chart(title: title, left: 80, top: 66, bottom: 45, largest: (last, highest))
    chart.addLabel(
      "\(origin.host), \(origin.date), \(origin.mpi)", x: chart.middle, y: 34, color: "#666")
    chart.addDashedLine(to: (last, perfect))
    if let law {
      let start = Double(first.ranks)
      let curve = (0...50).map { start + (last - start) * Double($0) / 50 }
      chart.addCurve(curve.map { (x: $0, y: law.rate($0)) }, color: "#c4661f", width: 1)
    }
    chart.addCurve(points)
    for group in groups where group.count > 1 {
      chart.addRange(
        x: Double(group.ranks), from: group.rates.lowerBound, to: group.rates.upperBound)
    }
    chart.addDots(points)
    chart.addLabel("samples per second", x: chart.leftEdge - 6, y: chart.topEdge - 12, .start)
    chart.addLabel("ranks", x: chart.middle, y: chart.bottomEdge + 36)
    chart.addVerticalTicks {
      $0 < 10 ? String(format: "%g", $0) : grouped(Int($0.rounded()))
    }
    chart.addHorizontalTicks(groups.map { (Double($0.ranks), "\($0.ranks)") })
    let disturbed = groups.contains { $0.disturbed > 0 }
    let legend = [
      ("measured" + (disturbed ? ", disturbed by other processes" : ""), Chart.blue),
      ("perfect scaling", "#666"),
      (law?.description ?? "", "#c4661f"),
    ].filter { !$0.0.isEmpty }
    for (line, (text, color)) in legend.enumerated() {
      chart.addLabel(
        text, x: chart.leftEdge + 12, y: chart.topEdge + 16 * Double(line + 1), .start, color: color
      )
    }
    return chart.svg
  }
}

/// A number for JSON and CSV.
private func rounded(_ value: Double) -> String { "\((value * 1e4).rounded() / 1e4)" }
