// Graphs that are more than a chain: a weight that acts twice, a network whose depth is an
// argument, and two branches that are one network.

import NeuralNetworks
package import TensorCore

package enum Sharing {
  // MARK: Three operators, one shared weight

  /// The result and the gradients of the two weights.
  package struct Result {
    package var value: Double
    package var w1: [Double]
    package var w2: [Double]
  }

  /// x1 = w1 x0, x2 = x0 + w2 x1, x3 = w1 (x1 + x2), q = |x3|, by the program.
  package static func threeOperators() -> Result {
    let (w1, w2, x0) = inputs()
    for leaf in [w1, w2] { leaf.requiresGrad = true }
    let x1 = w1.matmul(x0)
    let x2 = x0 + w2.matmul(x1)
    let x3 = w1.matmul(x1 + x2)
    let q = x3.norm()
    q.backward()
    return Result(value: q.item(), w1: w1.grad!.doubles(), w2: w2.grad!.doubles())
  }

  /// The same by hand: w1 acts twice, so its gradient is a sum of two terms.
  package static func threeOperatorsByHand() -> Result {
    let (w1, w2, x0) = inputs()
    let x1 = w1.matmul(x0)
    let x2 = x0 + w2.matmul(x1)
    let x3 = w1.matmul(x1 + x2)
    let q = x3.norm()

    let dx3 = x3 / q
    let dsum = w1.transposed().matmul(dx3)  // of x1 + x2
    let dx2 = dsum
    let dx1 = dsum + w2.transposed().matmul(dx2)
    let dw2 = dx2.matmul(x1.transposed())
    let dw1 = dx3.matmul((x1 + x2).transposed()) + dx1.matmul(x0.transposed())
    return Result(value: q.item(), w1: dw1.doubles(), w2: dw2.doubles())
  }

  /// The graph of the three operators, for a picture.
  package static func graph() -> String {
    let (w1, w2, x0) = inputs()
    for leaf in [w1, w2] { leaf.requiresGrad = true }
    let x1 = w1.matmul(x0)
    let x2 = x0 + w2.matmul(x1)
    return w1.matmul(x1 + x2).norm().graphDescription(["w1": w1, "w2": w2])
  }

  private static func inputs() -> (w1: Tensor, w2: Tensor, x0: Tensor) {
    var generator = Generator()
    return (
      generator.tensor([5, 5], .float64), generator.tensor([5, 5], .float64),
      generator.tensor([5, 1], .float64)  // a column
    )
  }

  // MARK: The gradient of a norm

  /// |x| and its gradient x / |x|.
  package static func norm(_ values: [Double]) -> (value: Double, gradient: [Double]) {
    let x = Tensor(values)
    x.requiresGrad = true
    let norm = x.norm()
    norm.backward()
    return (norm.item(), x.grad!.doubles())
  }

  // MARK: Depth as an argument

  /// A network with as many hidden layers as one asks for: an array of layers and a loop.
  package struct DeepNetwork: Module {
    let input: Linear
    let hidden: [Linear]
    let output: Linear

    package init(inputs: Int, width: Int, outputs: Int, depth: Int) {
      input = Linear(inputs, width)
      hidden = (0..<depth).map { _ in Linear(width, width) }
      output = Linear(width, outputs)
    }

    package func callAsFunction(_ x: Tensor) -> Tensor {
      var x = input(x).relu()
      for layer in hidden { x = layer(x).relu() }
      return output(x)
    }
  }

  // MARK: Siamese branches

  /// How far apart one network puts two inputs; the same weights act on both.
  package struct Siamese: Module {
    let embedding = Sequential(Linear(4, 8), Tanh(), Linear(8, 2))

    package init() {}

    package func callAsFunction(_ a: Tensor, _ b: Tensor) -> Tensor {
      (embedding(a) - embedding(b)).norm(axes: [1])
    }
  }

  /// The gradient of the first weight through both branches, and through each alone.
  package static func siameseGradients() -> (parameters: Int, both: Tensor, parts: [Tensor]) {
    var generator = Generator()
    let (a, b) = (generator.tensor([6, 4]), generator.tensor([6, 4]))
    let model = withRandomSource(seed: 1) { Siamese() }
    let weight = model.parameters[0]
    func gradient(_ distance: () -> Tensor) -> Tensor {
      grad(of: distance().mean(), withRespectTo: [weight])[0]!
    }
    let f = model.embedding
    return (
      model.parameterCount,
      gradient { model(a, b) },
      [
        gradient { (f(a) - f(b).detached()).norm(axes: [1]) },
        gradient { (f(a).detached() - f(b)).norm(axes: [1]) },
      ]
    )
  }

  /// Learns to put pairs of one kind together and pairs of two kinds a distance of 1 apart.
  package static func trainSiamese(steps: Int = 200) -> [Double] {
    var generator = Generator()
    let a = generator.tensor([64, 4])
    let b = generator.tensor([64, 4])
    // Of one kind are points whose first coordinates have the same sign.
    let isSame = ((a.selected(0, axis: 1) * b.selected(0, axis: 1)) .> 0).converted(to: .float32)
    let model = withRandomSource(seed: 1) { Siamese() }
    return (0..<steps).map { _ in
      let distance = model(a, b)
      let loss =
        (isSame * distance.squared() + (1 - isSame) * (1 - distance).relu().squared()).mean()
      model.zeroGrad()
      loss.backward()
      for parameter in model.parameters { parameter.detached().sub_(parameter.grad!, scale: 0.5) }
      return loss.item()
    }
  }

  package static func run() {
    heading("Three operators, of which two share w1")
    for (name, result) in [
      ("by hand  ", threeOperatorsByHand()), ("automatic", threeOperators()),
    ] {
      print(
        "\(name) q = \(text(result.value, 4)), "
          + "first row of dw1 \(text(Array(result.w1[0..<5]), 4)), "
          + "of dw2 \(text(Array(result.w2[0..<5]), 4))")
    }
    print(graph())

    heading("|x| at (1, 2, 2)")
    let (value, gradient) = norm([1, 2, 2])
    print("\(text(value)), gradient \(text(gradient, 4))")

    heading("Depth as an argument: 10 inputs, 32 wide, 2 outputs")
    for depth in [0, 1, 4, 16] {
      let model = DeepNetwork(inputs: 10, width: 32, outputs: 2, depth: depth)
      let y = model(.ones([3, 10]))
      print("depth \(depth): \(model.parameterCount) parameters, output \(y.shape)")
    }

    heading("Siamese: one network, two inputs")
    let siamese = siameseGradients()
    print("\(siamese.parameters) parameters, counted once")
    print("a gradient through both branches \(siamese.both[0][0].item())")
    let parts = siamese.parts.map { $0[0][0].item() }
    print("through the first \(parts[0]), through the second \(parts[1])")
    let losses = trainSiamese()
    print("loss \(text(losses.first!, 4)) at first, \(text(losses.last!, 4)) after 200 steps")
  }
}
