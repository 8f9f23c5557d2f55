import NeuralNetworks
import TensorCore
import TestSupport
import Testing

// What PyTorch computes of tensors, ties, NaN and infinities included.

private func binary(
  _ name: String, _ operation: @escaping @Sendable (Tensor, Tensor) -> Tensor,
  _ variants: String...
) -> [GoldenCase] {
  variants.map { variant in
    // The gradients of broadcast inputs are sums.
    GoldenCase(name + variant, ["a", "b"], .largest) { operation($0["a"], $0["b"]) }
  }
}

private let arithmetic: [GoldenCase] =
  binary("add", { $0 + $1 }, "_same", "_row", "_both", "_number")
  + binary("sub", { $0 - $1 }, "_same", "_row", "_both", "_number")
  + binary("mul", { $0 * $1 }, "_same", "_row", "_both", "_number")
  + binary("div", { $0 / $1 }, "_same", "_row", "_both", "_number", "_zero")
  + binary("maximum", { .maximum($0, $1) }, "", "_broadcast", "_nan")
  + binary("minimum", { .minimum($0, $1) }, "", "_broadcast", "_nan")

private let elementwise: [GoldenCase] = [
  GoldenCase("negate") { -$0 },
  GoldenCase("abs") { $0.abs() },
  GoldenCase("squared") { $0.squared() },
  GoldenCase("reciprocal") { $0.reciprocal() },
  GoldenCase("sqrt") { $0.sqrt() },
  GoldenCase("log") { $0.log() },
  GoldenCase("exp") { $0.exp() },
  GoldenCase("sin") { $0.sin() },
  GoldenCase("cos") { $0.cos() },
  GoldenCase("sign") { $0.sign() },
  GoldenCase("floor") { $0.floor() },
  GoldenCase("round") { $0.rounded() },
  GoldenCase("pow_2") { $0.pow(2) },
  GoldenCase("pow_3") { $0.pow(3) },
  GoldenCase("pow_0") { $0.pow(0) },
  GoldenCase("pow_1") { $0.pow(1) },
  GoldenCase("pow_minus_1") { $0.pow(-1) },
  GoldenCase("pow_half") { $0.pow(0.5) },
  GoldenCase("pow_1_5") { $0.pow(1.5) },
  GoldenCase("clamp") { $0.clamped(-1, 1.5) },
  GoldenCase("clamp_low") { $0.clamped(-1) },
  GoldenCase("clamp_high") { $0.clamped(-.infinity, 1.5) },
  GoldenCase("where", ["condition", "a", "b"]) { .where($0["condition"], $0["a"], $0["b"]) },
  GoldenCase("where_broadcast", ["condition", "a", "b"], .largest) {
    .where($0["condition"], $0["a"], $0["b"])
  },
]

private let products: [GoldenCase] =
  binary(
    "matmul", { $0.matmul($1) }, "_vector_vector", "_matrix_vector", "_vector_matrix",
    "_matrix_matrix", "_batch_batch", "_batch_matrix", "_matrix_batch", "_batch_vector",
    "_vector_batch", "_broadcast", "_broadcast_ones")
  + binary("matmul", { $0.transposed().matmul($1.transposed()) }, "_transposed")

/// A function of `x` and axes.
private func overAxes(
  _ name: String,
  _ function: @escaping @Sendable (Tensor, _ axes: [Int]?, _ keepingAxes: Bool) -> Tensor
) -> [GoldenCase] {
  let axes: [(String, [Int]?)] = [
    ("", nil), ("_axis_0", [0]), ("_axis_1", [1]), ("_axis_minus_1", [-1]), ("_axes_0_2", [0, 2]),
  ]
  return axes.map { suffix, axes in
    GoldenCase(name + suffix, .largest) { function($0, axes, false) }
  }
}

private func keepingAxis1(
  _ name: String,
  _ function: @escaping @Sendable (Tensor, _ axes: [Int]?, _ keepingAxes: Bool) -> Tensor
) -> [GoldenCase] {
  [GoldenCase(name + "_keeping_axis_1", .largest) { function($0, [1], true) }]
}

private let reductions: [GoldenCase] =
  overAxes("sum") { $0.sum(axes: $1, keepingAxes: $2) }
  + keepingAxis1("sum") { $0.sum(axes: $1, keepingAxes: $2) }
  + overAxes("mean") { $0.mean(axes: $1, keepingAxes: $2) }
  + keepingAxis1("mean") { $0.mean(axes: $1, keepingAxes: $2) }
  + overAxes("amax") { $0.max(axes: $1, keepingAxes: $2) }
  + keepingAxis1("amax") { $0.max(axes: $1, keepingAxes: $2) }
  + overAxes("amin") { $0.min(axes: $1, keepingAxes: $2) }
  + keepingAxis1("amin") { $0.min(axes: $1, keepingAxes: $2) }
  + overAxes("norm") { $0.norm(axes: $1, keepingAxes: $2) }
  + [
    GoldenCase("norm_zero") { $0.norm() },
    GoldenCase("max_all") { $0.max() },
    GoldenCase("min_all") { $0.min() },
    GoldenCase("amax_nan") { $0.max(axes: [1]) },
    GoldenCase("amin_nan") { $0.min(axes: [1]) },
    GoldenCase("argmax_axis_0") { $0.argmax(axis: 0) },
    GoldenCase("argmax_axis_1") { $0.argmax(axis: 1) },
    GoldenCase("argmin_axis_0") { $0.argmin(axis: 0) },
    GoldenCase("argmin_axis_1") { $0.argmin(axis: 1) },
    GoldenCase("one_hot") { $0.converted(to: .int32).oneHot(4) },
    GoldenCase("softmax", .largest) { $0.softmax() },
    GoldenCase("softmax_axis_0", .largest) { $0.softmax(axis: 0) },
    GoldenCase("softmax_axis_1", .largest) { $0.softmax(axis: 1) },
    GoldenCase("softmax_large", .largest) { $0.softmax() },
    GoldenCase("log_softmax", .largest) { $0.logSoftmax() },
    GoldenCase("log_softmax_axis_0", .largest) { $0.logSoftmax(axis: 0) },
    GoldenCase("log_softmax_axis_1", .largest) { $0.logSoftmax(axis: 1) },
    GoldenCase("log_softmax_large", .largest) { $0.logSoftmax() },
    GoldenCase("transpose") { $0.transposed().squared() },
    GoldenCase("permute") { $0.permuted([2, 0, 1]).squared() },
    GoldenCase("slice_axis_1_from_1_to_3") { $0.sliced(1..<3, axis: 1).squared() },
    GoldenCase("expand_to_2_3_4", .largest) { $0.expanded(to: [2, 3, 4]).squared() },
  ]

@Suite("Operations compared with PyTorch") struct OperationGoldensTests {
  @Test("element by element", arguments: arithmetic + elementwise, floatingPointTypes)
  func operation(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("operations", dataType)
  }

  @Test("matrix products", arguments: products, floatingPointTypes)
  func product(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("products", dataType)
  }

  @Test("reductions, softmax and views", arguments: reductions, floatingPointTypes)
  func reduction(_ row: GoldenCase, _ dataType: DataType) throws {
    try row.check("reductions", dataType)
  }

  @Test("every golden is compared")
  func complete() throws {
    try GoldenCase.expectComplete((arithmetic + elementwise).map(\.name), "operations")
    try GoldenCase.expectComplete(products.map(\.name), "products")
    try GoldenCase.expectComplete(reductions.map(\.name), "reductions")
  }
}
