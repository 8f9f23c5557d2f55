import Foundation
import TensorCore
import TestSupport
import Testing

/// The inputs of a golden case of `make_goldens_library.py`.
struct LibraryInputs {
  fileprivate let goldens: Goldens
  fileprivate let name: String
  fileprivate var tensors: [String: Tensor] = [:]

  /// Tensors.
  var a: Tensor { tensors["a"]! }
  var b: Tensor { tensors["b"]! }
  var c: Tensor { tensors["c"]! }
  /// All of them.
  var all: [Tensor] { tensors.sorted { $0.key < $1.key }.map(\.value) }
  /// Indices.
  var i: Tensor { integers("i") }
  var j: Tensor { integers("j") }
  /// A mask.
  var m: Tensor { integers("m") .== 1 }

  /// A setting.
  func numbers(_ setting: String) -> [Double] {
    (try? goldens["\(name)/\(setting)"].values) ?? []
  }

  private func integers(_ input: String) -> Tensor {
    (try? goldens["\(name)/\(input)"].tensor(.int32)) ?? Tensor.zeros([0], .int32)
  }
}

/// A case of `make_goldens_library.py` and the function that computes it here.
struct LibraryCase: Sendable, CustomTestStringConvertible {
  let name: String
  let scale: Golden.Scale
  let function: @Sendable (LibraryInputs) -> Tensor

  init(
    _ name: String, _ scale: Golden.Scale = .largest,
    _ function: @escaping @Sendable (LibraryInputs) -> Tensor
  ) {
    (self.name, self.scale, self.function) = (name, scale, function)
  }

  var testDescription: String { name }

  /// Compares output and gradients with PyTorch's.
  func check(_ file: String, _ dataType: DataType, tolerance: Double? = nil) throws {
    let goldens = try Goldens("library_\(file).\(dataType)", in: .module)
    var inputs = LibraryInputs(goldens: goldens, name: name)
    for input in ["a", "b", "c", "d", "e"] where goldens.contains("\(name)/\(input)") {
      let tensor = try goldens["\(name)/\(input)"].tensor(dataType)
      tensor.requiresGrad = goldens.contains("\(name)/\(input).grad")
      inputs.tensors[input] = tensor
    }
    let output = function(inputs)
    func expect(_ tensor: Tensor?, _ part: String) throws {
      let mismatch = try goldens["\(name)/\(part)"].mismatch(
        tensor, tolerance: tolerance ?? (dataType == .float64 ? 1e-11 : 2e-6), relativeTo: scale)
      #expect(mismatch == nil, "\(name), \(part)")
    }
    try expect(output, "output")
    guard goldens.contains("\(name)/output.grad") else { return }
    // A gradient that is always 0 in PyTorch is none here.
    guard output.requiresGrad else {
      return #expect(try goldens["\(name)/a.grad"].values.allSatisfy { $0 == 0 || $0.isNaN })
    }
    output.backward(gradient: try goldens["\(name)/output.grad"].tensor(dataType))
    for (input, tensor) in inputs.tensors where tensor.requiresGrad {
      try expect(tensor.grad ?? .zeros(tensor.shape, dataType), "\(input).grad")
    }
  }

  /// Expects every case of the file among these.
  static func expectComplete(_ cases: [LibraryCase], _ file: String) throws {
    let goldens = try Goldens("library_\(file).float64", in: .module)
    #expect(goldens.cases.symmetricDifference(cases.map(\.name)).sorted() == [])
  }
}
