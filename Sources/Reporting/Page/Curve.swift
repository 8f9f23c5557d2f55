/// A curve of a chart.
package struct Curve {
  /// What it shows, for the legend.
  package let name: String
  /// The number of its color.
  package let color: Int
  /// Whether the line is dashed and thin.
  package var isDashed = false
  /// Whether each point is marked.
  package var hasMarks = false
  /// The points, with the smallest and the largest value of those that each stands for.
  package let points: [Point]
  /// The step of the first value that is infinite or no number.
  package let firstNonFinite: Double?

  package struct Point: Equatable {
    package var x, y, low, high: Double
  }

  /// The most points of a curve.
  private static let limit = 240

  /// A curve of at most 240 points, each of which stands for all values in its part of the axis.
  package init(
    _ name: String, color: Int, _ values: [(x: Double, y: Double)], isDashed: Bool = false,
    hasMarks: Bool = false
  ) {
    (self.name, self.color, self.isDashed) = (name, color, isDashed)
    firstNonFinite = values.first { !$0.y.isFinite }?.x
    let finite = values.filter { $0.y.isFinite && $0.x.isFinite }.sorted { $0.x < $1.x }
    self.hasMarks = hasMarks && finite.count <= 60
    guard finite.count > Curve.limit, let first = finite.first?.x, let last = finite.last?.x,
      last > first
    else {
      points = finite.map { Point(x: $0.x, y: $0.y, low: $0.y, high: $0.y) }
      return
    }
    var parts: [(sumX: Double, sumY: Double, count: Double, low: Double, high: Double)] = []
    var current = -1
    for (x, y) in finite {
      let part = min(Int((x - first) / (last - first) * Double(Curve.limit)), Curve.limit - 1)
      if part != current {
        parts.append((0, 0, 0, y, y))
        current = part
      }
      let index = parts.count - 1
      parts[index].sumX += x
      parts[index].sumY += y
      parts[index].count += 1
      parts[index].low = min(parts[index].low, y)
      parts[index].high = max(parts[index].high, y)
    }
    points = parts.map { part in
      Point(
        x: part.sumX / part.count, y: part.sumY / part.count, low: part.low, high: part.high)
    }
  }
}
