import Foundation

extension Tensor: CustomStringConvertible {
  /// The elements in nested brackets, with long axes abbreviated, and what is not the default: shape,
  /// type, gradient function.
  ///
  ///     tensor([[1.0000, 2.0000],
  ///             [3.0000, 4.0000]], gradFunction: AddBackward)
  public final var description: String {
    let indent = "tensor("
    var notes: [String] = []
    if count == 0 || shape.count > 1 && abbreviates { notes.append("shape: \(shape)") }
    if dataType != .float32 { notes.append("\(dataType)") }
    if let gradFunction {
      notes.append("gradFunction: \(gradFunction)")
    } else if requiresGrad {
      notes.append("requiresGrad: true")
    }
    let format = ElementFormat(shownElements)
    let body = lines(0, 0, format, indent: indent.count)
    return ([indent + body] + notes).joined(separator: ", ") + ")"
  }

  private var abbreviates: Bool { count > 1000 }

  /// The indices shown along an axis; nil stands for those left out.
  private func shownIndices(_ axis: Int) -> [Int?] {
    let size = shape[axis]
    guard abbreviates, size > 6 else { return Array(0..<size) }
    return [0, 1, 2, nil, size - 3, size - 2, size - 1]
  }

  private var shownElements: [Double] {
    guard count > 0 else { return [] }
    var offsets = [0]
    for axis in 0..<shape.count {
      let steps = shownIndices(axis).compactMap(\.self).map { $0 * strides[axis] }
      offsets = offsets.flatMap { offset in steps.map { offset + $0 } }
    }
    return offsets.map(element(at:))
  }

  private func lines(_ axis: Int, _ offset: Int, _ format: ElementFormat, indent: Int) -> String {
    guard axis < shape.count else {
      return switch dataType.category {
      case .bool: element(at: offset) == 0 ? "false" : "true"
      case .integer: format.integer(element(at: offset))
      case .floatingPoint: format.real(element(at: offset))
      }
    }
    let isInnermost = axis == shape.count - 1
    let parts = shownIndices(axis).map { index in
      index.map { lines(axis + 1, offset + $0 * strides[axis], format, indent: indent + 1) }
        ?? "..."
    }
    let blankLines = String(repeating: "\n", count: shape.count - 1 - axis)
    let separator =
      isInnermost ? ", " : "," + blankLines + String(repeating: " ", count: indent + 1)
    return "[" + parts.joined(separator: separator) + "]"
  }
}

/// The width and notation of all elements of a printed tensor.
private struct ElementFormat {
  private var usesExponent = false
  private var width = 0

  init(_ elements: [Double]) {
    let magnitudes = elements.filter { $0.isFinite && $0 != 0 }.map(\.magnitude)
    if let largest = magnitudes.max(), let smallest = magnitudes.min() {
      usesExponent = largest >= 1e8 || smallest < 1e-4 || largest / smallest >= 1e6
      if magnitudes.allSatisfy({ $0 == $0.rounded() }), largest < 1e8 { usesExponent = false }
    }
    width = elements.map { text($0).count }.max() ?? 0
    integerWidth = elements.map { String(Int(clamping: $0)).count }.max() ?? 0
  }

  private var integerWidth = 0

  private func text(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value < 0 ? "-inf" : "inf" }
    return String(format: usesExponent ? "%.4e" : "%.4f", value)
  }

  func real(_ value: Double) -> String { padded(text(value), width) }
  func integer(_ value: Double) -> String { padded(String(Int(clamping: value)), integerWidth) }

  private func padded(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}

extension Int {
  fileprivate init(clamping value: Double) {
    self = value.isNaN ? 0 : value >= 9.2e18 ? .max : value <= -9.2e18 ? .min : Int(value)
  }
}
