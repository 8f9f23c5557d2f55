import TensorCore

// Indices and masks of the rows, made for each, because tensors are not Sendable.
private func integers(_ values: Int32...) -> Tensor { Tensor(values) }
private func rows(_ values: [Int32]...) -> Tensor { Tensor(values) }

/// The value of an element of the first input of a row, where it is checked.
private func element(_ index: Int) -> Double {
  let t = Double(index) * 0.61803398875 + 0.0917
  return -2 + (t - t.rounded(.down)) * 4
}

/// A copy of a tensor that `change` changes in place.
private func changed(_ x: Tensor, _ change: (Tensor) -> Void) -> Tensor {
  let y = x * 1
  change(y)
  return y.exp()
}

/// The rows of indexing.
let indexingGradientCases: [GradientCase] = [
  .init("subscript(Int, Int)", [3, 4, 2]) { $0[0][1, -1].exp() },
  .init("subscript(any TensorIndexing...)", [3, 4, 2]) { $0[0][1..., .newAxis, .by(2), 0].exp() },
  .init("subscript(any TensorIndexing...), rows", [3, 4]) { $0[0][rows([2, 0], [-1, 2])].exp() },
  .init("subscript(any TensorIndexing...), elements", [3, 4, 2]) {
    $0[0][integers(2, 0, 2), integers(1, -1, 1)].exp()
  },
  .init("subscript(any TensorIndexing...), an inner axis", [2, 4, 3]) {
    $0[0][.all, integers(3, 3, 0), 1...].exp()
  },
  .init("subscript(any TensorIndexing...), two apart", [2, 2, 3]) {
    $0[0][integers(1, 0), .all, integers(2, 2)].exp()
  },
  .init("indexPut_([Tensor], Tensor, accumulate:)", [3, 2], [2]) { x in
    changed(x[0]) { $0.indexPut_([integers(2, 0, 2)], x[1], accumulate: true) }
  },
  .init("indexPut_([Tensor], Tensor, accumulate:), overwriting", [3, 2], [2]) { x in
    changed(x[0]) { $0.indexPut_([integers(2, 0)], x[1]) }
  },
  .init("take(Tensor)", [2, 3]) { $0[0].take(rows([0, 5], [3, 3])).exp() },
  .init("maskedSelected(Tensor)", [2, 3]) { x in x[0].maskedSelected(x[0] .> 0.2).exp() },
  .init("maskedFill(Tensor, Double)", [2, 3]) { x in x[0].maskedFill(x[0] .> 0.2, 3).exp() },
  .init("maskedFill(Tensor, Tensor)", [2, 3], [3]) { x in
    x[0].maskedFill(x[0] .> 0.2, x[1]).exp()
  },
  .init("maskedFill_(Tensor, Double)", [2, 3]) { x in
    changed(x[0]) { $0.maskedFill_($0 .> 0.2, 3) }
  },
  .init("maskedScatter(Tensor, Tensor)", [2, 3], [4, 2]) { x in
    x[0].maskedScatter(x[0] .> 0.2, x[1]).exp()
  },
  .init("scatterAdd(Tensor, Tensor, axis:)", [3, 4], [2, 4]) { x in
    x[0].scatterAdd(rows([0, 1, 2, 0], [0, 1, 0, 0]), x[1], axis: 0).exp()
  },
  .init("scatter(Tensor, Tensor, axis:)", [3, 4], [3, 2]) { x in
    x[0].scatter(rows([0, 1], [3, 2], [1, 0]), x[1], axis: 1).exp()
  },
  .init("scatter(Tensor, Double, axis:)", [3, 4]) { x in
    x[0].scatter(rows([0, 1], [3, 2], [1, 0]), 2, axis: 1).exp()
  },
  .init("indexAdd(Tensor, Tensor, axis:scale:)", [3, 4], [2, 4]) { x in
    x[0].indexAdd(integers(2, 2), x[1], axis: 0, scale: 0.5).exp()
  },
  .init("indexCopy(Tensor, Tensor, axis:)", [3, 4], [3, 2]) { x in
    x[0].indexCopy(integers(3, 1), x[1], axis: 1).exp()
  },
  .init("indexFill(Tensor, Double, axis:)", [3, 4]) { x in
    x[0].indexFill(integers(3, 1), 2, axis: 1).exp()
  },
]

