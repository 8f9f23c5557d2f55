import TensorCore
import Testing

/// A row of the gradient table: a function that is checked against finite differences in float64.
struct GradientCase: Sendable, CustomTestStringConvertible {
  let name: String
  /// The shapes of the inputs, whose elements are spread over `range`.
  let shapes: [Shape]
  var range: ClosedRange<Double> = -2...2
  /// Whether the gradient itself is differentiated as well.
  var isTwiceDifferentiable = true
  let function: @Sendable ([Tensor]) -> Tensor

  init(
    _ name: String, _ shapes: Shape..., range: ClosedRange<Double> = -2...2, twice: Bool = true,
    function: @escaping @Sendable ([Tensor]) -> Tensor
  ) {
    self.name = name
    self.shapes = shapes
    self.range = range
    isTwiceDifferentiable = twice
    self.function = function
  }

  var testDescription: String { name }

  /// Inputs without ties and away from whole numbers, where some functions have corners.
  func inputs() -> [Tensor] {
    shapes.enumerated().map { index, shape in
      let values = (0..<shape.elementCount).map { element in
        let t = (Double(element) * 0.61803398875 + Double(index) * 0.377 + 0.0917)
        return range.lowerBound
          + (t - t.rounded(.down)) * (range.upperBound - range.lowerBound)
      }
      let tensor = Tensor.of(values, shape: shape)
      tensor.requiresGrad = true
      return tensor
    }
  }
}

/// All rows: one for every recorded operation, and for the forms in which it may be used.
let gradientCases = basicGradientCases + convolutionGradientCases + networkGradientCases

