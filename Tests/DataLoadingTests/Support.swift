// What several suites need: temporary folders, files in the formats read, and contents of datasets.

import CZlib
import DataLoading
import Foundation
import Settings
import Testing

/// Calls `body` with a new folder that holds these files.
func withFolder<R>(
  _ files: [String: [UInt8]] = [:], _ body: (String) throws -> R
) throws -> R {
  let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("DataLoadingTests-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(at: folder) }
  for (name, bytes) in files { try Data(bytes).write(to: folder.appendingPathComponent(name)) }
  return try body(folder.path)
}

typealias Datasets = (train: any Dataset, validation: any Dataset)

/// Opens a folder with these files.
func open<Source: DataSource>(
  _ type: Source.Type, _ files: [String: [UInt8]],
  _ configure: (inout Source) -> Void = { _ in }
) throws -> Datasets {
  try withFolder(files) { folder in
    var source = try Source().replacing { $0 == "path" ? .text(folder) : nil }
    configure(&source)
    let data = try source.open()
    return (data.train, data.validation)
  }
}

/// The error in these files; none is a failure of the test.
func failure<Source: DataSource>(
  _ type: Source.Type, _ files: [String: [UInt8]],
  _ configure: (inout Source) -> Void = { _ in },
  location: SourceLocation = #_sourceLocation
) -> DataError? {
  #expect(throws: DataError.self, sourceLocation: location) { try open(type, files, configure) }
}

/// The error in the options of a folder with these files; none is a failure of the test.
func refusal<Source: DataSource>(
  _ type: Source.Type, _ files: [String: [UInt8]],
  _ configure: (inout Source) -> Void = { _ in },
  location: SourceLocation = #_sourceLocation
) -> SettingError? {
  #expect(throws: SettingError.self, sourceLocation: location) { try open(type, files, configure) }
}

/// A dataset's samples as arrays.
struct Contents: Equatable {
  var inputs: [[Float]] = []
  var tokens: [[Int32]] = []
  var labels: [Int32] = []
  var values: [[Float]] = []
  var mixedLabels: [Int32] = []
  var labelShares: [Float] = []

  init(_ dataset: some Dataset) throws {
    var batches = SequentialBatches(dataset, batchSize: 7)
    while let batch = try batches.next() { append(batch) }
  }

  init(_ batch: Batch) { append(batch) }

  init() {}

  mutating func append(_ batch: Batch) {
    guard batch.count > 0 else { return }
    batch.withInputs { if !$0.isEmpty { inputs += rows($0, batch.count) } }
    batch.withTokens { if !$0.isEmpty { tokens += rows($0, batch.count) } }
    batch.withLabels { labels += $0 }
    batch.withMixedLabels { mixedLabels += $0 }
    batch.withLabelShares { labelShares += $0 }
    batch.withValues { if !$0.isEmpty { values += rows($0, batch.count) } }
  }

  private func rows<T>(_ all: UnsafeBufferPointer<T>, _ count: Int) -> [[T]] {
    let width = all.count / count
    return (0..<count).map { Array(all[$0 * width..<($0 + 1) * width]) }
  }
}

/// Compresses as `gzip` does, into one member.
func gzip(_ bytes: [UInt8]) -> [UInt8] { deflated(bytes, window: 15 + 16) }

/// Bytes compressed by deflate; a negative window writes no header, one of 16 more that of gzip.
func deflated(_ content: [UInt8], window: Int32) -> [UInt8] {
  var stream = z_stream()
  var output = [UInt8](repeating: 0, count: Int(compressBound(UInt(content.count))) + 64)
  var input = content
  deflateInit2_(
    &stream, 6, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
    Int32(MemoryLayout<z_stream>.size))
  defer { deflateEnd(&stream) }
  let count = input.withUnsafeMutableBufferPointer { from in
    output.withUnsafeMutableBufferPointer { to in
      stream.next_in = from.baseAddress
      stream.avail_in = UInt32(from.count)
      stream.next_out = to.baseAddress
      stream.avail_out = UInt32(to.count)
      let code = deflate(&stream, Z_FINISH)
      precondition(code == Z_STREAM_END)
      return Int(stream.total_out)
    }
  }
  return Array(output[..<count])
}

/// The bytes of numbers in big- or little-endian order.
func bytes<T: FixedWidthInteger>(_ values: [T], bigEndian: Bool) -> [UInt8] {
  values.flatMap { value in
    withUnsafeBytes(of: bigEndian ? value.bigEndian : value.littleEndian, Array.init)
  }
}

/// An IDX file.
func idx(_ shape: [UInt32], _ data: [UInt8], type: UInt8 = 0x08) -> [UInt8] {
  [0, 0, type, UInt8(shape.count)] + bytes(shape, bigEndian: true) + data
}

/// A `.npy` file.
func npy(
  _ descr: String, _ shape: String, _ data: [UInt8], fortran: Bool = false, version: UInt8 = 1
) -> [UInt8] {
  let order = fortran ? "True" : "False"
  let header = "{'descr': '\(descr)', 'fortran_order': \(order), 'shape': \(shape), }\n"
  return npy(header: header, data, version: version)
}

/// A `.npy` file with any header.
func npy(header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
  let text = Array(header.utf8)
  let length =
    version == 1
    ? bytes([UInt16(text.count)], bigEndian: false) : bytes([UInt32(text.count)], bigEndian: false)
  return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + data
}

/// Four images of 2 by 3 pixels with labels 0, 1, 2, 1.
let smallImages = idx([4, 2, 3], Array(0..<24))
let smallLabels = idx([4], [0, 1, 2, 1])

extension InputFile {
  /// Reads a file of this name and content.
  init(named name: String, _ bytes: [UInt8], inputShape: [Int]) throws {
    self = try withFolder([name: bytes]) {
      try InputFile(path: "\($0)/\(name)", inputShape: inputShape)
    }
  }
}
