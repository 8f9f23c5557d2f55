import Examples
import TensorCore
import Testing

// The two operations of the article "Adding an operation".
extension Tensor {
  fileprivate func cubed() -> Tensor {
    let x = self
    let y = withoutGrad { x * x * x }
    return y.recorded("Cube", from: x) { dy in [3 * x * x * dy] }
  }

  fileprivate func logistic() -> Tensor {
    let y = withoutGrad { 1 / (1 + (-self).exp()) }
    return y.recorded("Logistic", from: self, withResult: { dy, y in [dy * y * (1 - y)] })
  }
}

@Suite struct OwnOperationsTests {
  @Test("the operations of the documentation can be differentiated, twice")
  func documented() throws {
    let x = Tensor([0.5, -1.2, 2.0] as [Double])
    x.requiresGrad = true
    for operation in [{ $0.cubed() }, { $0.logistic() }] as [(Tensor) -> Tensor] {
      try checkGradient(of: { operation($0[0]) }, at: [x])
      try checkGradient(
        of: { inputs in
          let y = operation(inputs[0])
          return grad(of: y.sum(), withRespectTo: inputs, createGraph: true)[0]!
        }, at: [x])
    }
  }

  @Test("their gradients are those of finite differences", arguments: 0..<6)
  func gradients(_ index: Int) throws {
    let (_, function, inputs) = OwnOperations.cases()[index]
    try checkGradient(of: function, at: inputs)
  }

  @Test("all six are among the cases")
  func complete() {
    #expect(
      OwnOperations.cases().map(\.name)
        == ["sum", "row sum", "normalize", "expand", "sigmoid", "matrix multiply"])
  }

  @Test("each gives what Lockstep's own operations give")
  func values() {
    let x = Tensor([[1, 3], [2, 2]] as [[Double]])
    let column = Tensor([[5], [6]] as [[Double]])
    #expect(Sum.apply(x).item() == 8)
    #expect(RowSum.apply(x).doubles() == [4, 4])
    #expect(RowSum.apply(x).shape == [2, 1])
    #expect(Normalize.apply(x).doubles() == [0.25, 0.75, 0.5, 0.5])
    #expect(Expand.apply(column, x).doubles() == [5, 5, 6, 6])
    #expect(areClose(Sigmoid.apply(x).doubles(), x.sigmoid().doubles(), within: 1e-15))
    #expect(MatrixMultiply.apply(x, column).doubles() == [23, 22])
  }

  @Test("a context names what it keeps")
  func context() {
    let x = Tensor([[1, 3], [2, 2]] as [[Double]])
    x.requiresGrad = true
    let (y, context) = Normalize.applyKeepingContext(x)
    #expect(y.gradFunction == "NormalizeBackward")
    #expect("\(context)" == "Normalize keeps x [2, 2], s [2, 1]")
  }

  @Test("two layers of them give probabilities, and gradients to both weights")
  func network() throws {
    var generator = Generator()
    let x = generator.tensor([5, 2], .float64)
    let weights = [generator.tensor([2, 3], .float64), generator.tensor([3, 2], .float64)]
    for leaf in weights { leaf.requiresGrad = true }
    let p = OwnOperations.network(x, weights[0], weights[1])
    #expect(areClose(p.sum(axes: [1]).doubles(), [1, 1, 1, 1, 1], within: 1e-15))
    try checkGradient(of: { OwnOperations.network(x, $0[0], $0[1]) }, at: weights)
  }
}
