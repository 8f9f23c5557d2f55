// Reads the files that Goldens/make_goldens.py writes and compares tensors with them.
public import Foundation
public import TensorCore

/// The tensors of one golden file.
public struct Goldens: Sendable {
  private let name: String
  private let values: [String: Golden]

  /// Reads `Goldens/NAME.json` from the resources of a test target.
  public init(_ name: String, in bundle: Bundle) throws {
    guard
      let url = bundle.url(forResource: name, withExtension: "json", subdirectory: "Goldens")
    else { throw GoldenError("there is no golden file '\(name).json'") }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    self.name = name
    values = try decoder.decode([String: Golden].self, from: Data(contentsOf: url))
  }

  /// The names of all tensors, sorted.
  public var names: [String] { values.keys.sorted() }

  /// The names of all cases: what stands before the slash.
  public var cases: Set<String> {
    Set(values.keys.compactMap { $0.split(separator: "/").first }.map(String.init))
  }

  /// Whether there is a tensor of this name.
  public func contains(_ name: String) -> Bool { values[name] != nil }

  /// The tensor of a name.
  public subscript(name: String) -> Golden {
    get throws {
      guard let value = values[name] else {
        throw GoldenError("the golden file '\(self.name).json' has no '\(name)'")
      }
      return value
    }
  }
}

/// What PyTorch computed.
public struct Golden: Sendable, Decodable {
  /// The sizes of the axes; none for a number.
  public let shape: [Int]
  /// The elements in row-major order.
  public let values: [Double]

  /// What a permitted error is measured by.
  public enum Scale: Sendable {
    /// Each element by its own size.
    case element
    /// Every element by the largest of all, for results of sums in which terms cancel.
    case largest
  }

  /// The only element.
  public var number: Double {
    precondition(values.count == 1, "a golden of shape \(shape) is not a number")
    return values[0]
  }

  /// A tensor with these elements, which requires no gradient.
  public func tensor(_ dataType: DataType = .float32) -> Tensor {
    let shape = TensorShape(shape)
    return switch dataType {
    case .float32: .of(values.map { Float($0) }, shape: shape)
    case .float64: .of(values, shape: shape)
    case .bfloat16: withoutGrad { tensor(.float32).converted(to: .bfloat16) }
    case .int32: .of(values.map { Int32($0) }, shape: shape)
    case .int64: .of(values.map { Int64($0) }, shape: shape)
    case .bool: .of(values.map { $0 != 0 }, shape: shape)
    }
  }

  /// The same elements, `index` of them along the first axis.
  public func selected(_ index: Int) -> Golden {
    let size = shape.dropFirst().reduce(1, *)
    return Golden(
      shape: Array(shape.dropFirst()), values: Array(values[index * size..<(index + 1) * size]))
  }

  /// What is wrong with a tensor that should be this one, nil if nothing is.
  public func mismatch(
    _ tensor: Tensor?, tolerance: Double, relativeTo scale: Scale = .element
  ) -> String? {
    guard let tensor else { return "there is none" }
    guard tensor.shape.array == shape else { return "the shape is \(tensor.shape), not \(shape)" }
    return mismatch(
      tensor.doubles(), tolerance: tolerance, relativeTo: scale,
      // Numbers this small have fewer digits.
      smallest: Double(
        tensor.dataType == .float64 ? .leastNormalMagnitude : Float.leastNormalMagnitude))
  }

  /// What is wrong with numbers that should be these, nil if nothing is.
  public func mismatch(
    _ actual: [Double], tolerance: Double, relativeTo scale: Scale = .element, smallest: Double = 0
  ) -> String? {
    guard actual.count == values.count else {
      return "\(actual.count) numbers, not \(values.count)"
    }
    let largest = values.lazy.map(abs).filter(\.isFinite).max() ?? 0
    let wrong = actual.indices.filter { index in
      let (a, b) = (actual[index], values[index])
      if a == b || a.isNaN && b.isNaN { return false }
      let size = scale == .largest ? largest : abs(b)
      return !(b.isFinite && abs(a - b) <= max(tolerance * size, smallest))
    }
    guard let first = wrong.first else { return nil }
    let error = wrong.map { abs(actual[$0] - values[$0]) / abs(values[$0]) }.max()!
    return """
      \(wrong.count) of \(values.count) numbers differ, by up to \(error) of their size; \
      number \(first) is \(actual[first]), not \(values[first])
      """
  }
}

/// A golden file that is not as the test expects.
public struct GoldenError: Error, CustomStringConvertible {
  /// What is wrong.
  public let description: String

  init(_ description: String) { self.description = description }
}
