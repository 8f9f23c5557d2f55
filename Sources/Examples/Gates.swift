// Backpropagation through circuits of gates, as in the notes of CS231n: each gate knows how its
// output changes with its inputs, and the chain rule does the rest.

import Foundation
package import TensorCore

package enum Gates {
  /// What a function gives at a point, and how it changes with each input.
  package struct Result {
    package var value: Double
    package var gradients: [Double]
  }

  /// Evaluates `function` at `inputs` and walks back from its result.
  package static func automatic(_ inputs: [Double], _ function: ([Tensor]) -> Tensor) -> Result {
    let leaves = inputs.map { Tensor($0) }
    for leaf in leaves { leaf.requiresGrad = true }
    let f = function(leaves)
    f.backward()
    return Result(value: f.item(), gradients: leaves.map { $0.grad?.item() ?? 0 })
  }

  // MARK: f = (x + y) z

  package static func sumTimes(_ x: Double, _ y: Double, _ z: Double) -> Result {
    // Forward.
    let q = x + y
    let f = q * z
    // Backward, in reverse order; dq stands for ∂f/∂q.
    let dq = z  // f = q z
    let dz = q
    let dx = dq  // q = x + y hands dq to both
    let dy = dq
    return Result(value: f, gradients: [dx, dy, dz])
  }

  package static func sumTimesAutomatically(_ x: Double, _ y: Double, _ z: Double) -> Result {
    automatic([x, y, z]) { ($0[0] + $0[1]) * $0[2] }
  }

  /// The graph of f = (x + y) z, each input with its gradient, in the language of Graphviz.
  package static func graph(_ x: Double, _ y: Double, _ z: Double) -> String {
    let leaves = [x, y, z].map { Tensor($0) }
    for leaf in leaves { leaf.requiresGrad = true }
    let f = (leaves[0] + leaves[1]) * leaves[2]
    f.backward(retainGraph: true)
    let labels = zip(["x", "y", "z"], leaves).map { name, leaf in
      ("\(name) = \(Int(leaf.item())), ∂f/∂\(name) = \(Int(leaf.grad!.item()))", leaf)
    }
    return f.graphDescription(Dictionary(uniqueKeysWithValues: labels))
  }

  // MARK: A neuron with a sigmoid

  /// sigmoid(w · (x, 1)) with gradients of the three weights, then of the two inputs.
  package static func neuron(weights w: [Double], inputs x: [Double]) -> Result {
    let dot = w[0] * x[0] + w[1] * x[1] + w[2]
    let f = sigmoid(dot)
    let ddot = (1 - f) * f  // the derivative of the sigmoid, from its own value
    return Result(
      value: f, gradients: [x[0] * ddot, x[1] * ddot, ddot, w[0] * ddot, w[1] * ddot])
  }

  package static func neuronAutomatically(weights: [Double], inputs: [Double]) -> Result {
    automatic(weights + inputs) { t in
      let (w, x) = (t[0...2], t[3...4])
      return (w[0] * x[3] + w[1] * x[4] + w[2]).sigmoid()
    }
  }

  /// The sigmoid of the same neuron out of five small gates, and what flows on the wires: for each,
  /// its value and its gradient.
  package static func neuronWires(
    weights: [Double], inputs: [Double]
  ) -> [(gate: String, value: Double, gradient: Double)] {
    let w = Tensor(weights)
    w.requiresGrad = true
    let dot = (w * Tensor(inputs + [1])).sum()
    let negative = dot * -1
    let power = negative.exp()
    let plusOne = power + 1
    let f = plusOne.reciprocal()
    let wires = [
      ("w · x", dot), ("* -1", negative), ("exp", power), ("+ 1", plusOne), ("1 / x", f),
    ]
    for (_, wire) in wires { wire.retainsGrad = true }
    f.backward()
    return wires.map { gate, wire in (gate, wire.item(), wire.grad!.item()) }
  }

  // MARK: (x + sigmoid(y)) / (sigmoid(x) + (x + y)²)

  package static func staged(_ x: Double, _ y: Double) -> Result {
    // Forward: one name for every intermediate value.
    let sigy = sigmoid(y)
    let num = x + sigy
    let sigx = sigmoid(x)
    let xpy = x + y
    let xpysqr = xpy * xpy
    let den = sigx + xpysqr
    let invden = 1 / den
    let f = num * invden

    // Backward: the same lines from the last to the first.
    let dnum = invden  // f = num * invden
    let dinvden = num
    let dden = -1 / (den * den) * dinvden  // invden = 1 / den
    let dsigx = dden  // den = sigx + xpysqr
    let dxpysqr = dden
    let dxpy = 2 * xpy * dxpysqr  // xpysqr = xpy²
    var dx = dxpy  // xpy = x + y
    var dy = dxpy
    dx += (1 - sigx) * sigx * dsigx  // x is used three times: its gradients add up
    dx += dnum  // num = x + sigy
    let dsigy = dnum
    dy += (1 - sigy) * sigy * dsigy
    return Result(value: f, gradients: [dx, dy])
  }

  package static func stagedAutomatically(_ x: Double, _ y: Double) -> Result {
    automatic([x, y]) {
      let (x, y) = ($0[0], $0[1])
      return (x + y.sigmoid()) / (x.sigmoid() + (x + y).squared())
    }
  }

  // MARK: Add, multiply and max gates

  /// 2 (x y + max(z, w)): the add gate distributes the gradient, the max gate routes it to the
  /// larger input, the multiply gate switches its inputs.
  package static func addMultiplyMax(_ x: Double, _ y: Double, _ z: Double, _ w: Double) -> Result {
    automatic([x, y, z, w]) { 2 * ($0[0] * $0[1] + Tensor.maximum($0[2], $0[3])) }
  }

  static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

  // MARK: What is printed

  package static func run() {
    heading("f = (x + y) z at (-2, 5, -4)")
    show(sumTimes(-2, 5, -4), sumTimesAutomatically(-2, 5, -4))
    print("the picture of its graph, for `dot -Tsvg`:\n\(graph(-2, 5, -4))")

    heading("sigmoid(w0 x0 + w1 x1 + w2), w = (2, -3, -3), x = (-1, -2)")
    let (w, x) = ([2.0, -3, -3], [-1.0, -2])
    show(neuron(weights: w, inputs: x), neuronAutomatically(weights: w, inputs: x))
    print("gradients of w0, w1, w2, x0, x1; on the wires of 1 / (1 + exp(-w · x)):")
    for (gate, value, gradient) in neuronWires(weights: w, inputs: x) {
      let name = gate.padding(toLength: 6, withPad: " ", startingAt: 0)
      print("  \(name) value \(text(value))  gradient \(text(gradient))")
    }

    heading("(x + sigmoid(y)) / (sigmoid(x) + (x + y)²) at (3, -4)")
    show(staged(3, -4), stagedAutomatically(3, -4), decimals: 4)

    heading("2 (x y + max(z, w)) at (3, -4, 2, -1)")
    let gates = addMultiplyMax(3, -4, 2, -1)
    print("f = \(text(gates.value)), gradients \(text(gates.gradients))")
  }

  private static func show(_ hand: Result, _ automatic: Result, decimals: Int = 2) {
    for (name, result) in [("by hand  ", hand), ("automatic", automatic)] {
      print(
        "\(name)  f = \(text(result.value, decimals)), "
          + "gradients \(text(result.gradients, decimals))")
    }
  }
}
