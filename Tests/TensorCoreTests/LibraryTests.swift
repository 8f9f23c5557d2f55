import TensorCore
import TestSupport
import Testing

private func withEdges(_ name: String, _ function: @escaping @Sendable (Tensor) -> Tensor)
  -> [LibraryCase]
{
  [
    LibraryCase(name, .element) { function($0.a) },
    LibraryCase("\(name)_edges", .element) { function($0.a) },
  ]
}

private let functions: [LibraryCase] =
  withEdges("log1p") { $0.log1p() } + withEdges("expm1") { $0.expm1() }
  + withEdges("sinh") { $0.sinh() } + withEdges("cosh") { $0.cosh() }
  + withEdges("tan") { $0.tan() } + withEdges("atan") { $0.atan() }
  + withEdges("asinh") { $0.asinh() } + withEdges("rsqrt") { $0.rsqrt() }
  + withEdges("log2") { $0.log2() } + withEdges("log10") { $0.log10() }
  + withEdges("exp2") { $0.exp2() } + withEdges("ceil") { $0.ceil() }
  + withEdges("trunc") { $0.trunc() } + withEdges("frac") { $0.frac() }
  + withEdges("erfc") { $0.erfc() } + withEdges("relu") { $0.relu() }
  + [
    LibraryCase("asin_edges") { $0.a.asin() },
    LibraryCase("acos_edges") { $0.a.acos() },
    LibraryCase("atanh_edges") { $0.a.atanh() },
    LibraryCase("erfinv_edges") { $0.a.erfinv() },
    LibraryCase("acosh") { $0.a.acosh() },
    LibraryCase("lgamma") { $0.a.lgamma() },
    LibraryCase("digamma") { $0.a.digamma() },
    LibraryCase("polygamma_1") { $0.a.polygamma(1) },
    LibraryCase("polygamma_3") { $0.a.polygamma(3) },
    LibraryCase("sinc") { $0.a.sinc() },
    LibraryCase("logit") { $0.a.logit() },
    LibraryCase("log_sigmoid") { $0.a.logSigmoid() },
    LibraryCase("nan_to_num") { $0.a.nanToNum() },
    LibraryCase("nan_to_num_numbers") {
      $0.a.nanToNum(nan: 1, positiveInfinity: 2, negativeInfinity: 3)
    },
    LibraryCase("clamp") { $0.a.clamped(-1, 1) },
    LibraryCase("atan2") { $0.a.atan2($0.b) },
    LibraryCase("hypot") { $0.a.hypot($0.b) },
    LibraryCase("remainder") { $0.a.remainder($0.b) },
    LibraryCase("fmod") { $0.a.fmod($0.b) },
    LibraryCase("maximum") { $0.a.maximum($0.b) },
    LibraryCase("minimum") { $0.a.minimum($0.b) },
    LibraryCase("copysign") { $0.a.copysign($0.b) },
    LibraryCase("remainder_number") { $0.a.remainder(-1.5) },
    LibraryCase("fmod_number") { $0.a.fmod(-1.5) },
    LibraryCase("floor_divide") { $0.a.floorDivided(by: $0.b) },
    LibraryCase("maximum_nan") { .maximum($0.a, $0.b) },
    LibraryCase("minimum_nan") { .minimum($0.a, $0.b) },
    LibraryCase("lerp") { $0.a.lerp($0.b, $0.c) },
    LibraryCase("addcmul") { $0.a.addcmul($0.b, $0.c, scale: 0.5) },
    LibraryCase("addcdiv") { $0.a.addcdiv($0.b, $0.c, scale: 0.5) },
    LibraryCase("xlogy") { $0.a.xlogy($0.b) },
    LibraryCase("logaddexp") { $0.a.logAddExp($0.b) },
    LibraryCase("logaddexp_plain") { $0.a.logAddExp($0.b) },
    LibraryCase("clamp_tensors") { $0.a.clamped($0.b, $0.c) },
    LibraryCase("heaviside") { $0.a.heaviside($0.b) },
  ]

