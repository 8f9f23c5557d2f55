import Examples
import Foundation
import TestSupport

/// What PyTorch computed for the examples.
let goldens = Result { try Goldens("examples", in: .module) }

/// MNIST, if it lies beside the package.
enum MNIST {
  static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../../shared/data/mnist-10k").standardized.path
  static let isThere = FileManager.default.fileExists(atPath: folder)

  static func images() throws -> LabeledImages {
    guard let images = try LabeledImages.mnist(folder) else {
      throw CocoaError(.fileNoSuchFile, userInfo: [NSFilePathErrorKey: folder])
    }
    return images
  }
}

/// Whether numbers differ by at most `tolerance`, all of them.
func areClose(_ a: [Double], _ b: [Double], within tolerance: Double) -> Bool {
  a.count == b.count && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance }
}
