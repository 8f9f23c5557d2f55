import TensorCore
import Testing

private func leaf(_ values: [Double], _ shape: TensorShape? = nil) -> Tensor {
  let tensor = Tensor.of(values, shape: shape ?? [values.count])
  tensor.requiresGrad = true
  return tensor
}

@Suite("Autograd")
struct AutogradTests {
  @Test("f = (x + y) z at (-2, 5, -4) is -12 with gradients (-4, -4, 3)")
  func courseExample() {
    let (x, y, z) = (leaf([-2]), leaf([5]), leaf([-4]))
    let f = (x + y) * z
    f.backward()
    #expect(f.item() == -12)
    #expect([x, y, z].map { $0.grad!.item() } == [-4, -4, 3])
  }

  @Test("gradients accumulate over backward passes until they are zeroed")
  func accumulation() {
    let x = leaf([3])
    (x * x).backward()
    (2 * x).backward()
    #expect(x.grad!.item() == 8)
    x.zeroGrad()
    #expect(x.grad == nil)
  }

  @Test("requiresGrad and gradFunction follow the graph")
  func propagation() {
    let x = leaf([1, 2])
    let constant = Tensor([1.0, 2.0] as [Double])
    let y = x + constant
    #expect(y.requiresGrad && !y.isLeaf && y.gradFunction == "AddBackward")
    #expect(!(constant * 2).requiresGrad)
    #expect(!y.detached().requiresGrad)
    #expect(withoutGrad { (x * 2).requiresGrad } == false)
    #expect(withoutGrad { withoutGrad { 0 } + (x * 2).count } == 2)
    #expect((x * 2).requiresGrad)
  }

  @Test("only leaves that require a gradient collect one")
  func leaves() {
    let x = leaf([1, 2])
    let constant = Tensor([3.0, 4.0] as [Double])
    let y = x * constant
    y.sum().backward()
    #expect(x.grad!.doubles() == [3, 4])
    #expect(constant.grad == nil && y.grad == nil)
  }

  @Test("backward from several elements takes an upstream gradient")
  func upstream() {
    let x = leaf([1, 2, 3])
    (x * x).backward(gradient: Tensor([1.0, 0.0, -1.0] as [Double]))
    #expect(x.grad!.doubles() == [2, 0, -6])
  }

  @Test("one value on many paths gets the sum of their gradients")
  func diamond() {
    let x = leaf([2])
    let a = x * 3
    let b = a * a + a.sin() * 0 + a
    b.backward()
    #expect(x.grad!.item() == 39)
  }

  @Test("a graph that depends on data")
  func loop() {
    let x = leaf([1.5])
    var y = x
    while y.item() < 100 { y = y * y }
    y.backward()
    let expected = 16 * 1.5.power(15)
    #expect((x.grad!.item() - expected).magnitude < 1e-13 * expected)
  }