private let statistics: [LibraryCase] = [
  LibraryCase("var") { $0.a.variance() },
  LibraryCase("var_axes") { $0.a.variance(axes: [0, 2], unbiased: false) },
  LibraryCase("var_keeping") { $0.a.variance(axis: 1, keepingAxes: true) },
  LibraryCase("var_single") { $0.a.variance(axis: 1) },
  LibraryCase("std") { $0.a.std() },
  LibraryCase("std_axis") { $0.a.std(axis: -1) },
  LibraryCase("std_constant") { $0.a.std(axis: -1) },
  LibraryCase("logsumexp") { $0.a.logSumExp(axis: 1) },
  LibraryCase("logsumexp_axes") { $0.a.logSumExp(axes: [0, 2]) },
  LibraryCase("logsumexp_infinite") { $0.a.logSumExp(axis: 1) },
  LibraryCase("prod") { $0.a.prod() },
  LibraryCase("prod_zero") { $0.a.prod() },
  LibraryCase("prod_zeros") { $0.a.prod() },
  LibraryCase("prod_axis") { $0.a.prod(axis: 1) },
  LibraryCase("cumprod") { $0.a.cumulativeProduct(axis: 1) },
  LibraryCase("cumprod_axis_0") { $0.a.cumulativeProduct(axis: 0) },
  LibraryCase("cummax") { $0.a.cumulativeMax(axis: 1).values },
  LibraryCase("cummax_indices") { $0.a.cumulativeMax(axis: 1).indices },
  LibraryCase("cummin") { $0.a.cumulativeMin(axis: 0).values },
  LibraryCase("median") { $0.a.median() },
  LibraryCase("median_axis") { $0.a.median(axis: 1).values },
  LibraryCase("median_nan") { $0.a.median(axis: 1).values },
  LibraryCase("quantile") { $0.a.quantile(0.3, axis: 1) },
  LibraryCase("quantile_all") { $0.a.quantile(0.85) },
  LibraryCase("quantile_nan") { $0.a.quantile(0.5, axis: 1) },
  LibraryCase("norm_0") { $0.a.norm(0, axis: 1) },
  LibraryCase("norm_half") { $0.a.norm(0.5, axis: 1) },
  LibraryCase("norm_1") { $0.a.norm(1, axis: 1) },
  LibraryCase("norm_3") { $0.a.norm(3, axis: 1) },
  LibraryCase("norm_inf") { $0.a.norm(.infinity, axis: 1) },
  LibraryCase("norm_minus_inf") { $0.a.norm(-.infinity, axis: 1) },
  LibraryCase("norm_3_zero") { $0.a.norm(3, axis: 1) },
  LibraryCase("argmax_all") { $0.a.argmax() },
  LibraryCase("argmin_all") { $0.a.argmin() },
  LibraryCase("softmax_number") { $0.a.softmax(axis: 0) },
  LibraryCase("cumsum_number") { $0.a.cumulativeSum(axis: 0) },
]

private let diagonals: [LibraryCase] = [("minus_2", -2), ("0", 0), ("1", 1)].flatMap { name, k in
  [
    LibraryCase("triu_\(name)") { $0.a.triu(k) },
    LibraryCase("tril_\(name)") { $0.a.tril(k) },
    LibraryCase("diagonal_\(name)") { $0.a.diagonal(offset: k, axes: (2, 0)) },
    LibraryCase("diag_\(name)") { $0.a.diag(k) },
  ]
}

/// The square of `a` after a change in place.
private func changed(_ x: LibraryInputs, _ change: (Tensor) -> Void) -> Tensor {
  let y = x.a * 1
  change(y)
  return y.squared()
}

