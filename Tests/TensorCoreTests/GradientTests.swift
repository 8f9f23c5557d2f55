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
        let y = try row.function(inputs)
        let gradients = grad(of: (y * y).sum(), withRespectTo: inputs, createGraph: true)
        return gradients.map { ($0! * $0!).sum() }.reduce(Tensor(0.0 as Double), +)
      }, at: inputs, step: 1e-5, tolerance: 2e-5)
  }

  @Test("the fused backward of float32 agrees with float64", arguments: gradientCases)
  func singlePrecision(_ row: GradientCase) throws {
    let inputs = row.inputs()
    let expected = try grad(of: row.function(inputs).sum(), withRespectTo: inputs)
    let narrow = inputs.map { input in
      let x = input.detached().converted(to: .float32)
      x.requiresGrad = true
      return x
    }
    let computed = try grad(of: row.function(narrow).sum(), withRespectTo: narrow)
    for (a, b) in zip(computed, expected) {
      for (x, y) in zip(a!.doubles(), b!.doubles()) {
        // Below 1 the bound is absolute: gradients near 0 are differences of terms of that size.
        #expect((x - y).magnitude <= 2e-5 * max(1, y.magnitude))
      }
    }
  }

  @Test("bfloat16 has the gradient of float64, but for rounding", arguments: gradientCases)
  func halfPrecision(_ row: GradientCase) throws {
    let narrow = row.inputs().map { input in
      let x = input.detached().converted(to: .bfloat16)
      x.requiresGrad = true
      return x
    }
    // Of the same numbers: rounded inputs would hide the rounding of results.
    let wide = narrow.map { input in
      let x = input.detached().converted(to: .float64)
      x.requiresGrad = true
      return x
    }
    let expected = try grad(of: row.function(wide).sum(), withRespectTo: wide)
    let computed = try grad(of: row.function(narrow).sum(), withRespectTo: narrow)
    for (a, b) in zip(computed, expected) {
      #expect(a!.dataType == .bfloat16)
      let scale = b!.doubles().map(\.magnitude).reduce(1, max)
      for (x, y) in zip(a!.doubles(), b!.doubles()) { #expect((x - y).magnitude <= 0.06 * scale) }
    }
  }

  // MARK: - Coverage

  private static func operationFiles() throws -> [String] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/TensorCore/Operations")
    let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
    return try (files?.allObjects as? [URL] ?? []).filter { $0.pathExtension == "swift" }
      .map { try String(contentsOf: $0, encoding: .utf8) }
  }

  /// The public operations in the sources: a name, and each parameter by its label or, if it has none,
  /// by its type, such as `sliced(Range<Int>, axis:step:)`.
  private static func declarations() throws -> Set<String> {
    let declaration =
      /public (?:(?:final|static|prefix) )*(?:func (?<name>\S+?) ?|(?<subscript>subscript))\((?<parameters>[^)]*)\)/
    var found: Set<String> = []
    for source in try operationFiles() {
      for match in source.matches(of: declaration) {
        let name = match.name.map { $0.filter { $0 != "`" } } ?? "subscript"
        let isOperator = !name.first!.isLetter
        var text = name + "("
        for parameter in match.parameters.split(separator: ",") {
          let words = parameter.split(separator: "=")[0].split(separator: ":")
          if words.count == 1 { continue }  // the rest of a tuple
          let label = words[0].split(whereSeparator: \.isWhitespace)[0]
          let type = words[1].trimmingCharacters(in: .whitespaces)
            .replacing("inout ", with: "")
          if label == "_" || isOperator || name == "subscript" {
            text += (text.hasSuffix("(") ? "" : ", ") + type
          } else {
            text += (text.hasSuffix("(") || text.hasSuffix(":") ? "" : ", ") + label + ":"
          }
        }
        found.insert(text + ")")
      }
    }
    return found
  }

  /// Public functions without a row, and why.
  private static let withoutGradient: Set<String> = [
    // Constant between jumps, or integers.
    "sign()", "floor()", "rounded()", "argmax(axis:keepingAxes:)", "argmin(axis:keepingAxes:)",
    "argsort(axis:descending:)", "oneHot(Int, DataType)", ".==(Tensor, Tensor)",
    ".<(Tensor, Tensor)",
    ".<=(Tensor, Tensor)", ".>(Tensor, Tensor)", ".>=(Tensor, Tensor)", ".==(Tensor, Double)",
    ".<(Tensor, Double)", ".<=(Tensor, Double)", ".>(Tensor, Double)", ".>=(Tensor, Double)",
    "ceil()", "trunc()", "floorDivided(by:)", "heaviside(Tensor)", "isNaN()", "isInfinite()",
    "isFinite()", "isClose(to:relative:absolute:equalNaN:)",
    "allClose(to:relative:absolute:equalNaN:)", "isEqual(to:)", "any(axes:keepingAxes:)",
    "all(axes:keepingAxes:)", "any(axis:keepingAxes:)", "all(axis:keepingAxes:)",
    "countNonzero(axes:)", "nonzero()", "unique()", "bincount(weights:minimumLength:)",
    ".!=(Tensor, Tensor)", ".!=(Tensor, Double)", ".!=(Tensor, Float)", ".!=(Tensor, Int)",
    ".&(Tensor, Tensor)", ".|(Tensor, Tensor)", ".^(Tensor, Tensor)", ".!(Tensor)",
    "searchSorted(Tensor, right:)", "bucketized(Tensor, right:)",
    ".==(Tensor, Float)", ".<(Tensor, Float)", ".<=(Tensor, Float)", ".>(Tensor, Float)",
    ".>=(Tensor, Float)", ".==(Tensor, Int)", ".<(Tensor, Int)", ".<=(Tensor, Int)",
    ".>(Tensor, Int)", ".>=(Tensor, Int)",
    "matrixRank(relativeTolerance:)",
    // Tested by itself: finite differences need float64 throughout.
    "converted(to:)",
  ]

  @Test("every public operation, with every choice of operands, has a row in the gradient table")
  func declarationCoverage() throws {
    let declarations = try Self.declarations()
    #expect(declarations.count > 100)
    let covered = gradientCases.map { row in
      declarations.first { row.name == $0 || row.name.hasPrefix($0 + ", ") } ?? ""
    }
    let strangers = zip(gradientCases, covered).filter { $1.isEmpty }.map(\.0.name)
    #expect(
      strangers == ["dropout(Double, seed:stream:firstSample:)"], "rows of no public operation")
    #expect(declarations.subtracting(covered).subtracting(Self.withoutGradient).sorted() == [])
    #expect(Self.withoutGradient.subtracting(declarations).sorted() == [])
    #expect(Set(gradientCases.map(\.name)).count == gradientCases.count)
  }

  @Test("every recorded operation has a row in the gradient table")
  func coverage() throws {
    var recorded: Set<String> = []
    for source in try Self.operationFiles() {
      for match in source.matches(of: /"([A-Z][A-Za-z0-9]*)"/) { recorded.insert(String(match.1)) }
    }
    recorded.remove("Convert")  // see `withoutGradient`
    var covered: Set<String> = []
    for row in gradientCases {
      let inputs = row.inputs()
      let y = try row.function(inputs)
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
    (x.converted(to: .float64) * Tensor([3.0, 4.0] as [Double])).sum().backward()
    #expect(x.grad!.array(of: Float.self) == [3, 4])
  }
}
