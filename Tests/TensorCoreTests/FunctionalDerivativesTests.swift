import TensorCore
import Testing

/// Derivatives of functions, against closed forms and numbers of PyTorch.
@Suite("Derivatives of functions") struct FunctionalDerivativesTests {
  private let x = Tensor([0.5, -1.0, 2.0] as [Double])
  private let matrix = Tensor([[1.0, 2, 3], [4, 5, 6]] as [[Double]])

  private func isClose(_ a: Tensor, _ b: [Double], _ tolerance: Double = 1e-12) -> Bool {
    a.count == b.count
      && zip(a.doubles(), b).allSatisfy { abs($0 - $1) <= tolerance * max(1, abs($1)) }
  }

  @Test("of a linear function the Jacobian is its matrix")
  func linear() {
    let f = { (x: Tensor) in self.matrix.matmul(x) }
    #expect(jacobian(at: x, f).doubles() == matrix.doubles())
    #expect(jvp(at: x, Tensor([1.0, 0, -1] as [Double]), f).product.doubles() == [-2, -2])
    let (value, product) = vjp(at: x, Tensor([1.0, 10] as [Double]), f)
    #expect(value.doubles() == matrix.matmul(x).doubles())
    #expect(product.doubles() == [41, 52, 63])
  }

  @Test("of several inputs")
  func several() {
    let y = Tensor([3.0, 4, 5] as [Double])
    let f = { (leaves: [Tensor]) in leaves[0] * leaves[1].sum() }
    let jacobians = jacobian(at: [x, y], f)
    #expect(jacobians.map(\.shape) == [[3, 3], [3, 3]])
    #expect(jacobians[0].doubles() == [12, 0, 0, 0, 12, 0, 0, 0, 12])
    #expect(jacobians[1].doubles() == [0.5, 0.5, 0.5, -1, -1, -1, 2, 2, 2])
    let (value, product) = jvp(
      at: [x, y], [Tensor([1.0, 1, 1] as [Double]), Tensor([0.0, 0, 2] as [Double])], f)
    #expect(value.doubles() == [6, -12, 24])
    #expect(product.doubles() == [13, 10, 16])
  }

  @Test("what the value does not depend on has zeros")
  func constant() {
    #expect(
      jacobian(at: x) { _ in Tensor([1.0, 2.0] as [Double]) }.doubles() == [0, 0, 0, 0, 0, 0])
    #expect(jvp(at: x, x) { _ in Tensor([1.0] as [Double]) }.product.doubles() == [0])
    #expect(
      vjp(at: [x, x]) { $0[0].sum() }.product.map { $0.doubles() } == [[1, 1, 1], [0, 0, 0]])
    #expect(hvp(at: x, x) { $0.sum() }.product.doubles() == [0, 0, 0])
    #expect(hessian(at: x) { $0.sum() }.doubles() == [Double](repeating: 0, count: 9))
  }

  @Test("Hessian and its product with a vector: of x₀² x₁ + x₂³")
  func secondDerivatives() {
    let f = { (x: Tensor) in x[0].squared() * x[1] + x[2].pow(3) }
    let expected: [Double] = [-2, 1, 0, 1, 0, 0, 0, 0, 12]
    #expect(isClose(hessian(at: x, f), expected))
    #expect(isClose(hvp(at: x, Tensor([1.0, 2, 3] as [Double]), f).product, [0, 1, 36]))
    #expect(hvp(at: x, x, f).value.item() == 7.75)
    let parts = hessian(at: [x, Tensor([2.0] as [Double])]) { ($0[0] * $0[1]).sum() }
    #expect(parts[0][1].shape == [3, 1] && parts[0][1].doubles() == [1, 1, 1])
    #expect(parts[1][0].shape == [1, 3] && parts[1][1].doubles() == [0])
  }

  @Test("of a network: PyTorch's numbers")
  func network() {
    // torch.autograd.functional with f(x) = softmax(tanh(M x / 10)) and g = f(x)[0], float64.
    let f = { (x: Tensor) in (self.matrix.matmul(x) * 0.1).tanh().softmax() }
    let v = Tensor([1.0, -1, 0.5] as [Double])
    let found = [
      jvp(at: x, v, f).product, vjp(at: x, Tensor([1.0, 2.0] as [Double]), f).product,
      jacobian(at: x, f),
      hvp(at: x, v) { f($0)[0] }.product, hessian(at: x) { f($0)[0] },
    ]
    for (tensor, expected) in zip(found, Self.network) {
      #expect(isClose(tensor, expected, 1e-9))
    }
  }

  @Test("a derivative can be differentiated, and no grad changes")
  func nested() {
    let w = Tensor([2.0] as [Double])
    w.requiresGrad = true
    // d/dw of (d/dw w³) · 1 = 6 w
    let slope = jvp(at: w, Tensor([1.0] as [Double]), createGraph: true) { $0.pow(3) }.product
    #expect(grad(of: slope, withRespectTo: [w])[0]!.item() == 12)
    let square = jacobian(at: w, createGraph: true) { $0.pow(3) }
    #expect(grad(of: square.sum(), withRespectTo: [w])[0]!.item() == 12)
    #expect(w.grad == nil)
    #expect(!jacobian(at: w) { $0.pow(3) }.requiresGrad)
    withoutGrad { #expect(jacobian(at: w) { $0.pow(3) }.doubles() == [12]) }
  }

  @Test("mapSlices is a loop over slices, with gradients")
  func slices() async {
    let a = Tensor([[1.0, 2], [3, 4], [5, 6]] as [[Double]])
    a.requiresGrad = true
    let sums = a.mapSlices { $0.squared().sum() }
    #expect(sums.doubles() == [5, 25, 61])
    sums.sum().backward()
    #expect(a.grad!.doubles() == [2, 4, 6, 8, 10, 12])
    #expect(a.mapSlices(axis: 1) { $0.sum() }.doubles() == [9, 12])
    let outer = Tensor.mapSlices(of: [a, a]) { $0[0].unsqueezed(axis: 1) * $0[1] }
    #expect(outer.shape == [3, 2, 2])
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.mapSlices(of: [Tensor([1.0] as [Double]), Tensor([1.0, 2.0] as [Double])]) {
        $0[0]
      }
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("mapSlices: [1, 2] slices"))
  }

  private static let network: [[Double]] = [
    [-0.013770320650611928, 0.013770320650611916],
    [0.02754064130122384, 0.01934246665643808, 0.011144292011652318],
    [
      -0.02754064130122384, -0.01934246665643808, -0.011144292011652318, 0.02754064130122384,
      0.01934246665643808, 0.011144292011652318,
    ],
    [0.013031191518784393, 0.015528556087039205, 0.018025920655294014],
    [
      0.026062383037568786, 0.03105711217407841, 0.03605184131058803, 0.031057112174078406,
      0.03610165934436996, 0.04114620651466151, 0.036051841310588036, 0.041146206514661526,
      0.04624057171873501,
    ],
  ]
}
