import Foundation
import Base
import Benchmarking
import Testing

@Suite struct ScalingReportTests {
  private func line(ranks: Int, _ step: Double, _ rate: Double, slowest: Int = 0) -> String {
    """
    {"peer":"lockstep","workload":"mlp","ranks":\(ranks),"median_ms":\(step),\
    "samples_per_s":\(rate),"compute_ms":10.5,"waiting_ms":0.25,"exposed_communication_ms":0.125,\
    "hidden_communication_ms":1234.5,"update_ms":2.5,"other_ms":0.0625,"slowest_rank":\(slowest)}
    """
  }

  private func report(_ lines: [String], isStrong: Bool = false) throws -> ScalingReport {
    var report = ScalingReport(
      title: "mlp", isStrong: isStrong,
      origin: .init(host: "node01", date: "2026-11-30T16:47:00Z", mpi: "Open MPI v4"),
      machine: ["cores": 8])
    report.measurements = try lines.map { try #require(ScalingReport.Measurement(output: $0)) }
    return report
  }

  private func sweep() throws -> ScalingReport {
    try report([
      line(ranks: 2, 16, 8000), line(ranks: 4, 20, 12800, slowest: 3), line(ranks: 8, 16, 32000),
    ])
  }

  @Test("speed-up and efficiency are relative to the fewest ranks, in CSV and JSON")
  func numbers() throws {
    let report = try sweep()
    let origin = "node01,2026-11-30T16:47:00Z,Open MPI v4"
    #expect(
      report.csv == """
        peer,workload,ranks,median_ms,samples_per_s,compute_ms,waiting_ms,\
        exposed_communication_ms,hidden_communication_ms,update_ms,other_ms,slowest_rank,\
        cores_of_others,speed_up,efficiency,repetitions,shortest_ms,longest_ms,disturbed,host,date,mpi
        lockstep,mlp,2,16.0,8000.0,10.5,0.25,0.125,1234.5,2.5,0.0625,0,null,1.0,1.0,1,16.0,16.0,0,\(origin)
        lockstep,mlp,4,20.0,12800.0,10.5,0.25,0.125,1234.5,2.5,0.0625,3,null,1.6,0.8,1,20.0,20.0,0,\(origin)
        lockstep,mlp,8,16.0,32000.0,10.5,0.25,0.125,1234.5,2.5,0.0625,0,null,4.0,1.0,1,16.0,16.0,0,\(origin)

        """)
    let json = try JSON.decode(Content.self, from: report.json.utf8)
    #expect(json.cores == 8 && json.host == "node01" && json.mpi == "Open MPI v4")
    #expect(json.date == "2026-11-30T16:47:00Z")
    #expect(json.measurements.map(\.efficiency) == [1, 0.8, 1])
    #expect(json.measurements.map(\.speedUp) == [1, 1.6, 4])
    #expect(json.measurements.map(\.slowestRank) == [0, 3, 0])
  }

  private struct Content: Decodable {
    struct Measurement: Decodable {
      let efficiency, speedUp, median, shortest, longest: Double
      let slowestRank, repetitions, disturbed: Int

      enum CodingKeys: String, CodingKey {
        case efficiency, repetitions, disturbed
        case speedUp = "speed_up"
        case slowestRank = "slowest_rank"
        case median = "median_ms"
        case shortest = "shortest_ms"
        case longest = "longest_ms"
      }
    }
    struct Run: Decodable {
      let ranks: Int
    }
    let cores: Int
    let host, date, mpi: String
    let measurements: [Measurement]
    let runs: [Run]
    let fraction: Double?

    enum CodingKeys: String, CodingKey {
      case cores, host, date, mpi, measurements, runs
      case fraction = "serial_fraction"
    }
  }

  @Test("of repetitions the median run counts, with the range; disturbed ones are marked")
  func repetitions() throws {
    var report = try report([
      line(ranks: 1, 10, 1000), line(ranks: 2, 14, 1428), line(ranks: 1, 30, 333),
      line(ranks: 2, 12, 1666), line(ranks: 1, 11, 909), line(ranks: 2, 16, 1250),
    ])
    report.measurements[2].coresOfOthers = 1.5
    report.measurements[3].coresOfOthers = 0.02
    let json = try JSON.decode(Content.self, from: report.json.utf8)
    #expect(json.runs.map(\.ranks) == [1, 2, 1, 2, 1, 2])
    #expect(json.measurements.map(\.median) == [11, 14])
    #expect(json.measurements.map(\.shortest) == [10, 12])
    #expect(json.measurements.map(\.longest) == [30, 16])
    #expect(json.measurements.map(\.repetitions) == [3, 3])
    #expect(json.measurements.map(\.disturbed) == [1, 0])
    #expect(report.tableRows.count == 2)
    #expect(report.tableRows[0].hasSuffix(" 182%*"))
    #expect(report.tableRows[1].hasSuffix("   29%"))
    // The axes and the line, a bar from the slowest to the fastest for each number of ranks, ticks.
    #expect(report.svg.components(separatedBy: "<path d=\"M").count - 1 == 2 + 2 + 10 + 2)
    #expect(report.svg.contains("disturbed by other processes"))
    #expect(report.csv.split(separator: "\n").count == 3)
  }

