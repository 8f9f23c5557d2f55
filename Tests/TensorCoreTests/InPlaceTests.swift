import TensorCore
import Testing

private func leaf(_ values: [Double], _ shape: TensorShape? = nil) -> Tensor {
  let tensor = Tensor.of(values, shape: shape ?? [values.count])
  tensor.requiresGrad = true
  return tensor
}

private func expectMessage(
  _ result: ExitTest.Result?, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
  let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
  for part in parts {
    #expect(message.contains(part), "\(message.prefix(400))", sourceLocation: sourceLocation)
  }
}

@Suite("In-place changes")
struct InPlaceTests {
  // MARK: Types and shapes

  @Test("copy_ converts the type of what it copies")
  func copyConverts() {
    let x = Tensor.zeros([100_000])
    x.copy_(Tensor.full([100_000], 1.5, .float64))
    #expect(x.dataType == .float32 && x.array(of: Float.self).allSatisfy { $0 == 1.5 })

    let integers = Tensor.of([9, 9, 9, 9] as [Int32], shape: [2, 2])
    integers.copy_(Tensor([1.9, -2.9] as [Double]))
    #expect(integers.array(of: Int32.self) == [1, -2, 1, -2])
    let doubles = Tensor.zeros([2, 2], .float64)
    doubles.copy_(integers.transposed())
    #expect(doubles.doubles() == [1, 1, -2, -2])

    let source = leaf([1, 2])
    let target = Tensor.zeros([2])
    target.copy_(source)
    (target * Tensor([3, 4] as [Float])).sum().backward()
    #expect(source.grad!.dataType == .float64 && source.grad!.doubles() == [3, 4])
  }

