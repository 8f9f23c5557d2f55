import NeuralNetworks
import TensorCore
import Testing

@Suite("Resizing layers")
struct ResizingTests {
  @Test("Upsample is interpolated, Padding is padded")
  func layers() {
    let x = Tensor.arange(16).reshaped(to: [1, 1, 4, 4])
    #expect(Upsample(scale: 2)(x).isEqual(to: x.interpolated(scale: 2)))
    #expect(Upsample(scale: [2, 1.5], mode: .bilinear)(x).shape == [1, 1, 8, 6])
    let corners = Upsample(size: [7, 7], mode: .bicubic, alignCorners: true)(x)
    #expect(corners[0, 0, -1, -1].item() == 15)
    let padded = Sequential(Padding([1, 1, 1, 1], mode: .reflect))(x)
    #expect(padded.shape == [1, 1, 6, 6] && padded[0, 0, 0, 0].item() == 5)
  }
}
