import DataLoading
import Foundation
package import TensorCore

/// Images as the rows of a matrix, with the digit that each shows.
package struct LabeledImages {
  /// One image a row, its pixels 0...1.
  package let pixels: Tensor
  /// The digits.
  package let labels: [Int]

  package var count: Int { labels.count }

  /// MNIST from a folder, by default the places where it often lies; nil if there is none.
  package static func mnist(_ folder: String? = nil) throws -> LabeledImages? {
    let places =
      folder.map { [$0] } ?? ["data/mnist", "data/mnist-10k"]
    guard folder != nil || places.contains(where: FileManager.default.fileExists) else {
      return nil
    }
    let place = places.first(where: FileManager.default.fileExists) ?? places[0]
    var source = IDXSource(path: place)
    // Of the files for training and for testing one is enough: the examples split it themselves.
    source.validation = 0
    return try LabeledImages(source.open().train)
  }

  /// The 1,797 digits of 8 x 8 pixels that are part of the program.
  package static func digits() throws -> LabeledImages {
    let data = try DigitsSource().open()
    let (a, b) = (try LabeledImages(data.train), try LabeledImages(data.validation))
    return LabeledImages(
      pixels: .concatenated([a.pixels, b.pixels]), labels: a.labels + b.labels)
  }

  private init(pixels: Tensor, labels: [Int]) {
    self.pixels = pixels
    self.labels = labels
  }

  private init(_ dataset: any Dataset) throws {
    var batches = SequentialBatches(dataset, batchSize: dataset.count)
    let batch = try batches.next()!
    let width = dataset.inputShape.reduce(1, *)
    pixels = batch.withInputs { .of(Array($0), shape: [batch.count, width]) }
    labels = batch.withLabels { $0.map(Int.init) }
  }

  /// Some of the images.
  package subscript(indices: some Sequence<Int>) -> LabeledImages {
    let chosen = Array(indices)
    return LabeledImages(
      pixels: pixels.indexSelected(Tensor(chosen.map(Int32.init))),
      labels: chosen.map { labels[$0] })
  }

  /// The images of these digits only.
  package func only(_ digits: Set<Int>) -> LabeledImages {
    self[labels.indices.filter { digits.contains(labels[$0]) }]
  }

  /// Four fifths to learn from, and the last fifth for testing.
  package func split() -> (train: LabeledImages, test: LabeledImages) {
    let bound = count * 4 / 5
    return (self[0..<bound], self[bound..<count])
  }

  /// What the images are, for the first line of an example.
  package var summary: String {
    pixels.shape[1] == 784
      ? "MNIST, \(count) images of 28 x 28 pixels"
      : "the digits in the program, \(count) images of 8 x 8 pixels; "
        + "for MNIST, add --mnist FOLDER"
  }
}
