import Foundation
import Lockstep
import Testing

@Suite("Coming from PyTorch: arithmetic") struct ArithmeticRows {
  private let x = Tensor([[0.2, 0.4, 0.6], [0.3, 0.5, 0.7]])
  private let a = Tensor([[2, 1], [1, 3]])
  private let b = Tensor([[1, 2], [3, 4]])
  private let vector = Tensor([1, 2])

  @Test("Arithmetic") func arithmetic() {
    use(a + b, a * b, 2 * a, a / 3)
    use(a.matmul(b), a.matmul(b.transposed()))
    use(a.squared(), a.pow(0.5), a.pow(b))
    use(a.remainder(b), a.fmod(b), a.floorDivided(by: b))
    use(
      x.exp(), x.log(), x.sqrt(), x.sin(), x.cos(), x.tan(), x.tanh(), x.abs(), x.sign(),
      x.reciprocal())
    use(
      x.rsqrt(), x.log1p(), x.expm1(), x.log2(), x.log10(), x.exp2(), x.erf(), x.erfc(), x.lgamma())
    use(x.asin(), x.acos(), x.atan(), x.sinh(), x.cosh(), a.atan2(b), a.hypot(b))
    use(x.floor(), x.ceil(), x.trunc(), x.frac())
    do {
      let (a, b) = (Tensor(0.3), Tensor(0.5))
      use(x.rounded(), x.clamped(0, 1), x.clamped(a, b))
    }
    use(Tensor.maximum(a, b), a.minimum(b), x.maximum(0))
    use(a .== b, a .!= b, a .< b, a .>= 0)
    let (mask, other, c) = (a .> 1, b .> 2, a .> b)
    use(mask .& other, mask .| other, mask .^ other, .!mask)
    use(Tensor.where(c, a, b))
    use(
      x.isNaN(), x.isFinite(), a.isClose(to: b), a.allClose(to: b), a.isEqual(to: b),
      x.nanToNum())
    do {
      let x = b
      use(a.lerp(b, 0.5), x.addcmul(a, b), a.logAddExp(b))
    }
    use(Tensor.einsum("ij,jk->ik", a, b), Tensor.einsum("...i,i", a, vector))
    let (u, w) = (Tensor([1, 0, 0]), Tensor([0, 1, 0]))
    use(vector.outer(vector), vector.dot(vector), a.kron(b), u.cross(w), a.trace())
    #expect(Tensor.einsum("ij,jk->ik", a, b).doubles() == a.matmul(b).doubles())
  }

  @Test("Reductions") func reductions() {
    let mask = x .> 0.35
    use(x.sum(), x.sum(axis: 1), x.sum(axes: [0, 1], keepingAxes: true))
    use(x.mean(axis: 1), x.std(axis: 1), x.variance(axis: 1, unbiased: false))
    use(x.max(axis: 1), x.min(axis: 1), x.prod(axis: 1), x.logSumExp(axis: 1))
    use(x.argmax(), x.argmax(axis: 1), x.argsort(axis: 1), x.sorted(axis: 1))
    use(x.topK(2))
    use(
      x.cumulativeSum(axis: 1), x.cumulativeProduct(axis: 1), x.cumulativeMax(axis: 1).values,
      x.cumulativeMin(axis: 1).indices)
    use(x.norm(), x.norm(1, axis: 1))
    use(x.median(), x.quantile(0.9))
    use(mask.any(), mask.all(axis: 1), x.countNonzero())
    use(x.softmax(), x.logSoftmax(axis: 1))
    #expect(x.argmax().item() == 5)
  }

  @Test("Linear algebra") func linearAlgebra() throws {
    let l = try a.cholesky()
    use(try a.solve(b))
    use(try a.inverse(), try a.pinverse())
    use(a.determinant(), a.signAndLogDeterminant(), a.logDeterminant())
    use(try a.cholesky(), l.choleskySolve(b))
    use(a.triangularSolve(b, upper: true))
    use(a.qr())
    use(try a.svd(), try a.svdvals())
    use(try a.eigh(), try a.eigvalsh())
    use(try a.lstsq(b))
    use(try a.matrixPower(3), a.matrixExp(), try a.matrixRank())
    #expect(abs(a.determinant().item() - 5) < 1e-5)
    let body: () throws -> Tensor = { try Tensor.zeros([2, 2]).inverse() }
    do {
      use(try body())
    } catch let error as LinearAlgebraError {
      #expect(error.reason == .singular)
    }
  }

  @Test("In place") func inPlace() {
    var x = Tensor([1, 2])
    let (y, a, v, mask) = (Tensor([3, 4]), 0.5, 2.0, Tensor([true, false]))
    use(x.add_(y, scale: a), x.sub_(y, scale: a))
    use(x.mul_(y), x.div_(y), x.copy_(y), x.fill_(v), x.zero_())
    x += y
    x *= 2
    #expect(x.doubles() == [6, 8])
    use(x.maskedFill_(mask, 0))
    let (p, t, rate) = (Parameter(Tensor([1, 2])), Tensor([5, 6]), 0.1)
    (p * p).sum().backward()
    p.detached().sub_(p.grad!, scale: rate)
    p.assign(t)
    #expect(p.doubles() == [5, 6])
  }

  @Test("Gradients") func gradients() throws {
    let x = Tensor([1, 2])
    x.requiresGrad = true
    let xs = [x]
    let loss = (x * x).sum()
    loss.backward()
    use(x.grad)
    x.zeroGrad()
    let (y, dy) = (x.exp(), Tensor([1, 1]))
    y.retainsGrad = true
    let handle = y.registerHook { gradient in 2 * gradient }
    y.backward(gradient: dy, retainGraph: true)
    handle.remove()
    do {
      let (a, b, da, db) = (x * 2, x.exp(), dy, dy)
      backward([a, b], gradients: [da, db])
    }
    do {
      let (a, b, da, db) = (x * 2, x.exp(), dy, dy)
      use(grad(of: [a, b], withRespectTo: xs, gradients: [da, db]))
    }
    do {
      let y = x.exp().sum()
      use(grad(of: y, withRespectTo: xs, createGraph: true))
    }
    use(valueAndGrad(at: [x]) { leaves in leaves[0].sum() })
    use(jacobian(at: x) { x in x.exp() })
    use(hessian(at: x) { x in x.exp().sum() })
    let v = Tensor([1, 0])
    use(hvp(at: x, v) { x in x.exp().sum() })
    use(vjp(at: x, v) { x in x.exp() }, jvp(at: x, v) { x in x.exp() })
    use(Tensor([[1, 2]]).mapSlices { row in row.sum() }, x.mapSlices { row in row.sum() })
    withoutGrad { #expect(!isGradientEnabled && withGrad { isGradientEnabled }) }
    use(withAutocast { Tensor([[1, 2]]).matmul(Tensor([[1], [2]])) })
    use(x.detached())
    use(x.isLeaf, y.gradFunction)
    use(checkpointed(x) { x in x.exp() })
    do {
      let y = withoutGrad { x * x * x }
      use(y.recorded("Cube", from: x) { dy in [3 * x * x * dy] })
      use(y.graphDescription(["x": x]))
    }
    let wide = Tensor([0.5, -1] as [Double])
    wide.requiresGrad = true
    try checkGradient(of: { xs in xs[0].exp() }, at: [wide])
  }
}
