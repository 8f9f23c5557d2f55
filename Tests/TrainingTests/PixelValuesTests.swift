import Base
import Collectives
import Configuration
import Foundation
import Settings
import TensorCore
import TestSupport
import Testing
import Training

@Suite("Values for each pixel") struct PixelValuesTests {
  /// A file of NumPy with float32.
  private func write(_ values: [Float], _ shape: [Int], to path: String) throws {
    let sizes = shape.map(String.init).joined(separator: ", ")
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(sizes)), }"
    header += String(repeating: " ", count: 117 - header.count) + "\n"
    var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0])
    data.append(contentsOf: header.utf8)
    values.withUnsafeBytes { data.append(contentsOf: $0) }
    try data.write(to: URL(filePath: path))
  }

  private func configuration(_ directory: String) throws -> TrainingConfiguration {
    var random = RandomSource(seed: 1)
    let images = Tensor.normal([16, 1, 8, 8], using: &random).array(of: Float.self)
    try write(images, [16, 1, 8, 8], to: directory + "/inputs.npy")
    // Where a pixel is bright.
    try write(images.map { $0 > 0.5 ? 1 : 0 }, [16, 8, 8], to: directory + "/targets.npy")
    var configuration = TrainingConfiguration()
    configuration["model.kind"] = "unet"
    configuration["model.features"] = 4
    configuration["data.kind"] = "npy"
    configuration["data.path"] = .text(directory)
    configuration["data.validation"] = 4
    configuration["data.target"] = "values"
    configuration["data.standardizeTargets"] = false
    configuration["training.loss"] = "binaryCrossEntropyWithLogits"
    configuration["training.steps"] = 100
    configuration["training.globalBatch"] = 6
    configuration["optimizer.kind"] = "adamw"
    configuration["optimizer.learningRate"] = 0.02
    return configuration
  }

  @Test("a U-Net by name learns masks of images")
  func masks() throws {
    try withTemporaryDirectory { directory in
      let trainer = try Trainer(configuration(directory), SingleProcess())
      var losses: [Double] = []
      _ = try trainer.train(
        store: nil,
        onEvent: { event in
          if case .step(let report) = event { losses.append(report.loss) }
        })
      #expect(losses.count == 100)
      #expect(losses[0] > 0.4 && losses.suffix(3).allSatisfy { $0 < 0.25 })
    }
  }

  @Test("data with classes is refused")
  func classes() throws {
    var configuration = TrainingConfiguration()
    configuration["model.kind"] = "unet"
    let error = #expect(throws: (any Error).self) {
      try Trainer(configuration, SingleProcess())
    }
    #expect("\(error!)".contains("is unet, which gives numbers for each of 8 x 8 pixels"))
    #expect(error.map { ExitStatus($0) } == .configuration)
  }
}
