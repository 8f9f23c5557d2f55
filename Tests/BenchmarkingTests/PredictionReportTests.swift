import Base
import Benchmarking
import Collectives
import Foundation
import Testing

@Suite("Report of a prediction")
struct PredictionReportTests {
  private func report(measured: MeasuredSteps? = nil) -> PredictionReport {
    let gradients = (1...4).map { StepTimeline.Gradient(end: $0 << 18, final: 0.25 * Double($0)) }
    let profile = ScalingProfile(
      workload: "mlp", sumRate: 1e12,
      timelines: [
        StepTimeline(batch: 4, gradients: gradients, compute: [0.04], update: 0.002),
        StepTimeline(batch: 1, gradients: gradients, compute: [0.01], update: 0.002),
      ])
    let prediction = ScalingPrediction(
      profile, NetworkModel(latency: 1e-3, bandwidth: 1e8, perMessage: 2e-6),
      nodes: [1, 2, 4, 1024],
      configured: .init(algorithm: "ring", bucketMegabytes: 0.5),
      algorithms: [.recursiveHalvingDoubling, .ring, .direct])
    return PredictionReport(
      prediction, machine: ["workload": "mlp"], isNetworkMeasured: false, measured: measured)
  }

  private func measured() throws -> MeasuredSteps {
    try MeasuredSteps(
      """
      {"workload":"mlp","scaling":"weak","measurements":[
      {"ranks":1,"nodes":1,"median_ms":42.0,"samples_per_s":95.2},
      {"ranks":2,"nodes":2,"median_ms":80.0,"samples_per_s":100.0},
      {"ranks":2,"nodes":1,"median_ms":50.0,"samples_per_s":160.0}]}
      """)
  }

  @Test("the text")
  func text() throws {
    let text = report(measured: try measured()).text
    #expect(
      text == """
        mlp, batch 4, 1 thread per rank, 1 rank per node
        step     compute 40.00 ms, update 2.000 ms, of 1 rank at a time
        buckets  4.19 MB of gradients, final from 25 % to 100 % of compute
        network  given: 1000 us, 100.0 MB/s, 2.000 us for each further message

        weak scaling, configured: ring, 0.5 MB; milliseconds
        nodes     step efficiency  exposed     best   bucket algorithm
            1    42.00    100.0 %    0.000    42.00   0.5 MB ring
            2    56.44     74.4 %    13.44    56.44   0.5 MB ring
            4    77.76     54.0 %    33.76    75.40  0.25 MB direct
         1024     2099      2.0 %     2037    96.97  0.25 MB direct

        nodes     step   measured   off by
            1    42.00      42.00   +0.0 %
            2    56.44      80.00  -29.4 %

        strong scaling, configured: ring, 0.5 MB; milliseconds
        nodes     step efficiency  exposed     best   bucket algorithm
            1    42.00    100.0 %    0.000    42.00   0.5 MB ring
            2    48.94     42.9 %    25.94    48.44  0.25 MB recursive-halving-doubling
            4    67.41     15.6 %    53.41    66.91  0.25 MB ring

        """)
    #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 })
  }

  @Test("the CSV has a line for each algorithm and bucket size")
  func csv() {
    let lines = report().csv.split(separator: "\n")
    #expect(
      lines[0] == """
        scaling,nodes,ranks,batch_per_rank,compute_ms,algorithm,bucket_mb,step_ms,\
        exposed_communication_ms,samples_per_s,efficiency
        """)
    #expect(lines.count == 1 + 7 * 3 * ScalingPrediction.bucketSizes.count)
    #expect(lines[1] == "weak,1,1,4,40.0,recursive-halving-doubling,0.25,42.0,0.0,95.2381,1.0")
  }

  @Test("the JSON has the predictions, and the profile for another prediction")
  func json() throws {
    struct Content: Decodable {
      struct Network: Decodable { let source: String }
      struct Step: Decodable {
        let algorithm: String
        let milliseconds, efficiency: Double

        enum CodingKeys: String, CodingKey {
          case algorithm, efficiency
          case milliseconds = "step_ms"
        }
      }
      struct Prediction: Decodable {
        let scaling: String
        let nodes: Int
        let configured, best: Step
        let measured: Double?

        enum CodingKeys: String, CodingKey {
          case scaling, nodes, configured, best
          case measured = "measured_ms"
        }
      }
      let workload: String
      let jitter: Bool
      let network: Network
      let predictions: [Prediction]
      let profile: ScalingProfile
    }
    let report = report(measured: try measured())
    let content = try JSON.decode(Content.self, from: report.json.utf8)
    #expect(content.profile == report.prediction.profile && content.profile.fault == nil)
    #expect(content.workload == "mlp" && content.network.source == "given" && content.jitter)
    #expect(
      content.predictions.map(\.scaling) == [
        "weak", "weak", "weak", "weak", "strong", "strong", "strong",
      ])
    #expect(content.predictions[0].configured.efficiency == 1)
    #expect(content.predictions.map(\.measured) == [42, 80, nil, nil, nil, nil, nil])
    #expect(content.predictions.allSatisfy { $0.best.milliseconds <= $0.configured.milliseconds })
  }

  @Test("the picture has a curve for each kind of scaling, and dots where steps were measured")
  func picture() throws {
    let svg = report(measured: try measured()).svg
    #expect(svg.components(separatedBy: "<polyline ").count == 3)
    #expect(svg.components(separatedBy: "<circle ").count == 3)
    for label in [
      "efficiency", "nodes", "1", "2", "4", "1024", "weak scaling, dots: measured",
      "strong scaling",
    ] {
      #expect(svg.contains(">\(label)</text>"), "\(label)")
    }
    // The measured rate on two nodes is 100 of 2 x 95.2: 52.5 % of the height.
    #expect(svg.contains("<circle cx=\"101.0\" cy=\"154.5\" r=\"3\"/>"))
    #expect(!report().svg.contains("<circle"))
  }

  @Test("a file that is no scaling.json says why")
  func noMeasurement() {
    #expect(throws: JSONError.self) { try MeasuredSteps("{\"workload\":\"mlp\"}") }
  }
}
