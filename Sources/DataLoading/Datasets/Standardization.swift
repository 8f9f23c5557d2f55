/// The transformation of inputs to mean 0 and standard deviation 1: `(x - mean) / std`.
public struct Standardization: Sendable, Equatable {
  /// The mean of each element of an input, or of each of several equal parts, such as channels.
  public let means: [Float]
  /// The standard deviation of each of them.
  public let stds: [Float]

  /// A transformation with these means and standard deviations.
  public init(means: [Float], stds: [Float]) {
    precondition(
      means.count == stds.count,
      "Standardization: \(means.count) means, \(stds.count) standard deviations")
    self.means = means
    self.stds = stds
  }

  /// Computes means and standard deviations of a dataset, which must not be empty.
  ///
  /// The elements of an input are divided into `groups` equal parts, each with one mean and standard
  /// deviation.
  init(of dataset: InMemoryDataset, groups: Int) {
    self.init(
      count: dataset.count, groupSize: dataset.inputShape.reduce(1, *) / groups,
      forEach: dataset.forEachInput)
  }

  /// Computes the mean and standard deviation of each value that a dataset wants predicted.
  init(ofTargets dataset: InMemoryDataset) {
    self.init(count: dataset.count, groupSize: 1, forEach: dataset.forEachTarget)
  }

  private init(
    count: Int, groupSize: Int, forEach: ((UnsafeBufferPointer<Float>) -> Void) -> Void
  ) {
    // Relative to the first sample, because sums of squares of large values would cancel.
    var origin: [Float] = []
    var sums: [Double] = []
    var squares: [Double] = []
    forEach { x in
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
    let n = Double(count) * Double(groupSize)
    func totals(_ values: [Double]) -> [Double] {
      stride(from: 0, to: values.count, by: groupSize).flatMap { start in
        let group = values[start..<start + groupSize]
        return repeatElement(group.reduce(0, +), count: groupSize)
      }
    }
    (sums, squares) = (totals(sums), totals(squares))
    means = zip(origin, sums).map { Float(Double($0) + $1 / n) }
    stds = zip(sums, squares).map { sum, square in
      let std = Float(((square - sum * sum / n) / n).squareRoot())
      return std > 0 ? std : 1  // constant, or NaN where rounding went below zero
    }
  }

  /// The fingerprint of a dataset that is standardized so, from that of the dataset.
  func fingerprint(of dataset: UInt64) -> UInt64 {
    var hash = Fingerprint(dataset)
    hash.combine(means + stds)
    return hash.value
  }

  /// The same, but leaving some elements as they are.
  func leaving(_ elements: Set<Int>) -> Standardization {
    Standardization(
      means: means.enumerated().map { elements.contains($0) ? 0 : $1 },
      stds: stds.enumerated().map { elements.contains($0) ? 1 : $1 })
  }

  /// Standardizes samples in place.
  ///
  /// - Parameters:
  ///   - inputs: The samples, row-major.
  ///   - rows: The number of samples.
  ///   - width: The elements of a sample, if there are more than means: then each mean is for as many
  ///     consecutive elements.
  public func apply(to inputs: UnsafeMutablePointer<Float>, rows: Int, width: Int? = nil) {
    let width = width ?? means.count
    let groupSize = width / means.count
    precondition(
      groupSize * means.count == width,
      "Standardization: \(means.count) means for inputs of \(width) elements")
    for row in 0..<rows {
      let x = inputs + row * width
      if groupSize == 1 {
        for k in 0..<width { x[k] = (x[k] - means[k]) / stds[k] }
        continue
      }
      for group in 0..<means.count {
        let (mean, std) = (means[group], stds[group])
        for k in group * groupSize..<(group + 1) * groupSize { x[k] = (x[k] - mean) / std }
      }
    }
  }

  /// The numbers that `apply` turns into these, of one sample.
  public func undone(_ values: [Float]) -> [Float] {
    precondition(
      values.count == means.count, "Standardization: \(values.count) values for \(means.count)")
    return values.indices.map { values[$0] * stds[$0] + means[$0] }
  }
}
