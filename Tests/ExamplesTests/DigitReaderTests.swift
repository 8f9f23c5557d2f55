import Examples
import TensorCore
import Testing

@Suite struct DigitReaderTests {
  @Test("twenty epochs read over 94 % of the digits in the program")
  func digits() throws {
    let epochs = DigitReader.train(try .digits(), epochs: 20)
    #expect(epochs.count == 20)
    #expect(epochs[0].loss > 2)
    #expect(epochs[19].loss < 0.15)
    #expect(epochs[19].accuracy > 0.94)
  }

  @Test(
    "two epochs read over 87 % of MNIST",
    .enabled(if: MNIST.isThere, "MNIST is not beside the package"))
  func mnist() throws {
    let epochs = DigitReader.train(try MNIST.images(), epochs: 2)
    #expect(epochs[1].loss < 0.4)
    #expect(epochs[1].accuracy > 0.87)
  }
}
