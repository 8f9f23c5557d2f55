/// What gives inputs mean zero and deviation one: each becomes `(x - mean) / deviation`.
public struct Standardization: Sendable, Equatable {
  /// What is subtracted, one for each element of an input.
  public let means: [Float]
  /// What is divided by, one for each element of an input.
  public let deviations: [Float]

  /// Takes over what was measured before.
  public init(means: [Float], deviations: [Float]) {
    precondition(means.count == deviations.count, "Standardization: as many means as deviations")
    self.means = means
    self.deviations = deviations
  }

  /// Measures a dataset that has samples.
  ///
  /// The elements of an input are taken in `groups` equal parts, and those of a part are measured
  /// together.
  init(of dataset: InMemoryDataset, groups: Int) {
    let groupSize = dataset.inputShape.reduce(1, *) / groups
    // Relative to the first sample, because the squares of large values would cancel.
    var origin: [Float] = []
    var sums: [Double] = []
    var squares: [Double] = []
    dataset.forEachInput { x in
      if origin.isEmpty {
        origin = x.indices.map { x[$0 / groupSize * groupSize] }
        sums = Array(repeating: 0, count: x.count)
        squares = sums
      }
      for k in 0..<x.count {
        let d = Double(x[k]) - Double(origin[k])
        sums[k] += d
        squares[k] += d * d
      }
    }
    let n = Double(dataset.count) * Double(groupSize)
    func totals(_ values: [Double]) -> [Double] {
      stride(from: 0, to: values.count, by: groupSize).flatMap { start in
        let group = values[start..<start + groupSize]
        return repeatElement(group.reduce(0, +), count: groupSize)
      }
    }
    (sums, squares) = (totals(sums), totals(squares))
    means = zip(origin, sums).map { Float(Double($0) + $1 / n) }
    deviations = zip(sums, squares).map { sum, square in
      let deviation = Float(((square - sum * sum / n) / n).squareRoot())
      return deviation > 0 ? deviation : 1  // constant, or NaN where rounding went below zero
    }
  }

  /// Standardizes inputs in place.
  public func apply(to inputs: UnsafeMutablePointer<Float>, rows: Int) {
    let width = means.count
    for row in 0..<rows {
      let x = inputs + row * width
      for k in 0..<width { x[k] = (x[k] - means[k]) / deviations[k] }
    }
  }
}
