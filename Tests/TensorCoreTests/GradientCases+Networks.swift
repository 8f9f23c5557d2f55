import TensorCore

private func ofPlaces(_ table: Tensor) -> Tensor {
  table.embedding(.of([2, 0, 2, 1, 3, 2] as [Int32], shape: [2, 3]))
}

/// The rows of normalization, embedding and the smoother activations.
let networkGradientCases: [GradientCase] = [
  // Activations
  .init("erf()", [7]) { $0[0].erf() },
  .init("gelu(approximate:)", [7]) { $0[0].gelu() },
  .init("gelu(approximate:), tanh", [7]) { $0[0].gelu(approximate: .tanh) },
  .init("silu()", [7]) { $0[0].silu() },
  .init("softplus()", [7]) { $0[0].softplus() },
  .init("leakyRelu(slope:)", [7]) { $0[0].leakyRelu() },
  .init("leakyRelu(slope:), another slope", [7]) { $0[0].leakyRelu(slope: 0.3) },
  .init("elu(alpha:)", [7]) { $0[0].elu() },
  .init("elu(alpha:), another alpha", [2, 4]) { $0[0].transposed().elu(alpha: 0.5) },
  // Normalization
  .init("layerNorm(TensorShape, weight:bias:epsilon:)", [3, 5], [5], [5]) {
    $0[0].layerNorm([5], weight: $0[1], bias: $0[2])
  },
  .init("layerNorm(TensorShape, weight:bias:epsilon:), without affine part", [3, 5]) {
    $0[0].layerNorm([5], epsilon: 1e-3)
  },
  .init("layerNorm(TensorShape, weight:bias:epsilon:), without bias", [3, 5], [5]) {
    $0[0].layerNorm([5], weight: $0[1])
  },
  .init("layerNorm(TensorShape, weight:bias:epsilon:), with bias only", [3, 5], [5]) {
    $0[0].layerNorm([5], bias: $0[1])
  },
  .init("layerNorm(TensorShape, weight:bias:epsilon:), over two axes", [2, 3, 4], [3, 4], [3, 4]) {
    $0[0].layerNorm([3, 4], weight: $0[1], bias: $0[2])
  },
  .init("layerNorm(TensorShape, weight:bias:epsilon:), of a transposed tensor", [5, 3], [5]) {
    $0[0].transposed().layerNorm([5], weight: $0[1])
  },
  .init("groupNorm(Int, weight:bias:epsilon:)", [2, 4, 3], [4], [4]) {
    $0[0].groupNorm(2, weight: $0[1], bias: $0[2])
  },
  .init("groupNorm(Int, weight:bias:epsilon:), without affine part", [2, 4, 3]) {
    $0[0].groupNorm(4)
  },
  .init("instanceNorm(weight:bias:epsilon:)", [2, 3, 4], [3], [3]) {
    $0[0].instanceNorm(weight: $0[1], bias: $0[2])
  },
  .init("localResponseNorm(Int, alpha:beta:k:)", [1, 5, 2]) {
    $0[0].localResponseNorm(3, alpha: 0.5)
  },
  .init("localResponseNorm(Int, alpha:beta:k:), of an even size", [2, 5, 1, 2]) {
    $0[0].localResponseNorm(4, alpha: 0.5, beta: 2, k: 2)
  },
  .init(
    "batchNorm(weight:bias:epsilon:adding:relu:statistics:reduction:), of a matrix", [5, 3], [3],
    [3]
  ) {
    $0[0].batchNorm(weight: $0[1], bias: $0[2]).result
  },
  .init(
    "batchNorm(weight:bias:epsilon:adding:relu:statistics:reduction:), of images", [2, 3, 2, 2],
    [3], [3]
  ) {
    $0[0].batchNorm(weight: $0[1], bias: $0[2]).result
  },
  .init(
    "batchNorm(weight:bias:epsilon:adding:relu:statistics:reduction:), without affine part",
    [3, 2, 3]
  ) {
    $0[0].batchNorm().result
  },
  .init(
    "batchNorm(weight:bias:epsilon:adding:relu:statistics:reduction:), with bias only", [5, 3], [3]
  ) {
    $0[0].batchNorm(bias: $0[1]).result
  },
  .init(
    "batchNorm(weight:bias:epsilon:adding:relu:statistics:reduction:), with a residual and ReLU",
    [2, 3, 2, 2],
    [3], [3], [2, 3, 2, 2]
  ) {
    $0[0].batchNorm(weight: $0[1], bias: $0[2], adding: $0[3], relu: true).result
  },
  .init(
    "batchNorm(mean:variance:weight:bias:epsilon:adding:relu:), of a matrix with ReLU", [4, 2],
    [4, 2]
  ) {
    let mean = Tensor([0.5, -1] as [Double]).converted(to: $0[0].dataType)
    let variance = Tensor([0.5, 2] as [Double]).converted(to: $0[0].dataType)
    return $0[0].batchNorm(mean: mean, variance: variance, adding: $0[1], relu: true)
  },
  .init("batchNorm(mean:variance:weight:bias:epsilon:adding:relu:)", [2, 3, 2], [3], [3]) {
    let mean = Tensor([0.5, -1, 0.25] as [Double]).converted(to: $0[0].dataType)
    let variance = Tensor([0.5, 2, 1.25] as [Double]).converted(to: $0[0].dataType)
    return $0[0].batchNorm(mean: mean, variance: variance, weight: $0[1], bias: $0[2])
  },
  .init("batchNorm(mean:variance:weight:bias:epsilon:adding:relu:), of a matrix", [4, 2]) {
    let mean = Tensor([0.5, -1] as [Double]).converted(to: $0[0].dataType)
    let variance = Tensor([0.5, 2] as [Double]).converted(to: $0[0].dataType)
    return $0[0].batchNorm(mean: mean, variance: variance)
  },
  // Embedding
  .init("embedding(Tensor)", [4, 3]) { ofPlaces($0[0]) },
  .init("embedding(Tensor), of a computed table", [4, 3]) { ofPlaces($0[0].exp()).sin() },
]
