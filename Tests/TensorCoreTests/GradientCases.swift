import TensorCore
import Testing

/// A row of the gradient table: a function that is checked against finite differences in float64.
struct GradientCase: Sendable, CustomTestStringConvertible {
  /// The declaration that the row covers, as `GradientTests.declarations()` writes it, and after a
  /// comma what is special about the row.
  let name: String
  /// The shapes of the inputs, whose elements are spread over `range`.
  let shapes: [TensorShape]
  var range: ClosedRange<Double> = -2...2
  /// Whether the gradient itself is differentiated as well.
  var isTwiceDifferentiable = true
  let function: @Sendable ([Tensor]) throws -> Tensor

  init(
    _ name: String, _ shapes: TensorShape..., range: ClosedRange<Double> = -2...2,
    twice: Bool = true,
    function: @escaping @Sendable ([Tensor]) throws -> Tensor
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

/// A tensor that `change` changes in place, starting from the elements of `x`.
private func changed(
  _ x: Tensor, by change: @escaping (inout Tensor, Tensor) -> Void
) -> (Tensor) -> Tensor {
  { other in
    var y = x * 1
    change(&y, other)
    return y.exp()
  }
}

/// All rows: at least one for every public operation and for every recorded name.
let gradientCases: [GradientCase] = [
  basicGradientCases,
  scalarGradientCases,
  convolutionGradientCases,
  networkGradientCases,
  lossGradientCases,
  windowGradientCases,
  recurrentGradientCases,
  attentionGradientCases,
  linearAlgebraGradientCases,
  indexingGradientCases,
  statisticsGradientCases,
  functionGradientCases,
  rearrangingGradientCases,
].flatMap(\.self)

/// The rows of arithmetic, shapes, reductions, products and losses.
private let basicGradientCases: [GradientCase] = [
  // Two inputs
  .init("+(Tensor, Tensor)", [2, 3], [2, 3]) { $0[0] + $0[1] },
  .init("+(Tensor, Tensor), broadcast", [2, 3], [3]) { $0[0] + $0[1] },
  .init("+(Tensor, Tensor), both broadcast", [2, 1, 3], [4, 1]) { $0[0] + $0[1] },
  .init("+(Tensor, Double)", [2, 3]) { $0[0] + 1.5 },
  .init("+(Double, Tensor)", [3]) { 1.5 + $0[0] },
  .init("+(Tensor, Tensor), a tensor used twice", [3]) { $0[0] + $0[0] },
  .init("-(Tensor, Tensor)", [2, 3], [1, 3]) { $0[0] - $0[1] },
  .init("-(Tensor, Double)", [3]) { $0[0] - 1 },
  .init("-(Double, Tensor)", [3]) { 1 - $0[0] },
  .init("*(Tensor, Tensor)", [2, 3], [2, 1]) { $0[0] * $0[1] },
  .init("*(Tensor, Tensor), a tensor by itself", [3]) { $0[0] * $0[0] },
  .init("*(Tensor, Double)", [3]) { $0[0] * 1.5 },
  .init("*(Double, Tensor)", [3]) { 1.5 * $0[0] },
  .init("/(Tensor, Tensor)", [2, 3], [3], range: 0.5...2) { $0[0] / $0[1] },
  .init("/(Tensor, Double)", [3]) { $0[0] / 1.5 },
  .init("/(Double, Tensor)", [3], range: 0.5...2) { 2 / $0[0] },
  .init("pow(Tensor)", [2, 3], [3], range: 0.5...2) { $0[0].pow($0[1]) },
  .init("squaredDifference(Tensor)", [2, 3], [3]) { $0[0].squaredDifference($0[1]) },
  .init("maximum(Tensor, Tensor)", [2, 3], [3]) { .maximum($0[0], $0[1]) },
  .init("minimum(Tensor, Tensor)", [2, 3], [3]) { .minimum($0[0], $0[1]) },
  .init("where(Tensor, Tensor, Tensor)", [2, 3], [3]) { x in .where(x[0] .> 0.3, x[0], x[1]) },
  .init("where(Tensor, Tensor, Double)", [2, 3]) { x in .where(x[0] .> 0.3, x[0].exp(), 2) },
  .init("where(Tensor, Double, Tensor)", [2, 3]) { x in .where(x[0] .> 0.3, 2, x[0].exp()) },
  // One input
  .init("-(Tensor)", [4]) { -$0[0] },
  .init("abs()", [5]) { $0[0].abs() },
  .init("squared()", [4]) { $0[0].squared() },
  .init("sqrt()", [4], range: 0.5...3) { $0[0].sqrt() },
  .init("reciprocal()", [4], range: 0.5...3) { $0[0].reciprocal() },
  .init("exp()", [2, 3]) { $0[0].exp() },
  .init("log()", [4], range: 0.5...3) { $0[0].log() },
  .init("sin()", [4]) { $0[0].sin() },
  .init("cos()", [4]) { $0[0].cos() },
  .init("tanh()", [4]) { $0[0].tanh() },
  .init("sigmoid()", [4]) { $0[0].sigmoid() },
  .init("relu()", [7]) { $0[0].relu() },
  .init("clamped(Double, Double)", [7]) { $0[0].clamped(-1, 1) },
  .init("pow(Double)", [4], range: 0.5...2) { $0[0].pow(1.7) },
  .init("pow(Double), 3 of negative numbers", [4]) { $0[0].pow(3) },
  .init("pow(Double), 0", [4]) { $0[0].pow(0) },
  .init("dropout(Double, seed:stream:firstSample:)", [4, 5]) {
    $0[0].dropout(0.4, seed: 7, stream: 2, firstSample: 3)
  },
  .init("dropout(Double)", [4, 5]) { x in
    withTraining(SampleRandomness(seed: 7, epoch: 2, firstSample: 3)) { x[0].dropout(0.4) }
  },
  // Shapes
  .init("reshaped(to:)", [2, 6]) { $0[0].reshaped(to: [3, -1]) * $0[0].reshaped(to: [3, 4]) },
  .init("reshaped(to:), after transposing", [2, 3]) { $0[0].transposed().reshaped(to: [6]).exp() },
  .init("permuted([Int])", [2, 3, 4]) { $0[0].permuted([2, 0, 1]).exp() },
  .init("transposed(Int, Int)", [2, 3]) { $0[0].transposed().exp() },
  .init("sliced(Range<Int>, axis:step:)", [5, 3]) { $0[0].sliced(1..<4).exp() },
  .init("sliced(Range<Int>, axis:step:), by a step", [5, 3]) {
    $0[0].sliced(0..<3, axis: 1, step: 2).exp()
  },
  .init("subscript(Int)", [4, 3]) { $0[0][2] * $0[0][-1] },
  .init("selected(Int, axis:)", [4, 3]) { $0[0].selected(1, axis: -1).exp() },
  .init("subscript(Range<Int>)", [4, 3]) { $0[0][1..<3].exp() },
  .init("squeezed(axis:)", [2, 1, 3]) { $0[0].squeezed(axis: 1).exp() },
  .init("unsqueezed(axis:)", [2, 3]) { $0[0].unsqueezed(axis: -1).exp() },
  .init("expanded(to:)", [2, 1]) { $0[0].expanded(to: [3, 2, 4]).exp() },
  .init("flattened(from:)", [2, 3, 2]) { $0[0].flattened(from: 1).exp() },
  .init("contiguous()", [2, 3]) { $0[0].transposed().contiguous().exp() },
  .init("copy()", [2, 3]) { $0[0].copy().exp() },
  // Joining and indexing
  .init("concatenated([Tensor], axis:)", [2, 3], [1, 3]) {
    .concatenated([$0[0], $0[1], $0[0]]).exp()
  },
  .init("concatenated([Tensor], axis:), the last one", [2, 3], [2, 1]) {
    .concatenated([$0[0], $0[1]], axis: -1).exp()
  },
  .init("stacked([Tensor], axis:)", [2, 3], [2, 3]) { .stacked([$0[0], $0[1]], axis: 1).exp() },
  .init("split(Int, axis:)", [5, 2]) { x in
    let parts = x[0].split(2)
    return parts[0].exp().sum() + parts[1].sin().sum() + parts[2].sum()
  },
  .init("indexSelected(Tensor, axis:)", [4, 3]) {
    $0[0].indexSelected(Tensor([2, 0, 2] as [Int32])).exp()
  },
  .init("gathered(Tensor, axis:)", [3, 4]) {
    $0[0].gathered(Tensor([[1, 1], [0, 3], [2, 2]] as [[Int32]]), axis: 1).exp()
  },
  .init("scattered(Tensor, in:axis:)", [2, 3]) {
    $0[0].scattered(Tensor([[1, 1, 0], [3, 0, 2]] as [[Int32]]), in: [2, 4], axis: 1).exp()
  },
  .init("cumulativeSum(axis:)", [3, 4]) { $0[0].cumulativeSum(axis: 0).exp() },
  .init("sorted(axis:descending:)", [3, 4]) { $0[0].sorted(descending: true) * $0[0] },
  .init("topK(Int, axis:largest:)", [3, 4]) { $0[0].topK(2).values.exp() },
  .init("einsum(String, Tensor...), matrix product", [2, 3], [3, 4]) {
    .einsum("ij,jk->ik", $0[0], $0[1])
  },
  .init("einsum(String, Tensor...), batches", [2, 2, 3, 4], [2, 2, 5, 4]) {
    .einsum("bhqd,bhkd->bhqk", $0[0], $0[1])
  },
  .init("einsum(String, Tensor...), sums and transposes", [2, 3, 4], [3]) {
    .einsum("ijk,j->ki", $0[0], $0[1])
  },
  .init("einsum(String, Tensor...), outer product", [2], [3]) { .einsum("i,j->ji", $0[0], $0[1]) },
  // In place
  .init("add_(Tensor, scale:)", [2, 3], [3]) { x in (x[0] * 1).add_(x[1], scale: 3).exp() },
  .init("sub_(Tensor, scale:)", [2, 3], [3]) { x in (x[0] * 1).sub_(x[1]).exp() },
  .init("mul_(Tensor)", [2, 3], [3]) { x in x[0].sin().add_(x[0]).mul_(x[1] * 2) },
  .init("div_(Tensor)", [2, 3], [3], range: 0.5...2) { x in (x[0] + 0).div_(x[1]).exp() },
  .init("copy_(Tensor)", [2, 3], [3]) { x in (x[0] * 2).copy_(x[1]).exp() + x[0] },
  .init("fill_(Double)", [2, 3]) { x in (x[0] * 2).fill_(3) * x[0] },
  .init("zero_()", [2, 3]) { x in (x[0] * 2).zero_() + x[0].exp() },
  .init("+=(Tensor, Tensor)", [2, 3], [3]) { changed($0[0]) { y, x in y += x }($0[1]) },
  .init("-=(Tensor, Tensor)", [2, 3], [3]) { changed($0[0]) { y, x in y -= x }($0[1]) },
  .init("*=(Tensor, Tensor)", [2, 3], [3]) { changed($0[0]) { y, x in y *= x }($0[1]) },
  .init("/=(Tensor, Tensor)", [2, 3], [3], range: 0.5...2) {
    changed($0[0]) { y, x in y /= x }($0[1])
  },
  .init("+=(Tensor, Double)", [2, 3]) { changed($0[0]) { y, _ in y += 1.5 }($0[0]) },
  .init("-=(Tensor, Double)", [2, 3]) { changed($0[0]) { y, _ in y -= 1.5 }($0[0]) },
  .init("*=(Tensor, Double)", [2, 3]) { changed($0[0]) { y, _ in y *= 1.5 }($0[0]) },
  .init("/=(Tensor, Double)", [2, 3]) { changed($0[0]) { y, _ in y /= 1.5 }($0[0]) },
  // Reductions
  .init("sum(axes:keepingAxes:)", [2, 3]) { $0[0].sum().exp() },
  .init("sum(axes:keepingAxes:), one axis", [2, 3, 4]) { $0[0].sum(axes: [1]).sin() },
  .init("sum(axes:keepingAxes:), outer axes", [2, 3, 4]) { $0[0].sum(axes: [0, 2]).sin() },
  .init("sum(axes:keepingAxes:), axes kept", [2, 3, 4]) {
    $0[0] * $0[0].sum(axes: [-1], keepingAxes: true)
  },
  .init("sum(axes:keepingAxes:), of a transposed tensor", [2, 3, 4]) {
    $0[0].transposed(0, 2).sum(axes: [0]).sin()
  },
  .init("mean(axes:keepingAxes:)", [2, 3]) { $0[0].mean().exp() },
  .init("mean(axes:keepingAxes:), one axis", [2, 3]) { $0[0].mean(axes: [0]).exp() },
  .init("max(axes:keepingAxes:)", [2, 3]) { $0[0].max(axes: [1]).exp() },
  .init("max(axes:keepingAxes:), of all", [2, 3]) { $0[0].max().exp() },
  .init("min(axes:keepingAxes:)", [2, 3]) { $0[0].min(axes: [0], keepingAxes: true).exp() },
  .init("norm(axes:keepingAxes:)", [2, 3]) { $0[0].norm() },
  .init("norm(axes:keepingAxes:), one axis", [2, 3]) { $0[0].norm(axes: [1]) },
  // Matrix products
  .init("matmul(Tensor)", [2, 3], [3, 4]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), transposed matrices", [3, 2], [4, 3]) {
    $0[0].transposed().matmul($0[1].transposed())
  },
  .init("matmul(Tensor), two vectors", [3], [3]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), a matrix and a vector", [2, 3], [3]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), a vector and a matrix", [3], [3, 2]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), batches", [2, 3, 4], [2, 4, 2]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), broadcast batches", [2, 1, 2, 3], [4, 3, 2]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), a batch and a matrix", [2, 3, 4], [4, 2]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), a vector and a batch", [4], [2, 4, 3]) { $0[0].matmul($0[1]) },
  .init("matmul(Tensor), a tensor with itself", [3, 3]) { $0[0].matmul($0[0]) },
  .init("linear(weight:bias:relu:)", [4, 3], [2, 3], [2]) {
    $0[0].linear(weight: $0[1], bias: $0[2])
  },
  .init("linear(weight:bias:relu:), with ReLU", [4, 3], [2, 3], [2], range: -1.9...2.1) {
    $0[0].linear(weight: $0[1], bias: $0[2], relu: true).sin()
  },
  .init("matmul(Tensor, adding:)", [2, 4, 3], [3, 2], [2]) {
    $0[0].matmul($0[1], adding: $0[2])
  },
  .init("linear(weight:bias:relu:), three axes without bias", [2, 2, 3], [2, 3]) {
    $0[0].linear(weight: $0[1])
  },
  // Rows
  .init("softmax(axis:)", [3, 4]) { $0[0].softmax() },
  .init("softmax(axis:), the first one", [3, 4]) { $0[0].softmax(axis: 0) },
  .init("logSoftmax(axis:)", [3, 4]) { $0[0].logSoftmax() },
  .init("binaryCrossEntropy(Tensor)", [4], range: 0.2...0.8) {
    $0[0].binaryCrossEntropy(Tensor([0, 1, 0.3, 1] as [Double]).converted(to: $0[0].dataType))
  },
  .init("binaryCrossEntropyWithLogits(Tensor)", [4]) {
    $0[0].binaryCrossEntropyWithLogits(
      Tensor([0, 1, 0.3, 1] as [Double]).converted(to: $0[0].dataType))
  },
]
