import TensorCore
import Testing

@Suite("Indexing")
struct IndexingTests {
  private func x() -> Tensor { Tensor.arange(24).reshaped(to: [2, 3, 4]) }
  private func floats(_ x: Tensor) -> [Float] { x.array(of: Float.self) }

  @Test("numbers, ranges, steps, new axes and the ellipsis select views")
  func basic() {
    let x = x()
    #expect(x[1, 2].shape == [4] && floats(x[1, 2]) == [20, 21, 22, 23])
    #expect(x[1, 2, 3].item() == 23 && x[-1, -1, -1].item() == 23 && x[0, 1, 0].item() == 4)
    #expect(floats(x[1..., 0]) == [12, 13, 14, 15] && x[1..., 0].shape == [1, 4])
    #expect(floats(x[.all, 1..., 2]) == [6, 10, 18, 22])
    #expect(floats(x[.ellipsis, 0]) == [0, 4, 8, 12, 16, 20])
    #expect(floats(x[0, .ellipsis, -1]) == [3, 7, 11])
    #expect(x[.newAxis].shape == [1, 2, 3, 4] && x[.all, .newAxis, 0].shape == [2, 1, 4])
    #expect(
      floats(x[0, 0, .by(2)]) == [0, 2] && floats(x[0, 0, stride(from: 1, to: 4, by: 2)]) == [1, 3])
    #expect(floats(x[0, 0, ..<3]) == [0, 1, 2] && floats(x[0, 0, ...1]) == [0, 1])
    #expect(floats(x[0, 0, -2...]) == [2, 3] && floats(x[0, 0, ..<-1]) == [0, 1, 2])
    #expect(floats(x[0, 0, 1 ..<- 1]) == [1, 2])
    #expect(
      floats(x[0, 0, .slice(from: 1, to: -1)]) == [1, 2] && floats(x[0, 0, 1...2]) == [1, 2])
    #expect(x[2...].shape == [0, 3, 4] && x[.all, .all, 4...].count == 0)
    #expect(x[0...].shape == [2, 3, 4] && x[1...].shape == [1, 3, 4])
  }

  @Test("elements can be read as numbers")
  func numbers() {
    let x = x()
    let corner: Double = x[1, 2, 3]
    let element: Double = x[0][1, 2]
    let last: Double = x[0, 0][-1]
    let float: Float = x[1, 2, 2]
    let isTrue: Bool = (x .> 3)[0, 1, 0]
    let integer: Int = x[-1, [2], 0]
    #expect(float == 22 && isTrue && integer == 20)
    #expect(corner == 23 && element == 6 && last == 3)
  }

  @Test("parts are assigned in place, in the memory of the tensor")
  func assignment() {
    let x = x()
    let row = x[0]
    x[0, 1] = Tensor([1, 2, 3, 4] as [Float])
    #expect(floats(row[1]) == [1, 2, 3, 4])
    x[1..., 2] = 0
    #expect(
      floats(x[1, 2]) == [0, 0, 0, 0] && x.sum().item() == 12 + 276 - 22 - 86 + 4 - 4 - 6 + 4)
    x[.ellipsis, 0] = -1
    #expect(floats(x[.ellipsis, 0]) == [-1, -1, -1, -1, -1, -1])
    x[1] = Tensor([1, 2, 3, 4] as [Float])
    #expect(floats(x[1]) == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
    x[0, 0, 1..<3] = Tensor([7, 8] as [Float])
    #expect(floats(x[0, 0]) == [-1, 7, 8, 3])
    x[0, 0, 3] = 5
    x[0, 0] += 1
    x[0, .all, 0] *= 2
    #expect(floats(x[0, 0]) == [0, 8, 9, 6] && floats(x[0, .all, 0]) == [0, -2, -2])
    let half: Float = 0.5
    x[0, 0, 0] = half
    x[0, 0, 1] = -.infinity
    #expect(floats(x[0, 0, ..<2]) == [0.5, -.infinity])
    x[0, 0, [0, 1]] = Tensor([0, 8])
    let v = Tensor.zeros([3])
    v[1] = 2
    v[-1] = Tensor(Float(3))
    #expect(floats(v) == [0, 2, 3])
    x.transposed(0, 2)[0] = Tensor.ones([3, 2]) * 9
    #expect(floats(x[.ellipsis, 0]) == [9, 9, 9, 9, 9, 9])
    x[0..<1] = Tensor.zeros([3, 4])
    #expect(x[0].sum().item() == 0)
  }

  @Test("index tensors select elements and rows, as in PyTorch")
  func advanced() {
    let x = x()
    let rows = Tensor([1, 0, -1] as [Int32])
    #expect(x[rows].shape == [3, 3, 4] && x[rows][2, 0, 0].item() == 12)
    #expect(floats(x[0][rows, Tensor([0, 2, 3] as [Int32])]) == [4, 2, 11])
    let columns = Tensor([[0, 1], [3, 3]] as [[Int32]])
    #expect(x[.all, 1, columns].shape == [2, 2, 2])
    #expect(floats(x[.all, 1, columns]) == [4, 5, 7, 7, 16, 17, 19, 19])
    #expect(floats(x[.all, rows, 0]) == [4, 0, 8, 16, 12, 20])
    // Two index tensors broadcast; with an axis between them, theirs come first.
    let firsts = Tensor([[0], [1]] as [[Int32]])
    #expect(x[firsts, rows].shape == [2, 3, 4])
    #expect(x[firsts, .all, rows].shape == [2, 3, 3])
    #expect(floats(x[firsts, .all, rows][1, 0]) == [13, 17, 21])
    #expect(x[.all, Tensor([] as [Int32])].shape == [2, 0, 4])
    #expect(floats(x.transposed(0, 2)[Tensor([3, 0] as [Int32])][0]) == [3, 15, 7, 19, 11, 23])
    #expect(floats(x.take(Tensor([[0, 23], [-1, 5]] as [[Int32]]))) == [0, 23, 23, 5])
  }

  @Test("index tensors assign elements and rows")
  func advancedAssignment() {
    let x = x()
    x[Tensor([1] as [Int32])] = 0
    #expect(x[1].sum().item() == 0)
    x[0, Tensor([0, 2] as [Int32]), Tensor([3, 1] as [Int32])] = Tensor([-1, -2] as [Float])
    #expect(floats(x[0]) == [0, 1, 2, -1, 4, 5, 6, 7, 8, -2, 10, 11])
    x[.all, Tensor([1] as [Int32])] = Tensor([5, 6] as [Float]).reshaped(to: [2, 1, 1])
    #expect(floats(x[0, 1]) == [5, 5, 5, 5] && floats(x[1, 1]) == [6, 6, 6, 6])
    x.transposed(0, 2)[Tensor([0, 1] as [Int32])] = 3
    #expect(floats(x[.ellipsis, ..<2]).allSatisfy { $0 == 3 })
    x[0][Tensor([0, 0] as [Int32])] += 1
    #expect(x[0, 0, 0].item() == 4)
    let y = Tensor.zeros([3, 2])
    let indices = [Tensor([0, 2, 0] as [Int32]), Tensor([1, 0, 1] as [Int32])]
    y.indexPut_(indices, Tensor([1, 2, 3] as [Float]), accumulate: true)
    #expect(floats(y) == [0, 4, 0, 0, 2, 0])
    y.indexPut_(indices, Tensor([1, 2, 3] as [Float]))
    #expect(floats(y) == [0, 3, 0, 0, 2, 0])
  }

  @Test("masks fill, select and scatter")
  func masks() {
    let x = Tensor([[1, -2], [-3, 4]] as [[Float]])
    #expect(floats(x.maskedFill(x .< 0, 9)) == [1, 9, 9, 4])
    #expect(floats(x.maskedFill(Tensor([1, 0]) .> 0, Tensor(Float(7)))) == [7, -2, 7, 4])
    #expect(floats(x.maskedSelected(x .> 0)) == [1, 4])
    #expect(floats(x.maskedSelected(Tensor([0, 1]) .> 0)) == [-2, 4])
    #expect(floats(x.maskedScatter(x .< 0, Tensor([5, 6, 7] as [Float]))) == [1, 5, 6, 4])
    #expect((x .< 0).nonzero().array(of: Int32.self) == [0, 1, 1, 0])
    #expect(Tensor([0, 0]).nonzero().shape == [0, 1])
    let y = x.copy()
    y.maskedFill_(y .< 0, 0)
    #expect(floats(y) == [1, 0, 0, 4])
  }
}
