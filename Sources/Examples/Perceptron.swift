// The perceptron of Rosenblatt (1957): a weight vector that moves towards every positive sample it
// gets wrong, and away from every negative one. If a plane separates the classes, it stops.

package import TensorCore

package enum Perceptron {
  /// What an epoch was like: how often the weights changed, and the parts of samples that are then
  /// on the wrong side.
  package struct Epoch: Equatable {
    package var changes: Int
    package var trainError: Double
    package var testError: Double
  }

  /// Trains until an epoch changes nothing, or for `epochs`; `y` holds 1 and -1.
  package static func train(
    _ x: Tensor, _ y: [Double], test: (x: Tensor, y: [Double])? = nil, epochs: Int
  ) -> (weights: Tensor, epochs: [Epoch]) {
    let w = Tensor.zeros([x.shape[1]], x.dataType)
    var history: [Epoch] = []
    for _ in 0..<epochs {
      var changes = 0
      for i in 0..<x.shape[0] where x[i].matmul(w).item() * y[i] <= 0 {
        w.add_(x[i], scale: y[i])
        changes += 1
      }
      history.append(
        Epoch(
          changes: changes, trainError: error(w, x, y),
          testError: test.map { error(w, $0.x, $0.y) } ?? 0))
      if changes == 0 { break }
    }
    return (w, history)
  }

  /// The part of the samples that are not on the side where they belong.
  package static func error(_ w: Tensor, _ x: Tensor, _ y: [Double]) -> Double {
    let sides = x.matmul(w).doubles()
    return Double(zip(sides, y).count { $0 * $1 <= 0 }) / Double(y.count)
  }

  /// Zeros (-1) against ones (1).
  package static func zerosAgainstOnes(_ images: LabeledImages, epochs: Int = 100) -> [Epoch] {
    let (train, test) = images.split()
    let (a, b) = (train.only([0, 1]), test.only([0, 1]))
    return Perceptron.train(
      a.pixels.converted(to: .float64), signs(a),
      test: (b.pixels.converted(to: .float64), signs(b)), epochs: epochs
    ).epochs
  }

  private static func signs(_ images: LabeledImages) -> [Double] {
    images.labels.map { $0 == 1 ? 1 : -1 }
  }

  // MARK: Exclusive or

  /// The perceptron on the four corners of a square, with (u, v, 1) as features or, with the
  /// product, (u, v, u v, 1).
  ///
  /// No line separates the corners on one diagonal from those on the other; in the space with the
  /// product a plane does, u v = 0.
  package static func exclusiveOr(withProduct: Bool, epochs: Int = 20) -> (
    weights: [Double], changes: [Int]
  ) {
    let corners = Tensor([[-1, -1], [-1, 1], [1, -1], [1, 1]] as [[Double]])
    let differ: [Double] = [-1, 1, 1, -1]  // 1 where the coordinates do
    let (u, v) = (corners.sliced(0..<1, axis: 1), corners.sliced(1..<2, axis: 1))
    let one = Tensor.ones([4, 1], .float64)
    let features = Tensor.concatenated(withProduct ? [u, v, u * v, one] : [u, v, one], axis: 1)
    let (w, history) = train(features, differ, epochs: epochs)
    return (w.doubles(), history.map(\.changes))
  }

  package static func run(_ images: LabeledImages) {
    heading("Zeros against ones: \(images.summary)")
    for (epoch, result) in zerosAgainstOnes(images).enumerated() {
      print(
        "epoch \(epoch) nb_changes \(result.changes)"
          + " train_error \(text(100 * result.trainError))%"
          + " test_error \(text(100 * result.testError))%")
    }
    heading("Exclusive or")
    let plain = exclusiveOr(withProduct: false)
    print("with (u, v, 1): changes in each epoch \(plain.changes): it never ends")
    let product = exclusiveOr(withProduct: true)
    print("with (u, v, u v, 1): changes in each epoch \(product.changes)")
    print("weights \(text(product.weights))")
  }
}
