import TensorCore
import Testing

@Suite("Mixed precision")
struct AutocastTests {
  private func random(_ shape: TensorShape, seed: UInt64, requiresGrad: Bool = false) -> Tensor {
    var random = RandomSource(seed: seed)
    let x = Tensor.normal(shape, using: &random)
    x.requiresGrad = requiresGrad
    return x
  }

  @Test(
    "products take and give bfloat16 in the scope, and other operations keep the type of their input"
  )
  func types() {
    let (x, w, b) = (random([4, 6], seed: 1), random([5, 6], seed: 2), random([5], seed: 3))
    let (images, kernel) = (random([2, 3, 6, 6], seed: 4), random([4, 3, 3, 3], seed: 5))
    withAutocast {
      #expect(isAutocasting)
      let y = x.linear(weight: w, bias: b)
      let products = [
        y, x.matmul(w.transposed()), x.matmul(w.transposed(), adding: b),
        images.conv2d(weight: kernel),
        images.convTranspose2d(weight: kernel.transposed(0, 1)),
        random([2, 3, 6], seed: 6).matmul(random([2, 6, 2], seed: 7)),
        random([2, 3, 12], seed: 8).selfAttention(heads: 2),
        Tensor.einsum("ij,kj->ik", x, w),
      ]
      for product in products { #expect(product.dataType == .bfloat16) }
      let convolved = images.conv2d(weight: kernel)
      let kept = [
        y.relu(), y.gelu(), y * y, y * 2, y.dropout(0.5), y[0], y.transposed(), y.layerNorm([5]),
        convolved.batchNorm(weight: Tensor.ones([4])).result, convolved.maxPool2d(kernel: 2),
        convolved.avgPool2d(kernel: 2), convolved.flattened(from: 1),
      ]
      for result in kept { #expect(result.dataType == .bfloat16) }
      let labels = Tensor([0, 1, 2, 3] as [Int32])
      let wide = [
        y.sum(), y.mean(axes: [0]), y.max(), y.norm(), y.softmax(), y.logSoftmax(),
        y.crossEntropy(labels), y.binaryCrossEntropyWithLogits(y.sigmoid()), y + b, x.relu(),
        x.layerNorm([6]),
      ]
      for result in wide { #expect(result.dataType == .float32) }
      withAutocast(false) { #expect(x.linear(weight: w).dataType == .float32) }
    }
    #expect(!isAutocasting)
    #expect(x.linear(weight: w).dataType == .float32)
  }

  @Test("a product is that of the rounded operands, added up in float32")
  func rounding() {
    // Products of these are sums of up to 300 multiples of 2^-8: exact in float32, not in bfloat16.
    let values: [Float] = (0..<1200).map { (i: Int) -> Float in Float(i * 37 % 256 - 128) / 16 }
    let (x, w) = (
      Tensor.of(values, shape: [4, 300]), Tensor.of(values.reversed(), shape: [4, 300])
    )
    let y = withAutocast { x.linear(weight: w) }
    #expect(
      y.doubles() == x.linear(weight: w).converted(to: .bfloat16).doubles())
    // 1 + 2^-9 is rounded to 1.
    let fine = Tensor([[1 + 0.001953125]] as [[Float]])
    #expect(withAutocast { fine.matmul(fine) }.item() == 1)
  }

  @Test("gradients of float32 leaves are float32, and near those of float32")
  func gradients() {
    func step(_ isEnabled: Bool, inside: Bool) -> [Tensor] {
      let leaves = [
        random([8, 3, 3, 3], seed: 1, requiresGrad: true), random([8], seed: 2, requiresGrad: true),
        random([8], seed: 3, requiresGrad: true), random([10, 32], seed: 4, requiresGrad: true),
        random([10], seed: 5, requiresGrad: true),
      ]
      let x = random([16, 3, 8, 8], seed: 6)
      let labels = Tensor((0..<16).map { Int32($0 % 10) })
      withAutocast(isEnabled) {
        let (y, statistics) = x.conv2dWithStatistics(weight: leaves[0] * 0.2, padding: 1)
        let h = y.batchNorm(
          weight: leaves[1], bias: leaves[2], relu: true, statistics: statistics
        ).result.maxPool2d(kernel: 4).flattened(from: 1)
        let loss = h.linear(weight: leaves[3] * 0.1, bias: leaves[4]).crossEntropy(labels).mean()
        if inside { loss.backward() }
        if !inside { withAutocast(false) { loss.backward() } }
      }
      return leaves.map { $0.grad! }
    }
    let (wide, narrow) = (step(false, inside: true), step(true, inside: true))
    for (a, b) in zip(narrow, wide) {
      #expect(a.dataType == .float32)
      let error = (a - b).norm().item() / b.norm().item()
      #expect(error > 0 && error < 0.03, "\(a.shape): \(error)")
    }
    // Backward computes each operation in its own types, wherever it is called.
    for (a, b) in zip(narrow, step(true, inside: false)) { #expect(a.doubles() == b.doubles()) }
  }

  @Test("backward in the scope does not round products of float32")
  func backwardInScope() {
    let (x, w) = (random([4, 6], seed: 1), random([5, 6], seed: 2, requiresGrad: true))
    let loss = x.linear(weight: w).squared().sum()
    withAutocast { loss.backward() }
    let rounded = w.grad!
    w.zeroGrad()
    x.linear(weight: w).squared().sum().backward()
    #expect(w.grad!.doubles() == rounded.doubles())
  }

  @Test("bfloat16 beside another type is converted to that, and its gradient back")
  func promotion() {
    let narrow = withoutGrad { random([3], seed: 1).converted(to: .bfloat16) }
    let wide = random([3], seed: 2, requiresGrad: true)
    narrow.requiresGrad = true
    for y in [narrow + wide, wide * narrow, narrow / wide, Tensor.maximum(wide, narrow)] {
      #expect(y.dataType == .float32)
      narrow.zeroGrad()
      wide.zeroGrad()
      y.sum().backward()
      #expect(narrow.grad!.dataType == .bfloat16 && wide.grad!.dataType == .float32)
    }
    #expect((narrow .< wide).dataType == .bool)
    #expect((narrow * Tensor([1, 2, 3] as [Double])).dataType == .float64)
  }

  @Test("in-place operations keep the type of the tensor that they change")
  func inPlace() {
    let narrow = Tensor([1, 2] as [Float]).converted(to: .bfloat16)
    let wide = Tensor([0.00390625, 4] as [Float])
    wide.add_(narrow)
    #expect(wide.array(of: Float.self) == [1.00390625, 6])
    narrow.add_(wide)
    #expect(narrow.dataType == .bfloat16 && narrow.doubles() == [2, 8])
  }

  @Test("dropout keeps images channels last, and drops the same elements of the gradient")
  func dropoutOrder() {
    let x = random([2, 3, 4, 4], seed: 1).channelsLast()
    x.requiresGrad = true
    let y = withTraining { x.dropout(0.5) }
    #expect(y.isChannelsLast && !y.isContiguous)
    y.sum().backward()
    #expect(x.grad!.doubles() == (y / x.detached()).doubles().map { $0.rounded() })
  }
}

extension Tensor {
  /// A copy whose channels are last in memory.
  fileprivate func channelsLast() -> Tensor {
    permuted([0, 2, 3, 1]).contiguous().permuted([0, 3, 1, 2]).detached()
  }
}
