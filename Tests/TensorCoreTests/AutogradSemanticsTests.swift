import TensorCore
import Testing

/// What people who come from PyTorch rely on, beyond single operations.
@Suite struct AutogradSemanticsTests {
  private func leaf(_ values: [Double]) -> Tensor {
    let tensor = Tensor(values)
    tensor.requiresGrad = true
    return tensor
  }

  @Test("a Hessian-vector product is the gradient of gradient times vector")
  func hessianVectorProduct() throws {
    // f = x³ y + y²: Hessian [[6xy, 3x²], [3x², 2]].
    let x = leaf([2, 3])
    let f = x[0].pow(3) * x[1] + x[1].squared()
    let gradient = try #require(grad(of: f, withRespectTo: [x], createGraph: true)[0])
    #expect(gradient.doubles() == [36, 14])
    let vector = Tensor([1, -2] as [Double])
    let product = try #require(grad(of: (gradient * vector).sum(), withRespectTo: [x])[0])
    #expect(product.doubles() == [36 - 24, 12 - 4])
    #expect(x.grad == nil)
  }

  @Test("a gradient penalty has a gradient")
  func gradientPenalty() throws {
    // Of w · x the gradient is w; the penalty (|w| - 1)² pulls w towards length one.
    let (w, x) = (leaf([3, 4]), leaf([0.5, 2]))
    let output = (w * x).sum()
    let slope = try #require(grad(of: output, withRespectTo: [x], createGraph: true)[0])
    let penalty = (slope.squared().sum().sqrt() - 1).squared()
    penalty.backward()
    // 2 (5 - 1) w / 5
    let expected: [Double] = [4.8, 6.4]
    for (found, wanted) in zip(w.grad!.doubles(), expected) {
      #expect(abs(found - wanted) < 2e-13 * wanted)
    }
  }

  @Test("a branch that the result does not depend on costs nothing and gets nothing")
  func droppedBranch() {
    let (a, b) = (leaf([2]), leaf([5]))
    let dropped = (a * b).exp()
    let kept = (a * 3).sum()
    kept.backward()
    #expect(a.grad?.doubles() == [3])
    #expect(b.grad == nil)
    // The dropped branch was not walked, so it can be.
    dropped.sum().backward()
    #expect(b.grad != nil)
  }

  @Test("a leaf is updated through its detached self, which shares its memory")
  func updateThroughDetached() {
    let p = leaf([1, 2])
    (p * p).sum().backward()
    p.detached().sub_(1e-2 * p.grad!)
    #expect(p.doubles() == [1 - 0.02, 2 - 0.04])
    #expect(p.requiresGrad && p.isLeaf)
  }

  @Test("withoutGrad can be nested, and ends where it ends")
  func nestedWithoutGrad() {
    let a = leaf([1])
    withoutGrad {
      withoutGrad { #expect(!(a * 2).requiresGrad) }
      #expect(!(a * 2).requiresGrad)
    }
    #expect((a * 2).requiresGrad)
    #expect(!(a * 2).detached().requiresGrad)
  }

  @Test("one tensor in a hundred thousand places, and a hundred thousand tensors in one")
  func wideGraphs() {
    let a = leaf([3])
    let parts = (0..<100_000).map { _ in a * 1 }
    let sum = Tensor.concatenated(parts).sum()
    sum.backward()
    #expect(a.grad?.doubles() == [100_000])
  }

  @Test("changing a leaf in place is refused while it takes part in the graph")
  func inPlaceOnLeaf() async {
    await #expect(processExitsWith: .failure) {
      let a = Tensor([1, 2] as [Double])
      a.requiresGrad = true
      a.add_(Tensor([1, 1] as [Double]))
    }
    let a = leaf([1, 2])
    withoutGrad { _ = a.add_(Tensor([1, 1] as [Double])) }
    #expect(a.doubles() == [2, 3])
  }
}
