import TensorCore
import Testing

@Suite("Activation checkpointing") struct CheckpointingTests {
  private static func leaf(_ shape: TensorShape, _ seed: UInt64) -> Tensor {
    var random = RandomSource(seed: seed)
    let x = Tensor.normal(shape, using: &random)
    x.requiresGrad = true
    return x
  }

  private static func block(_ x: Tensor, _ weight: Tensor) -> Tensor {
    x + x.matmul(weight).tanh().dropout(0.5)
  }

  /// Output and gradients of three blocks, with dropout.
  private func run(
    isCheckpointed: Bool, createGraph: Bool = false
  ) -> (output: [Double], gradients: [[Double]]) {
    let x = Self.leaf([4, 8], 1)
    let weights = (0..<3).map { Self.leaf([8, 8], 2 + $0) }
    let shared = Self.leaf([8, 8], 9)
    let y = withTraining(SampleRandomness(seed: 5, epoch: 0, firstSample: 0)) {
      var y = x * 2
      for weight in weights {
        let captured = shared * 0.5
        let body = { (y: Tensor) in Self.block(Self.block(y, weight), captured + shared) }
        y = isCheckpointed ? checkpointed(y, body) : body(y)
      }
      return y
    }
    let leaves = [x, shared] + weights
    guard createGraph else {
      // Outside of the scope that dropout's random numbers came from.
      y.squared().sum().backward()
      return (y.doubles(), leaves.map { $0.grad!.doubles() })
    }
    let first = grad(of: y.squared().sum(), withRespectTo: leaves, createGraph: true)
    let penalty = first.map { $0!.squared().sum() }.reduce(Tensor(0 as Float), +)
    return (
      y.doubles(), grad(of: penalty, withRespectTo: leaves).map { $0!.doubles() }
    )
  }

  @Test("values and gradients are the same bits, and gradients of gradients agree")
  func equal() {
    let (plain, checked) = (run(isCheckpointed: false), run(isCheckpointed: true))
    #expect(plain.output == checked.output)
    for (a, b) in zip(plain.gradients, checked.gradients) {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($0)) })
    }
    let twice = (
      run(isCheckpointed: false, createGraph: true), run(isCheckpointed: true, createGraph: true)
    )
    for (a, b) in zip(twice.0.gradients, twice.1.gradients) {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-4 * max(1, abs($0)) })
    }
  }

  @Test(
    "parameters get gradients also when the input needs none, and without a graph nothing is kept")
  func constantInput() {
    let weight = Self.leaf([8, 8], 1)
    let x = Tensor.ones([2, 8])
    let y = checkpointed(x) { $0.matmul(weight) }
    #expect(y.gradFunction == "CheckpointBackward")
    y.sum().backward()
    #expect(weight.grad!.doubles().allSatisfy { $0 == 2 })
    #expect(withoutGrad { checkpointed(x) { $0.matmul(weight) } }.isLeaf)
    #expect(checkpointed(x) { $0 * 2 }.isLeaf)
    #expect(checkpointed(weight) { $0 } === weight)
    let both = checkpointed(weight, x) { $1.matmul($0) }
    weight.zeroGrad()
    both.sum().backward()
    #expect(weight.grad!.doubles().allSatisfy { $0 == 2 })
  }

  @Test("a gradient is final once, and hooks see the whole, across nested checkpoints")
  func finalGradients() {
    let (x, weight) = (Self.leaf([2, 3], 1), Self.leaf([3, 3], 2))
    var finals: [ObjectIdentifier] = []
    var seen: [[Double]] = []
    weight.registerHook { gradient in
      seen.append(gradient.doubles())
      return nil
    }
    func model(_ x: Tensor, _ isCheckpointed: Bool) -> Tensor {
      let inner = { (y: Tensor) in y.matmul(weight).tanh() }
      let outer = { (y: Tensor) in
        isCheckpointed ? checkpointed(inner(y), inner) : inner(inner(y))
      }
      return (isCheckpointed ? checkpointed(x, outer) : outer(x)).matmul(weight)
    }
    model(x, true).sum().backward { finals.append(ObjectIdentifier($0)) }
    #expect(finals.count == 2 && Set(finals).count == 2)
    let gradients = [x.grad!.doubles(), weight.grad!.doubles()]
    for leaf in [x, weight] { leaf.zeroGrad() }
    model(x, false).sum().backward()
    #expect(seen.count == 2)
    for (a, b) in zip(gradients + [seen[0]], [x.grad!.doubles(), weight.grad!.doubles(), seen[1]]) {
      #expect(zip(a, b).allSatisfy { abs($0 - $1) < 1e-5 })
    }
  }

  @Test("a graph may be walked twice")
  func retained() {
    let x = Self.leaf([3], 1)
    let y = checkpointed(x) { $0.exp() }.sum()
    y.backward(retainGraph: true)
    let once = x.grad!.doubles()
    y.backward()
    #expect(x.grad!.doubles() == once.map { 2 * $0 })
  }

  private struct Weak { weak var tensor: Tensor? }

  @Test("the values inside are not kept until backward, and not after their part of it")
  func memory() {
    func kept(_ isCheckpointed: Bool) -> (forward: Int, mostInBackward: Int) {
      let x = Self.leaf([4], 1)
      var all: [Weak] = []
      func count() -> Int { all.count { $0.tensor != nil } }
      var most = 0
      var y = x * 1
      for _ in 0..<8 {
        let body = { (y: Tensor) in
          (0..<8).reduce(y) { y, _ in
            let z = y.sin()
            all.append(Weak(tensor: z))
            return z
          }.reshaped(to: [2, 2]).reshaped(to: [4])
        }
        y = isCheckpointed ? checkpointed(y, body) : body(y)
        y.registerHook { _ in
          most = max(most, count())
          return nil
        }
      }
      let forward = count()
      y.sum().backward()
      return (forward, most)
    }
    #expect(kept(false).forward == 64)
    let checked = kept(true)
    #expect(checked.forward <= 8)
    #expect(checked.mostInBackward <= 17)
  }

  @Test("what changed between the passes stops, and so does a function that does something else")
  func mistakes() async {
    await #expect(processExitsWith: .failure) {
      let (x, weight) = (Tensor.ones([2]), Tensor.ones([2]))
      weight.requiresGrad = true
      let y = checkpointed(x) { $0 * weight }
      withoutGrad { weight.assign(.zeros([2])) }
      y.sum().backward()
    }
    await #expect(processExitsWith: .failure) {
      let weights = [Tensor.ones([2]), Tensor.ones([2])]
      for weight in weights { weight.requiresGrad = true }
      var calls = 0
      let y = checkpointed(Tensor.ones([2])) { x in
        calls += 1
        return x * weights[calls - 1]
      }
      y.sum().backward()
    }
  }
}