  @Test("grad refuses another shape and another type, and takes any layout")
  func gradShape() async {
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        leaf([1, 2, 3, 4]).grad = .zeros([2], .float64)
      }, "grad", "float64 [2]", "float64 [4]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        leaf([1, 2]).grad = .zeros([2])
      }, "grad", "float32 [2]", "float64 [2]")

    let factors = Tensor.of([1.0, 2, 3, 4, 5, 6], shape: [2, 3])
    let x = leaf([1, 1, 1, 1, 1, 1], [2, 3])
    x.grad = Tensor.of([10.0, 20, 30, 40, 50, 60], shape: [3, 2]).transposed()
    (x * factors).sum().backward()
    #expect(x.grad!.doubles() == [11, 32, 53, 24, 45, 66])
    x.grad = Tensor.of([100.0], shape: []).expanded(to: [2, 3])
    (x * factors).sum().backward()
    #expect(x.grad!.doubles() == [101, 102, 103, 104, 105, 106])
  }

  // MARK: Views

  @Test("a view that was taken before its original changed in the graph follows the change")
  func followingViews() {
    let x = leaf([1, 2, 3, 4], [2, 2])
    var y = x * 1
    let (row, transposed) = (y[0], y.transposed())
    y *= 2
    let part = transposed[0]
    (row.sum() + 10 * part.sum()).backward()
    #expect(row.doubles() == [2, 4] && part.doubles() == [2, 6])
    #expect(x.grad!.doubles() == [22, 2, 20, 0])

    // The original had no history when the view was taken.
    let w = leaf([4, 5, 6])
    var z = Tensor([1, 2, 3] as [Double])
    let v = z[0..<2]
    z *= w
    #expect(v.requiresGrad)
    v.backward(gradient: Tensor([1, 10]))
    #expect(w.grad!.doubles() == [1, 20, 0])

    // An expanded view repeats elements; operations of users return views.
    let a = leaf([1, 2])
    var b = a * 1
    let (wide, same) = (
      b.expanded(to: [3, 2]), b.detached().recorded("Same", from: b) { dy in [dy] }
    )
    b *= 3
    (wide.sum() + same.sum()).backward()
    #expect(a.grad!.doubles() == [12, 12])
  }

  @Test("a change of a view is a change of its original and of all other views")
  func changedViews() {
    let x = leaf([1, 2, 3, 4, 5, 6], [2, 3])
    let y = x * 1
    let column = y.transposed()[2]
    y[0].mul_(Tensor(2))
    y[0..<2].sliced(1..<3, axis: 1).sub_(leaf([1, 1]))
    column.mul_(Tensor([10, 100]))
    #expect(y.doubles() == [2, 3, 50, 4, 4, 500])
    (y * Tensor([[1, 2, 3], [4, 5, 6]])).sum().backward()
    #expect(x.grad!.doubles() == [2, 4, 60, 4, 5, 600])

    // Of a tensor that required none: it does now.
    let (z, w) = (Tensor.zeros([2, 2], .float64), leaf([1, 2]))
    z[1].copy_(w)
    z[0].add_(z[1] * 2)
    #expect(z.requiresGrad && z.doubles() == [2, 4, 1, 2])
    z.sum().backward()
    #expect(w.grad!.doubles() == [3, 3])

    // Gradients of gradients.
    let v = leaf([1, 2, 3])
    let u = v * 1
    u[0..<2].mul_(v[1..<3])
    let first = grad(of: u.sum(), withRespectTo: [v], createGraph: true)[0]!
    #expect(first.doubles() == [2, 4, 3])
    first.squared().sum().backward()
    // u = [v0 v1, v1 v2, v2], so the gradient is [v1, v0 + v2, v1 + 1].
    #expect(v.grad!.doubles() == [8, 10, 8])
  }

  @Test("fresh results of every operation can be changed in place")
  func freshResults() {
    let x = leaf((0..<24).map { Double($0) / 10 }, [2, 3, 4])
    let w = leaf((0..<8).map { Double($0) / 10 }, [2, 4])
    let image = leaf((0..<18).map { Double($0) / 10 }, [2, 3, 3])
    let kernel = leaf((0..<8).map { Double($0) / 10 }, [1, 2, 2, 2])
    let results: [(String, () -> Tensor)] = [
      ("linear", { x.linear(weight: w) }), ("matmul", { x.matmul(w.transposed()) }),
      ("einsum", { Tensor.einsum("btc,oc->bto", x, w) }),
      ("flattened", { x.flattened(from: 1) }),
      ("reshaped", { x.transposed().reshaped(to: [6, 4]) }),
      ("group norm", { x.groupNorm(1) }), ("convolution", { image.conv2d(weight: kernel) }),
      ("split", { x.split(2, axis: 2)[0] * 1 }),
    ]
    for (name, result) in results {
      let weights = Tensor.arange(result().count, .float64)
      func gradients(_ change: (Tensor) -> Tensor) -> [Double] {
        let y = change(result()).reshaped(to: [-1])
        return grad(of: (y * weights).sum(), withRespectTo: [x, w, image, kernel])
          .flatMap { $0?.doubles() ?? [] }
      }
      #expect(
        gradients { y in
          guard name != "flattened" else { return (y * 1).mul_(y) }
          return y.mul_(y.copy()).add_(Tensor(1))
        } == gradients { y in y * y + 1 }, "\(name)")
    }
  }

  @Test("what cannot be changed in the graph is refused")
  func refusedChanges() async {
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let x = leaf([1, 2, 3])
        x[0..<2].zero_()
      }, "Copy: a leaf that requires gradients [3]", "nor can a view of it")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let y = leaf([1, 2, 3]) * 1
        let v = withoutGrad { y[0..<2] }
        v.mul_(Tensor([2, 2]))
      }, "Multiply: this [2] is a view that was taken in withoutGrad")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let y = leaf([1, 2, 3]) * 1
        let v = withoutGrad { y[0..<2] }
        y.mul_(Tensor([2, 2, 2]))
        _ = v * 2
      }, "Multiply: this [2] is a view of a tensor that was changed in place")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        (leaf([1, 2, 3]) * 1).assign(Tensor([1, 2, 3] as [Double]))
      }, "assign: this [3] is the result of Multiply")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        Tensor([1, 2] as [Int32]).add_(Tensor(0.5))
      }, "Add: float32 does not fit into int32")
  }

  @Test("views stay valid where the history of the original does")
  func validViews() {
    // What was computed from the view before the change has the old history.
    let x = leaf([1, 2, 3])
    var y = x * 1
    let sum = y[0..<2].sum()
    y *= 2
    let after = y[0..<2]
    (sum * 10 + after.sum()).backward()
    #expect(sum.item() == 3 && after.doubles() == [2, 4] && x.grad!.doubles() == [12, 12, 0])

    // A leaf that changes outside the graph, as in a training step.
    let (w, z) = (leaf([1, 2, 3]), Tensor([1.0, 1, 1] as [Double]))
    let rows = (w[0..<2], z[1..<3])
    withoutGrad {
      w.add_(Tensor([1.0, 1, 1] as [Double]))
      rows.0.mul_(Tensor([2.0, 2] as [Double]))
      w[2..<3].assign(Tensor([7.0] as [Double]))
    }
    z.mul_(Tensor([5.0, 5, 5] as [Double]))
    (rows.0.squared().sum() + (rows.1 * w[1..<3]).sum()).backward()
    #expect(w.doubles() == [4, 6, 7] && w.grad!.doubles() == [8, 17, 5])

    // A detached view is a constant that follows the elements.
    var h = leaf([1, 2]) * 3
    let frozen = h.detached()
    let part = frozen[0..<1]
    h *= 2
    #expect((frozen * 1).doubles() == [6, 12] && !part.requiresGrad && (part * 1).item() == 6)
  }

  // MARK: Overlapping memory

  @Test("what is copied is read before it is overwritten")
  func overlappingSources() {
    func matrix() -> Tensor { Tensor.of((0..<4096).map(Double.init), shape: [64, 64]) }
    let transposed = matrix().transposed().copy().doubles()
    let a = matrix()
    a.copy_(a.transposed())
    #expect(a.doubles() == transposed)
    let b = matrix()
    b.assign(b.transposed())
    #expect(b.doubles() == transposed)
    let c = Tensor.arange(1000, .float64)
    c.sliced(1..<1000).copy_(c.sliced(0..<999))
    #expect(c.doubles() == [0] + (0..<999).map(Double.init))
    let d = matrix()
    d.copy_(d[3])
    #expect(d.doubles() == (0..<4096).map { Double(192 + $0 % 64) })
    var e = matrix()
    e += e.transposed()
    #expect(e.doubles() == (matrix() + matrix().transposed()).doubles())
    let x = leaf([1, 2, 3, 4], [2, 2])
    let y = x * 1
    y.copy_(y.transposed())
    (y * Tensor.of([1.0, 2, 3, 4], shape: [2, 2])).sum().backward()
    #expect(y.doubles() == [1, 3, 2, 4] && x.grad!.doubles() == [1, 3, 2, 4])
  }

  @Test("an expanded tensor cannot be changed in place")
  func expandedTargets() async {
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        Tensor([1.0, 2] as [Double]).expanded(to: [3, 2]).add_(Tensor([1.0, 1] as [Double]))
      }, "Add", "several elements of this [3, 2]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        Tensor([1.0] as [Double]).expanded(to: [3]).copy_(Tensor([1.0, 2, 3] as [Double]))
      }, "Copy", "several elements of this [3]")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        Tensor([1.0] as [Double]).expanded(to: [3])[0..<2].assign(Tensor([1.0, 2] as [Double]))
      }, "assign", "several elements of this [2]")
    let x = Tensor([1.0, 2] as [Double]).expanded(to: [3, 2])
    x[0].add_(Tensor([1.0, 1] as [Double]))
    #expect(x.doubles() == [2, 3, 2, 3, 2, 3])
  }

  // MARK: What backward keeps

  @Test("overwritten indices and labels stop backward")
  func savedIndices() async {
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let indices = Tensor([0, 1] as [Int32])
        let y = leaf([1, 2, 3]).gathered(indices, axis: 0)
        indices.fill_(2)
        y.sum().backward()
      }, "Gather needs its value")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let indices = Tensor([0, 1] as [Int32])
        let y = leaf([1, 2]).scattered(indices, in: [3], axis: 0)
        indices.fill_(2)
        y.sum().backward()
      }, "Scatter needs its value")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let labels = Tensor([0, 1] as [Int32])
        let loss = leaf([1, 2, 3, 4], [2, 2]).crossEntropy(labels)
        labels.fill_(0)
        loss.sum().backward()
      }, "CrossEntropy needs its value")
  }

  @Test("gradients do not share memory with each other or with the upstream gradient")
  func separateGradients() {
    let (a, b) = (leaf([1, 2]), leaf([3, 4]))
    let upstream = Tensor([1.0, 10] as [Double])
    (a + b).backward(gradient: upstream, createGraph: true)
    (2 * a).sum().backward()
    #expect(a.grad!.doubles() == [3, 12] && b.grad!.doubles() == [1, 10])
    #expect(upstream.doubles() == [1, 10])

    // The gradient of one pass starts the next, which changes it.
    let (x, y) = (leaf([1, 2]), leaf([3, 4]))
    x.grad = Tensor([1.0, 10] as [Double])
    (x + y).backward(gradient: x.grad!)
    #expect(x.grad!.doubles() == [2, 20] && y.grad!.doubles() == [1, 10])

    // A gradient that is an operand of its own product.
    let (w, v) = (leaf([1, 2, 3, 4], [2, 2]), Tensor.of([1.0, 2, 3, 4], shape: [2, 2]))
    w.grad = v
    v.matmul(w).sum().backward()
    #expect(w.grad!.doubles() == [5, 6, 9, 10])
  }

  @Test("a gradient written to a gradient view counts as a change of it")
  func versionOfGradients() async {
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        let (x, factor) = (leaf([1, 2]), leaf([3, 4]))
        x.gradientView = .zeros([2], .float64)
        (x * 2).sum().backward()
        let later = (factor * x.grad!).sum()
        x.zeroGrad()
        (x * 5).sum().backward()
        later.backward()
      }, "Multiply needs its value")
  }

  @Test("sums and means can be changed in place: their gradients do not need them")
  func changedSums() {
    let x = leaf([1, 2, 3, 4], [2, 2])
    x.sum(axes: [0]).mul_(Tensor([1.0, 2] as [Double])).sum().backward()
    x.mean(axes: [1]).add_(Tensor([1.0, 2] as [Double])).sum().backward()
    #expect(x.grad!.doubles() == [1.5, 2.5, 1.5, 2.5])
  }

  @Test("a result that keeps its gradient keeps that of its new elements")
  func retainedGradient() {
    let x = leaf([1, 2])
    var y = x * 3
    y.retainsGrad = true
    y *= 10
    (y * Tensor([1.0, 2] as [Double])).sum().backward()
    #expect(y.retainsGrad && y.grad!.doubles() == [1, 2] && x.grad!.doubles() == [30, 60])
  }
}
