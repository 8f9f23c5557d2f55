/// The samples of a file or of several that belong together.
struct Samples {
  /// The file that holds the inputs.
  let name: String
  let count: Int
  let inputShape: [Int]
  let inputs: InMemoryDataset.Inputs
  let targets: Targets
  /// The inputs that are parts of a category, which normalization leaves alone.
  var categoricalInputs: Set<Int> = []

  /// Inputs and targets with the samples along the first axis.
  init(
    inputs: NumericArray, inputShape: [Int], divisor: Float, targets: NumericArray
  ) throws {
    name = inputs.name
    count = inputs.shape.first ?? 0
    self.inputShape = inputShape
    guard targets.shape.first == count else {
      throw DataError(
        .malformed,
        "\(targets.name): \(targets.shape.first ?? 0) targets, but \(inputs.name) has \(count)"
          + " samples")
    }
    guard count > 0, inputShape.allSatisfy({ $0 > 0 }), !targets.shape.contains(0) else {
      throw DataError(
        .malformed,
        "\(inputs.name): no samples: shape \(inputs.shape) with targets of \(targets.shape)")
    }
    self.inputs =
      inputs.type == .uint8
      ? .bytes(inputs.bytes, divisor: divisor) : .floats(try inputs.floats())
    self.targets = try Targets(targets)
  }

  /// Images of bytes, which are scaled to 0...1, and their labels.
  init(name: String, pixels: [UInt8], inputShape: [Int], labels: [Int]) {
    self.name = name
    count = labels.count
    self.inputShape = inputShape
    inputs = .bytes(pixels, divisor: 255)
    targets = Targets(name: name, .integers(labels))
  }

  /// Samples of floats.
  init(inputs: [Float], inputShape: [Int], targets: Targets) {
    name = targets.name
    count = targets.count
    self.inputShape = inputShape
    self.inputs = .floats(inputs)
    self.targets = targets
  }

  /// The samples as a data set.
  func dataset(_ coding: TargetCoding) throws -> InMemoryDataset {
    let kind: TargetKind =
      switch coding {
      case .classes(let classes): .classes(count: classes.count)
      case .values(let shape): .values(shape: shape)
      }
    return InMemoryDataset(inputs, inputShape, try coding.encode(targets), kind)
  }
}
