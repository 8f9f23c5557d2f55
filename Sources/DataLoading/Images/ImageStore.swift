/// Images that can be read in any order, with a target each.
///
/// Several threads read at the same time, hence `Sendable`; each has an `ImageWorker` of its own.
protocol ImageStore: Sendable {
  /// The number of images.
  var count: Int { get }
  /// A hash of the images.
  var fingerprint: UInt64 { get }
  /// The value of white; black is 0.
  var largestValue: Float { get }
  /// The type of the targets.
  var targetKind: TargetKind { get }
  /// The label of each image; nil if targets are values.
  var labels: [Int32]? { get }

  /// Draws a window of an image into planes, `[channels, height, width]`; `window` chooses it from the
  /// size of the image, and is called once or several times.
  func draw(
    _ index: Int, _ preparation: ImagePreparation, into planes: UnsafeMutablePointer<Float>,
    _ worker: ImageWorker, window: (ImageSize) -> ImageWindow
  ) throws

  /// Writes the target of an image as that of row `row`.
  func readTarget(_ index: Int, row: Int, into buffers: SampleBuffers)
}

extension ImageStore {
  /// Writes the label of an image.
  func readTarget(_ index: Int, row: Int, into buffers: SampleBuffers) {
    buffers.labels[row] = labels![index]
  }
}

/// What a thread needs to read images, kept for the next one.
final class ImageWorker {
  let decoder = ImageDecoder()
  let resampling = Resampling()
  private var file = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 64)
  private var planes = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)

  /// The largest file that is read, in bytes.
  private static let largestFile = 1 << 30

  deinit {
    file.deallocate()
    planes.deallocate()
  }

  /// Room for `count` numbers, the contents of which are lost at the next call.
  func room(_ count: Int) -> UnsafeMutablePointer<Float> {
    if planes.count < count {
      planes.deallocate()
      planes = .allocate(capacity: count)
    }
    return planes.baseAddress!
  }

  /// The bytes of a file, which are lost at the next call.
  func bytes(ofFile path: String) throws -> UnsafeRawBufferPointer {
    let source = try FileSource(path: path)
    guard source.count <= ImageWorker.largestFile else {
      throw DataError(
        .malformed, "\(path): \(source.count) bytes are too many for an image: remove it")
    }
    if file.count < source.count {
      file.deallocate()
      file = .allocate(byteCount: source.count, alignment: 64)
    }
    let count = try source.read(
      into: UnsafeMutableRawBufferPointer(rebasing: file[..<source.count]), at: 0)
    return UnsafeRawBufferPointer(rebasing: file[..<count])
  }

  /// Decodes a file in memory and draws a window of it, with values of 0...1.
  func draw(
    _ bytes: UnsafeRawBufferPointer, name: String, _ preparation: ImagePreparation,
    into planes: UnsafeMutablePointer<Float>, window: (ImageSize) -> ImageWindow
  ) throws {
    let image = try decoded(bytes, name: name, preparation, window)
    let size = image.originalSize ?? image.size
    let window = window(size).scaled(from: size, to: image.size)
    image.pixels.withUnsafeBufferPointer {
      draw($0.baseAddress!, image.size, preparation, window, into: planes)
    }
  }

  /// Decodes a file in memory and resizes it.
  func resized(
    _ bytes: UnsafeRawBufferPointer, name: String, _ preparation: ImagePreparation
  ) throws -> DecodedImage {
    let image = try decoded(bytes, name: name, preparation, preparation.window)
    let size = image.originalSize ?? image.size
    let window = preparation.window(of: size).scaled(from: size, to: image.size)
    let (result, channels) = (window.resized, preparation.channels)
    let count = result.width * result.height
    let planes = room(count * channels)
    image.pixels.withUnsafeBufferPointer {
      resampling.draw(
        $0.baseAddress!, image.size, channels: channels, window, result, into: planes,
        divisor: 1)
    }
    let pixels = [UInt8](unsafeUninitializedCapacity: count * channels) { pixels, initialized in
      for i in 0..<count {
        for c in 0..<channels { pixels[i * channels + c] = UInt8(planes[c * count + i]) }
      }
      initialized = count * channels
    }
    return DecodedImage(size: result, channels: channels, pixels: pixels)
  }

  /// Decodes a file in memory to as many pixels as a window needs.
  private func decoded(
    _ bytes: UnsafeRawBufferPointer, name: String, _ preparation: ImagePreparation,
    _ window: (ImageSize) -> ImageWindow
  ) throws -> DecodedImage {
    try decoder.decode(bytes, name: name, channels: preparation.channels) { size in
      let window = window(size)
      // What the whole image would have if the region had its resized size.
      func least(_ resized: Int, _ side: Int, _ region: Double) -> Int {
        Int((Double(resized) * Double(side) / region).rounded(.up))
      }
      return ImageSize(
        width: least(window.resized.width, size.width, window.width),
        height: least(window.resized.height, size.height, window.height))
    }
  }

  /// Draws a window of pixels, with values of 0...1.
  func draw(
    _ pixels: UnsafePointer<UInt8>, _ size: ImageSize, _ preparation: ImagePreparation,
    _ window: ImageWindow, into planes: UnsafeMutablePointer<Float>
  ) {
    resampling.draw(
      pixels, size, channels: preparation.channels, window, preparation.size, into: planes,
      divisor: 255)
  }
}