  @Test("the table fits 80 columns")
  func table() throws {
    let report = try sweep()
    let lines = [ScalingReport.tableHead] + report.tableRows
    #expect(
      lines[...2] == [
        "ranks  step samples/s speed-up effic. compute exposed waiting update other range",
        "    2 16.00      8000     1.00  100 %   10.50   0.125   0.250  2.500 0.062     -",
        "    4 20.00     12800     1.60   80 %   10.50   0.125   0.250  2.500 0.062     -",
      ])
    #expect(lines.allSatisfy { $0.count == 80 })
  }

  @Test("the law that fits is told, drawn and in the JSON, from three numbers of ranks on")
  func law() throws {
    // Amdahl with a tenth: times of 1, 0.55 and 0.325.
    let lines = [
      line(ranks: 1, 100, 10), line(ranks: 2, 55, 10 / 0.55), line(ranks: 4, 32.5, 10 / 0.325),
    ]
    let report = try report(lines, isStrong: true)
    #expect(report.svg.contains(">Amdahl's law fits a serial fraction of 10.0 %: at most 10 times"))
    #expect(report.svg.components(separatedBy: "<polyline ").count == 3)
    #expect(try JSON.decode(Content.self, from: report.json.utf8).fraction == 0.1)
    let two = try self.report(Array(lines[..<2]), isStrong: true)
    #expect(two.law == nil && two.json.contains("\"serial_fraction\":null"))
  }

  @Test("a measurement is found among other output, and only a whole one")
  func outputs() {
    let whole = line(ranks: 2, 16, 8000)
    let output = "a launcher's greeting\n{}\n\(whole)\n{\"goodbye\":1}\n"
    #expect(ScalingReport.Measurement(output: output)?.ranks == 2)
    for part in [
      "", "{}", String(whole.dropLast()), whole.replacing("waiting_ms", with: "idle_ms"),
    ] {
      #expect(ScalingReport.Measurement(output: part) == nil, "\(part)")
    }
    #expect(ScalingReport.Measurement(output: line(ranks: 2, 16, 0)) == nil)
    #expect(ScalingReport.Measurement(output: line(ranks: 0, 16, 1)) == nil)
  }

  @Test("the picture has a point for each measurement, a line to perfect scaling, and ticks")
  func picture() throws {
    let svg = try report([line(ranks: 2, 16, 8000), line(ranks: 8, 16, 32000)]).svg
    #expect(svg.contains(#"<polyline points="177.5,231.0 470.0,66.0""#))
    // As fast as perfect scaling at the last point: the line ends there.
    #expect(svg.contains(#"<path d="M80.0 286.0L470.0 66.0""#))
    #expect(svg.components(separatedBy: "<circle ").count == 3)
    for label in [
      "samples per second", "ranks", "perfect scaling", "0", "5,000", "30,000", "2", "8",
      "node01, 2026-11-30T16:47:00Z, Open MPI v4",
    ] {
      #expect(svg.contains(">\(label)</text>"), "\(label)")
    }
    // Better than perfect is not above the picture.
    let better = try report([line(ranks: 1, 16, 100), line(ranks: 2, 16, 400)]).svg
    #expect(better.contains(#"<polyline points="275.0,231.0 470.0,66.0""#))
    #expect(better.contains(#"<path d="M80.0 286.0L470.0 176.0""#))
    let single = try report([line(ranks: 1, 16, 100)]).svg
    #expect(!single.contains("nan") && !single.contains("inf"))
  }

  @Test("the numbers below the picture leave each other room")
  func crowdedPicture() throws {
    let svg = try report([1, 2, 4, 8, 64].map { line(ranks: $0, 16, Double($0) * 100) }).svg
    let numbers = svg.matches(of: #/y="303.0" [^>]*>(\d+)</text>/#).map { String($0.1) }
    #expect(numbers == ["64", "8", "2"])
  }

  @Test("the picture is well-formed")
  func wellFormed() throws {
    let svg = try sweep().svg
    let tags = svg.matches(of: #/<(/?)(\w+)(\s+[\w-]+="[^"<]*")*(/?)>/#)
    #expect(tags.count == svg.count { $0 == "<" })
    var open: [Substring] = []
    for tag in tags {
      if !tag.1.isEmpty {
        #expect(open.popLast() == tag.2)
      } else if tag.4.isEmpty {
        open.append(tag.2)
      }
    }
    #expect(open.isEmpty)
  }
}
