import Examples
import TensorCore
import Testing

@Suite struct ConvolutionExampleTests {
  @Test("slopes of a ramp are found by hand, and by the program at the same places")
  func slopes() {
    // Rises by 1 to the right and by 2 downwards; Sobel's window weighs a rise by 8.
    let ramp = (0..<5).map { row in (0..<6).map { Double($0 + 2 * row) } }
    let right = Convolution.byHand(ramp, Convolution.slope)
    #expect(right == Array(repeating: [8, 8, 8, 8], count: 3))

    let edges = Convolution.edges(Tensor(ramp))
    #expect(edges.shape == [5, 6])
    let inner = edges.sliced(1..<4).sliced(1..<5, axis: 1).doubles()
    let expected = Array(repeating: (8.0 * 8 + 16 * 16).squareRoot(), count: 12)
    #expect(areClose(inner, expected, within: 1e-12))
  }

  @Test("a digit is shown in characters, its edges around its ink")
  func characters() throws {
    let picture = try LabeledImages.digits().pixels[0].reshaped(to: [8, 8])
    #expect(Convolution.characters(.of([0, 0.5, 1, 0.1], shape: [2, 2])) == ["  ++", "@@.."])
    let shown = Convolution.characters(picture)
    let edges = Convolution.characters(Convolution.edges(picture))
    #expect(shown.count == 8 && edges.count == 8)
    #expect(shown.joined().contains("@@") && edges.joined().contains("@@"))
    #expect(shown != edges)
  }

  @Test("seven windows of 3 x 3 give 7 channels, and take two pixels unless padded")
  func shapes() {
    let (plain, padded) = Convolution.shapes()
    #expect(plain == [5, 7, 48, 48])
    #expect(padded == [5, 7, 50, 50])
  }

  @Test("pooling 0...15 keeps 5, 7, 13 and 15, and sends its gradient there")
  func pooling() {
    let (y, gradient) = Convolution.pooling()
    #expect(y.doubles() == [5, 7, 13, 15])
    var expected = Array(repeating: 0.0, count: 16)
    for index in [5, 7, 13, 15] { expected[index] = 1 }
    #expect(gradient.doubles() == expected)
  }

  @Test("VGG16 has 138,357,544 parameters, and the shapes of the slides")
  func vgg16() {
    let walk = Convolution.walkVGG16()
    #expect(walk.parameters == 138_357_544)
    #expect(walk.rows.reduce(0) { $0 + $1.parameters } == walk.parameters)
    let names = walk.rows.map(\.name)
    #expect(names.count { $0.hasPrefix("conv3-") } == 13)
    #expect(names.count { $0 == "maxpool" } == 5)
    #expect(names.count { $0.hasPrefix("fc-") } == 3)
    let shapes: [(Int, TensorShape)] = [
      (1, [1, 64, 224, 224]), (3, [1, 64, 112, 112]), (18, [1, 512, 7, 7]), (19, [1, 25088]),
      (22, [1, 1000]),
    ]
    for (index, shape) in shapes { #expect(walk.rows[index].shape == shape, "row \(index)") }
    #expect(walk.rows[20].parameters == 102_764_544)
  }
}
