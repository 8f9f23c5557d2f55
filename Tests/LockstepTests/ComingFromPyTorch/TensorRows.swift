import Foundation
import Lockstep
import Testing

@Suite("Coming from PyTorch: tensors") struct TensorRows {
  private let x = Tensor([[1, -2, 3], [4, 5, -6]])

  @Test("Tensors") func tensors() {
    let (data, v, n) = ([1.0, 2, 3, 4, 5, 6], 0.5, 3)
    use(Tensor([1, 2]), Tensor([[1, 2], [3, 4]]))
    use(Tensor(3))
    use(Tensor(data as [Double]), Tensor([1, 2] as [Int]))
    use(Tensor.of(data, shape: [2, 3]))
    use(Tensor.zeros([2, 3]), Tensor.ones([2, 3]), Tensor.full([2, 3], v))
    use(Tensor.zeros(like: x), Tensor.ones(like: x), Tensor.full(like: x, v))
    use(Tensor.zeros([n], .int64))
    use(Tensor.arange(n), Tensor.arange(from: 1, to: 2, by: 0.1))
    use(
      Tensor.linspace(from: 0, to: 1, count: 5), Tensor.logspace(from: 0, to: 2, count: 3))
    let (a, b) = (Tensor.arange(2), Tensor.arange(3))
    use(Tensor.identity(n), Tensor.meshgrid([a, b]))
    use(x.shape, x.shape[-1], x.shape.count)
    use(x.dataType, x.count)
    let s = x.sum()
    use(s.item(), x.doubles(), x.array(of: Float.self))
    use(
      x.converted(to: .float64), x.converted(to: .int64), x.converted(to: .bool))
    use(x.copy(), x.contiguous(), x.isContiguous)

    #expect(Tensor([1, 2]).dataType == .float32 && Tensor(3).dataType == .float32)
    #expect(Tensor([1, 2] as [Int]).dataType == .int64)
    #expect(Tensor(data as [Double]).dataType == .float64)
    #expect(x.shape[-1] == 3)
  }

  @Test("Random numbers") func randomNumbers() {
    setRandomSeed(1)
    let first = Tensor.normal([2, 3])
    let again = withRandomSource(seed: 1) { Tensor.normal([2, 3]) }
    #expect(first.doubles() == again.doubles())
    let n = 5
    use(Tensor.uniform([2, 3]), Tensor.normal([2, 3]))
    use(Tensor.randomIntegers([2, 3], in: 0..<10), Tensor.randomPermutation(n))
    let p = Tensor([0.1, 0.4, 0.5])
    use(Tensor.bernoulli(p), Tensor.multinomial(p, count: 2))
    let y = Tensor.zeros([3])
    use(y.uniform_(in: -1..<1), y.normal_(std: 0.02))
    use(y.bernoulli_(0.5))
    let state = randomSource
    randomSource = state
    var random = RandomSource(seed: 7)
    use(Tensor.normal([2, 3], using: &random))
  }

  @Test("Shapes") func shapes() {
    let y = Tensor.arange(24).reshaped(to: [2, 3, 4])
    let z = Tensor.zeros([1, 3])
    let (a, b) = (x, x + 1)
    let images = Tensor.arange(256).reshaped(to: [1, 4, 8, 8])
    use(x.reshaped(to: [3, 2]), x.reshaped(to: [-1, 2]))
    use(x.transposed(), y.transposed(0, 2))
    use(y.permuted([2, 0, 1]), y.movedAxis(from: 0, to: 2))
    use(x.expanded(to: [4, 2, 3]), x.repeated([2, 1]))
    use(x.unsqueezed(axis: 0), z.squeezed(axis: 0), z.squeezed())
    use(x.flattened(), y.flattened(from: 1), x.unflattened(axis: 1, [1, 3]))
    use(Tensor.concatenated([a, b], axis: 1), Tensor.stacked([a, b]))
    use(x.split(2, axis: 1), x.split([1, 2], axis: 1), x.chunk(2), x.unbind())
    use(x.flipped(axis: 0), x.rolled(1, axis: 0), x.rotated90())
    use(x.repeatInterleave(2, axis: 0))
    use(x.padded([1, 2]), y.padded([1, 1], mode: .reflect))
    use(images.interpolated(scale: 2, mode: .bilinear))
    let columns = images.unfolded(kernel: 3)
    use(
      images.unfolded(kernel: 3), columns.folded(to: 8, kernel: 3),
      x.unfolded(axis: 1, size: 2, step: 1))
    use(images.pixelShuffled(2), images.pixelUnshuffled(2))

    #expect(x.padded([1, 2]).shape == [2, 6])
    #expect(x.repeated([2, 1]).shape == [4, 3])
    #expect(images.pixelShuffled(2).shape == [1, 1, 16, 16])
  }

  @Test("Indexing") func indexing() {
    let x = self.x.copy()
    let (i, j, v) = (1, 2, 0.0)
    let (mask, row) = (x .> 0, Tensor([7, 8, 9]))
    let (rows, columns) = (Tensor([0, 1] as [Int]), Tensor([2, 0] as [Int]))
    let index = Tensor([2, 0] as [Int32])
    let places = Tensor([[0, 2], [1, 0]] as [[Int32]])
    let values = Tensor([[1, 2], [3, 4]])
    use(x[i], x[i, j] as Tensor, x[-1])
    let element: Double = x[i, j]
    use(element, x[i, j].item())
    use(x[1...], x[..<1], x[.all, 1..<3])
    // swift-format-ignore
    use(x[-1...], x[..<-1], x[.all, 1..<-1])
    use(
      x[.ellipsis, 0], x[.newAxis], x[.by(2)], x[.all, .slice(from: 0, to: -1, by: 2)])
    use(x.sliced(0..<2, axis: 1), x.selected(0, axis: 1))
    use(x[x .> 0], x[rows], x[rows, columns])
    let y = x + 1
    use(x.maskedFill(mask, v), x.maskedSelected(mask), x.maskedScatter(mask, y))
    use(x.indexSelected(index, axis: 1), x.gathered(places, axis: 1), x.take(index))
    use(
      x.scatter(places, values, axis: 1), x.scatterAdd(places, values, axis: 1),
      x.indexAdd(index, values, axis: 1))
    use(x.indexCopy(index, values, axis: 1), x.indexFill(index, v, axis: 1))
    let labels = Tensor([0, 2, 2] as [Int32])
    use(x.nonzero(), x.unique().values, labels.bincount())
    let edges = Tensor([0, 2, 4])
    use(edges.searchSorted(x), x.bucketized(edges))
    let vector = Tensor([1, 2])
    use(x.triu(), x.tril(-1), x.diagonal(), vector.diag(), x.diagEmbedded())
    #expect(x[rows, columns].doubles() == [3, 4])
    #expect(x[x .> 0].doubles() == [1, 3, 4, 5])

    x[0] = row
    x[.all, 1] = 0
    #expect(x.doubles() == [7, 0, 9, 4, 0, -6])
    x[mask] = 0
    #expect(x.doubles() == [0, 0, 0, 0, 0, -6])
    x[0] += 1
    x.indexPut_([rows, columns], vector, accumulate: true)
    #expect(x.doubles() == [1, 1, 2, 2, 0, -6])
  }
}
