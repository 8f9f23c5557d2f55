import Examples
import TestSupport
import Testing

@Suite struct PerceptronTests {
  @Test("zeros against ones of the digits in the program are separated")
  func digits() throws {
    let epochs = Perceptron.zerosAgainstOnes(try .digits())
    #expect(epochs.first!.changes > 0)
    #expect(epochs.last!.changes == 0)
    #expect(epochs.last!.trainError == 0)
    #expect(epochs.last!.testError < 0.05)
  }

  @Test(
    "changes and errors on MNIST are those of exact arithmetic, epoch by epoch",
    .enabled(if: MNIST.isThere, "MNIST is not beside the package"))
  func mnist() throws {
    let golden = try goldens.get()
    let epochs = Perceptron.zerosAgainstOnes(try MNIST.images())
    #expect(epochs.map { Double($0.changes) } == (try golden["perceptron/changes"].values))
    #expect(
      areClose(
        epochs.map(\.trainError), try golden["perceptron/train_error"].values, within: 1e-12))
    #expect(
      areClose(epochs.map(\.testError), try golden["perceptron/test_error"].values, within: 1e-12))
  }

  @Test("exclusive or is separable with the product of the coordinates, and not without")
  func exclusiveOr() {
    let plain = Perceptron.exclusiveOr(withProduct: false, epochs: 50)
    #expect(plain.changes.count == 50)
    #expect(plain.changes.allSatisfy { $0 > 0 })
    let product = Perceptron.exclusiveOr(withProduct: true)
    #expect(product.changes == [4, 0])
    #expect(product.weights == [0, 0, -4, 0])
  }
}
