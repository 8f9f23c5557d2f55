import TensorCore
import Testing

@Suite("Tensor")
struct TensorTests {
  @Test("shapes behave like small arrays")
  func shapes() {
    let shape: TensorShape = [2, 3, 4]
    #expect(shape.count == 3 && shape[1] == 3 && shape.elementCount == 24 && shape == [2, 3, 4])
    #expect(TensorShape().elementCount == 1 && "\(shape)" == "[2, 3, 4]")
    #expect(shape.removing(1) == [2, 4] && shape.inserting(9, at: 3) == [2, 3, 4, 9])
    #expect(Set([shape, [2, 3, 4], [4]]).count == 2)
  }

  @Test("views share memory")
  func views() {
    let x = Tensor.arange(12).reshaped(to: [3, 4])
    let column = x.transposed()[1]
    let block = x.sliced(1..<3).sliced(1..<4, axis: 1, step: 2)
    #expect(column.array(of: Float.self) == [1, 5, 9])
    #expect(block.array(of: Float.self) == [5, 7, 9, 11])
    #expect(!column.isContiguous && !block.isContiguous && x[1].isContiguous)
    x.assign(Tensor.zeros([3, 4]) + 1)
    #expect(column.array(of: Float.self) == [1, 1, 1])
    #expect(block.sum().item() == 4)
  }

  @Test("an expanded tensor repeats without copying")
  func expansion() {
    let x = Tensor([[1], [2]] as [[Float]]).expanded(to: [3, 2, 2])
    #expect(x.array(of: Float.self) == [1, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2])
    #expect(x.contiguous().isContiguous)
  }

  @Test("reshaping works out one size, and copies only when it must")
  func reshaping() {
    let x = Tensor.arange(6).reshaped(to: [2, -1])
    #expect(x.shape == [2, 3])
    #expect(x.transposed().reshaped(to: [6]).array(of: Float.self) == [0, 3, 1, 4, 2, 5])
    #expect(Tensor.zeros([2, 3, 4]).flattened(from: 1).shape == [2, 12])
    #expect(Tensor(Float(1)).flattened().shape == [1])
  }

  @Test("arithmetic of every layout gives what loops give")
  func layouts() {
    let a = Tensor.arange(24, .float64).reshaped(to: [2, 3, 4])
    let b = Tensor.arange(24, .float64).reshaped(to: [4, 3, 2]).permuted([2, 1, 0])
    let sum = (a + b).doubles()
    var expected: [Double] = []
    for i in 0..<2 {
      for j in 0..<3 {
        for k in 0..<4 { expected.append(Double(i * 12 + j * 4 + k + k * 6 + j * 2 + i)) }
      }
    }
    #expect(sum == expected)
    let broadcast = (a.transposed(0, 2) * Tensor.arange(3, .float64).unsqueezed(axis: 1)).doubles()
    #expect(broadcast.count == 24 && broadcast[2] == 4 && broadcast[5] == 2 * 20)
  }

