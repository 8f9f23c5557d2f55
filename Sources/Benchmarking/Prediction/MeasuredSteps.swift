package import Base

/// Steps that were measured on several numbers of ranks, from the file `scaling.json` of
/// `lockstep bench scaling`.
package struct MeasuredSteps: Decodable, Sendable {
  /// A number of ranks.
  package struct Measurement: Decodable, Sendable {
    /// The ranks.
    package let ranks: Int
    /// Their nodes.
    package let nodes: Int
    /// The milliseconds of the median step.
    package let milliseconds: Double
    /// The samples per second of all ranks.
    package let samplesPerSecond: Double

    enum CodingKeys: String, CodingKey {
      case ranks, nodes
      case milliseconds = "median_ms"
      case samplesPerSecond = "samples_per_s"
    }
  }

  /// The workload's name.
  package let workload: String
  /// `weak` or `strong`.
  package let scaling: String
  /// The measurements.
  package let measurements: [Measurement]

  /// Reads the file's text.
  package init(_ text: String) throws(JSONError) {
    self = try JSON.decode(MeasuredSteps.self, from: text.utf8)
  }

  /// The measurement that belongs to a prediction.
  func measurement(of point: ScalingPrediction.Point) -> Measurement? {
    guard scaling == point.scaling.rawValue else { return nil }
    return measurements.first { $0.nodes == point.nodes && $0.ranks == point.ranks }
  }
}
