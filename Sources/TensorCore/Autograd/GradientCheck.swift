/// A gradient that differs from finite differences.
public struct GradientMismatch: Error, CustomStringConvertible {
  /// The index of the input.
  public let input: Int
  /// The index of the element in row-major order.
  public let element: Int
  /// The gradient that backward computed.
  public let computed: Double
  /// The gradient from finite differences.
  public let expected: Double

  /// The mismatch in one line.
  public var description: String {
    "the gradient of input \(input), element \(element), is \(computed); finite differences give \(expected)"
  }
}

/// Compares the gradients of a function with central finite differences, and throws
/// `GradientMismatch` where they differ.
///
/// The inputs must be float64, because float32 is too coarse for differences. A result with several
/// elements is reduced to a weighted sum, with fixed weights.
///
/// - Parameters:
///   - function: The function; it must be deterministic.
///   - inputs: The point at which to check. Inputs that do not require gradients are constants.
///   - step: The step of the finite differences.
///   - tolerance: The largest permitted error, relative to the gradient's magnitude or 1, whichever is
///     larger.
public func checkGradient(
  of function: ([Tensor]) throws -> Tensor, at inputs: [Tensor], step: Double = 1e-6,
  tolerance: Double = 1e-6
) throws {
  require(
    inputs.allSatisfy { $0.dataType == .float64 || !$0.requiresGrad },
    "checkGradient: inputs that require gradients must be float64")
  func weighted(_ y: Tensor) -> Tensor {
    let weights = (0..<y.count).map { 0.5 + Double(($0 * 7919) % 101) / 101 }
    return (y * Tensor.of(weights, shape: y.shape)).sum()
  }
  let wanted = inputs.indices.filter { inputs[$0].requiresGrad }
  let computed = try grad(of: weighted(function(inputs)), withRespectTo: wanted.map { inputs[$0] })
  for (index, gradient) in zip(wanted, computed) {
    let gradients = gradient?.doubles() ?? Array(repeating: 0, count: inputs[index].count)
    var elements = inputs[index].doubles()
    func value(_ element: Int, _ shift: Double) throws -> Double {
      let original = elements[element]
      elements[element] += shift
      defer { elements[element] = original }
      var shifted = inputs
      shifted[index] = .of(elements, shape: inputs[index].shape)
      shifted[index].requiresGrad = true
      return try weighted(function(shifted)).item()
    }
    for element in elements.indices {
      let expected = (try value(element, step) - value(element, -step)) / (2 * step)
      let error = (gradients[element] - expected).magnitude
      guard error <= tolerance * max(1, expected.magnitude) else {
        throw GradientMismatch(
          input: index, element: element, computed: gradients[element], expected: expected)
      }
    }
  }
}