  @Test("int32 arithmetic, comparisons and choice")
  func integers() {
    let x = Tensor([1, -2, 3] as [Int32])
    #expect((x * x + x).array(of: Int32.self) == [2, 2, 12])
    #expect((x .> 0).array(of: Bool.self) == [true, false, true])
    #expect(Tensor.where(x .> 0, x, 0).array(of: Int32.self) == [1, 0, 3])
    #expect((-x).abs().sum().item() == 6)
    #expect(x.converted(to: .float32).array(of: Float.self) == [1, -2, 3])
    #expect(
      Tensor([2.7, -2.7, .nan] as [Double]).converted(to: .int32).array(of: Int32.self) == [
        2, -2, 0,
      ])
  }

  @Test("reductions over any axes")
  func reductions() {
    let x = Tensor.arange(24, .float64).reshaped(to: [2, 3, 4])
    #expect(x.sum().item() == 276)
    #expect(x.sum(axes: [0, 2]).doubles() == [60, 92, 124])
    #expect(x.mean(axes: [-1], keepingAxes: true).shape == [2, 3, 1])
    #expect(x.max(axes: [1]).doubles() == [8, 9, 10, 11, 20, 21, 22, 23])
    #expect(x.argmax(axis: -1).array(of: Int32.self) == [3, 3, 3, 3, 3, 3])
    #expect(x.transposed().argmax(axis: 0).sum().item() == 12)
    #expect(Tensor([3.0, 1.0, 1.0] as [Double]).argmin().item() == 1)
    #expect(Tensor([1.0, 2.0, 2.0] as [Double]).norm().item() == 3)
    #expect(Tensor.zeros([0, 2], .float64).sum(axes: [0]).doubles() == [0, 0])
  }

  @Test("large products agree with small ones, whatever the layout")
  func products() {
    var random = RandomSource(seed: 3)
    let a = Tensor.normal([70, 90], using: &random)
    let b = Tensor.normal([90, 50], using: &random)
    let expected = (a.unsqueezed(axis: 2) * b.unsqueezed(axis: 0)).sum(axes: [1])
    for product in [
      a.matmul(b), a.transposed().contiguous().transposed().matmul(b),
      b.transposed().matmul(a.transposed()).transposed(),
      a.sliced(0..<70).matmul(b.transposed().contiguous().transposed()),
    ] {
      let error = (product - expected).abs().max().item()
      #expect(error < 2e-6 * expected.abs().max().item())
    }
    let wide = Tensor.normal([70, 180], using: &random).sliced(0..<180, axis: 1, step: 2)
    let product = wide.matmul(b)
    #expect((product - wide.contiguous().matmul(b)).abs().max().item() == 0)
  }

  @Test("joining, indexing and orders")
  func indexing() {
    let x = Tensor([[3, 1, 2], [6, 5, 4]] as [[Float]])
    #expect(x.sorted().array(of: Float.self) == [1, 2, 3, 4, 5, 6])
    #expect(x.argsort(axis: 0, descending: true).array(of: Int32.self) == [1, 1, 1, 0, 0, 0])
    let top = x.topK(2)
    #expect(top.values.array(of: Float.self) == [3, 2, 6, 5])
    #expect(top.indices.array(of: Int32.self) == [0, 2, 0, 1])
    #expect(x.cumulativeSum(axis: 1).array(of: Float.self) == [3, 4, 6, 6, 11, 15])
    #expect(Tensor.stacked([x, x], axis: 2).shape == [2, 3, 2])
    #expect(Tensor.concatenated([x, x[0..<1]]).shape == [3, 3])
    #expect(x.split(2, axis: 1).map(\.shape) == [[2, 2], [2, 1]])
    #expect(Tensor([2, .nan, 1] as [Double]).argsort().array(of: Int32.self) == [2, 0, 1])
    #expect(Tensor.einsum("ij->ji", x).shape == [3, 2])
    #expect(Tensor.einsum("ij->", x).item() == 21)
  }

  @Test("random tensors depend on the seed and the draw alone")
  func randomness() {
    var first = RandomSource(seed: 7)
    var second = RandomSource(seed: 7)
    _ = Tensor.uniform([3], using: &first)
    _ = Tensor.uniform([300], using: &second)
    let a = Tensor.normal([5], using: &first)
    #expect(a.array(of: Float.self) == Tensor.normal([5], using: &second).array(of: Float.self))
    let u = Tensor.uniform([10_000], in: -2..<3, using: &first)
    #expect(u.min().item() >= -2 && u.max().item() < 3 && (u.mean().item() - 0.5).magnitude < 0.05)
  }

  @Test("printing")
  func printing() {
    #expect("\(Tensor([1, 2.5] as [Float]))" == "tensor([1.0000, 2.5000])")
    #expect(
      "\(Tensor([[1, 2], [3, 4]] as [[Int32]]))" == "tensor([[1, 2],\n        [3, 4]], int32)")
    #expect("\(Tensor(Float(3)))" == "tensor(3.0000)")
    #expect("\(Tensor.zeros([0, 2]))" == "tensor([], shape: [0, 2])")
    let parameter = Parameter(Tensor.ones([2]))
    #expect("\(parameter)" == "tensor([1.0000, 1.0000], requiresGrad: true)")
    #expect("\(parameter * 2)" == "tensor([2.0000, 2.0000], gradFunction: MultiplyBackward)")
    let large = "\(Tensor.arange(10_000).reshaped(to: [100, 100]))"
    #expect(large.contains("...") && large.split(separator: "\n").count == 7)
    #expect("\(Tensor([1e-9, 1.0, .nan] as [Double]))".contains("1.0000e-09"))
  }

  @Test("mistakes stop with the operation and the shapes")
  func mistakes() async {
    func expectMessage(_ result: ExitTest.Result?, _ parts: String...) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      for part in parts { #expect(message.contains(part), "\(message.prefix(300))") }
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3]) + Tensor.ones([4])
      }, "add", "[2, 3]", "[4]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3]).matmul(Tensor.ones([2, 3]))
      }, "matmul", "[2, 3] × [2, 3]", "transposed()")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.zeros([2, -3])
      }, "Tensor: [2, -3] has a negative size")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.arange(-1)
      }, "arange: the count -1 is negative")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3]).reshaped(to: [-2, -3])
      }, "reshaped: [2, 3] to [-2, -3]", "a size is negative")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.full([2], .nan, .int32)
      }, "full: nan is no int32")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = (Tensor.ones([2]) .> 0) - (Tensor.ones([3]) .> 0)
      }, "subtract: bool [2] and [3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.where(Tensor.ones([2]), 1, Tensor.ones([2]))
      }, "where: a bool condition is needed, not float32 [2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2]).sum(axes: [1])
      }, "sum", "axis 1", "[2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 3]).crossEntropy(Tensor([3] as [Int32]))
      }, "crossEntropy", "label 3 of sample 0", "3 classes")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        Tensor.ones([2]).backward()
      }, "backward", "does not require gradients")
  }
}
