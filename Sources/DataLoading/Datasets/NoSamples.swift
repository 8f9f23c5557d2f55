/// A dataset without samples, of the kind of another.
struct NoSamples: Dataset {
  let inputShape: [Int]
  let inputKind: InputKind
  let targetKind: TargetKind
  var count: Int { 0 }
  var fingerprint: UInt64 { 0 }

  init(like other: any Dataset) {
    (inputShape, inputKind, targetKind) = (other.inputShape, other.inputKind, other.targetKind)
  }

  func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) {
    precondition(indices.isEmpty, "NoSamples: sample \(indices.first ?? 0) of none")
  }
}
