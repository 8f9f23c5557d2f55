// A network of 2 inputs, 3 sigmoids and 1 sigmoid that learns which part of the plane belongs to
// class 1, by gradient descent on all points at once. Its gradient is computed in three ways.

import Foundation
package import TensorCore

package enum Island {
  // MARK: Points

  /// Points of the plane with a class, 0 or 1.
  package struct Points {
    package let name: String
    package let x: Tensor  // [N, 2]
    package let y: Tensor  // [N, 1]
  }

  /// Points of the square ±1 by a rule.
  private static func points(_ name: String, _ isOne: (Double, Double) -> Bool) -> Points {
    var generator = Generator()
    let coordinates = (0..<200).map { _ in [2 * generator.next() - 1, 2 * generator.next() - 1] }
    let classes = coordinates.map { [isOne($0[0], $0[1]) ? 1.0 : 0.0] }
    return Points(name: name, x: Tensor(coordinates), y: Tensor(classes))
  }

  /// Class 1 is an island, a disc in the middle of class 0.
  package static func island() -> Points { points("island") { u, v in u * u + v * v < 0.36 } }

  /// Class 1 is where the coordinates differ in sign.
  package static func exclusiveOr() -> Points { points("exclusive-or") { u, v in u * v < 0 } }

  // MARK: The network

  /// The weights [3, 2], [3], [1, 3] and [1]; also what holds their gradients.
  package struct Weights {
    package var w1, b1, w2, b2: Tensor
    package var all: [Tensor] { [w1, b1, w2, b2] }

    /// Weights in ±2.5, the same ones each time.
    package init() {
      var generator = Generator()
      func weights(_ shape: TensorShape) -> Tensor { generator.tensor(shape, bound: 2.5, .float64) }
      (w1, b1) = (weights([3, 2]), weights([3]))
      (w2, b2) = (weights([1, 3]), weights([1]))
      for leaf in all { leaf.requiresGrad = true }
    }

    package init(_ all: [Tensor]) { (w1, b1, w2, b2) = (all[0], all[1], all[2], all[3]) }
  }

  /// P(1), the probability of class 1.
  package static func probability(_ x: Tensor, _ w: Weights) -> Tensor {
    let hidden = x.linear(weight: w.w1, bias: w.b1).sigmoid()
    return hidden.linear(weight: w.w2, bias: w.b2).sigmoid()
  }

  /// The mean of -y log p - (1 - y) log(1 - p).
  package static func loss(_ points: Points, _ w: Weights) -> Tensor {
    probability(points.x, w).binaryCrossEntropy(points.y).mean()
  }

  // MARK: Its gradient in three ways

  /// By hand: of the sigmoid and the cross-entropy together only p - y remains.
  package static func gradientByHand(_ points: Points, _ w: Weights) -> Weights {
    withoutGrad {
      let h = points.x.linear(weight: w.w1, bias: w.b1).sigmoid()
      let p = h.linear(weight: w.w2, bias: w.b2).sigmoid()
      let dz2 = (p - points.y) / Double(points.x.shape[0])  // before the last sigmoid
      let dh = dz2.matmul(w.w2)
      let dz1 = dh * h * (1 - h)
      return Weights([
        dz1.transposed().matmul(points.x), dz1.sum(axes: [0]),
        dz2.transposed().matmul(h), dz2.sum(axes: [0]),
      ])
    }
  }

  /// By finite differences: two losses for each weight, (f(w + h) - f(w - h)) / 2h.
  package static func gradientByDifferences(
    _ points: Points, _ w: Weights, step: Double = 1e-5
  ) -> Weights {
    withoutGrad {
      Weights(
        w.all.indices.map { index in
          let values = w.all[index].doubles()
          let shape = w.all[index].shape
          func loss(at element: Int, _ shift: Double) -> Double {
            var (moved, all) = (values, w.all)
            moved[element] += shift
            all[index] = .of(moved, shape: shape)
            return Island.loss(points, Weights(all)).item()
          }
          let slopes = values.indices.map {
            (loss(at: $0, step) - loss(at: $0, -step)) / (2 * step)
          }
          return .of(slopes, shape: shape)
        })
    }
  }

  /// By backward.
  package static func gradientByBackward(_ points: Points, _ w: Weights) -> Weights {
    Weights(grad(of: loss(points, w), withRespectTo: w.all).map { $0! })
  }

  /// The three gradients, all elements in a row, with the microseconds that each took.
  package static func compareGradients(
    _ points: Points, repetitions: Int = 100
  ) -> [(name: String, gradient: [Double], microseconds: Double)] {
    let ways: [(String, (Points, Weights) -> Weights)] = [
      ("by hand", gradientByHand), ("differences", { gradientByDifferences($0, $1) }),
      ("backward", gradientByBackward),
    ]
    let weights = Weights()
    return ways.map { name, way in
      var gradient = way(points, weights)
      let duration = ContinuousClock().measure {
        for _ in 0..<repetitions { gradient = way(points, weights) }
      }
      return (name, gradient.all.flatMap { $0.doubles() }, duration / .microseconds(repetitions))
    }
  }

  // MARK: Descent

  /// Full-batch gradient descent; the losses before each step, and after the last.
  package static func train(
    _ points: Points, steps: Int = 2000, learningRate: Double = 1
  ) -> (weights: Weights, losses: [Double]) {
    let weights = Weights()
    var losses: [Double] = []
    for _ in 0..<steps {
      let loss = loss(points, weights)
      losses.append(loss.item())
      loss.backward()
      for leaf in weights.all {
        leaf.detached().sub_(leaf.grad!, scale: learningRate)
        leaf.zeroGrad()
      }
    }
    losses.append(withoutGrad { loss(points, weights).item() })
    return (weights, losses)
  }

  /// The part of the points whose P(1) is on the right side of one half.
  package static func accuracy(_ points: Points, _ w: Weights) -> Double {
    let isOne = withoutGrad { probability(points.x, w) .> 0.5 }
    return (isOne .== points.y.converted(to: .int32)).converted(to: .float64).mean().item()
  }

  /// P(1) in the middle of each cell of a grid over the square ±1, rows from the top.
  package static func map(_ w: Weights, cells: Int = 50) -> [[Double]] {
    let middles = (0..<cells).map { (2 * Double($0) + 1) / Double(cells) - 1 }
    return withoutGrad {
      middles.reversed().map { v in
        probability(Tensor(middles.map { u in [u, v] }), w).doubles()
      }
    }
  }

  // MARK: What is printed

  package static func run(pictures folder: String) throws {
    heading("One gradient, three ways: 200 points, 13 weights")
    let gradients = compareGradients(island())
    print("weight " + gradients.map { right($0.name, 14) }.joined())
    for index in gradients[0].gradient.indices {
      let row = gradients.map { right(text($0.gradient[index], 9), 14) }
      print("\(text(index, width: 6)) \(row.joined())")
    }
    print("µs     " + gradients.map { right(text($0.microseconds, 0), 14) }.joined())

    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for points in [island(), exclusiveOr()] {
      heading("\(points.name): 2,000 steps of descent at 1.0")
      let (weights, losses) = train(points)
      for step in stride(from: 0, through: 2000, by: 400) {
        print("step \(text(step, width: 4))  loss \(text(losses[step], 4))")
      }
      print("accuracy \(text(accuracy(points, weights), 3))")
      let path = "\(folder)/\(points.name)"
      try Picture.curve(losses, title: "\(points.name): loss").write(
        toFile: "\(path)-loss.svg", atomically: true, encoding: .utf8)
      try Picture.map(map(weights), points.x.doubles(), points.y.doubles()).write(
        toFile: "\(path)-map.svg", atomically: true, encoding: .utf8)
      print("wrote \(path)-loss.svg and \(path)-map.svg")
    }
  }

  private static func right(_ text: String, _ width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }
}
