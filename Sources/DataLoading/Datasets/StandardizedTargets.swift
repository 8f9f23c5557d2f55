/// A dataset whose values to predict are standardized when they are read.
package struct StandardizedTargets: Dataset {
  private let base: any Dataset
  private let standardization: Standardization
  /// A hash of the dataset and the standardization.
  package let fingerprint: UInt64

  /// The samples of `base`.
  package init(_ base: any Dataset, _ standardization: Standardization) {
    self.base = base
    self.standardization = standardization
    fingerprint = standardization.fingerprint(of: base.fingerprint)
  }

  /// That of the dataset.
  package var count: Int { base.count }
  /// That of the dataset.
  package var inputShape: [Int] { base.inputShape }
  /// That of the dataset.
  package var inputKind: InputKind { base.inputKind }
  /// That of the dataset.
  package var targetKind: TargetKind { base.targetKind }
  /// That of the dataset.
  package var drawsPerEpoch: Int? { base.drawsPerEpoch }

  /// Writes the samples at `indices` one after another.
  package func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) throws {
    try base.read(indices, epoch: epoch, into: buffers)
    if let values = buffers.values.baseAddress {
      standardization.apply(to: values, rows: indices.count)
    }
  }
}
