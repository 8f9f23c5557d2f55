// Convolution as the courses of CS231n and of François Fleuret teach it: one small window of
// weights that looks at every place of a picture, layers of them, and VGG16, which is little else.

import Foundation
import NeuralNetworks
package import TensorCore

package enum Convolution {
  // MARK: One window

  /// Sobel's window: the slope to the right, smoothed from top to bottom; transposed, the slope
  /// downwards.
  package static let slope: [[Double]] = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]

  /// A window of weights laid on every place of a picture where it fits: the sum of the products.
  package static func byHand(_ picture: [[Double]], _ window: [[Double]]) -> [[Double]] {
    let (rows, columns) = (picture.count - window.count, picture[0].count - window[0].count)
    var y = Array(repeating: Array(repeating: 0.0, count: columns + 1), count: rows + 1)
    for row in 0...rows {
      for column in 0...columns {
        for i in window.indices {
          for j in window[i].indices {
            y[row][column] += window[i][j] * picture[row + i][column + j]
          }
        }
      }
    }
    return y
  }

  /// How steep a picture `[H, W]` is at each pixel, `[H, W]`: the length of its slopes to the right
  /// and downwards.
  ///
  /// Around the picture there are zeros.
  package static func edges(_ picture: Tensor) -> Tensor {
    let right = Tensor(slope).converted(to: picture.dataType)
    let windows = Tensor.stacked([right, right.transposed()]).unsqueezed(axis: 1)  // [2, 1, 3, 3]
    let slopes = picture.reshaped(to: [1, 1, picture.shape[0], picture.shape[1]])
      .conv2d(weight: windows, padding: 1)
    return slopes.norm(axes: [1])[0]
  }

  /// A picture `[H, W]` in characters, two for a pixel, from blank for 0 to `@` for the largest.
  package static func characters(_ picture: Tensor) -> [String] {
    let shades = Array(" .:-=+*#%@")
    let largest = max(picture.max().item(), .leastNormalMagnitude)
    return (0..<picture.shape[0]).map { row in
      let pixels = picture[row].doubles().map { value in
        shades[Int((value / largest * Double(shades.count - 1)).rounded())]
      }
      return pixels.map { "\($0)\($0)" }.joined()
    }
  }

  // MARK: A layer of windows

  /// The shapes that 7 windows of 3 x 3 over 3 channels make of 5 images of 50 x 50.
  package static func shapes() -> (plain: TensorShape, padded: TensorShape) {
    let x = Tensor.zeros([5, 3, 50, 50])
    let plain = Conv2d(3, 7, kernel: 3)
    let padded = Conv2d(3, 7, kernel: 3, padding: 1)
    return (plain(x).shape, padded(x).shape)
  }

  /// The largest of each 2 x 2 numbers out of 0...15, and where its gradient goes.
  package static func pooling() -> (y: Tensor, gradient: Tensor) {
    let x = Tensor.arange(16).reshaped(to: [1, 1, 4, 4])
    x.requiresGrad = true
    let y = x.maxPool2d(kernel: 2)
    y.sum().backward()
    return (y[0][0], x.grad![0][0])
  }

  // MARK: VGG16

  /// A layer of VGG16: the shape that it gives, and its learnable numbers.
  package struct Row {
    package var name: String
    package var shape: TensorShape
    package var parameters: Int
  }

  /// The seconds that VGG16 took, and its layers.
  package struct Walk {
    package var rows: [Row]
    package var parameters: Int
    package var secondsToBuild: Double
    package var secondsForward: Double
  }

  /// Builds VGG16 for images of 224 x 224 with 1,000 classes, and walks an image through it.
  package static func walkVGG16() -> Walk {
    let clock = ContinuousClock()
    var model: VGG!
    let building = clock.measure { model = withRandomSource(seed: 1) { VGG(depth: 16) } }

    var generator = Generator()
    var x = generator.tensor([1, 3, 224, 224])
    var rows = [Row(name: "image", shape: x.shape, parameters: 0)]
    let forward = clock.measure {
      withEvaluation {
        withoutGrad {
          for layer in model.features.layers + [Flatten()] + model.classifier.layers {
            x = layer(x)
            guard let name = name(of: layer) else { continue }
            rows.append(Row(name: name, shape: x.shape, parameters: layer.parameterCount))
          }
        }
      }
    }
    return Walk(
      rows: rows, parameters: model.parameterCount, secondsToBuild: building / .seconds(1),
      secondsForward: forward / .seconds(1))
  }

  /// What the slides call a layer; nil for those that change no shape.
  private static func name(of layer: any Layer) -> String? {
    switch layer {
    case let layer as Conv2d: "conv3-\(layer.weight.shape[0])"
    case is MaxPool2d: "maxpool"
    case is Flatten: "flatten"
    case let layer as Linear: "fc-\(layer.weight.shape[0])"
    default: nil
    }
  }

  // MARK: What is printed

  package static func run(_ images: LabeledImages) {
    heading("Edges: \(images.summary)")
    let side = Int(Double(images.pixels.shape[1]).squareRoot())
    let picture = images.pixels[0].reshaped(to: [side, side])
    let width = 2 * side + 4
    let columns = zip(
      ["a \(images.labels[0])"] + characters(picture), ["its edges"] + characters(edges(picture)))
    for (left, right) in columns {
      print(left.padding(toLength: width, withPad: " ", startingAt: 0) + right)
    }

    heading("Seven windows of 3 x 3 over [5, 3, 50, 50]")
    let (plain, padded) = shapes()
    print("Conv2d(3, 7, kernel: 3)              \(plain)")
    print("Conv2d(3, 7, kernel: 3, padding: 1)  \(padded)")

    heading("The largest of each 2 x 2 out of 0...15")
    let (y, gradient) = pooling()
    print("\(y)\nthe gradient of its sum:\n\(gradient)")

    heading("VGG16")
    let walk = walkVGG16()
    print("layer     output                parameters")
    for row in walk.rows {
      let name = row.name.padding(toLength: 9, withPad: " ", startingAt: 0)
      let shape = "\(row.shape)".padding(toLength: 19, withPad: " ", startingAt: 0)
      print("\(name) \(shape) \(text(row.parameters, width: 12))")
    }
    print("all       \(text(walk.parameters, width: 32))")
    print(
      "built in \(text(walk.secondsToBuild, 1)) s, forward in \(text(walk.secondsForward, 1)) s")
  }
}
