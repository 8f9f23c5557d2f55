/// Images of a dataset in memory, `[channels, height, width]`.
struct ImagesInMemory: ImageStore {
  private let dataset: InMemoryDataset
  let largestValue: Float
  let labels: [Int32]?

  /// The images of a dataset that is not standardized.
  init(_ dataset: InMemoryDataset) {
    self.dataset = dataset
    labels = dataset.labels
    largestValue = dataset.largestValue
  }

  var count: Int { dataset.count }
  var fingerprint: UInt64 { dataset.fingerprint }
  var targetKind: TargetKind { dataset.targetKind }

  func draw(
    _ index: Int, _ preparation: ImagePreparation, into planes: UnsafeMutablePointer<Float>,
    _ worker: ImageWorker, window: (ImageSize) -> ImageWindow
  ) {
    let window = window(preparation.size)
    let size = preparation.size
    let pixels = size.width * size.height
    withUnsafeTemporaryAllocation(of: Float.self, capacity: pixels * preparation.channels) {
      image in
      dataset.readInput(index, into: image.baseAddress!)
      for c in 0..<preparation.channels {
        worker.resampling.draw(
          image.baseAddress! + c * pixels, size, channels: 1, window, size,
          into: planes + c * pixels, divisor: nil)
      }
    }
  }

  func readTarget(_ index: Int, row: Int, into buffers: SampleBuffers) {
    dataset.readTarget(index, row: row, into: buffers)
  }
}
