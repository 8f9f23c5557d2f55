import Foundation

/// Bytes that can be read at any position, of a file or in memory.
protocol ByteSource {
  /// The number of bytes.
  var count: Int { get }
  /// Fills `buffer` from `position` and returns the number of bytes read; fewer than its size only
  /// at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int) throws -> Int
}

/// Reads a data file from beginning to end, and inflates it if it is gzip.
///
/// It never allocates more than the file can contain: counts are checked against the file's size, or
/// the largest size after inflating, before memory is allocated.
///
/// A gzip file may inflate to 64 MiB plus 100 times its own size, but to no more than 1 GiB: a small
/// file must not fill the memory. Larger data is read from files that are not compressed.
package final class ByteReader {
  /// The most bytes of a gzip file of `count` bytes after inflating.
  package static func inflatedLimit(ofCompressed count: Int) -> Int {
    min(1 << 30, 64 << 20 + 100 * min(count, 1 << 30))
  }

  /// The file's name in messages.
  package let name: String
  /// The number of bytes read, after inflating.
  package private(set) var offset = 0
  private let source: any ByteSource
  private let inflater: Inflater?
  private let inflatedLimit: Int
  private let bound: Int  // the most bytes that there can be

  /// The size of the file, before inflating.
  var byteCount: Int { source.count }

  /// Opens a file; one that looks like gzip is inflated unless `inflates` is false.
  package convenience init(path: String, inflates: Bool = true) throws {
    try self.init(name: path, source: FileSource(path: path), inflates: inflates)
  }

  /// Reads bytes in memory like a file of this name; nil is the limit of a file of that size.
  package convenience init(name: String, bytes: [UInt8], inflatedLimit: Int? = nil) throws {
    try self.init(name: name, source: MemorySource(bytes: bytes), inflatedLimit: inflatedLimit)
  }

  private init(
    name: String, source: any ByteSource, inflatedLimit: Int? = nil, inflates: Bool = true
  ) throws {
    let inflatedLimit = inflatedLimit ?? ByteReader.inflatedLimit(ofCompressed: source.count)
    self.inflatedLimit = inflatedLimit
    self.name = name
    self.source = source
    var magic: [UInt8] = [0, 0]
    _ = try magic.withUnsafeMutableBytes { try source.read(into: $0, at: 0) }
    if inflates && magic == Inflater.magic {
      inflater = try Inflater(source, name: name)
      // Deflate expands a byte to at most 1,032.
      bound = min(inflatedLimit, min(source.count, inflatedLimit) * 1_032)
    } else {
      inflater = nil
      bound = source.count
    }
  }

  /// The next `count` bytes; throws where there are fewer.
  package func bytes(_ count: Int) throws -> [UInt8] {
    guard count <= bound - offset else { throw endsEarly(wanted: count) }
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let room = UnsafeMutableRawBufferPointer(buffer.extracting(0..<count))
      initialized = try fill(room)
    }
    guard bytes.count == count else { throw endsEarly(wanted: count - bytes.count) }
    return bytes
  }

  /// The next bytes: `count` of them, or fewer at the end.
  package func bytes(upTo count: Int) throws -> [UInt8] {
    // A file is not larger than its size: a short one takes no more memory than it needs.
    let room = min(count, max(0, bound - offset))
    let bytes = try [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
      initialized = try fill(UnsafeMutableRawBufferPointer(buffer.extracting(0..<room)))
    }
    guard inflater == nil || offset <= inflatedLimit else { throw tooLarge }
    return bytes
  }

  /// All remaining bytes.
  package func remainingBytes() throws -> [UInt8] {
    guard inflater != nil else { return try bytes(bound - offset) }
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 18)
    while true {
      let count = try chunk.withUnsafeMutableBytes { try fill($0) }
      if count == 0 { return all }
      guard offset <= inflatedLimit else { throw tooLarge }
      all.append(contentsOf: chunk[..<count])
    }
  }

  /// Throws unless all bytes have been read; checks the checksums of gzip.
  package func expectEnd() throws {
    let end = offset
    var byte: UInt8 = 0
    guard try withUnsafeMutableBytes(of: &byte, { try fill($0) }) == 0 else {
      throw malformed("has more bytes than its header declares, from byte \(end)")
    }
  }

  /// An error in the file's content.
  package func malformed(_ what: String) -> DataError { DataError(.malformed, "\(name): \(what)") }

  private func endsEarly(wanted: Int) -> DataError {
    if inflater != nil && bound == inflatedLimit && wanted > bound - offset { return tooLarge }
    return malformed("ends too early: \(wanted) more bytes are declared at byte \(offset)")
  }

  private var tooLarge: DataError {
    malformed("would have more than \(inflatedLimit) bytes once inflated: use gunzip first")
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    let count =
      try inflater?.read(into: buffer) ?? source.read(into: buffer, at: offset)
    offset += count
    return count
  }
}

private struct MemorySource: ByteSource {
  let bytes: [UInt8]
  var count: Int { bytes.count }

  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int) -> Int {
    let part = bytes[min(position, count)..<min(position + buffer.count, count)]
    buffer.copyBytes(from: part)
    return part.count
  }
}

/// A file as a source of bytes.
final class FileSource: ByteSource {
  let count: Int
  private let path: String
  private let descriptor: CInt

  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)  // does not block on a pipe
    var status = stat()
    let isKnown = descriptor >= 0 && fstat(descriptor, &status) == 0
    count = Int(status.st_size)
    guard isKnown else { throw Self.unreadable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DataError(.missing, "\(path): not a regular file")
    }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int) throws -> Int {
    var done = 0
    while done < buffer.count {
      let address = buffer.baseAddress! + done
      let count = pread(descriptor, address, buffer.count - done, off_t(position + done))
      if count == 0 { break }
      if count > 0 {
        done += count
      } else if errno != EINTR {
        throw Self.unreadable(path)
      }
    }
    return done
  }

  private static func unreadable(_ path: String) -> DataError {
    DataError(.missing, "\(path): cannot be read: \(String(cString: strerror(errno)))")
  }
}
