/// Some samples of a dataset as arrays, to be looked at.
package struct SamplePreview {
  /// The inputs of each sample that are numbers.
  package private(set) var inputs: [[Float]] = []
  /// The inputs of each sample that are tokens.
  package private(set) var tokens: [[Int32]] = []
  /// The labels of each sample.
  package private(set) var labels: [[Int32]] = []
  /// The values to predict of each sample.
  package private(set) var values: [[Float]] = []
  /// A second label of each sample and the share of the first, where labels are mixed.
  package private(set) var mixed: [(label: Int32, share: Float)] = []

  /// Reads samples.
  ///
  /// - Parameters:
  ///   - dataset: Where they come from.
  ///   - indices: Which samples.
  ///   - epoch: The epoch of training, with its random changes; nil reads samples as they are.
  package init(_ dataset: any Dataset, _ indices: [Int], epoch: Int?) throws {
    let memory = BatchMemory(capacity: indices.count, dataset: dataset)
    let buffers = memory.buffers(count: indices.count)
    try dataset.read(indices[...], epoch: epoch, into: buffers)
    func rows<T>(_ all: UnsafeMutableBufferPointer<T>) -> [[T]] {
      let width = all.count / max(indices.count, 1)
      return width == 0
        ? [] : indices.indices.map { Array(all[$0 * width..<($0 + 1) * width]) }
    }
    inputs = rows(buffers.inputs)
    tokens = rows(buffers.tokens)
    labels = rows(buffers.labels)
    values = rows(buffers.values)
    mixed = zip(buffers.mixedLabels, buffers.labelShares).map { ($0, $1) }
    withExtendedLifetime(memory) {}
  }
}

extension DataSplits {
  /// Training samples, evenly spaced, as files may be sorted by class; all where there are fewer.
  package func spacedSamples(_ count: Int) -> [Int] {
    let count = min(count, train.count)
    return (0..<count).map { $0 * train.count / count }
  }
}