/// The rows of reductions and cumulative functions.
let statisticsGradientCases: [GradientCase] = [
  .init("variance(axes:unbiased:keepingAxes:)", [3, 4]) { $0[0].variance(axes: [0]).exp() },
  .init("variance(axis:unbiased:keepingAxes:)", [3, 4]) {
    $0[0].variance(axis: 1, unbiased: false, keepingAxes: true).exp()
  },
  .init("std(axes:unbiased:keepingAxes:)", [3, 4]) { $0[0].std().exp() },
  .init("std(axis:unbiased:keepingAxes:)", [3, 4]) { $0[0].std(axis: -1).exp() },
  .init("logSumExp(axes:keepingAxes:)", [3, 4]) { $0[0].logSumExp().exp() },
  .init("logSumExp(axis:keepingAxes:)", [3, 4]) { $0[0].logSumExp(axis: 0, keepingAxes: true) },
  .init("prod(axes:keepingAxes:)", [2, 2, 3]) { $0[0].prod(axes: [0, 2]).sin() },
  .init("prod(axes:keepingAxes:), with zeros", [2, 2, 3]) { x in
    (x[0] * Tensor([1, 0, 1]).converted(to: x[0].dataType)).prod(axes: [1]).sin()
  },
  .init("prod(axes:keepingAxes:), of all, with a zero", [4]) { x in
    x[0].prod() + (x[0] - element(1)).prod(keepingAxes: true).sin()
  },
  .init("prod(axis:keepingAxes:)", [3, 4]) { $0[0].prod(axis: 1).sin() },
  .init("cumulativeProduct(axis:)", [3, 4]) { $0[0].cumulativeProduct(axis: 1).sin() },
  .init("cumulativeProduct(axis:), with zeros", [3, 4]) { x in
    (x[0] - element(5)).cumulativeProduct(axis: 1).sin()
  },
  .init("cumulativeProduct(axis:), with two zeros", [3, 4]) { x in
    let mask = Tensor([1, 1, 0, 1]).converted(to: x[0].dataType)
    return ((x[0] - element(5)) * mask).cumulativeProduct(axis: 1).sin()
  },
  .init("cumulativeMax(axis:)", [3, 4]) { $0[0].cumulativeMax(axis: 0).values.exp() },
  .init("cumulativeMin(axis:)", [3, 4]) { $0[0].cumulativeMin(axis: 1).values.exp() },
  .init("median()", [3, 4]) { $0[0].median().exp() },
  .init("median(axis:keepingAxes:)", [3, 4]) { $0[0].median(axis: 1).values.exp() },
  .init("quantile(Double, axis:keepingAxes:)", [3, 4]) { $0[0].quantile(0.3, axis: 0).exp() },
  .init("quantile(Double, axis:keepingAxes:), of all", [3, 4]) { $0[0].quantile(0.9).exp() },
  .init("norm(Double, axes:keepingAxes:)", [3, 4]) { $0[0].norm(3).exp() },
  .init("norm(Double, axes:keepingAxes:), 1", [3, 4]) { $0[0].norm(1, axes: [0]) },
  .init("norm(Double, axes:keepingAxes:), the largest", [3, 4]) {
    $0[0].norm(.infinity, axes: [0])
  },
  .init("norm(Double, axis:keepingAxes:)", [3, 4], range: 0.5...2) { $0[0].norm(0.5, axis: 1) },
  .init("norm(axis:keepingAxes:)", [3, 4]) { $0[0].norm(axis: 1) },
  .init("sum(axis:keepingAxes:)", [3, 4]) { $0[0].sum(axis: 1).exp() },
  .init("mean(axis:keepingAxes:)", [3, 4]) { $0[0].mean(axis: 1).exp() },
  .init("max(axis:keepingAxes:)", [3, 4]) { $0[0].max(axis: 1).exp() },
  .init("min(axis:keepingAxes:)", [3, 4]) { $0[0].min(axis: 1).exp() },
]

