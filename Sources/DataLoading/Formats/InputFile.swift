import Foundation

/// Samples without targets, for prediction.
public struct InputFile: Sendable {
  /// The inputs of all samples, row-major.
  public let inputs: [Float]
  /// The number of samples.
  public let count: Int

  /// Reads a file: `.npy`, `.csv` (a sample in each row, without a target), or IDX images; the last
  /// two may be gzipped.
  ///
  /// CSV follows the same rules as in training; where the model was trained on a table with a header,
  /// its columns are found by their names, and others may stand beside them. A file without samples
  /// is an error.
  ///
  /// An array has one sample of `inputShape`, or several along its first axis. Bytes of IDX files are
  /// scaled to 0...1, as in training.
  public init(path: String, inputShape: [Int], table schema: TableSchema? = nil) throws {
    let reader = try ByteReader(path: path)
    let name = path.hasSuffix(".gz") ? String(path.dropLast(3)) : path
    let size = inputShape.reduce(1, *)
    if name.hasSuffix(".csv") {
      let numbers = (0..<size).map { TableSchema.Column(position: $0) }
      let schema = schema ?? TableSchema(columns: numbers, columnCount: size + 1)
      inputs = try Table(predicting: reader, schema: schema).inputs
    } else {
      let isNumPy = name.hasSuffix(".npy")
      let array = try isNumPy ? NumPyFile.read(reader) : IDX.read(reader)
      let sampleCount = array.shape.reduce(1, *) / max(size, 1)
      guard array.shape.reduce(1, *) == sampleCount * size,
        InputFile.matches(array.shape, inputShape, size)
      else {
        throw DataError(
          .malformed,
          "\(path): the model takes samples of shape \(inputShape), not \(array.shape)"
        )
      }
      guard sampleCount > 0 else { throw reader.malformed("no samples: shape \(array.shape)") }
      let values = try array.floats()
      inputs = !isNumPy && array.type == .uint8 ? values.map { $0 / 255 } : values
    }
    count = inputs.count / max(size, 1)
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
