// A two-layer network that learns to read digits: 10 classes, sigmoid, cross-entropy, stochastic
// gradient descent on batches of 32.

import NeuralNetworks
import Optimizers
package import TensorCore

package enum DigitReader {
  /// The network: a hidden layer of sigmoids, and a number for each digit.
  package struct Network: Module {
    let hidden: Linear
    let output: Linear

    package init(pixels: Int, hidden width: Int = 100) {
      hidden = Linear(pixels, width)
      output = Linear(width, 10)
    }

    package func callAsFunction(_ x: Tensor) -> Tensor { output(hidden(x).sigmoid()) }
  }

  /// An epoch's mean loss, and the part of the test images that is then read correctly.
  package struct Epoch {
    package var loss: Double
    package var accuracy: Double
  }

  /// Trains on four fifths of the images and tests on the rest after each epoch.
  package static func train(
    _ images: LabeledImages, epochs: Int, batch size: Int = 32, learningRate: Double = 0.5,
    report: (Int, Epoch) -> Void = { _, _ in }
  ) -> [Epoch] {
    var generator = Generator()
    let shuffled = images[generator.permutation(images.count)]
    let (train, test) = shuffled.split()
    let network = withRandomSource(seed: 1) { Network(pixels: images.pixels.shape[1]) }
    let arena = ParameterArena(network)
    let optimizer = SGD(arena)

    return (1...epochs).map { epoch in
      var sum = 0.0
      let order = generator.permutation(train.count)
      for first in stride(from: 0, to: order.count, by: size) {
        let batch = train[order[first..<min(first + size, order.count)]]
        let loss = crossEntropy(network(batch.pixels), labels(of: batch))
        arena.zeroGrad()
        loss.backward()
        optimizer.step(learningRate: learningRate)
        sum += loss.item() * Double(batch.count)
      }
      let result = Epoch(
        loss: sum / Double(train.count), accuracy: accuracy(of: network, on: test))
      report(epoch, result)
      return result
    }
  }

  /// The part of the images whose largest output is that of the right digit.
  package static func accuracy(of network: Network, on images: LabeledImages) -> Double {
    withoutGrad {
      let isRight = network(images.pixels).argmax(axis: -1) .== labels(of: images)
      return isRight.converted(to: .float32).mean().item()
    }
  }

  private static func labels(of images: LabeledImages) -> Tensor {
    Tensor(images.labels.map(Int32.init))
  }

  package static func run(_ images: LabeledImages) {
    print(images.summary)
    print("\nepoch  loss    test accuracy")
    _ = train(images, epochs: images.count < 5000 ? 20 : 8) { epoch, result in
      print("\(text(epoch, width: 5))  \(text(result.loss, 4))  \(text(result.accuracy, 4))")
    }
  }
}