  @Test("a retained graph can be walked again, a released one not")
  func retaining() async {
    let x = leaf([3])
    let y = x * x
    y.backward(retainGraph: true)
    y.backward()
    #expect(x.grad!.item() == 12)
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let x = leaf([3])
      let y = x * x
      y.backward()
      y.backward()
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("retainGraph: true"))
  }

  @Test("grad(of:withRespectTo:) leaves grad alone and reaches inner tensors")
  func functional() {
    let x = leaf([2])
    let y = x * x
    let z = y * 5
    let gradients = grad(of: z, withRespectTo: [x, y])
    #expect(gradients.map { $0!.item() } == [20, 5])
    #expect(x.grad == nil)
    #expect(grad(of: leaf([1]) * 2, withRespectTo: [x])[0] == nil)
  }

  @Test("valueAndGrad differentiates a function and leaves its inputs alone")
  func functionOfTensors() async {
    let (x, y, unused) = (
      Tensor([2.0, 3.0] as [Double]), leaf([5]), Tensor([[1, 2]] as [[Float]])
    )
    let outside = leaf([7])
    func check() {
      let (value, gradients) = valueAndGrad(at: [x, y, unused]) { leaves in
        (leaves[0] * leaves[0] * leaves[1] * outside).sum()
      }
      #expect(value.item() == 13 * 5 * 7)
      #expect(gradients.map { $0.doubles() } == [[140, 210], [91], [0, 0]])
      #expect(gradients[2].shape == [1, 2] && gradients[2].dataType == .float32)
      #expect(!value.requiresGrad && gradients.allSatisfy { !$0.requiresGrad })
    }
    check()
    withoutGrad { check() }
    #expect(!x.requiresGrad && x.grad == nil && y.grad == nil && outside.grad == nil)

    let constant = valueAndGrad(at: [x]) { _ in Tensor([4.0] as [Double]) }
    #expect(constant.value.item() == 4 && constant.gradients[0].doubles() == [0, 0])
    struct Refusal: Error {}
    #expect(throws: Refusal.self) { try valueAndGrad(at: [x]) { _ in throw Refusal() } }

    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = valueAndGrad(at: [Tensor([1.0, 2.0] as [Double])]) { $0[0] * 2 }
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("valueAndGrad") && message.contains("[2]"))
  }

  @Test("gradients of gradients")
  func secondOrder() {
    let x = leaf([2])
    let first = grad(of: x * x * x, withRespectTo: [x], createGraph: true)[0]!
    let second = grad(of: first, withRespectTo: [x])[0]!
    #expect(first.item() == 12 && second.item() == 12)
  }

  @Test("the hook tells once when a leaf's gradient is final")
  func finality() {
    let (x, w) = (leaf([1, 2]), leaf([3, 4]))
    let y = ((x * w) + x).exp()
    var seen: [ObjectIdentifier: [Double]] = [:]
    var calls = 0
    y.sum().backward { leaf in
      calls += 1
      seen[ObjectIdentifier(leaf)] = leaf.grad!.doubles()
    }
    #expect(calls == 2)
    #expect(seen[ObjectIdentifier(x)] == x.grad!.doubles())
    #expect(seen[ObjectIdentifier(w)] == w.grad!.doubles())
  }

  @Test("a chain of a million operations is walked and released without recursion")
  func deepChain() {
    let x = leaf([1])
    var y = x
    for _ in 0..<1_000_000 { y = y + 0.5 }
    y.backward()
    #expect(x.grad!.item() == 1)
    var z = x
    for _ in 0..<1_000_000 { z = z * 1.0 }
    z = x  // releases the chain unused
  }

  @Test("backward frees what the graph saved, and no graph keeps itself alive")
  func release() throws {
    final class Witness {}
    weak var witness: Witness?
    let x = leaf([1, 2])
    do {
      let object = Witness()
      witness = object
      let y = withoutGrad { x.exp() }.recorded("Probe", from: x) { [object] dy in
        _ = object
        return [dy]
      }
      y.sum().backward()
      withExtendedLifetime(y) {}
    }
    #expect(witness == nil)
    for row in gradientCases {
      weak var result: Tensor?
      do { result = try row.function(row.inputs()) }
      #expect(result == nil, "\(row.name) keeps itself alive")
    }
  }

  @Test("overwriting a saved value stops backward with the operation's name")
  func versionCheck() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let x = leaf([1, 2])
      let y = x.sin()
      x.assign(Tensor([7.0, 8.0] as [Double]))
      y.sum().backward()
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("Sin") && message.contains("overwritten"))
  }

  @Test("in-place changes are seen by views and by the version check")
  func inPlace() async {
    var y = Tensor.arange(6).reshaped(to: [2, 3])
    let column = y.transposed()[1]
    y += 1
    y[0].mul_(Tensor(Float(10)))
    #expect(column.array(of: Float.self) == [20, 5])
    let p = leaf([1, 2])
    (p * p).sum().backward()
    p.detached().sub_(p.grad!, scale: 0.5)
    #expect(p.doubles() == [0, 0])

    let x = leaf([1, 2])
    var z = x.sin()
    z += 1  // sin needs x, not its result
    z.sum().backward()
    #expect(x.grad!.doubles() == x.cos().doubles())

    func expectMessage(_ result: ExitTest.Result?, _ part: String) {
      let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
      #expect(message.contains(part), "\(message.prefix(300))")
    }
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        var y = leaf([1, 2]).sin()
        y *= y
        y.sum().backward()
      }, "Multiply needs its value")
    expectMessage(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        var x = leaf([1, 2])
        x += 1
      }, "a leaf that requires gradients")
  }

  @Test("hooks see gradients once complete and may replace them")
  func hooks() {
    let x = leaf([2])
    var seen: [Double] = []
    let handle = x.registerHook { dy in
      seen.append(dy.item())
      return dy * 10
    }
    let y = x * 3
    y.registerHook { dy in
      seen.append(dy.item())
      return nil
    }
    (y + y + x).backward()
    #expect(seen == [2, 7] && x.grad!.item() == 70)
    handle.remove()
    (x * 1).backward()
    #expect(x.grad!.item() == 71)
  }

  @Test("a result can keep its gradient")
  func retainedGradient() {
    let x = leaf([2])
    let y = x * 3
    y.retainsGrad = true
    (y * y).backward()
    #expect(y.retainsGrad && y.grad!.item() == 12 && x.grad!.item() == 36)
  }

  @Test("the graph as DOT names operations, leaves and shapes")
  func graph() {
    let (w, x) = (leaf([1, 2, 3], [1, 3]), leaf([1, 2, 3], [3, 1]))
    let dot = w.matmul(x).exp().graphDescription(["w": w])
    #expect(
      dot == """
        digraph {
          rankdir=BT;
          node [shape=box, fontname="sans-serif"];
          op0 [label="Matmul\\n[1, 1]"];
          leaf0 [label="w\\n[1, 3]", shape=ellipse];
          leaf1 [label="[3, 1]", shape=ellipse];
          op1 [label="Exp\\n[1, 1]"];
          leaf0 -> op0;
          leaf1 -> op0;
          op0 -> op1;
        }

        """)
  }

  @Test("a user's own operation in one function")
  func customOperation() throws {
    func cubed(_ x: Tensor) -> Tensor {
      withoutGrad { x * x * x }.recorded("Cube", from: x) { dy in [3 * x * x * dy] }
    }
    try checkGradient(of: { cubed($0[0]) }, at: [leaf([1, -2, 3])])
    #expect(cubed(leaf([1])).gradFunction == "CubeBackward")
  }

  @Test("checkGradient notices a wrong derivative")
  func checkFails() {
    func wrong(_ x: Tensor) -> Tensor {
      withoutGrad { x * x }.recorded("Wrong", from: x) { dy in [3 * x * dy] }
    }
    #expect(throws: GradientMismatch.self) {
      try checkGradient(of: { wrong($0[0]) }, at: [leaf([1, -2, 3])])
    }
  }

  @Test("NaN and infinity pass through")
  func nonFinite() {
    let x = leaf([.nan, .infinity, 1])
    let y = x.relu() * 2
    y.sum().backward()
    #expect(y.doubles()[0].isNaN && y.doubles()[1] == .infinity)
    #expect(x.grad!.doubles()[2] == 2)
  }

  @Test("empty tensors have empty gradients")
  func empty() {
    let x = leaf([], [0, 3])
    let y = x.exp().matmul(Tensor.ones([3, 2], .float64)).sum()
    y.backward()
    #expect(y.item() == 0)
    #expect(x.grad!.shape == [0, 3])
  }
}

extension Double {
  fileprivate func power(_ exponent: Int) -> Double {
    (0..<exponent).reduce(1) { product, _ in product * self }
  }
}
