import Foundation

/// Samples without targets, for prediction.
public struct InputFile: Sendable {
  /// The inputs of all samples, row-major.
  public let inputs: [Float]
  /// The number of samples.
  public let count: Int

  /// Reads a file: `.npy`, `.csv` (a sample in each row, without a target), IDX images, or a JPEG or
  /// PNG; CSV and IDX may be gzipped.
  ///
  /// CSV follows the same rules as in training; where the model was trained on a table with a header,
  /// its columns are found by their names, and others may stand beside them. A file without samples
  /// is an error.
  ///
  /// An array has one sample of `inputShape`, or several along its first axis. Bytes of IDX files are
  /// scaled to 0...1, as in training. An array with channels last is brought into the model's order.
  public init(
    path: String, inputShape: [Int], table schema: TableSchema? = nil,
    images: ImagePreparation? = nil
  ) throws {
    if try InputFile.isImage(path) {
      let worker = ImageWorker()
      try self.init(
        image: worker.bytes(ofFile: path), worker, name: path, inputShape: inputShape, images)
      return
    }
    let name = path.hasSuffix(".gz") ? String(path.dropLast(3)) : path
    try self.init(
      ByteReader(path: path),
      name.hasSuffix(".csv") ? .csv : name.hasSuffix(".npy") ? .numPy : .idx,
      inputShape: inputShape, schema)
  }

  /// Reads bytes as such a file, in the format that their beginning shows; other bytes are CSV.
  ///
  /// - Parameter name: What messages call them.
  public init(
    name: String, bytes: [UInt8], inputShape: [Int], table schema: TableSchema? = nil,
    images: ImagePreparation? = nil
  ) throws {
    let isImage = bytes.withUnsafeBytes { JPEG.isJPEG($0) || PNG.isPNG($0) }
    if isImage {
      self = try bytes.withUnsafeBytes {
        try InputFile(image: $0, ImageWorker(), name: name, inputShape: inputShape, images)
      }
      return
    }
    let head = try ByteReader(name: name, bytes: bytes).bytes(upTo: 6)
    let format: Format =
      head.starts(with: [0x93] + Array("NUMPY".utf8))
      ? .numPy : head.starts(with: [0, 0]) ? .idx : .csv
    try self.init(
      ByteReader(name: name, bytes: bytes), format, inputShape: inputShape, schema)
  }

  /// What the samples of a file are written as.
  private enum Format { case csv, numPy, idx }

  private init(
    _ reader: ByteReader, _ format: Format, inputShape: [Int], _ schema: TableSchema?
  ) throws {
    let size = inputShape.reduce(1, *)
    if format == .csv {
      let numbers = (0..<size).map { TableSchema.Column(position: $0) }
      let schema = schema ?? TableSchema(columns: numbers, columnCount: size + 1)
      inputs = try Table(predicting: reader, schema: schema).inputs
    } else {
      let isNumPy = format == .numPy
      var array = try isNumPy ? NumPyFile.read(reader) : IDX.read(reader)
      if isNumPy && InputFile.hasChannelsLast(array.shape, inputShape) {
        array = array.withSampleAxis(inputShape.count).channelsFirst()
      }
      let sampleCount = array.shape.reduce(1, *) / max(size, 1)
      guard array.shape.reduce(1, *) == sampleCount * size,
        InputFile.matches(array.shape, inputShape, size)
      else {
        throw DataError(
          .malformed,
          "\(reader.name): the model takes samples of shape \(inputShape), not \(array.shape)"
        )
      }
      guard sampleCount > 0 else { throw reader.malformed("no samples: shape \(array.shape)") }
      let values = try array.floats()
      inputs = !isNumPy && array.type == .uint8 ? values.map { $0 / 255 } : values
    }
    count = inputs.count / max(size, 1)
  }

  /// Reads one image as in evaluation.
  private init(
    image bytes: UnsafeRawBufferPointer, _ worker: ImageWorker, name: String, inputShape: [Int],
    _ images: ImagePreparation?
  ) throws {
    guard let images else {
      throw DataError(
        .malformed,
        "\(name): the model was not trained on images of files: it takes samples of shape "
          + "\(inputShape)")
    }
    var inputs = [Float](repeating: 0, count: images.inputShape.reduce(1, *))
    try inputs.withUnsafeMutableBufferPointer {
      try worker.draw(bytes, name: name, images, into: $0.baseAddress!, window: images.centered)
    }
    self.inputs = inputs
    count = 1
  }

  /// Whether a file begins as a JPEG or PNG.
  private static func isImage(_ path: String) throws -> Bool {
    let source = try FileSource(path: path)
    var head = [UInt8](repeating: 0, count: 8)
    let count = try head.withUnsafeMutableBytes { try source.read(into: $0, at: 0) }
    return head.withUnsafeBytes { head in
      let head = UnsafeRawBufferPointer(rebasing: head[..<count])
      return JPEG.isJPEG(head) || PNG.isPNG(head)
    }
  }

  /// Whether an array has the axes of a model's images in the order height, width, channels.
  private static func hasChannelsLast(_ shape: [Int], _ inputShape: [Int]) -> Bool {
    guard inputShape.count == 3 else { return false }
    let moved = Array(inputShape[1...]) + inputShape[..<1]
    func isSample(_ part: [Int]) -> Bool { part == moved && part != inputShape }
    return isSample(shape) || isSample(Array(shape.dropFirst()))
  }

  /// One sample, or several along a first axis; the axes of a sample may be flattened.
  private static func matches(_ shape: [Int], _ inputShape: [Int], _ size: Int) -> Bool {
    func isSample(_ part: some Sequence<Int>) -> Bool {
      let part = Array(part)
      return part == inputShape || part.filter { $0 != 1 } == inputShape.filter { $0 != 1 }
        || part == [size]
    }
    return isSample(shape) || isSample(shape.dropFirst())
  }
}
