import Foundation
import Base
import Benchmarking
import Testing

@Suite struct ScalingReportTests {
  private func line(ranks: Int, _ step: Double, _ rate: Double, slowest: Int = 0) -> String {
    """
    {"peer":"lockstep","workload":"mlp","ranks":\(ranks),"median_ms":\(step),\
    "samples_per_s":\(rate),"compute_ms":10.5,"waiting_ms":0.25,"exposed_communication_ms":0.125,\
    "hidden_communication_ms":1234.5,"slowest_rank":\(slowest)}
    """
  }

  private func report(_ lines: [String]) throws -> ScalingReport {
    var report = ScalingReport(title: "mlp", machine: ["cores": 8])
    report.measurements = try lines.map { try #require(ScalingReport.Measurement(output: $0)) }
    return report
  }

  private func sweep() throws -> ScalingReport {
    try report([
      line(ranks: 2, 16, 8000), line(ranks: 4, 20, 12800, slowest: 3), line(ranks: 8, 16, 32000),
    ])
  }

  @Test("speed-up and efficiency are relative to the first measurement, in CSV and JSON")
  func numbers() throws {
    let report = try sweep()
    #expect(
      report.csv == """
        peer,workload,ranks,median_ms,samples_per_s,compute_ms,waiting_ms,\
        exposed_communication_ms,hidden_communication_ms,slowest_rank,speed_up,efficiency
        lockstep,mlp,2,16.0,8000.0,10.5,0.25,0.125,1234.5,0,1.0,1.0
        lockstep,mlp,4,20.0,12800.0,10.5,0.25,0.125,1234.5,3,1.6,0.8
        lockstep,mlp,8,16.0,32000.0,10.5,0.25,0.125,1234.5,0,4.0,1.0

        """)
    struct Content: Decodable {
      struct Measurement: Decodable {
        let efficiency, speedUp: Double
        let slowestRank: Int

        enum CodingKeys: String, CodingKey {
          case efficiency
          case speedUp = "speed_up"
          case slowestRank = "slowest_rank"
        }
      }
      let cores: Int
      let measurements: [Measurement]
    }
    let json = try JSON.decode(Content.self, from: report.json.utf8)
    #expect(json.cores == 8)
    #expect(json.measurements.map(\.efficiency) == [1, 0.8, 1])
    #expect(json.measurements.map(\.speedUp) == [1, 1.6, 4])
    #expect(json.measurements.map(\.slowestRank) == [0, 3, 0])
  }

  @Test("the table fits 80 columns")
  func table() throws {
    let report = try sweep()
    let lines = [ScalingReport.tableHead] + report.measurements.map(report.tableRow)
    #expect(
      lines[...2] == [
        "ranks  step samples/s speed-up efficiency compute exposed hidden waiting slowest",
        "    2 16.00      8000     1.00    100.0 %   10.50   0.125   1234   0.250       0",
        "    4 20.00     12800     1.60     80.0 %   10.50   0.125   1234   0.250       3",
      ])
    #expect(lines.allSatisfy { $0.count == 80 })
  }

  @Test("a measurement is found among other output, and only a whole one")
  func outputs() {
    let whole = line(ranks: 2, 16, 8000)
    let output = "a launcher's greeting\n{}\n\(whole)\n{\"goodbye\":1}\n"
    #expect(ScalingReport.Measurement(output: output)?.ranks == 2)
    for part in ["", "{}", String(whole.dropLast()), whole.replacing("waiting_ms", with: "other")] {
      #expect(ScalingReport.Measurement(output: part) == nil, "\(part)")
    }
    #expect(ScalingReport.Measurement(output: line(ranks: 2, 16, 0)) == nil)
    #expect(ScalingReport.Measurement(output: line(ranks: 0, 16, 1)) == nil)
  }

  @Test("the picture has a point for each measurement and a line to perfect scaling")
  func picture() throws {
    let svg = try sweep().svg
    #expect(svg.contains(#"<polyline points="177.5,215.0 275.0,182.0 470.0,50.0""#))
    // As fast as perfect scaling at the last point: the line ends there.
    #expect(svg.contains(#"<path d="M80.0 270.0L470.0 50.0""#))
    #expect(svg.components(separatedBy: "<circle ").count == 4)
    for label in ["samples per second", "ranks", "perfect scaling", "32,000", "2", "4", "8"] {
      #expect(svg.contains(">\(label)</text>"), "\(label)")
    }
    // Better than perfect is not above the picture.
    let better = try report([line(ranks: 1, 16, 100), line(ranks: 2, 16, 400)]).svg
    #expect(better.contains(#"<polyline points="275.0,215.0 470.0,50.0""#))
    #expect(better.contains(#"<path d="M80.0 270.0L470.0 160.0""#))
    let single = try report([line(ranks: 1, 16, 100)]).svg
    #expect(!single.contains("nan") && !single.contains("inf"))
  }

  @Test("the numbers below the picture leave each other room")
  func crowdedPicture() throws {
    let svg = try report([1, 2, 4, 8, 64].map { line(ranks: $0, 16, Double($0)) }).svg
    let numbers = svg.matches(of: #/>(\d+)</text>/#).map { String($0.1) }
    #expect(numbers == ["64", "0", "64", "8", "2"])
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
