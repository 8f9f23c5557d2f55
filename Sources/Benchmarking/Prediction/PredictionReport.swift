package import Base
import Foundation

/// Predicted steps as a table, CSV, JSON and SVG, with measured ones beside them.
package struct PredictionReport {
  /// The prediction.
  package let prediction: ScalingPrediction
  /// The machine and program, for the JSON.
  package let machine: JSONObject
  /// Measured steps of the same workload.
  package let measured: MeasuredSteps?
  /// Whether the network was measured, not given.
  package let isNetworkMeasured: Bool

  package init(
    _ prediction: ScalingPrediction, machine: JSONObject, isNetworkMeasured: Bool,
    measured: MeasuredSteps? = nil
  ) {
    (self.prediction, self.machine, self.measured) = (prediction, machine, measured)
    self.isNetworkMeasured = isNetworkMeasured
  }

  // MARK: - Table

  /// What the prediction rests on, and a table for each kind of scaling, in 80 columns.
  package var text: String {
    var lines = head
    for scaling in ScalingPrediction.Scaling.allCases {
      let points = prediction.points.filter { $0.scaling == scaling }
      guard !points.isEmpty else { continue }
      lines += ["", title(scaling), Self.tableHead]
      lines += points.map(row)
      lines += comparison(points)
    }
    return lines.map { $0 + "\n" }.joined()
  }

  private var head: [String] {
    let (profile, network) = (prediction.profile, prediction.network)
    let timeline = profile.timelines[0]
    let bytes = timeline.count * MemoryLayout<Float>.stride
    let first = timeline.gradients[0].final
    let perMessage =
      network.perMessage > 0
      ? ", \(Self.number(network.perMessage * 1e6)) us for each further message" : ""
    return [
      "\(profile.workload), batch \(timeline.batch), \(count(profile.threads, "thread")) per rank, \(count(prediction.ranksPerNode, "rank")) per node",
      "step     compute \(Self.number(timeline.computeSeconds(ranks: 1, varies: false) * 1e3)) ms, update \(Self.number(timeline.update * 1e3)) ms, of \(count(timeline.ranks, "rank")) at a time",
      String(
        format: "buckets  %.2f MB of gradients, final from %.0f %% to %.0f %% of compute",
        Double(bytes) / 1e6, 100 * first, 100 * timeline.gradients.map(\.final).max()!),
      "network  \(isNetworkMeasured ? "measured" : "given"): \(Self.number(network.latency * 1e6)) us, \(Self.number(network.bandwidth / 1e6)) MB/s\(perMessage)",
    ]
      + (network.contention.map {
        [
          "both     messages during computation: \(Self.number($0.bandwidth / 1e6)) MB/s, computation at \(Self.number(100 * $0.computeSpeed)) %"
        ]
      } ?? [])
  }

  private func title(_ scaling: ScalingPrediction.Scaling) -> String {
    let choice = prediction.configured
    return
      "\(scaling) scaling, configured: \(choice.algorithm), \(Self.megabytes(choice)); milliseconds"
  }

  /// The table's head.
  private static let tableHead = row([
    "nodes", "step", "efficiency", "exposed", "best", "bucket", "algorithm",
  ])

  private func row(_ point: ScalingPrediction.Point) -> String {
    let (configured, best) = (point.configured, point.best)
    return Self.row([
      "\(point.nodes)", Self.number(configured.seconds * 1e3),
      String(format: "%.1f %%", 100 * point.efficiency(configured)),
      Self.number(configured.exposed * 1e3), Self.number(best.seconds * 1e3),
      Self.megabytes(best.choice), best.choice.algorithm,
    ])
  }

  /// The cells in columns; the last one, a name, to the left.
  private static func row(_ cells: [String]) -> String {
    zip(cells, [5, 8, 10, 8, 8, 8, 0]).map { cell, width in
      String(repeating: " ", count: max(0, width - cell.count)) + cell
    }.joined(separator: " ")
  }

  /// Measured steps beside the predicted ones.
  private func comparison(_ points: [ScalingPrediction.Point]) -> [String] {
    let rows = points.compactMap { point in
      measured?.measurement(of: point).map { measurement in
        let predicted = point.configured.seconds * 1e3
        return Self.row([
          "\(point.nodes)", Self.number(predicted), Self.number(measurement.milliseconds),
          String(format: "%+.1f %%", 100 * (predicted / measurement.milliseconds - 1)),
        ])
      }
    }
    guard !rows.isEmpty else { return [] }
    return ["", Self.row(["nodes", "step", "measured", "off by"])] + rows
  }

  private static func megabytes(_ choice: ScalingPrediction.Choice) -> String {
    choice.bucketMegabytes == 0
      ? "one" : "\(String(format: "%.4g", choice.bucketMegabytes)) MB"
  }

  private static func number(_ value: Double) -> String {
    String(
      format: value < 10 ? "%.3f" : value < 100 ? "%.2f" : value < 1000 ? "%.1f" : "%.0f", value)
  }

  // MARK: - Files

  private typealias Members = [(key: String, value: JSONObject.Value)]

  private func members(_ step: ScalingPrediction.Step, of point: ScalingPrediction.Point) -> Members
  {
    [
      ("algorithm", step.choice.algorithm), ("bucket_mb", step.choice.bucketMegabytes),
      ("step_ms", Self.rounded(step.seconds * 1e3)),
      ("exposed_communication_ms", Self.rounded(step.exposed * 1e3)),
      ("samples_per_s", Self.rounded(Double(point.globalBatch) / step.seconds)),
      ("efficiency", Self.rounded(point.efficiency(step))),
    ]
  }

  private func members(_ point: ScalingPrediction.Point) -> Members {
    [
      ("scaling", point.scaling.rawValue), ("nodes", point.nodes), ("ranks", point.ranks),
      ("batch_per_rank", point.batch), ("compute_ms", Self.rounded(point.compute * 1e3)),
    ]
  }

  private static func rounded(_ value: Double) -> Double { (value * 1e4).rounded() / 1e4 }

  /// A line of keys and one for each step that was tried.
  package var csv: String {
    var lines: [String] = []
    for point in prediction.points {
      for step in point.steps {
        let all = members(point) + members(step, of: point)
        if lines.isEmpty { lines.append(all.map(\.key).joined(separator: ",")) }
        lines.append(all.map { "\($0.value)" }.joined(separator: ","))
      }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// One object: the machine's keys, the network, `predictions` and the profile.
  package var json: String {
    let predictions = prediction.points.map { point -> JSONObject in
      var object = JSONObject(members(point))
      object.append("configured", JSONObject(members(point.configured, of: point)))
      object.append("best", JSONObject(members(point.best, of: point)))
      if let measurement = measured?.measurement(of: point) {
        object.append("measured_ms", measurement.milliseconds)
      }
      return object
    }
    let network = prediction.network
    let rest: JSONObject = [
      "ranks_per_node": prediction.ranksPerNode, "jitter": prediction.varies,
      "network": [
        "source": isNetworkMeasured ? "measured" : "given", "latency_s": network.latency,
        "bytes_per_s": network.bandwidth, "per_message_s": network.perMessage,
        "bytes_per_s_while_computing": network.contention?.bandwidth,
        "compute_speed_while_sending": network.contention?.computeSpeed,
      ] as JSONObject,
      "predictions": predictions, "profile": prediction.profile,
    ]
    return (machine + rest).text + "\n"
  }

  /// Efficiency over nodes, with measured points, as SVG.
  package var svg: String {
    let last = max(1, log2(Double(prediction.points.map(\.nodes).max()!)))
    var chart = Chart(
      title: "\(prediction.profile.workload), predicted", left: 60, top: 50, bottom: 45,
      largest: (last, 1))
    chart.addLabel("efficiency", x: chart.leftEdge - 6, y: chart.topEdge - 12, .start)
    chart.addLabel("nodes", x: chart.middle, y: chart.bottomEdge + 36)
    chart.addVerticalLabels(largest: "100 %")
    var room = Double.infinity
    for nodes in Set(prediction.points.map(\.nodes)).sorted(by: >) {
      let place = chart.x(log2(Double(nodes)))
      if place < room {
        chart.addLabel("\(nodes)", x: place, y: chart.bottomEdge + 17)
        room = place - 32
      }
    }
    var legend = chart.bottomEdge - 12
    for (scaling, color) in [
      (ScalingPrediction.Scaling.weak, Chart.blue), (.strong, Chart.orange),
    ] {
      let points = prediction.points.filter { $0.scaling == scaling }
      guard !points.isEmpty else { continue }
      func place(_ nodes: Int, _ efficiency: Double) -> (x: Double, y: Double) {
        (log2(Double(nodes)), min(efficiency, 1))
      }
      chart.addCurve(points.map { place($0.nodes, $0.efficiency($0.configured)) }, color: color)
      let dots = points.compactMap { point in
        measured?.measurement(of: point).map { measurement in
          place(
            point.nodes,
            measurement.samplesPerSecond / point.oneNodeRate / Double(point.nodes))
        }
      }
      if !dots.isEmpty { chart.addDots(dots, color: color) }
      chart.addLabel(
        "\(scaling) scaling" + (dots.isEmpty ? "" : ", dots: measured"), x: chart.leftEdge + 12,
        y: legend, .start, color: color)
      legend -= 16
    }
    return chart.svg
  }
}
