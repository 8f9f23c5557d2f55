/// How the tensors of two files differ.
package struct WeightDifference {
  /// Which names and shapes differ.
  package struct Structure: Equatable, Sendable {
    /// The names of tensors that only the first file has.
    package var removed: [String] = []
    /// The names of tensors that only the second file has.
    package var added: [String] = []
    /// Tensors with different shapes.
    package var reshaped: [(name: String, first: [Int], second: [Int])] = []

    /// Compares the names and shapes of two files.
    init(_ first: SafetensorsFile, _ second: SafetensorsFile) {
      removed = first.entries.map(\.name).filter { second[$0] == nil }.sorted()
      added = second.entries.map(\.name).filter { first[$0] == nil }.sorted()
      reshaped = first.entries.compactMap { entry in
        guard let other = second[entry.name], other.shape != entry.shape else { return nil }
        return (entry.name, entry.shape, other.shape)
      }
    }

    /// Whether all names and shapes are the same.
    package var isEmpty: Bool { removed.isEmpty && added.isEmpty && reshaped.isEmpty }

    package static func == (first: Structure, second: Structure) -> Bool {
      first.removed == second.removed && first.added == second.added
        && first.reshaped.elementsEqual(second.reshaped) { $0 == $1 }
    }
  }

  /// How the elements of a tensor differ.
  package struct Tensor: Equatable, Sendable {
    /// The name.
    package let name: String
    /// The shape.
    package let shape: [Int]
    /// The largest magnitude of a difference; not a number where only one of two elements is.
    package let largest: Double
    /// The norm of the differences over that of the first tensor.
    package let relative: Double
  }

  /// Which names and shapes differ.
  package let structure: Structure
  /// The tensors that both files have in the same shape, in the order of their names.
  package let tensors: [Tensor]

  /// Compares two files.
  package init(_ first: SafetensorsFile, _ second: SafetensorsFile) throws {
    structure = Structure(first, second)
    tensors = try first.entries.sorted { $0.name < $1.name }.compactMap { entry in
      guard let other = second[entry.name], other.shape == entry.shape else { return nil }
      return try Tensor(entry, first, other, second)
    }
  }

  /// The tensors whose elements differ.
  package var changed: [Tensor] { tensors.filter { $0.largest != 0 } }
}

extension WeightDifference.Tensor {
  fileprivate init(
    _ entry: SafetensorsFile.Entry, _ first: SafetensorsFile, _ other: SafetensorsFile.Entry,
    _ second: SafetensorsFile
  ) throws {
    let (a, b) = (try first.numbers(of: entry), try second.numbers(of: other))
    var (largest, squares, norm) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) where x.bitPattern != y.bitPattern && !(x.isNaN && y.isNaN) {
      let difference = x == y ? 0 : abs(x - y)
      // A comparison with NaN is false: it stays.
      if !(difference <= largest) { largest = largest.isNaN ? largest : difference }
      squares += difference * difference
    }
    for x in a { norm += x * x }
    (name, shape, self.largest) = (entry.name, entry.shape, largest)
    relative = squares == 0 ? 0 : (squares / norm).squareRoot()
  }
}

extension SafetensorsFile {
  /// A tensor's elements, whatever their type.
  fileprivate func numbers(of entry: Entry) throws -> [Double] {
    entry.dataType.isFloatingPoint
      ? try doubles(of: entry) : try integers(of: entry).map { Double($0) }
  }
}

extension SafetensorsDataType {
  /// Whether elements are floating-point numbers.
  var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }
}