private let rearranging: [LibraryCase] =
  diagonals + [
    LibraryCase("repeat") { $0.a.repeated([2, 1, 3]) },
    LibraryCase("repeat_interleave") { $0.a.repeatInterleave(2, axis: 1) },
    LibraryCase("repeat_interleave_all") { $0.a.repeatInterleave(3) },
    LibraryCase("repeat_interleave_counts") { $0.a.repeatInterleave($0.i, axis: 0) },
    LibraryCase("flip") { $0.a.flipped(axes: [0, 2]) },
    LibraryCase("roll") { $0.a.rolled(-3, axis: 2) },
    LibraryCase("roll_all") { $0.a.rolled(5) },
    LibraryCase("rot90_1") { $0.a.rotated90(1, axes: (0, 2)) },
    LibraryCase("rot90_2") { $0.a.rotated90(2, axes: (0, 2)) },
    LibraryCase("rot90_3") { $0.a.rotated90(3, axes: (0, 2)) },
    LibraryCase("movedim") { $0.a.movedAxis(from: 0, to: 2) },
    LibraryCase("diag_embed") { $0.a.diagEmbedded(offset: 1) },
    LibraryCase("kron") { $0.a.kron($0.b) },
    LibraryCase("cross") { $0.a.cross($0.b, axis: 1) },
    LibraryCase("meshgrid_ij") { Tensor.meshgrid([$0.a, $0.b])[0] },
    LibraryCase("meshgrid_xy") { Tensor.meshgrid([$0.a, $0.b], indexing: .xy)[0] },
    LibraryCase("scatter_add") { $0.a.scatterAdd($0.i, $0.b, axis: 0) },
    LibraryCase("scatter") { $0.a.scatter($0.i, $0.b, axis: 0) },
    LibraryCase("scatter_number") { $0.a.scatter($0.i, 5, axis: 0) },
    LibraryCase("index_add") { $0.a.indexAdd($0.i, $0.b, axis: 1, scale: 2) },
    LibraryCase("index_copy") { $0.a.indexCopy($0.i, $0.b, axis: 1) },
    LibraryCase("index_fill") { $0.a.indexFill($0.i, 7, axis: 1) },
    LibraryCase("index_1") { $0.a[$0.i] },
    LibraryCase("index_2") { $0.a[.all, $0.i, $0.j] },
    LibraryCase("index_3") { $0.a[$0.i, .all, $0.j] },
    LibraryCase("index_4") { $0.a[0, $0.i, 1...] },
    LibraryCase("index_5") { $0.a[.ellipsis, $0.j] },
    LibraryCase("index_6") { $0.a[.newAxis, .all, 1, $0.i] },
    LibraryCase("mask_1") { $0.a[$0.m] },
    LibraryCase("mask_2") { $0.a[.all, $0.m] },
    LibraryCase("mask_3") { $0.a[$0.m, 1..<3] },
    LibraryCase("mask_4") { $0.a[0, $0.m[0], 1] },
    LibraryCase("assign_1") { x in changed(x) { $0[0] = x.b } },
    LibraryCase("assign_2") { x in changed(x) { $0[1..., 2] = x.b } },
    LibraryCase("assign_3") { x in changed(x) { $0[.ellipsis, .by(2)] = x.b } },
    LibraryCase("assign_4") { x in changed(x) { $0[.all, x.i] = x.b } },
    LibraryCase("assign_5") { x in changed(x) { $0[x.i, .all, x.j] = x.b } },
    LibraryCase("assign_6") { x in changed(x) { $0[x.m] = x.b } },
    LibraryCase("assign_7") { x in changed(x) { $0[x.m] = x.b } },
    LibraryCase("masked_scatter") { $0.a.maskedScatter($0.m, $0.b) },
  ]

private let padding: [LibraryCase] =
  [
    LibraryCase("pad_constant_1") { $0.a.padded($0.numbers("widths").map { Int($0) }) },
    LibraryCase("pad_constant_2") { $0.a.padded($0.numbers("widths").map { Int($0) }, value: 1.5) },
  ]
  + [PaddingMode.reflect, .replicate, .circular].flatMap { mode in
    (1...3).map { axes in
      LibraryCase("pad_\(mode.rawValue)_\(axes)") {
        $0.a.padded($0.numbers("widths").map { Int($0) }, mode: mode)
      }
    }
  }