/// The rows of functions of elements.
let functionGradientCases: [GradientCase] = [
  .init("rsqrt()", [4], range: 0.5...3) { $0[0].rsqrt() },
  .init("log1p()", [4], range: -0.5...3) { $0[0].log1p() },
  .init("expm1()", [4]) { $0[0].expm1() },
  .init("log2()", [4], range: 0.5...3) { $0[0].log2() },
  .init("log10()", [4], range: 0.5...3) { $0[0].log10() },
  .init("exp2()", [4]) { $0[0].exp2() },
  .init("frac()", [4]) { $0[0].frac().exp() },
  .init("tan()", [4], range: -1...1) { $0[0].tan() },
  .init("asin()", [4], range: -0.8...0.8) { $0[0].asin() },
  .init("acos()", [4], range: -0.8...0.8) { $0[0].acos() },
  .init("atan()", [4]) { $0[0].atan() },
  .init("sinh()", [4]) { $0[0].sinh() },
  .init("cosh()", [4]) { $0[0].cosh() },
  .init("asinh()", [4]) { $0[0].asinh() },
  .init("acosh()", [4], range: 1.5...3) { $0[0].acosh() },
  .init("atanh()", [4], range: -0.8...0.8) { $0[0].atanh() },
  .init("erfc()", [4]) { $0[0].erfc() },
  .init("erfinv()", [4], range: -0.7...0.7) { $0[0].erfinv() },
  .init("lgamma()", [4], range: 0.5...4) { $0[0].lgamma() },
  .init("digamma()", [4], range: 1...4) { $0[0].digamma() },
  .init("polygamma(Int)", [4], range: 1...4) { $0[0].polygamma(2) },
  .init("logit()", [4], range: 0.2...0.8) { $0[0].logit() },
  .init("sinc()", [4]) { $0[0].sinc() },
  .init("degreesToRadians()", [4]) { $0[0].degreesToRadians().sin() },
  .init("radiansToDegrees()", [4]) { ($0[0].radiansToDegrees() * 0.01).sin() },
  .init("nanToNum(nan:positiveInfinity:negativeInfinity:)", [4]) { $0[0].nanToNum().exp() },
  .init("maximum(Tensor)", [2, 3], [3]) { $0[0].maximum($0[1]) },
  .init("maximum(Double)", [2, 3]) { $0[0].maximum(0.3).exp() },
  .init("maximum(Tensor, Double)", [2, 3]) { .maximum($0[0].exp(), 0.8) },
  .init("minimum(Tensor)", [2, 3], [3]) { $0[0].minimum($0[1]) },
  .init("minimum(Double)", [2, 3]) { $0[0].minimum(0.3).exp() },
  .init("minimum(Tensor, Double)", [2, 3]) { .minimum($0[0].exp(), 0.8) },
  .init("clamped(Tensor?, Tensor?)", [2, 3], [3], [1]) { $0[0].clamped($0[1] - 1, $0[2].exp()) },
  .init("atan2(Tensor)", [2, 3], [3]) { $0[0].atan2($0[1]) },
  .init("hypot(Tensor)", [2, 3], [3]) { $0[0].hypot($0[1]) },
  .init("remainder(Tensor)", [2, 3], [3], range: 0.6...2.9) { $0[0].remainder(-$0[1]).exp() },
  .init("remainder(Double)", [2, 3]) { $0[0].remainder(1.3).exp() },
  .init("fmod(Tensor)", [2, 3], [3], range: 0.6...2.9) { (-$0[0]).fmod($0[1]).exp() },
  .init("fmod(Double)", [2, 3]) { $0[0].fmod(1.3).exp() },
  .init("lerp(Tensor, Double)", [2, 3], [3]) { $0[0].lerp($0[1], 0.7).exp() },
  .init("lerp(Tensor, Tensor)", [2, 3], [3], [2, 1]) { $0[0].lerp($0[1], $0[2]) },
  .init("addcmul(Tensor, Tensor, scale:)", [2, 3], [3], [2, 1]) {
    $0[0].addcmul($0[1], $0[2], scale: 0.5)
  },
  .init("addcdiv(Tensor, Tensor, scale:)", [2, 3], [3], [2, 1], range: 0.5...2) {
    $0[0].addcdiv($0[1], $0[2], scale: 0.5)
  },
  .init("xlogy(Tensor)", [2, 3], [3], range: 0.5...2) { $0[0].xlogy($0[1]) },
  .init("logAddExp(Tensor)", [2, 3], [3]) { $0[0].logAddExp($0[1]) },
  .init("copysign(Tensor)", [2, 3]) { x in x[0].copysign(-x[0].detached()).exp() },
]

