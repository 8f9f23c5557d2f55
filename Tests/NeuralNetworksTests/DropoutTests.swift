import NeuralNetworks
import TensorCore
import Testing

@Suite struct DropoutTests {
  private func randomness(
    seed: UInt64 = 5, epoch: Int = 2, firstSample: Int = 0
  ) -> SampleRandomness {
    SampleRandomness(seed: seed, epoch: epoch, firstSample: firstSample)
  }

  @Test("evaluation mode passes everything")
  func evaluation() {
    let x = Tensor.arange(12).reshaped(to: [3, 4])
    #expect(withEvaluation { Dropout(0.9)(x) } === x)
    let inside = withTraining(randomness()) { withEvaluation { Dropout(0.9)(x) } }
    #expect(inside === x)
  }

  @Test("with the probability 0 everything passes in training too")
  func nothing() {
    let x = Tensor.arange(12).reshaped(to: [3, 4])
    #expect(withTraining { Dropout(0)(x) } === x)
  }

  @Test("the mode outside all scopes is training")
  func defaultMode() {
    #expect(isTraining)
    #expect(Dropout()(.ones([10, 100])).doubles().contains(0))
    #expect(Dropout().probability == 0.5)
  }

  @Test(
    "in training, elements are zeroed with the probability and the rest scaled to keep the mean",
    arguments: [0.1, 0.5, 0.8])
  func statistics(_ probability: Double) {
    let y = withTraining(randomness()) { Dropout(probability)(.ones([300, 200])) }
    let values = y.doubles()
    let kept = Double(Float(1 / (1 - probability)))
    #expect(values.allSatisfy { $0 == 0 || abs($0 - kept) < 1e-6 * kept })
    let count = Double(values.count)
    let zeros = Double(values.count { $0 == 0 })
    let deviation = (count * probability * (1 - probability)).squareRoot()
    #expect(abs(zeros - count * probability) < 5 * deviation)
    #expect(abs(values.reduce(0, +) / count - 1) < 5 * deviation * kept / count)
    // Neither whole samples nor whole columns are dropped together.
    let columnZeros = (0..<200).map { column in
      Double((0..<300).count { values[$0 * 200 + column] == 0 })
    }
    let columnDeviation = (300 * probability * (1 - probability)).squareRoot()
    #expect(columnZeros.allSatisfy { abs($0 - 300 * probability) < 6 * columnDeviation })
    let rowZeros = (0..<300).map { row in
      Double((0..<200).count { values[row * 200 + $0] == 0 })
    }
    let rowDeviation = (200 * probability * (1 - probability)).squareRoot()
    #expect(rowZeros.allSatisfy { abs($0 - 200 * probability) < 6 * rowDeviation })
  }

  @Test("the mask of a sample is its own, however samples are split into batches")
  func splitting() {
    let model = Sequential(Dropout(0.3), Flatten(), Dropout(0.5))
    func outputs(_ samples: Range<Int>) -> [Double] {
      withTraining(randomness(firstSample: 100 + samples.lowerBound)) {
        model(.ones([samples.count, 3, 7])).doubles()
      }
    }
    let whole = outputs(0..<12)
    #expect(outputs(0..<5) + outputs(5..<12) == whole)
    #expect((0..<12).flatMap { outputs($0..<$0 + 1) } == whole)
    // Different samples have different masks.
    #expect(outputs(0..<1) != outputs(1..<2))
  }

  @Test("seed, epoch and sample each change the mask; the same ones repeat it")
  func keys() {
    func mask(_ randomness: SampleRandomness) -> [Double] {
      withTraining(randomness) { Dropout()(.ones([2, 64])).doubles() }
    }
    let masks = [
      mask(randomness()), mask(randomness(seed: 6)), mask(randomness(epoch: 3)),
      mask(randomness(firstSample: 2)),
    ]
    #expect(Set(masks).count == 4)
    #expect(mask(randomness()) == masks[0])
  }

  @Test("each application of a layer has a mask of its own")
  func applications() {
    let layer = Dropout()
    let x = Tensor.ones([4, 64])
    let masks = withTraining(randomness()) { (0..<3).map { _ in layer(x).doubles() } }
    #expect(Set(masks).count == 3)
    // Outside of all scopes too.
    #expect(layer(x).doubles() != layer(x).doubles())
  }

  @Test(
    "the gradient goes through the mask of the forward pass",
    arguments: [DataType.float32, .float64])
  func backward(_ dataType: DataType) {
    let x = Tensor.ones([5, 40], dataType)
    x.requiresGrad = true
    let y = withTraining(randomness()) { Dropout(0.4)(x) }
    y.backward(gradient: .full([5, 40], 3, dataType))
    #expect(x.grad?.doubles() == (y * 3).doubles())
    #expect(x.grad!.doubles().contains(0))
  }

  @Test("float32 and float64 drop the same elements")
  func types() {
    func isKept(_ dataType: DataType) -> [Bool] {
      withTraining(randomness()) { Dropout(0.4)(.ones([6, 50], dataType)).doubles() }.map {
        $0 != 0
      }
    }
    #expect(isKept(.float32) == isKept(.float64))
  }

  @Test("a probability outside 0..<1 is refused", arguments: [-0.1, 1.0])
  func invalid(_ probability: Double) async {
    await #expect(processExitsWith: .failure) { [probability] in _ = Dropout(probability) }
  }

  @Test("a probability that is not a number is refused")
  func notANumber() async {
    await #expect(processExitsWith: .failure) { _ = Dropout(.nan) }
  }

  @Test("scopes of training mode continue with new masks")
  func scopes() {
    func mask() -> [Float] {
      withTraining { Dropout()(.ones([4, 64])) }.array(of: Float.self)
    }
    #expect(mask() != mask())
  }
}
