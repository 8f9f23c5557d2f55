import Foundation

/// Bytes that can be read at any position: a file, or memory.
protocol ByteSource {
  /// How many bytes there are.
  var count: Int { get }
  /// Fills `buffer` from `position` on and returns how many bytes came; fewer only at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer, at position: Int) throws -> Int
}

/// Reads a data file from front to back, inflating it on the way if it is gzip.
///
/// It never allocates more than the file can hold: a count is compared with what there is, or what
/// could be there once inflated, before memory is asked for.
package final class ByteReader {
  /// What messages call the file.
  package let name: String
  /// How many bytes have been read, after inflating.
  package private(set) var offset = 0
  private let source: any ByteSource
  private let inflater: Inflater?
  private let inflatedLimit: Int  // so that a small gzip file cannot fill the memory
  private let bound: Int  // no more bytes than this can come

  /// Opens a file; one that looks like gzip is taken as it is unless `inflates`.
  package convenience init(path: String, inflates: Bool = true) throws {
    try self.init(name: path, source: FileSource(path: path), inflates: inflates)
  }

  /// Reads bytes in memory as if they were a file of this name.
  package convenience init(
    name: String, bytes: [UInt8], inflatedLimit: Int = 1 << 30
  ) throws {
    try self.init(name: name, source: MemorySource(bytes: bytes), inflatedLimit: inflatedLimit)
  }

  private init(
    name: String, source: any ByteSource, inflatedLimit: Int = 1 << 30, inflates: Bool = true
  ) throws {
    self.inflatedLimit = inflatedLimit
    self.name = name
    self.source = source
    var magic: [UInt8] = [0, 0]
    _ = try magic.withUnsafeMutableBytes { try source.read(into: $0, at: 0) }
    if inflates && magic == Inflater.magic {
      inflater = try Inflater(source, name: name)
      // Deflate makes at most 1,032 bytes of one.
      bound = min(inflatedLimit, min(source.count, inflatedLimit) * 1_032)
    } else {
      inflater = nil
      bound = source.count
    }
  }

  /// The next `count` bytes, all of them.
  package func bytes(_ count: Int) throws -> [UInt8] {
    guard count <= bound - offset else { throw endsEarly(wanted: count) }
    let bytes = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      let room = UnsafeMutableRawBufferPointer(buffer.extracting(0..<count))
      initialized = try fill(room)
    }
    guard bytes.count == count else { throw endsEarly(wanted: count - bytes.count) }
    return bytes
  }

  /// All bytes that are left.
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

  /// Makes sure that nothing is left, and with gzip that the checksums hold.
  package func expectEnd() throws {
    let end = offset
    var byte: UInt8 = 0
    guard try withUnsafeMutableBytes(of: &byte, { try fill($0) }) == 0 else {
      throw malformed("has more bytes than its header declares, from byte \(end) on")
    }
  }

  /// An error about the file's contents.
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

private final class FileSource: ByteSource {
  let count: Int
  private let path: String
  private let descriptor: CInt

  init(path: String) throws {
    self.path = path
    descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)  // a pipe would wait otherwise
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
