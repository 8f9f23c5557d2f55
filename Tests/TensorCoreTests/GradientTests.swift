import Foundation
import TensorCore
import Testing

@Suite("Gradients")
struct GradientTests {
  @Test("backward agrees with finite differences", arguments: gradientCases)
  func firstDerivative(_ row: GradientCase) throws {
    try checkGradient(of: row.function, at: row.inputs())
  }

  @Test(
    "gradients of gradients agree with finite differences",
    arguments: gradientCases.filter(\.isTwiceDifferentiable))
  func secondDerivative(_ row: GradientCase) throws {
    let inputs = row.inputs()
    try checkGradient(
      of: { inputs in
        let y = row.function(inputs)
        let gradients = grad(of: (y * y).sum(), withRespectTo: inputs, createGraph: true)
        return gradients.map { ($0! * $0!).sum() }.reduce(Tensor(0.0), +)
      }, at: inputs, step: 1e-5, tolerance: 2e-5)
  }

  @Test("the fused backward of float32 agrees with float64", arguments: gradientCases)
  func singlePrecision(_ row: GradientCase) {
    let inputs = row.inputs()
    let expected = grad(of: row.function(inputs).sum(), withRespectTo: inputs)
    let narrow = inputs.map { input in
      let x = input.detached().converted(to: .float32)
      x.requiresGrad = true
      return x
    }
    // Rows with constants of their own type only run in float64.
    guard !row.name.hasPrefix("binaryCrossEntropy") else { return }
    let computed = grad(of: row.function(narrow).sum(), withRespectTo: narrow)
    for (a, b) in zip(computed, expected) {
      for (x, y) in zip(a!.doubles(), b!.doubles()) {
        #expect((x - y).magnitude <= 2e-5 * max(1, y.magnitude))
      }
    }
  }

  @Test("every recorded operation has a row in the gradient table")
  func coverage() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/TensorCore/Operations")
    var recorded: Set<String> = []
    for file in try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    {
      let source = try String(contentsOf: file, encoding: .utf8)
      for match in source.matches(of: /"([A-Z][A-Za-z]*)"/) { recorded.insert(String(match.1)) }
    }
    // The conversion between types is checked by itself: finite differences need float64
    // throughout.
    recorded.remove("Convert")
    var covered: Set<String> = []
    for row in gradientCases {
      let inputs = row.inputs()
      let y = row.function(inputs)
      covered.formUnion(y.operationNames())
      let gradients = grad(
        of: y.sum(), withRespectTo: inputs, createGraph: row.isTwiceDifferentiable)
      for gradient in gradients {
        covered.formUnion(gradient!.operationNames())
      }
    }
    #expect(recorded.count > 40)
    #expect(recorded.subtracting(covered).sorted() == [])
  }

  @Test("converting passes the gradient back in the type of the input")
  func conversion() {
    let x = Tensor([1, 2] as [Float])
    x.requiresGrad = true
    (x.converted(to: .float64) * Tensor([3.0, 4.0])).sum().backward()
    #expect(x.grad!.array(of: Float.self) == [3, 4])
  }
}
