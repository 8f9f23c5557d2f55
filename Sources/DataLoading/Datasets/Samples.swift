/// The samples of a file or of several, before training and test classes are compared.
struct Samples {
  let name: String  // of the file that holds the targets
  let count: Int
  let inputShape: [Int]
  let inputs: InMemoryDataset.Inputs
  let targets: InMemoryDataset.Targets
  let valueShape: [Int]?  // nil for labels

  /// Inputs and targets with the samples along the first axis.
  init(
    inputs: NumericArray, inputShape: [Int], divisor: Float, targets: NumericArray, isClasses: Bool
  ) throws {
    name = targets.name
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
    if isClasses {
      guard targets.shape.count == 1 else {
        throw DataError(
          .malformed, "\(targets.name): labels have one axis, these have shape \(targets.shape)")
      }
      self.targets = .labels(try targets.labels())
      valueShape = nil
    } else {
      self.targets = .values(try targets.floats())
      valueShape = targets.shape.count == 1 ? [1] : Array(targets.shape.dropFirst())
    }
  }

  /// Images of bytes, which are scaled to 0...1, and their labels.
  init(name: String, pixels: [UInt8], inputShape: [Int], labels: [Int32]) {
    self.name = name
    count = labels.count
    self.inputShape = inputShape
    inputs = .bytes(pixels, divisor: 255)
    targets = .labels(labels)
    valueShape = nil
  }

  /// Samples of floats.
  init(
    name: String, inputs: [Float], inputShape: [Int], targets: InMemoryDataset.Targets, count: Int
  ) {
    self.name = name
    self.count = count
    self.inputShape = inputShape
    self.inputs = .floats(inputs)
    self.targets = targets
    if case .labels = targets { valueShape = nil } else { valueShape = [1] }
  }

  /// The largest label + 1; 0 if targets are values.
  func classes(declared: Int?) throws -> Int {
    guard case .labels(let labels) = targets else { return 0 }
    let needed = Int(labels.max() ?? 0) + 1
    if let declared, needed > declared {
      let place = labels.firstIndex { $0 >= declared } ?? 0
      throw DataError(
        .malformed,
        "\(name): label \(labels[place]) of sample \(place) (counted from 0) is out of range: "
          + "'classes' is \(declared), so labels are 0...\(declared - 1)")
    }
    // A label like 2147483647 is probably a mistake, and would make a model of that width.
    guard declared != nil || needed <= 100_000 else {
      throw DataError(
        .malformed,
        "\(name): label \(needed - 1) is suspiciously large: set 'classes' if it is right, or "
          + "'target' to values")
    }
    return needed
  }
}
