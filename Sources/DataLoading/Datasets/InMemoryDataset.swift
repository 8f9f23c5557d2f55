/// A dataset in memory; subsets are views that share its samples.
public struct InMemoryDataset: Dataset {
  enum Inputs: Sendable {
    /// Pixels, in a quarter of the memory of floats; divided by `divisor` when read.
    case bytes([UInt8], divisor: Float)
    case floats([Float])

    var count: Int {
      switch self {
      case .bytes(let bytes, _): bytes.count
      case .floats(let floats): floats.count
      }
    }
  }

  enum Targets: Sendable {
    case labels([Int32])
    case values([Float])

    var count: Int {
      switch self {
      case .labels(let labels): labels.count
      case .values(let values): values.count
      }
    }
  }

  /// The shape of one sample's input.
  public let inputShape: [Int]
  /// Whether targets are labels, values or tokens.
  public let targetKind: TargetKind
  /// The number of samples of this view.
  public private(set) var count: Int
  /// A checksum of all samples.
  public private(set) var fingerprint: UInt64
  private let inputs: Inputs
  private let targets: Targets
  private var samples: [Int]?  // the samples of a subset; nil for all
  private var standardization: Standardization?

  private var inputCount: Int { inputShape.reduce(1, *) }

  /// Creates a dataset of samples with labels.
  ///
  /// - Parameters:
  ///   - inputs: The inputs of all samples, row-major.
  ///   - inputShape: The shape of one sample.
  ///   - labels: One label of `0..<classes` for each sample.
  ///   - classes: The number of classes.
  public init(inputs: [Float], inputShape: [Int], labels: [Int32], classes: Int) {
    precondition(
      labels.allSatisfy { $0 >= 0 && $0 < classes }, "InMemoryDataset: labels are 0..<\(classes)")
    self.init(.floats(inputs), inputShape, .labels(labels), .classes(count: classes))
  }

  /// Creates a dataset of samples with values to predict.
  ///
  /// - Parameters:
  ///   - inputs: The inputs of all samples, row-major.
  ///   - inputShape: The shape of one sample.
  ///   - values: The values of all samples, row-major.
  ///   - valueShape: The shape of one sample's values, such as `[1]`.
  public init(inputs: [Float], inputShape: [Int], values: [Float], valueShape: [Int]) {
    self.init(.floats(inputs), inputShape, .values(values), .values(shape: valueShape))
  }

  init(_ inputs: Inputs, _ inputShape: [Int], _ targets: Targets, _ targetKind: TargetKind) {
    let perSample =
      switch targetKind {
      case .classes: 1
      case .values: targetKind.valueCount
      case .tokens: 0
      }
    precondition(
      perSample > 0 && !inputShape.isEmpty && inputShape.allSatisfy { $0 > 0 },
      "InMemoryDataset: a sample has no elements: inputs \(inputShape), targets \(targetKind)")
    count = targets.count / perSample
    precondition(
      count * perSample == targets.count && inputs.count == count * inputShape.reduce(1, *),
      "InMemoryDataset: \(inputs.count) inputs of shape \(inputShape) for \(targets.count) targets"
    )
    self.inputShape = inputShape
    self.targetKind = targetKind
    self.inputs = inputs
    self.targets = targets

    var hash = Fingerprint()
    hash.combine(inputShape)
    switch targetKind {
    case .classes(let count): hash.combine([0, count])
    case .values(let shape): hash.combine([1] + shape)
    case .tokens: break  // refused above
    }
    switch inputs {
    case .bytes(let bytes, let divisor): hash.combine(bytes); hash.combine([divisor])
    case .floats(let floats): hash.combine(floats)
    }
    switch targets {
    case .labels(let labels): hash.combine(labels)
    case .values(let values): hash.combine(values)
    }
    fingerprint = hash.value
  }

  /// A view of the samples at `indices`, in that order.
  public func subset(_ indices: some Sequence<Int>) -> InMemoryDataset {
    var view = self
    let chosen = indices.map { sampleIndex($0) }
    var hash = Fingerprint(fingerprint)
    hash.combine(chosen)
    view.samples = chosen
    view.count = chosen.count
    view.fingerprint = hash.value
    return view
  }

