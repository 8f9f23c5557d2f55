import TensorCore
import Testing

@Suite("Element types")
struct ElementTypeTests {
  @Test("literals are float32, values have the type of their elements")
  func literals() {
    #expect(Tensor([1, 2, 3]).dataType == .float32 && Tensor([1.5, 2]).dataType == .float32)
    #expect(Tensor([[1, 2], [3, 4]]).shape == [2, 2] && Tensor(3).dataType == .float32)
    #expect(Tensor([[[1], [2]]]).shape == [1, 2, 1] && Tensor(0.5).item() == 0.5)
    let (counts, wide, flags) = ([1, 2], [1.5, 2], [true, false])
    #expect(Tensor(counts).dataType == .int64 && Tensor(wide).dataType == .float64)
    #expect(Tensor(flags).dataType == .bool && Tensor([3] as [Int32]).dataType == .int32)
    #expect(Tensor(flags).array(of: Bool.self) == flags && Tensor(counts).array() == counts)
    let sizes = [2, 3]
    #expect(Tensor.zeros(sizes).shape == [2, 3] && Tensor.ones(sizes).reshaped(to: [6]).count == 6)
    #expect(Tensor.zeros(sizes).shape[-1] == 3 && Tensor.zeros(sizes).shape[-2] == 2)
  }

  /// The types of results in PyTorch, `(a + b).dtype` for tensors with axes.
  static let promotions: [(DataType, DataType, DataType)] = [
    (.float32, .float64, .float64), (.int32, .float32, .float32), (.int64, .float32, .float32),
    (.int32, .int64, .int64), (.bool, .int32, .int32), (.bool, .float64, .float64),
    (.bfloat16, .float32, .float32), (.int64, .bfloat16, .bfloat16),
  ]

  @Test("operands are promoted as in PyTorch", arguments: promotions)
  func promotion(_ row: (DataType, DataType, DataType)) {
    let (a, b) = (Tensor.ones([2], row.0), Tensor.ones([2], row.1))
    #expect((a + b).dataType == row.2 && (b * a).dataType == row.2)
    #expect((a + b).doubles() == [2, 2])
    // A tensor without axes does not change the type of one with axes, unless it is of a higher kind.
    let scalar = Tensor.ones([], row.1)
    let expected = row.0.isFloatingPoint == row.1.isFloatingPoint && row.0 != .bool ? row.0 : row.2
    #expect((a + scalar).dataType == expected)
  }

  @Test("gradients come back in the types of the operands")
  func gradients() {
    let a = Tensor.ones([2], .float32)
    let b = Tensor.full([2], 3, .float64)
    for x in [a, b] { x.requiresGrad = true }
    (a * b * Tensor([2, 4] as [Int32])).sum().backward()
    #expect(a.grad!.dataType == .float32 && a.grad!.doubles() == [6, 12])
    #expect(b.grad!.dataType == .float64 && b.grad!.doubles() == [2, 4])
  }

  @Test("numbers beside integers, and division of integers")
  func integers() {
    let x = Tensor([3, -7] as [Int32])
    #expect((x * 0.5).doubles() == [1.5, -3.5] && (x * 0.5).dataType == .float32)
    #expect((x * 2).array(of: Int32.self) == [6, -14] && (1 - x).array(of: Int32.self) == [-2, 8])
    #expect((Tensor([2]) * .pi .> -.infinity).array(of: Bool.self) == [true])
    #expect((Tensor([2] as [Int32]) .== 2.5).array(of: Bool.self) == [false])
    #expect((x / 2).doubles() == [1.5, -3.5] && (x / 0).doubles() == [.infinity, -.infinity])
    #expect((x / Tensor([2, 2] as [Int32])).dataType == .float32)
    let large = Tensor([1 << 40, -5])
    #expect((large + 1).array(of: Int.self) == [1 << 40 + 1, -4])
    #expect((large .> x).array(of: Bool.self) == [true, true])
    #expect((-large).abs().array(of: Int.self) == [1 << 40, 5])
    #expect(large.max().array(of: Int.self) == [1 << 40] && large.argmin(axis: 0).item() == 1)
    #expect(large.indexSelected(Tensor([1, 0] as [Int32])).array(of: Int.self) == [-5, 1 << 40])
    #expect(large.sum().array(of: Int.self) == [1 << 40 - 5])
  }

