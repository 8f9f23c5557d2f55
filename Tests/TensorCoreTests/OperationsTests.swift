import TensorCore
import Testing

@Suite("Operations of the library")
struct OperationsTests {
  private func floats(_ x: Tensor) -> [Float] { x.array(of: Float.self) }
  private func integers(_ x: Tensor) -> [Int32] { x.array(of: Int32.self) }

  @Test("masks are combined as in SIMD")
  func logic() {
    let a = Tensor([true, true, false, false])
    let b = Tensor([true, false, true, false])
    #expect((a .& b).array(of: Bool.self) == [true, false, false, false])
    #expect((a .| b).array(of: Bool.self) == [true, true, true, false])
    #expect((a .^ b).array(of: Bool.self) == [false, true, true, false])
    #expect((.!a).array(of: Bool.self) == [false, false, true, true])
    #expect((a .!= b).array(of: Bool.self) == [false, true, true, false])
    let x = Tensor([-1, 0, 2])
    #expect((x .> -2 .& x .!= 0).array(of: Bool.self) == [true, false, true])
    #expect((x .| a[..<3]).array(of: Bool.self) == [true, true, true])
    #expect(x.any().array(of: Bool.self) == [true] && !x.all().array(of: Bool.self)[0])
    #expect(Tensor.zeros([2, 0]).any(axis: 1).array(of: Bool.self) == [false, false])
    #expect(Tensor.zeros([2, 0]).all(axis: 1).array(of: Bool.self) == [true, true])
    #expect(x.countNonzero().item() == 2)
  }

  @Test("masks select, fill and are assigned through")
  func masks() {
    let x = Tensor([[1, -2, 3], [-4, 5, -6]])
    #expect(floats(x[x .< 0]) == [-2, -4, -6])
    #expect(floats(x[.all, Tensor([true, false, true])]) == [1, 3, -4, -6])
    #expect(x[Tensor([false, true])].shape == [1, 3])
    x[x .< 0] = 0
    #expect(floats(x) == [1, 0, 3, 0, 5, 0])
    x[x .> 1] = Tensor([7, 8])
    #expect(floats(x) == [1, 0, 7, 0, 8, 0])
    x[x .== 0] += 1
    #expect(floats(x) == [1, 1, 7, 1, 8, 1])
    let n = Tensor([1, 2, 3] as [Int32])
    #expect(integers(n.maskedFill(n .> 1, 9)) == [1, 9, 9])
    #expect(floats(x[Tensor([1, 0] as [Int]), 0]) == [1, 1])
    #expect(floats(x.indexSelected(Tensor([1] as [Int]))) == [1, 8, 1])
  }