  /// A view whose inputs are standardized when read.
  func standardized(_ standardization: Standardization) -> InMemoryDataset {
    var view = self
    view.standardization = standardization
    view.fingerprint = standardization.fingerprint(of: fingerprint)
    return view
  }

  /// Calls `body` with the input of each sample in turn.
  func forEachInput(_ body: (UnsafeBufferPointer<Float>) -> Void) {
    let width = inputCount
    withUnsafeTemporaryAllocation(of: Float.self, capacity: width) { sample in
      for index in 0..<count {
        readInputs([index], into: sample.baseAddress!, width: width)
        body(UnsafeBufferPointer(sample))
      }
    }
  }

  /// Calls `body` with the values to predict of each sample in turn.
  func forEachTarget(_ body: (UnsafeBufferPointer<Float>) -> Void) {
    guard case .values(let values) = targets else { return }
    let width = targetKind.valueCount
    values.withUnsafeBufferPointer { values in
      for index in 0..<count {
        body(values.extracting(sampleIndex(index) * width..<(sampleIndex(index) + 1) * width))
      }
    }
  }

  /// The label of each sample; nil if targets are values.
  public var labels: [Int32]? {
    guard case .labels(let labels) = targets else { return nil }
    return samples.map { $0.map { labels[$0] } } ?? labels
  }

  private func sampleIndex(_ index: Int) -> Int {
    precondition(
      index >= 0 && index < count, "InMemoryDataset: no sample \(index), there are \(count)")
    return samples?[index] ?? index
  }

  /// Writes the samples at `indices` one after another.
  public func read(_ indices: ArraySlice<Int>, epoch: Int?, into buffers: SampleBuffers) {
    let width = inputCount
    precondition(buffers.inputs.count >= indices.count * width, "read: the inputs have no room")
    if let destination = buffers.inputs.baseAddress {
      readInputs(indices, into: destination, width: width)
    }
    for (row, index) in indices.enumerated() { readTarget(index, row: row, into: buffers) }
  }

  /// Writes the target of a sample as that of row `row`.
  func readTarget(_ index: Int, row: Int, into buffers: SampleBuffers) {
    switch targets {
    case .labels(let labels): buffers.labels[row] = labels[sampleIndex(index)]
    case .values(let values):
      let width = targetKind.valueCount
      let first = sampleIndex(index) * width
      for k in 0..<width { buffers.values[row * width + k] = values[first + k] }
    }
  }

  /// Writes the input of a sample.
  func readInput(_ index: Int, into destination: UnsafeMutablePointer<Float>) {
    readInputs([index], into: destination, width: inputCount)
  }

  /// Whether all inputs are from 0 to 255.
  var areBounded: Bool {
    guard case .floats(let floats) = inputs else { return true }
    return floats.allSatisfy { $0 >= 0 && $0 <= 255 }
  }

  /// The value of white in images: 1, or 255 where bytes or larger numbers are inputs as they are.
  var largestValue: Float {
    switch inputs {
    case .bytes(_, let divisor): 255 / divisor
    case .floats(let floats): floats.contains { $0 > 1 } ? 255 : 1
    }
  }

  private func readInputs(
    _ indices: ArraySlice<Int>, into destination: UnsafeMutablePointer<Float>, width: Int
  ) {
    switch inputs {
    case .bytes(let bytes, let divisor):
      bytes.withUnsafeBufferPointer { source in
        for (row, index) in indices.enumerated() {
          let from = source.baseAddress! + sampleIndex(index) * width
          let to = destination + row * width
          for k in 0..<width { to[k] = Float(from[k]) / divisor }
        }
      }
    case .floats(let floats):
      floats.withUnsafeBufferPointer { source in
        for (row, index) in indices.enumerated() {
          let from = source.baseAddress! + sampleIndex(index) * width
          (destination + row * width).update(from: from, count: width)
        }
      }
    }
    standardization?.apply(to: destination, rows: indices.count, width: width)
  }
}
