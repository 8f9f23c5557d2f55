import NeuralNetworks
import TensorCore
import Testing

@Suite struct InitializationMethodsTests {
  /// Elements drawn with a fixed seed.
  private func drawn(_ body: () -> Tensor) -> [Double] {
    withRandomSource(seed: 11, body).doubles()
  }

  private func moments(_ values: [Double]) -> (mean: Double, variance: Double) {
    let count = Double(values.count)
    let mean = values.reduce(0, +) / count
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count)
  }

  /// Checks that numbers are uniform in ±bound, by bounds, mean and variance.
  private func expectUniform(_ values: [Double], bound: Double) {
    let (mean, variance) = moments(values)
    let count = Double(values.count)
    let expected = bound * bound / 3
    #expect(values.allSatisfy { abs($0) <= bound * (1 + 1e-6) })
    #expect(values.max()! > bound * (1 - 40 / count) && values.min()! < -bound * (1 - 40 / count))
    #expect(abs(mean) < 5 * (expected / count).squareRoot())
    #expect(abs(variance - expected) < 5 * expected * (0.8 / count).squareRoot())
  }

  /// Checks that numbers are normal with mean 0, by mean, variance and the fraction within one
  /// deviation.
  private func expectNormal(_ values: [Double], std: Double) {
    let (mean, variance) = moments(values)
    let count = Double(values.count)
    #expect(abs(mean) < 5 * std / count.squareRoot())
    #expect(abs(variance - std * std) < 5 * std * std * (2 / count).squareRoot())
    let inside = Double(values.count { abs($0) < std }) / count
    #expect(abs(inside - 0.6827) < 5 * (0.6827 * 0.3173 / count).squareRoot())
  }

  @Test("gains are those of calculate_gain")
  func gains() {
    #expect(Nonlinearity.linear.gain == 1 && Nonlinearity.sigmoid.gain == 1)
    #expect(Nonlinearity.tanh.gain == 5.0 / 3 && Nonlinearity.selu.gain == 0.75)
    #expect(Nonlinearity.relu.gain == 2.0.squareRoot())
    #expect(abs(Nonlinearity.leakyReLU(slope: 0.5).gain - 1.2649110640673518) < 1e-15)
  }

  @Test("Xavier's distributions")
  func xavier() {
    expectUniform(
      drawn { Initializer.xavierUniform([100, 50]) }, bound: (6.0 / 150).squareRoot())
    expectUniform(
      drawn { Initializer.xavierUniform([20, 10, 3, 3], gain: 2) },
      bound: 2 * (6.0 / 270).squareRoot())
    expectNormal(drawn { Initializer.xavierNormal([100, 60]) }, std: (2.0 / 160).squareRoot())
  }

  @Test("Kaiming's distributions")
  func kaiming() {
    expectUniform(
      drawn { Initializer.kaimingUniform([100, 50]) }, bound: (6.0 / 50).squareRoot())
    expectUniform(
      drawn {
        Initializer.kaimingUniform(
          [100, 50], mode: .fanOut, nonlinearity: .leakyReLU(slope: 5.0.squareRoot()))
      }, bound: 0.1)
    expectNormal(
      drawn { Initializer.kaimingNormal([20, 30, 3, 3], mode: .fanOut, nonlinearity: .tanh) },
      std: 5.0 / 3 / 180.0.squareRoot())
  }

  @Test("a truncated normal distribution has no tails, and the variance of one")
  func truncatedNormal() {
    let values = drawn { Initializer.truncatedNormal([200, 200], std: 1, in: -2...2) }
    #expect(values.allSatisfy { abs($0) <= 2 } && values.contains { abs($0) > 1.99 })
    let (mean, variance) = moments(values)
    #expect(abs(mean) < 0.02)
    // 1 - 2 a p(a) / (P(a) - P(-a)) for the limit a = 2.
    #expect(abs(variance - 0.7737413) < 0.015)
    let shifted = drawn {
      Initializer.truncatedNormal([100, 100], mean: 3, std: 0.02, in: 2.99...3.5)
    }
    #expect(shifted.allSatisfy { $0 >= 2.9899 && $0 < 3.2 })
    // Half of a normal distribution within a fifth of its deviations: quantiles in the tail, too.
    let tail = drawn { Initializer.truncatedNormal([50, 50], in: 4...5) }
    #expect(tail.allSatisfy { 4...5 ~= $0 } && abs(moments(tail).mean - 4.2255) < 0.03)
  }

  @Test(
    "orthogonal rows or columns",
    arguments: [[5, 8], [8, 5], [6, 6], [4, 3, 2, 2], [1, 3]])
  func orthogonal(_ sizes: [Int]) {
    let shape = TensorShape(sizes)
    let weight = withRandomSource(seed: 3) { Initializer.orthogonal(shape, gain: 2) }
    #expect(weight.shape == shape && weight.dataType == .float32)
    let matrix = weight.reshaped(to: [sizes[0], -1])
    let isWide = matrix.shape[0] <= matrix.shape[1]
    let product =
      isWide ? matrix.matmul(matrix.transposed()) : matrix.transposed().matmul(matrix)
    let identity = Tensor.identity(product.shape[0]) * 4
    #expect(zip(product.doubles(), identity.doubles()).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test("constants, identities and sparse weights")
  func others() {
    #expect(Initializer.constant([2, 2], 0.5).doubles() == [0.5, 0.5, 0.5, 0.5])
    #expect(Initializer.identity([2, 3]).doubles() == [1, 0, 0, 0, 1, 0])
    let convolution = Initializer.dirac([3, 2, 3, 3])
    let images = Tensor.arange(2 * 16).reshaped(to: [1, 2, 4, 4])
    let passed = images.conv2d(weight: convolution, padding: 1)
    #expect(passed.sliced(0..<2, axis: 1).doubles() == images.doubles())
    #expect(passed.sliced(2..<3, axis: 1).doubles().allSatisfy { $0 == 0 })
    let sparse = withRandomSource(seed: 4) { Initializer.sparse([10, 30], sparsity: 0.25, std: 2) }
    let zeros = (sparse .== 0).converted(to: .float32).sum(axes: [0]).doubles()
    #expect(zeros == [Double](repeating: 3, count: 30))
    #expect(sparse.doubles().contains { abs($0) > 2 })
  }

  @Test("a layer's weights are set by assigning, and the seed decides them")
  func assigning() {
    let layer = Linear(20, 10)
    func initialize(_ seed: UInt64) -> [Double] {
      withRandomSource(seed: seed) {
        layer.weight.assign(
          Initializer.kaimingNormal(layer.weight.shape, mode: .fanOut, nonlinearity: .relu))
      }
      layer.bias!.assign(Initializer.constant(layer.bias!.shape, 0.01))
      return layer.weight.doubles()
    }
    let first = initialize(1)
    #expect(first == initialize(1) && first != initialize(2))
    #expect(layer.weight.requiresGrad)
  }

  @Test("weights without fans stop")
  func mistakes() async {
    await #expect(processExitsWith: .failure) { _ = Initializer.xavierUniform([3]) }
    await #expect(processExitsWith: .failure) { _ = Initializer.orthogonal([3]) }
    await #expect(processExitsWith: .failure) { _ = Initializer.identity([3]) }
    await #expect(processExitsWith: .failure) {
      _ = Initializer.sparse([3, 3], sparsity: 1.5)
    }
  }
}