private func resized(_ mode: String, _ ours: InterpolationMode, _ names: String...) -> [LibraryCase]
{
  names.map { name in
    LibraryCase("\(mode)_\(name)") { x in
      let align = x.numbers("corners") == [1]
      let size = x.numbers("size").map { Int($0) }
      return size.isEmpty
        ? x.a.interpolated(scale: x.numbers("scale"), mode: ours, alignCorners: align)
        : x.a.interpolated(size: size, mode: ours, alignCorners: align)
    }
  }
}

private let images = ["up", "down", "one", "scale", "double"].flatMap { name in
  ["", "_corners"].flatMap { corners in
    resized("bilinear", .bilinear, name + corners) + resized("bicubic", .bicubic, name + corners)
  }
}

private let interpolation: [LibraryCase] =
  resized("nearest", .nearest, "signals", "images", "double", "volumes", "scale")
  + resized("nearest_exact", .nearestExact, "signals", "images", "double", "volumes", "scale")
  + resized("area", .area, "signals", "images", "double", "volumes")
  + resized("linear", .linear, "signals", "signals_corners")
  + resized("trilinear", .trilinear, "volumes", "volumes_corners") + images

private let products: [LibraryCase] = [
  ("matmul", "ij,jk"), ("trace", "ii"), ("diagonal", "ii->i"), ("diagonals", "iji->ji"),
  ("diagonal_in_pair", "iij,ik->jk"), ("batch_transpose", "...ij->...ji"),
  ("batches", "...ij,...jk->...ik"), ("implicit_ellipsis", "...ij,jk"),
  ("ellipsis_unequal", "i...,...j->ij..."), ("ellipsis_summed", "i...->i"),
  ("implicit_order", "ba"), ("three", "ij,jk,kl->il"), ("four", "ab,bc,cd,ad->bd"),
  ("five", "a,ab,bc,cd,d"), ("bilinear", "bn,anm,bm->ba"), ("outer", "i,j"),
  ("hadamard", "ij,ij->ij"), ("broadcast", "bij,bjk->bik"), ("broadcast_summed", "ij,ij->i"),
  ("spaces", " i j , j k -> k i "), ("numbers", ",i->i"), ("capitals", "aB,Bc->ac"),
  ("sum", "ij->"),
].map { name, form in LibraryCase("einsum_\(name)") { Tensor.einsum(form, $0.all) } }

@Suite("The library compared with PyTorch") struct LibraryTests {
  @Test("functions of elements", arguments: functions, [DataType.float32, .float64])
  func function(_ row: LibraryCase, _ dataType: DataType) throws {
    // PyTorch's trigamma has nine exact digits.
    try row.check("functions", dataType, tolerance: row.name == "polygamma_1" ? 1e-6 : nil)
  }

  @Test("statistics", arguments: statistics, [DataType.float32, .float64])
  func statistic(_ row: LibraryCase, _ dataType: DataType) throws {
    try row.check("statistics", dataType)
  }

  @Test("rearranging and indexing", arguments: rearranging, [DataType.float32, .float64])
  func arrangement(_ row: LibraryCase, _ dataType: DataType) throws {
    try row.check("rearranging", dataType)
  }

  @Test("padding and resizing", arguments: padding + interpolation, [DataType.float32, .float64])
  func image(_ row: LibraryCase, _ dataType: DataType) throws {
    try row.check("padding", dataType)
  }

  @Test("einsum", arguments: products, [DataType.float32, .float64])
  func product(_ row: LibraryCase, _ dataType: DataType) throws {
    try row.check("products", dataType)
  }

  @Test("every golden is compared")
  func complete() throws {
    try LibraryCase.expectComplete(functions, "functions")
    try LibraryCase.expectComplete(statistics, "statistics")
    try LibraryCase.expectComplete(rearranging, "rearranging")
    try LibraryCase.expectComplete(padding + interpolation, "padding")
    try LibraryCase.expectComplete(products, "products")
  }
}