/// The rows of arithmetic, shapes, reductions, products and losses.
private let basicGradientCases: [GradientCase] = [
  // Two inputs
  .init("add", [2, 3], [2, 3]) { $0[0] + $0[1] },
  .init("add, broadcast", [2, 3], [3]) { $0[0] + $0[1] },
  .init("add, both broadcast", [2, 1, 3], [4, 1]) { $0[0] + $0[1] },
  .init("add a scalar", [2, 3]) { $0[0] + 1.5 },
  .init("a tensor used twice", [3]) { $0[0] + $0[0] },
  .init("subtract", [2, 3], [1, 3]) { $0[0] - $0[1] },
  .init("subtract from a scalar", [3]) { 1 - $0[0] },
  .init("multiply", [2, 3], [2, 1]) { $0[0] * $0[1] },
  .init("multiply a tensor by itself", [3]) { $0[0] * $0[0] },
  .init("divide", [2, 3], [3], range: 0.5...2) { $0[0] / $0[1] },
  .init("divide a scalar", [3], range: 0.5...2) { 2 / $0[0] },
  .init("pow", [2, 3], [3], range: 0.5...2) { $0[0].pow($0[1]) },
  .init("squaredDifference", [2, 3], [3]) { $0[0].squaredDifference($0[1]) },
  .init("maximum", [2, 3], [3]) { .maximum($0[0], $0[1]) },
  .init("minimum", [2, 3], [3]) { .minimum($0[0], $0[1]) },
  .init("where", [2, 3], [3]) { x in .where(x[0] .> 0.3, x[0], x[1]) },
  // One input
  .init("negate", [4]) { -$0[0] },
  .init("abs", [5]) { $0[0].abs() },
  .init("squared", [4]) { $0[0].squared() },
  .init("sqrt", [4], range: 0.5...3) { $0[0].sqrt() },
  .init("reciprocal", [4], range: 0.5...3) { $0[0].reciprocal() },
  .init("exp", [2, 3]) { $0[0].exp() },
  .init("log", [4], range: 0.5...3) { $0[0].log() },
  .init("sin", [4]) { $0[0].sin() },
  .init("cos", [4]) { $0[0].cos() },
  .init("tanh", [4]) { $0[0].tanh() },
  .init("sigmoid", [4]) { $0[0].sigmoid() },
  .init("relu", [7]) { $0[0].relu() },
  .init("clamped", [7]) { $0[0].clamped(-1, 1) },
  .init("pow of a constant", [4], range: 0.5...2) { $0[0].pow(1.7) },
  .init("pow 3 of negative numbers", [4]) { $0[0].pow(3) },
  .init("pow 0", [4]) { $0[0].pow(0) },
  .init("dropout", [4, 5]) { $0[0].dropout(0.4, seed: 7, stream: 2, firstSample: 3) },
  // Shapes
  .init("reshaped", [2, 6]) { $0[0].reshaped(to: [3, -1]) * $0[0].reshaped(to: [3, 4]) },
  .init("reshaped after transposing", [2, 3]) { $0[0].transposed().reshaped(to: [6]).exp() },
  .init("permuted", [2, 3, 4]) { $0[0].permuted([2, 0, 1]).exp() },
  .init("transposed", [2, 3]) { $0[0].transposed().exp() },
  .init("sliced", [5, 3]) { $0[0].sliced(1..<4).exp() },
  .init("sliced by a step", [5, 3]) { $0[0].sliced(0..<3, axis: 1, step: 2).exp() },
  .init("selected", [4, 3]) { $0[0][2] * $0[0][-1] },
  .init("squeezed and unsqueezed", [2, 1, 3]) {
    $0[0].squeezed(axis: 1).unsqueezed(axis: -1).exp()
  },
  .init("expanded", [2, 1]) { $0[0].expanded(to: [3, 2, 4]).exp() },
  .init("flattened", [2, 3, 2]) { $0[0].flattened(from: 1).exp() },
  .init("contiguous", [2, 3]) { $0[0].transposed().contiguous().exp() },
  .init("copy", [2, 3]) { $0[0].copy().exp() },
  // Joining and indexing
  .init("concatenated", [2, 3], [1, 3]) { .concatenated([$0[0], $0[1], $0[0]]).exp() },
  .init("concatenated along the last axis", [2, 3], [2, 1]) {
    .concatenated([$0[0], $0[1]], axis: -1).exp()
  },
  .init("stacked", [2, 3], [2, 3]) { .stacked([$0[0], $0[1]], axis: 1).exp() },
  .init("split", [5, 2]) { x in
    let parts = x[0].split(2)
    return parts[0].exp().sum() + parts[1].sin().sum() + parts[2].sum()
  },
  .init("indexSelected", [4, 3]) { $0[0].indexSelected(Tensor([2, 0, 2] as [Int32])).exp() },
  .init("gathered", [3, 4]) {
    $0[0].gathered(Tensor([[1, 1], [0, 3], [2, 2]] as [[Int32]]), axis: 1).exp()
  },
  .init("scattered", [2, 3]) {
    $0[0].scattered(Tensor([[1, 1, 0], [3, 0, 2]] as [[Int32]]), in: [2, 4], axis: 1).exp()
  },
  .init("cumulativeSum", [3, 4]) { $0[0].cumulativeSum(axis: 0).exp() },
  .init("sorted", [3, 4]) { $0[0].sorted(descending: true) * $0[0] },
  .init("topK", [3, 4]) { $0[0].topK(2).values.exp() },
  .init("einsum, matrix product", [2, 3], [3, 4]) { .einsum("ij,jk->ik", $0[0], $0[1]) },
  .init("einsum, batches", [2, 2, 3, 4], [2, 2, 5, 4]) {
    .einsum("bhqd,bhkd->bhqk", $0[0], $0[1])
  },
  .init("einsum, sums and transposes", [2, 3, 4], [3]) { .einsum("ijk,j->ki", $0[0], $0[1]) },
  .init("einsum, outer product", [2], [3]) { .einsum("i,j->ji", $0[0], $0[1]) },
  // In place
  .init("add_", [2, 3], [3]) { x in (x[0] * 1).add_(x[1], scale: 3).exp() },
  .init("sub_", [2, 3], [3]) { x in (x[0] * 1).sub_(x[1]).exp() },
  .init("mul_", [2, 3], [3]) { x in x[0].sin().add_(x[0]).mul_(x[1] * 2) },
  .init("div_", [2, 3], [3], range: 0.5...2) { x in (x[0] + 0).div_(x[1]).exp() },
  .init("copy_", [2, 3], [3]) { x in (x[0] * 2).copy_(x[1]).exp() + x[0] },
  // Reductions
  .init("sum", [2, 3]) { $0[0].sum().exp() },
  .init("sum over an axis", [2, 3, 4]) { $0[0].sum(axes: [1]).sin() },
  .init("sum over outer axes", [2, 3, 4]) { $0[0].sum(axes: [0, 2]).sin() },
  .init("sum, axes kept", [2, 3, 4]) { $0[0] * $0[0].sum(axes: [-1], keepingAxes: true) },
  .init("sum of a transposed tensor", [2, 3, 4]) { $0[0].transposed(0, 2).sum(axes: [0]).sin() },
  .init("mean", [2, 3]) { $0[0].mean().exp() },
  .init("mean over an axis", [2, 3]) { $0[0].mean(axes: [0]).exp() },
  .init("max", [2, 3]) { $0[0].max(axes: [1]).exp() },
  .init("max of all", [2, 3]) { $0[0].max().exp() },
  .init("min", [2, 3]) { $0[0].min(axes: [0], keepingAxes: true).exp() },
  .init("norm", [2, 3]) { $0[0].norm() },
  .init("norm over an axis", [2, 3]) { $0[0].norm(axes: [1]) },
  // Matrix products
  .init("matmul", [2, 3], [3, 4]) { $0[0].matmul($0[1]) },
  .init("matmul of transposed matrices", [3, 2], [4, 3]) {
    $0[0].transposed().matmul($0[1].transposed())
  },
  .init("matmul of two vectors", [3], [3]) { $0[0].matmul($0[1]) },
  .init("matmul of a matrix and a vector", [2, 3], [3]) { $0[0].matmul($0[1]) },
  .init("matmul of a vector and a matrix", [3], [3, 2]) { $0[0].matmul($0[1]) },
  .init("matmul of batches", [2, 3, 4], [2, 4, 2]) { $0[0].matmul($0[1]) },
  .init("matmul of broadcast batches", [2, 1, 2, 3], [4, 3, 2]) { $0[0].matmul($0[1]) },
  .init("matmul of a batch and a matrix", [2, 3, 4], [4, 2]) { $0[0].matmul($0[1]) },
  .init("matmul of a vector and a batch", [4], [2, 4, 3]) { $0[0].matmul($0[1]) },
  .init("matmul of a tensor with itself", [3, 3]) { $0[0].matmul($0[0]) },
  .init("linear", [4, 3], [2, 3], [2]) { $0[0].linear(weight: $0[1], bias: $0[2]) },
  .init("linear without bias, three axes", [2, 2, 3], [2, 3]) { $0[0].linear(weight: $0[1]) },
  // Rows
  .init("softmax", [3, 4]) { $0[0].softmax() },
  .init("softmax over the first axis", [3, 4]) { $0[0].softmax(axis: 0) },
  .init("logSoftmax", [3, 4]) { $0[0].logSoftmax() },
  .init("crossEntropy", [3, 4]) { $0[0].crossEntropy(Tensor([0, 3, 1] as [Int32])) },
  .init("crossEntropy, mean", [3, 4]) { $0[0].crossEntropy(Tensor([0, 3, 1] as [Int32])).mean() },
  .init("binaryCrossEntropy", [4], range: 0.2...0.8) {
    $0[0].binaryCrossEntropy(Tensor([0, 1, 0.3, 1]))
  },
  .init("binaryCrossEntropyWithLogits", [4]) {
    $0[0].binaryCrossEntropyWithLogits(Tensor([0, 1, 0.3, 1]))
  },
]