  @Test("bool tensors: masks, and, or, conversions")
  func masks() {
    let x = Tensor([1, 0, -2, 3])
    let mask = x .> 0
    #expect(mask.dataType == .bool && mask.doubles() == [1, 0, 0, 1])
    #expect((mask * (x .< 2)).array(of: Bool.self) == [true, false, false, false])
    #expect((mask + (x .== 0)).array(of: Bool.self) == [true, true, false, true])
    #expect((mask * x).doubles() == [1, 0, 0, 3] && (mask * x).dataType == .float32)
    #expect(x.converted(to: .bool).array(of: Bool.self) == [true, false, true, true])
    #expect(mask.converted(to: .int64).array(of: Int.self) == [1, 0, 0, 1])
    #expect(mask.reshaped(to: [2, 2]).transposed().copy().doubles() == [1, 0, 0, 1])
    #expect(Tensor.where(mask, x, -1).doubles() == [1, -1, -1, 3])
    #expect(Tensor.where(Tensor([1, 0, 2, 0] as [Int32]), 1, x).doubles() == [1, 0, 1, 3])
    #expect(mask.max().array(of: Bool.self) == [true] && mask.min().item() == 0)
    #expect(mask.sum().item() == 2 && "\(mask)" == "tensor([true, false, false, true], bool)")
  }

  @Test("every count of elements of every type converts to every other")
  func conversions() {
    for count in [0, 1, 7, 8, 9, 63, 64, 65, 130] {
      let values = (0..<count).map { Double($0 % 3) }
      for from in DataType.allCases {
        let x = Tensor(values).converted(to: from)
        for to in DataType.allCases {
          let isBool = from == .bool || to == .bool
          #expect(x.converted(to: to).doubles() == values.map { isBool && $0 > 0 ? 1 : $0 })
        }
      }
    }
    let extremes = Tensor([1e30, -1e30, .nan, -2.7])
    #expect(extremes.converted(to: .int64).array(of: Int.self) == [.max, .min, 0, -2])
    #expect(extremes.converted(to: .int32).array(of: Int32.self) == [.max, .min, 0, -2])
  }

  @Test("the gradient of a quotient neither overflows nor vanishes where the quotient does not")
  func quotients() {
    for scale in [1e-23, 1e20] as [Float] {
      let (a, b) = (Tensor([scale]), Tensor([scale]))
      for x in [a, b] { x.requiresGrad = true }
      (a / b).backward()
      #expect(b.grad!.array(of: Float.self) == [-1 / scale])
      let (c, d) = (Tensor([scale]), Tensor([scale]))
      d.requiresGrad = true
      (c * 1).div_(d).backward()
      #expect(d.grad!.array(of: Float.self) == [-1 / scale])
    }
  }

  @Test("products over no elements are zeros")
  func emptyProducts() {
    let (a, b) = (Tensor.zeros([2, 3, 0]), Tensor.zeros([0, 5]))
    for x in [a, b] { x.requiresGrad = true }
    let y = a.matmul(b)
    #expect(y.shape == [2, 3, 5] && y.doubles() == [Double](repeating: 0, count: 30))
    y.sum().backward()
    #expect(a.grad!.shape == [2, 3, 0] && b.grad!.shape == [0, 5])
    #expect(a[0].matmul(b).shape == [3, 5])
    #expect(a.matmul(Tensor.zeros([2, 0, 4])).shape == [2, 3, 4])
  }
}
