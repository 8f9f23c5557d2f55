import Foundation
import TensorCore
import TestSupport
import Testing

/// The settings of a golden case, which are stored as tensors beside it.
struct WindowSettings {
  let goldens: Goldens
  let name: String

  func pair(_ setting: String) throws -> Size2d {
    let values = try goldens["\(name)/\(setting)"].values
    return Size2d(height: Int(values[0]), width: Int(values[1]))
  }

  func integers(_ setting: String) throws -> [Int] {
    try goldens["\(name)/\(setting)"].values.map { Int($0) }
  }

  func triple(_ setting: String) throws -> Size3d {
    let values = try integers(setting)
    return Size3d(depth: values[0], height: values[1], width: values[2])
  }

  func first(_ setting: String) throws -> Int { try integers(setting)[0] }

  func flag(_ setting: String) throws -> Bool { try integer(setting) == 1 }

  func integer(_ setting: String) throws -> Int {
    Int(try goldens["\(name)/\(setting)"].number)
  }
}

/// Compares output and all gradients of every case whose name begins with `prefix`, and returns how
/// many there were.
func checkWindowGoldens(
  _ file: String, _ prefix: String, _ dataType: DataType,
  _ function: ([String: Tensor], WindowSettings) throws -> Tensor
) throws -> Int {
  let goldens = try Goldens("\(file).\(dataType)", in: .module)
  let cases = goldens.cases.filter { $0.hasPrefix(prefix) }
  for name in cases {
    var inputs: [String: Tensor] = [:]
    for input in ["x", "weight", "bias"] where goldens.contains("\(name)/\(input)") {
      inputs[input] = try goldens["\(name)/\(input)"].tensor(dataType)
      inputs[input]!.requiresGrad = true
    }
    let output = try function(inputs, WindowSettings(goldens: goldens, name: name))
    output.backward(gradient: try goldens["\(name)/output.grad"].tensor(dataType))
    func expect(_ tensor: Tensor?, _ part: String) throws {
      let mismatch = try goldens["\(name)/\(part)"].mismatch(
        tensor, tolerance: dataType == .float64 ? 1e-12 : 1e-6, relativeTo: .largest)
      #expect(mismatch == nil, "\(name), \(part)")
    }
    try expect(output, "output")
    for (input, tensor) in inputs { try expect(tensor.grad, "\(input).grad") }
  }
  return cases.count
}