/// The rows of repeating, moving, padding and resizing.
let rearrangingGradientCases: [GradientCase] = [
  .init("chunk(Int, axis:)", [5, 2]) { x in x[0].chunk(3)[1].exp() },
  .init("split([Int], axis:)", [2, 5]) { x in x[0].split([2, 3], axis: 1)[1].exp() },
  .init("unbind(axis:)", [2, 3]) { x in x[0].unbind(axis: 1)[2].exp() },
  .init("repeated([Int])", [2, 3]) { $0[0].repeated([2, 1, 2]).exp() },
  .init("repeatInterleave(Int, axis:)", [2, 3]) { $0[0].repeatInterleave(2, axis: 1).exp() },
  .init("repeatInterleave(Tensor, axis:)", [3, 2]) {
    $0[0].repeatInterleave(integers(2, 0, 1), axis: 0).exp()
  },
  .init("flipped(axes:)", [2, 3]) { $0[0].flipped(axes: [0, 1]) * $0[0] },
  .init("flipped(axis:)", [2, 3]) { $0[0].flipped(axis: -1) * $0[0] },
  .init("rolled(Int, axis:)", [2, 3]) { $0[0].rolled(1, axis: 1) * $0[0].rolled(-2) },
  .init("rotated90(Int, axes:)", [2, 3]) { $0[0].rotated90().exp() },
  .init("movedAxis(from:to:)", [2, 3, 4]) { $0[0].movedAxis(from: 0, to: -1).exp() },
  .init("squeezed()", [2, 1, 3, 1]) { $0[0].squeezed().exp() },
  .init("unflattened(axis:, [Int])", [6, 2]) { $0[0].unflattened(axis: 0, [2, -1]).exp() },
  .init("flattened(from:to:)", [2, 3, 2]) { $0[0].flattened(from: 0, to: 1).exp() },
  .init("meshgrid([Tensor], indexing:)", [2], [3]) { x in
    let grid = Tensor.meshgrid([x[0], x[1]], indexing: .xy)
    return grid[0] * grid[1]
  },
  .init("diagonal(offset:axes:)", [3, 2, 4]) { $0[0].diagonal(offset: 1, axes: (0, 2)).exp() },
  .init("diag(Int)", [3]) { $0[0].diag(-1).exp() },
  .init("diag(Int), of a matrix", [3, 4]) { $0[0].diag().exp() },
  .init("diagEmbedded(offset:)", [2, 3]) { $0[0].diagEmbedded(offset: 1).exp() },
  .init("triu(Int)", [3, 4]) { $0[0].triu(1).exp() },
  .init("tril(Int)", [2, 3, 4]) { $0[0].tril().exp() },
  .init("trace()", [3, 3]) { $0[0].trace().exp() },
  .init("outer(Tensor)", [2], [3]) { $0[0].outer($0[1]) },
  .init("dot(Tensor)", [3], [3]) { $0[0].dot($0[1]) },
  .init("kron(Tensor)", [2, 3], [2]) { $0[0].kron($0[1]) },
  .init("cross(Tensor, axis:)", [2, 3], [3]) { $0[0].cross($0[1]) },
  .init("padded([Int], mode:value:)", [2, 3]) { $0[0].padded([1, -1, 0, 2], value: 0.5).exp() },
  .init("padded([Int], mode:value:), reflect", [2, 4]) {
    $0[0].padded([2, 3], mode: .reflect).exp()
  },
  .init("padded([Int], mode:value:), replicate", [2, 3]) {
    $0[0].padded([2, 0, 1, 1], mode: .replicate).exp()
  },
  .init("padded([Int], mode:value:), circular", [2, 3]) {
    $0[0].padded([2, 3], mode: .circular).exp()
  },
  .init("interpolated(size:mode:alignCorners:)", [1, 2, 3, 4]) {
    $0[0].interpolated(size: [5, 3], mode: .bilinear).exp()
  },
  .init("interpolated(scale:mode:alignCorners:)", [1, 2, 3]) {
    $0[0].interpolated(scale: 2, mode: .nearest).exp()
  },
  .init("interpolated(scale:mode:alignCorners:), bicubic", [1, 1, 3, 3]) {
    $0[0].interpolated(scale: [1.5, 2], mode: .bicubic, alignCorners: true).exp()
  },
  .init("einsum(String, [Tensor])", [2, 3], [3, 4], [4]) { .einsum("ij,jk,k->i", $0) },
  .init("einsum(String, Tensor...), diagonals", [3, 3]) { .einsum("ii->i", $0[0]).exp() },
  .init("einsum(String, Tensor...), ellipsis and broadcasting", [1, 2, 3], [4, 3]) {
    .einsum("...ij,...j->...i", $0[0], $0[1])
  },
]
