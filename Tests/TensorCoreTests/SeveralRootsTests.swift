import TensorCore
import Testing

private func leaf(_ values: [Double]) -> Tensor {
  let tensor = Tensor(values)
  tensor.requiresGrad = true
  return tensor
}

/// Backward from several results, a second time, and of values that change in place.
@Suite("Backward, as in PyTorch") struct SeveralRootsTests {
  @Test("backward of several results adds their gradients, in one pass")
  func severalRoots() {
    let (x, w) = (leaf([2, 3]), leaf([5, 7]))
    let h = x * w
    var finals = 0
    backward(
      [h.sum(), h], gradients: [nil, Tensor([10.0, 20.0] as [Double])],
      onFinalGradient: { _ in finals += 1 })
    #expect(x.grad!.doubles() == [5 * 11, 7 * 21])
    #expect(w.grad!.doubles() == [2 * 11, 3 * 21])
    #expect(finals == 2)
  }

  @Test("a result may be a leaf, an input of another one, or stand there twice")
  func nestedRoots() {
    let x = leaf([2])
    var seen: [Double] = []
    x.registerHook { gradient in
      seen.append(gradient.item())
      return nil
    }
    let y = 3 * x
    let z = y * y
    backward([x, y, z, z])
    // 1 + 3 + 2 (2 · 9 · 2)
    #expect(x.grad!.item() == 76 && seen == [76])
  }

  @Test("grad of several results, with nil for what none depends on")
  func gradOfSeveral() {
    let (x, unused) = (leaf([2]), leaf([1]))
    let y = x.exp()
    let gradients = grad(
      of: [y, x * x], withRespectTo: [x, unused, y], gradients: [Tensor([3.0] as [Double]), nil],
      createGraph: true)
    #expect(gradients[0]!.item() == 3 * y.item() + 4)
    #expect(gradients[1] == nil)
    #expect(gradients[2]!.item() == 3)
    #expect(x.grad == nil)
    #expect(grad(of: gradients[0]!, withRespectTo: [x])[0]!.item() == 3 * y.item() + 2)
    #expect(grad(of: [x], withRespectTo: [x])[0]!.item() == 1)
  }

  @Test("mistakes with several results stop with what is wrong")
  func mistakes() async {
    func message(_ result: ExitTest.Result?) -> String {
      String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    }
    let constant = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      backward([leaf([1]), Tensor([1.0] as [Double])])
    }
    #expect(message(constant).contains("result 1 [1] does not require gradients"))
    let counts = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      backward([leaf([1])], gradients: [nil, nil])
    }
    #expect(message(counts).contains("2 gradients for 1 results"))
    let few = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let (a, b) = (leaf([1]), leaf([2]))
      withoutGrad { a * b }.recorded("Own", from: a, b) { dy in [dy] }.backward()
    }
    #expect(message(few).contains("Own: 1 gradients for 2 inputs"))
    let many = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let a = leaf([1])
      withoutGrad { a * 2 }.recorded("Own", from: a) { dy in [dy, dy] }.backward()
    }
    #expect(message(many).contains("Own: 2 gradients for 1 inputs"))
  }

  @Test("withGrad records inside withoutGrad, and ends where it ends")
  func recordingAgain() {
    let x = leaf([2])
    withoutGrad {
      let y = withGrad { x * x }
      #expect(y.requiresGrad && !(x * x).requiresGrad)
      y.backward()
    }
    #expect(x.grad!.item() == 4)
  }

  /// What saves nothing in PyTorch, by name.
  private static let linear: [(String, @Sendable (Tensor) -> Tensor)] = [
    ("+", { $0 + 1 }), ("-", { 1 - $0 }), ("negated", { -$0 }), ("sum", { $0.sum() }),
    ("mean", { $0.mean(axes: [0]) }), ("reshaped", { $0.reshaped(to: [4, 1]) }),
    ("transposed", { $0.transposed() }), ("permuted", { $0.permuted([1, 0]) }),
    ("sliced", { $0[0..<1] }), ("expanded", { $0.expanded(to: [3, 2, 2]) }),
    ("unsqueezed", { $0.unsqueezed(axis: 0) }), ("squeezed", { $0[0..<1].squeezed(axis: 0) }),
    ("cumulativeSum", { $0.cumulativeSum(axis: 0) }), ("copy", { $0.copy() }),
    ("contiguous", { $0.transposed().contiguous() }),
    ("converted", { $0.converted(to: .float32) }),
    ("concatenated", { .concatenated([$0, $0]) }),
    ("add_", { ($0 + 1).add_($0) }), ("copy_", { Tensor.zeros([2, 2], .float64).copy_($0) }),
  ]

  @Test("a second backward passes through what has saved nothing", arguments: linear.indices)
  func twice(_ index: Int) {
    let x = Tensor([[1.0, 2], [3, 4]] as [[Double]])
    x.requiresGrad = true
    let y = Self.linear[index].1(x).sum()
    y.backward()
    let once = x.grad!.doubles()
    y.backward()
    #expect(x.grad!.doubles() == once.map { 2 * $0 }, "\(Self.linear[index].0)")
  }

  @Test("own operations that save nothing say so")
  func ownOperation() async {
    func tripled(_ x: Tensor) -> Tensor {
      withoutGrad { 3 * x }.recorded("Triple", from: x, savesNothing: true) { dy in [3 * dy] }
    }
    let x = leaf([1])
    let y = tripled(x)
    y.backward()
    y.backward()
    #expect(x.grad!.item() == 6)
    // What has saved values is released, also behind what has not.
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let y = leaf([1]).exp().sum()
      y.backward()
      y.backward()
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("Exp [1] was released"))
  }

  @Test("a kept chain of a million operations is released without recursion")
  func longChain() {
    let x = leaf([1])
    var y = x + 0
    for _ in 0..<1_000_000 { y = -y }
    y.backward()
    y.backward()
    #expect(x.grad!.item() == 2)
  }

  @Test("a result that keeps its gradient and is then changed in place keeps that of its new value")
  func retainedGradientInPlace() {
    // PyTorch 2.13: y.retain_grad(); s = y.sum(); y.mul_(3); (s + (y * y).sum()).backward()
    let x = leaf([1, 2])
    var y = x * 1
    y.retainsGrad = true
    let sum = y.sum()
    y *= 3
    #expect(y.retainsGrad)
    (sum + (y * y).sum()).backward()
    #expect(y.grad!.doubles() == [6, 12])
    #expect(x.grad!.doubles() == [19, 37])
  }
}
