import Synchronization

extension Standardization {
  /// How many images channels are measured on: more would change the third digit.
  private static let measuredImages = 2_000

  /// Means and standard deviations of the channels of ImageNet's images, with values of 0...1, with
  /// which torchvision's models were trained.
  static let imageNet = Standardization(means: [0.485, 0.456, 0.406], stds: [0.229, 0.224, 0.225])

  /// Computes means and standard deviations of `groups` equal parts of an input, such as channels, from
  /// up to 2,000 evenly spaced samples.
  init(ofImages dataset: ImageDataset, groups: Int) throws {
    let count = min(dataset.count, Standardization.measuredImages)
    let width = dataset.inputShape.reduce(1, *)
    // Summed image by image, so that threads do not change the result.
    let sums = Mutex([[(sum: Double, squares: Double)]](repeating: [], count: count))
    try concurrently(count, threads: dataset.threads) { k in
      let sample = k * dataset.count / count
      let ofImage = try withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { inputs in
        try withUnsafeTemporaryAllocation(
          of: Float.self, capacity: 1 + dataset.targetKind.valueCount
        ) {
          values in
          var label: Int32 = 0
          try withUnsafeMutablePointer(to: &label) { label in
            var single = dataset
            single.threads = 1
            try single.read(
              [sample], epoch: nil,
              into: SampleBuffers(
                inputs: inputs, labels: .init(start: label, count: 1), values: values))
          }
        }
        return (0..<groups).map { group in
          var (sum, squares) = (0.0, 0.0)
          for i in group * width / groups..<(group + 1) * width / groups {
            let value = Double(inputs[i])
            sum += value
            squares += value * value
          }
          return (sum, squares)
        }
      }
      sums.withLock { $0[k] = ofImage }
    }
    let n = Double(count * (width / groups))
    var (means, stds): ([Float], [Float]) = ([], [])
    for group in 0..<groups {
      let (sum, squares) = sums.withLock { all in
        all.reduce((0.0, 0.0)) { ($0.0 + $1[group].sum, $0.1 + $1[group].squares) }
      }
      let std = Float((squares / n - (sum / n) * (sum / n)).squareRoot())
      means.append(Float(sum / n))
      stds.append(std > 0 ? std : 1)
    }
    self.init(means: means, stds: stds)
  }
}
