// One network, one output: is the digit a five? The mean squared error of 1,000 digits at once,
// plain gradient descent, no optimizer: the four lines in the loop are all there is to it.

import NeuralNetworks
package import TensorCore

package enum FiveOrNot {
  /// A row of what is printed: the state before the step.
  package struct Row: Equatable {
    package var step: Int
    package var loss: Double
    package var errors: Int
  }

  /// The layers pixels-200-1 with a ReLU between them, from weights that PyTorch can also start
  /// from; see `Generator`.
  package struct Network {
    let w1, b1, w2, b2: Tensor
    var parameters: [Tensor] { [w1, b1, w2, b2] }

    package init(pixels: Int, hidden: Int = 200) {
      var generator = Generator()
      func leaf(_ shape: TensorShape, inputs: Int) -> Tensor {
        let tensor = generator.tensor(shape, bound: 1 / Double(inputs).squareRoot())
        tensor.requiresGrad = true
        return tensor
      }
      w1 = leaf([hidden, pixels], inputs: pixels)
      b1 = leaf([hidden], inputs: pixels)
      w2 = leaf([1, hidden], inputs: hidden)
      b2 = leaf([1], inputs: hidden)
    }

    package func callAsFunction(_ x: Tensor) -> Tensor {
      x.linear(weight: w1, bias: b1).relu().linear(weight: w2, bias: b2)
    }
  }

  /// Learns the first 1,000 images, and reports at intervals.
  package static func train(
    _ images: LabeledImages, steps: Int = 1000, every: Int = 100, learningRate: Double = 1e-2,
    report: (Row) -> Void = { _ in }
  ) -> [Row] {
    let chosen = images[0..<1000]
    let x = standardized(chosen.pixels)
    let y = Tensor.of(chosen.labels.map { Float($0 == 5 ? 1 : 0) }, shape: [1000, 1])
    let network = Network(pixels: x.shape[1])
    var rows: [Row] = []

    for step in 0...steps {
      let prediction = network(x)
      let loss = meanSquaredError(prediction, y)
      if step % every == 0 {
        let isWrong = (prediction .> 0.5) .== (1 - y).converted(to: .int32)
        let row = Row(step: step, loss: loss.item(), errors: Int(isWrong.sum().item()))
        rows.append(row)
        report(row)
      }

      for parameter in network.parameters { parameter.zeroGrad() }
      loss.backward()
      for parameter in network.parameters {
        parameter.detached().sub_(parameter.grad!, scale: learningRate)
      }
    }
    return rows
  }

  /// All pixels shifted and scaled together to mean 0 and deviation 1.
  private static func standardized(_ x: Tensor) -> Tensor {
    let centred = x - x.mean()
    let variance = centred.squared().sum() / Double(x.count - 1)
    return centred / variance.sqrt()
  }

  package static func run(_ images: LabeledImages) {
    print(images.summary)
    print("\n step  loss    errors of 1,000")
    _ = train(images) {
      print("\(text($0.step, width: 5))  \(text($0.loss, 4))  \($0.errors)")
    }
  }
}
