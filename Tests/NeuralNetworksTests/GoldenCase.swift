import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

/// A function of tensors that PyTorch has computed and differentiated, in float32 and float64.
struct GoldenCase: Sendable, CustomTestStringConvertible {
  /// The inputs of a case by name.
  struct Inputs {
    let values: [String: Tensor]
    subscript(name: String) -> Tensor { values[name]! }
  }

  let name: String
  let inputs: [String]
  /// How large an error may be, in units of 1e-12 in float64 and 1e-6 in float32.
  let tolerance: Double
  let scale: Golden.Scale
  let function: @Sendable (Inputs) -> Tensor

  init(
    _ name: String, _ inputs: [String], tolerance: Double = 1, _ scale: Golden.Scale = .element,
    function: @escaping @Sendable (Inputs) -> Tensor
  ) {
    self.name = name
    self.inputs = inputs
    self.tolerance = tolerance
    self.scale = scale
    self.function = function
  }

  /// A function of `x`.
  init(
    _ name: String, tolerance: Double = 1, _ scale: Golden.Scale = .element,
    function: @escaping @Sendable (Tensor) -> Tensor
  ) {
    self.init(name, ["x"], tolerance: tolerance, scale) { function($0["x"]) }
  }

  var testDescription: String { name }

  private static let integers: Set = ["labels", "condition", "indices"]

  /// Computes output and gradients and compares both with those of PyTorch.
  func check(_ file: String, _ dataType: DataType) throws {
    let goldens = try Goldens("\(file).\(dataType)", in: .module)
    var tensors: [String: Tensor] = [:]
    for input in inputs {
      let type = GoldenCase.integers.contains(input) ? .int32 : dataType
      let tensor = try goldens["\(name)/\(input)"].tensor(type)
      tensor.requiresGrad = goldens.contains("\(name)/\(input).grad")
      tensors[input] = tensor
    }
    let output = function(Inputs(values: tensors))
    try expect(output, goldens, "output")
    guard goldens.contains("\(name)/output.grad") else {
      #expect(!output.requiresGrad)
      return
    }
    output.backward(gradient: try goldens["\(name)/output.grad"].tensor(dataType))
    for (input, tensor) in tensors {
      if tensor.requiresGrad {
        try expect(tensor.grad, goldens, "\(input).grad")
      } else {
        #expect(tensor.grad == nil)
      }
    }
  }

  private func expect(_ tensor: Tensor?, _ goldens: Goldens, _ part: String) throws {
    let exactness = tensor?.dataType == .float64 ? 1e-12 : 1e-6
    let mismatch = try goldens["\(name)/\(part)"].mismatch(
      tensor, tolerance: tolerance * exactness, relativeTo: scale)
    #expect(mismatch == nil, "\(name), \(part)")
  }

  /// Checks that every case of a golden file has a row in a table, and only one.
  static func expectComplete(_ rows: [String], _ file: String) throws {
    #expect(Set(rows) == (try Goldens("\(file).float64", in: .module).cases))
    #expect(Set(rows).count == rows.count)
    #expect(
      try Goldens("\(file).float64", in: .module).names
        == Goldens("\(file).float32", in: .module).names)
  }
}

/// The types that goldens exist for.
let floatingPointTypes: [DataType] = [.float32, .float64]