  @Test("sequences")
  func sequences() {
    #expect(floats(.arange(from: 2, to: 9, by: 2)) == [2, 4, 6, 8])
    #expect(floats(.arange(from: 3, to: 0, by: -1)) == [3, 2, 1])
    #expect(Tensor.arange(from: 1, to: 1).count == 0)
    #expect(floats(.linspace(from: 0, to: 1, count: 5)) == [0, 0.25, 0.5, 0.75, 1])
    #expect(floats(.linspace(from: 3, to: 9, count: 1)) == [3])
    #expect(floats(.logspace(from: 0, to: 2, count: 3)) == [1, 10, 100])
    let x = Tensor.ones([2, 3], .float64)
    #expect(
      Tensor.zeros(like: x).dataType == .float64 && Tensor.full(like: x, 3).sum().item() == 18)
  }

  @Test("counting and searching")
  func counting() {
    let x = Tensor([[3, 1], [3, 2]] as [[Int32]])
    let unique = x.unique()
    #expect(integers(unique.values) == [1, 2, 3] && integers(unique.inverse) == [2, 0, 2, 1])
    #expect(integers(unique.counts) == [1, 1, 2] && unique.inverse.shape == [2, 2])
    #expect(Tensor.zeros([0]).unique().values.count == 0)
    let counts = Tensor([1, 1, 4] as [Int32])
    #expect(integers(counts.bincount()) == [0, 2, 0, 0, 1])
    #expect(integers(counts.bincount(minimumLength: 6)) == [0, 2, 0, 0, 1, 0])
    #expect(floats(counts.bincount(weights: Tensor([0.5, 1, 2]))) == [0, 1.5, 0, 0, 2])
    let sorted = Tensor([1, 3, 3, 5])
    #expect(integers(sorted.searchSorted(Tensor([0, 3, 6]))) == [0, 1, 4])
    #expect(integers(sorted.searchSorted(Tensor([0, 3, 6]), right: true)) == [0, 3, 4])
    #expect(integers(Tensor([2.0, 9.0]).bucketized(sorted)) == [1, 4])
    let rows = Tensor([[1, 2], [3, 4]]).searchSorted(Tensor([[2], [3.5]]))
    #expect(integers(rows) == [1, 1] && rows.shape == [2, 1])
    #expect(integers((Tensor([0, 2, 0, 5]) .!= 0).nonzero()) == [1, 3])
  }

  @Test("orders of large and long tensors")
  func orders() {
    var random = RandomSource(seed: 5)
    let x = Tensor.normal([3000], using: &random)
    let sorted = floats(x.sorted())
    #expect(sorted == floats(x).sorted())
    #expect(floats(x.sorted(descending: true)) == sorted.reversed())
    let smallest = x.topK(3, largest: false)
    #expect(floats(smallest.values) == Array(sorted[..<3]))
    #expect(floats(x[smallest.indices]) == Array(sorted[..<3]))
    #expect(integers(Tensor([2, .nan, 1, .nan]).argsort(descending: true)) == [1, 3, 0, 2])
    #expect(Tensor([3, 1, 2] as [Int]).sorted().array(of: Int.self) == [1, 2, 3])
    #expect(x.median().item() == Double(sorted[1499]))
    #expect(integers(x.argsort(axis: 0)).count == 3000 && Tensor(2).argsort().item() == 0)
  }

  @Test("comparisons of numbers")
  func closeness() {
    let x = Tensor([1, .nan, .infinity, -.infinity])
    #expect(x.isNaN().array(of: Bool.self) == [false, true, false, false])
    #expect(x.isInfinite().array(of: Bool.self) == [false, false, true, true])
    #expect(x.isFinite().array(of: Bool.self) == [true, false, false, false])
    #expect(x.isClose(to: x).array(of: Bool.self) == [true, false, true, true])
    #expect(x.allClose(to: x, equalNaN: true) && !x.allClose(to: x) && !x.isEqual(to: x))
    #expect(Tensor([1, 2]).allClose(to: Tensor([1.000001, 2])))
    #expect(!Tensor([1, 2]).allClose(to: Tensor([1.001, 2])))
    #expect(
      Tensor([1, 2]).isEqual(to: Tensor([1, 2]))
        && !Tensor([1]).isEqual(to: Tensor([1.0 as Double])))
  }

  @Test("integers")
  func integerFunctions() {
    let (a, b) = (Tensor([7, -7] as [Int32]), Tensor([3, 3] as [Int32]))
    #expect(integers(a.remainder(b)) == [1, 2] && integers(a.fmod(b)) == [1, -1])
    #expect(integers(a.floorDivided(by: b)) == [2, -3])
    #expect(a.prod().item() == -49 && integers(a.cumulativeProduct(axis: 0)) == [7, -49])
    #expect(integers(.einsum("i,j->ij", a, b)) == [21, 21, -21, -21])
    #expect(Tensor.einsum("i,i", a, b).item() == 0)
  }

  @Test("shapes")
  func shapes() {
    let x = Tensor.arange(24).reshaped(to: [2, 3, 4])
    #expect(x.chunk(2, axis: 1).map(\.shape) == [[2, 2, 4], [2, 1, 4]])
    #expect(
      x.chunk(5, axis: 1).count == 3
        && x.unbind(axis: 1).map(\.shape) == [[2, 4], [2, 4], [2, 4]])
    #expect(x.split([1, 3], axis: -1).map(\.shape) == [[2, 3, 1], [2, 3, 3]])
    #expect(x.movedAxis(from: 0, to: -1).shape == [3, 4, 2])
    #expect(x.unflattened(axis: 2, [2, -1]).shape == [2, 3, 2, 2])
    #expect(x.flattened(from: 0, to: 1).shape == [6, 4])
    #expect(Tensor.ones([1, 2, 1]).squeezed().shape == [2])
    #expect(Tensor(1.5).softmax().item() == 1 && Tensor(1.5).cumulativeSum(axis: -1).item() == 1.5)
    #expect(x.argmax().item() == 23 && x.argmin(keepingAxes: true).shape == [1, 1, 1])
    #expect(
      x.max(axis: 1, keepingAxes: true).shape == [2, 1, 4] && x.sum(axis: -1).shape == [2, 3])
  }

  @Test("mistakes stop with the operation and the shapes")
  func mistakes() async {
    func expectMessage(_ result: ExitTest.Result?, _ parts: String...) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      for part in parts { #expect(message.contains(part), "\(message.prefix(300))") }
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3])[0, 3]
      }, "subscript: index 3 is out of range for axis 1 of [2, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        Tensor.ones([2, 3])[.all, 1..<5] = Tensor.zeros([2, 4])
      }, "subscript", "1..<5", "axis 1 of [2, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([2, 3])[Tensor([0, 2] as [Int32])]
      }, "subscript: index 2 is out of range for axis 0 of [2, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor([0, 3] as [Int32]).oneHot(3)
      }, "oneHot: index 3 of [2] is out of range for 3 classes")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.stacked([Tensor.ones([2]), Tensor.ones([3])])
      }, "stacked", "[3]", "[2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.einsum("ij,jk", Tensor.ones([2, 3]), Tensor.ones([4, 2]))
      }, "einsum", "axis j is 3 and 4", "[2, 3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        _ = Tensor.ones([1, 2, 3]).padded([3, 0], mode: .reflect)
      }, "padded: reflect", "axis 2 of [1, 2, 3]")
  }
}
