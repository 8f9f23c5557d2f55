import CPNG

/// Several images beside each other, to be looked at.
package struct ImageSheet {
  private let image: DecodedImage

  /// Arranges images of one shape in rows.
  ///
  /// - Parameters:
  ///   - inputs: The images, each `[channels, height, width]` with 1 or 3 channels.
  ///   - preparation: The shape of the images.
  ///   - standardization: How they were standardized; it is undone.
  ///   - columns: How many stand in a row.
  package init(
    _ inputs: [[Float]], _ preparation: ImagePreparation, _ standardization: Standardization?,
    columns: Int
  ) {
    let (width, height) = (preparation.width, preparation.height)
    // Small images are shown larger.
    let scale = max(1, 64 / max(width, height))
    let gap = 2
    let rows = (inputs.count + columns - 1) / columns
    let size = ImageSize(
      width: columns * (width * scale + gap) - gap, height: rows * (height * scale + gap) - gap)
    var pixels = [UInt8](repeating: 128, count: size.width * size.height * 3)
    for (index, input) in inputs.enumerated() {
      let values = ImageSheet.restored(input, standardization)
      // Bytes that are inputs as they are have values up to 255.
      let white: Float = values.contains { $0 > 1.5 } ? 255 : 1
      let left = index % columns * (width * scale + gap)
      let top = index / columns * (height * scale + gap)
      for y in 0..<height * scale {
        for x in 0..<width * scale {
          for c in 0..<3 {
            let channel = preparation.channels == 1 ? 0 : c
            let value = values[(channel * height + y / scale) * width + x / scale] / white
            pixels[((top + y) * size.width + left + x) * 3 + c] =
              UInt8((min(max(value, 0), 1) * 255).rounded())
          }
        }
      }
    }
    image = DecodedImage(size: size, channels: 3, pixels: pixels)
  }

  /// Arranges training samples that lie evenly spaced, as files may be sorted by class; nil if they are no
  /// images.
  ///
  /// - Parameters:
  ///   - data: The samples.
  ///   - count: How many are shown at most.
  package init?(of data: DataSplits, count: Int = 16) throws {
    guard let images = ImagePreparation(inputShape: data.train.inputShape) else { return nil }
    let preview = try SamplePreview(data.train, data.spacedSamples(count), epoch: nil)
    guard !preview.inputs.isEmpty else { return nil }
    self.init(
      preview.inputs, images, data.preparation.standardization,
      columns: min(preview.inputs.count, 8))
  }

  /// The pixels of a row.
  package var width: Int { image.size.width }
  /// The rows of pixels.
  package var height: Int { image.size.height }

  private static func restored(_ input: [Float], _ standardization: Standardization?) -> [Float] {
    guard let standardization else { return input }
    let group = input.count / standardization.means.count
    return input.indices.map {
      input[$0] * standardization.stds[$0 / group] + standardization.means[$0 / group]
    }
  }

  /// The sheet as a PNG file.
  package var png: [UInt8] {
    var header = png_image()
    header.version = png_uint_32(PNG_IMAGE_VERSION)
    header.width = png_uint_32(image.size.width)
    header.height = png_uint_32(image.size.height)
    header.format = png_uint_32(PNG_FORMAT_FLAG_COLOR)
    // No pixels compress to more than twice their size.
    var count = 1 << 12 + 2 * image.pixels.count
    return [UInt8](unsafeUninitializedCapacity: count) { bytes, initialized in
      let isWritten = png_image_write_to_memory(
        &header, bytes.baseAddress!, &count, 0, image.pixels, 0, nil)
      precondition(isWritten != 0, "libpng does not write an image of \(image.size)")
      initialized = count
    }
  }

  /// The sheet for a terminal with 24-bit colors: each line has two rows of pixels, as upper halves of
  /// blocks on a background.
  package func terminalLines(columns: Int) -> [String] {
    let width = min(columns, image.size.width)
    let height = max(1, image.size.height * width / image.size.width)
    let size = ImageSize(width: width, height: height)
    var planes = [Float](repeating: 0, count: width * height * 3)
    planes.withUnsafeMutableBufferPointer { planes in
      image.pixels.withUnsafeBufferPointer { pixels in
        let window = ImageWindow(
          width: Double(image.size.width), height: Double(image.size.height), resized: size)
        Resampling().draw(
          pixels.baseAddress!, image.size, channels: 3, window, size, into: planes.baseAddress!,
          divisor: nil)
      }
    }
    func color(_ x: Int, _ y: Int) -> String {
      (0..<3).map { String(Int(planes[($0 * height + y) * width + x] + 0.5)) }
        .joined(separator: ";")
    }
    return stride(from: 0, to: height, by: 2).map { y in
      let cells = (0..<width).map { x in
        let below = y + 1 < height ? "\u{1B}[48;2;\(color(x, y + 1))m" : "\u{1B}[49m"
        return "\u{1B}[38;2;\(color(x, y))m\(below)\u{2580}"
      }
      return cells.joined() + "\u{1B}[0m"
    }
  }
}
