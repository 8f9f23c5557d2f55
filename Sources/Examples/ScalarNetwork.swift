// A network of two layers number by number: first with the forward and the backward pass written
// out in loops, as one would before having tensors, then with tensors, whose backward pass is
// found by the program.

import Foundation
import TensorCore

/// Two inputs, three hidden units with sigmoids, one output; the loss is (y - t)².
package struct ScalarNetwork {
  package var w = [[1.0, 0.5], [-0.5, 1.0], [0.25, -1.0]]  // to hidden unit j from input i
  package var b = [0.0, 0.1, -0.1]
  package var v = [1.0, -1.0, 0.5]  // to the output from hidden unit j
  package var c = 0.2

  package init() {}

  /// The loss and its gradients, in the shapes of the weights.
  package struct Result {
    package var loss = 0.0
    package var w = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    package var b = [0.0, 0.0, 0.0]
    package var v = [0.0, 0.0, 0.0]
    package var c = 0.0
  }

  /// Everything by hand.
  package func byHand(_ x: [Double], target t: Double) -> Result {
    // Forward: k are the sums of the hidden units, h what the sigmoids make of them.
    var (k, h) = ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    for j in 0..<3 {
      for i in 0..<2 { k[j] += w[j][i] * x[i] }
      k[j] += b[j]
      h[j] = 1 / (1 + exp(-k[j]))
    }
    var y = c
    for j in 0..<3 { y += v[j] * h[j] }
    var result = Result()
    result.loss = (y - t) * (y - t)

    // Backward: what each value does to the loss, from the loss to the inputs.
    let dy = 2 * (y - t)
    result.c = dy
    for j in 0..<3 {
      result.v[j] = dy * h[j]
      let dh = dy * v[j]
      let dk = dh * h[j] * (1 - h[j])
      result.b[j] = dk
      for i in 0..<2 { result.w[j][i] = dk * x[i] }
    }
    return result
  }

  /// The forward pass alone; `backward()` does the rest.
  package func automatically(_ x: [Double], target t: Double) -> Result {
    let (w, b, v, c) = (Tensor(self.w), Tensor(self.b), Tensor(self.v), Tensor(self.c))
    for leaf in [w, b, v, c] { leaf.requiresGrad = true }

    let h = (w.matmul(Tensor(x)) + b).sigmoid()
    let y = v.matmul(h) + c
    let loss = (y - t).squared()
    loss.backward()

    let rows = w.grad!.doubles()
    return Result(
      loss: loss.item(), w: (0..<3).map { Array(rows[2 * $0..<2 * $0 + 2]) },
      b: b.grad!.doubles(), v: v.grad!.doubles(), c: c.grad!.item())
  }

  /// Moves all weights by gradient descent, and returns the loss before each step.
  package mutating func train(
    _ x: [Double], target: Double, steps: Int, learningRate: Double
  ) -> [Double] {
    (0..<steps).map { _ in
      let gradient = byHand(x, target: target)
      for j in 0..<3 {
        for i in 0..<2 { w[j][i] -= learningRate * gradient.w[j][i] }
        b[j] -= learningRate * gradient.b[j]
        v[j] -= learningRate * gradient.v[j]
      }
      c -= learningRate * gradient.c
      return gradient.loss
    }
  }

  package static func run() {
    heading("Two inputs, three sigmoids, one output; x = (1, -1), t = 0")
    var network = ScalarNetwork()
    let results = [
      ("by hand", network.byHand([1, -1], target: 0)),
      ("automatic", network.automatically([1, -1], target: 0)),
    ]
    for (name, result) in results {
      print("\(name): loss \(text(result.loss, 4))")
      for j in 0..<3 { print("  dw[\(j)] = \(text(result.w[j], 4))") }
      print("  db = \(text(result.b, 4))")
      print("  dv = \(text(result.v, 4))")
      print("  dc = \(text(result.c, 4))")
    }
    let losses = network.train([1, -1], target: 0, steps: 5, learningRate: 0.1)
    print("losses of five steps of descent at 0.1: \(text(losses, 4))")
  }
}
