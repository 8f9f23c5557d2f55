import CZlib

/// Reads files of a ZIP archive that are stored or deflated, as NumPy writes `.npz`.
///
/// Names, sizes and places are those of the central directory, also those of ZIP64. All of them are
/// checked against the bytes that there are before memory is allocated.
final class ZipArchive {
  private struct Entry {
    let method: Int
    let checksum: Int
    let compressedSize: Int
    let size: Int
    let header: Int  // where the local header begins
  }

  /// The names of the files, in order.
  private(set) var names: [String] = []
  private let path: String
  private let source: FileSource
  private var entries: [String: Entry] = [:]

  init(path: String) throws {
    self.path = path
    source = try FileSource(path: path)
    try readDirectory()
  }

  /// The content of a file, whose checksum is checked.
  func bytes(of name: String) throws -> [UInt8] {
    let entry = entries[name]!
    let header = try read(entry.header, 30)
    guard header.starts(with: [0x50, 0x4B, 3, 4]) else { throw damaged("no header for \(name)") }
    let start = entry.header + 30 + number(header, 26, 2) + number(header, 28, 2)
    let stored = try read(start, entry.compressedSize)
    let content: [UInt8]
    switch entry.method {
    case 0 where entry.size == entry.compressedSize: content = stored
    case 8: content = try inflated(stored, entry.size, name)
    default: throw damaged("\(name) is compressed by method \(entry.method): use numpy.savez")
    }
    guard
      content.withUnsafeBytes({
        Int(crc32_z(0, $0.baseAddress?.assumingMemoryBound(to: UInt8.self), $0.count))
      }) == entry.checksum
    else { throw damaged("the checksum of \(name) is wrong") }
    return content
  }

  private func inflated(_ stored: [UInt8], _ size: Int, _ name: String) throws -> [UInt8] {
    guard size <= ByteReader.inflatedLimit(ofCompressed: stored.count) else {
      throw damaged("\(name) would have \(size) bytes once inflated: use numpy.savez instead")
    }
    var stream = z_stream()
    // A negative window: deflate without a header.
    let code = inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib does not start: code \(code)")
    defer { inflateEnd(&stream) }
    var stored = stored
    var isWhole = false
    let content = [UInt8](unsafeUninitializedCapacity: size) { output, count in
      stored.withUnsafeMutableBufferPointer { input in
        stream.next_in = input.baseAddress
        stream.avail_in = UInt32(input.count)
        stream.next_out = output.baseAddress
        stream.avail_out = UInt32(size)
        isWhole = inflate(&stream, Z_FINISH) == Z_STREAM_END
        count = size - Int(stream.avail_out)
      }
    }
    guard isWhole, content.count == size else { throw damaged("\(name) is cut off or damaged") }
    return content
  }

  private func readDirectory() throws {
    // The end of the directory is 22 bytes and a comment of up to 65535.
    let tailStart = max(0, source.count - 22 - 65_535)
    let tail = try read(tailStart, source.count - tailStart)
    let end = stride(from: tail.count - 22, through: 0, by: -1).first {
      tail[$0] == 0x50 && tail[$0 + 1] == 0x4B && tail[$0 + 2] == 5 && tail[$0 + 3] == 6
    }
    guard let end else {
      throw DataError(
        .malformed, "\(path): not an .npz file, or cut off: it has no directory at its end")
    }
    var (count, offset) = (number(tail, end + 10, 2), number(tail, end + 16, 4))
    // The locator of ZIP64's end stands before it.
    if count == 0xFFFF || offset == 0xFFFF_FFFF, end >= 20, tail[end - 20] == 0x50,
      tail[end - 18] == 6
    {
      let record = try read(number(tail, end - 12, 8), 56)
      (count, offset) = (number(record, 32, 8), number(record, 48, 8))
    }
    for _ in 0..<min(count, 100_000) {
      let record = try read(offset, 46)
      guard record.starts(with: [0x50, 0x4B, 1, 2]) else {
        throw damaged("its directory is damaged")
      }
      let (nameLength, extraLength) = (number(record, 28, 2), number(record, 30, 2))
      let name = String(decoding: try read(offset + 46, nameLength), as: UTF8.self)
      let extra = try read(offset + 46 + nameLength, extraLength)
      var sizes = [number(record, 24, 4), number(record, 20, 4), number(record, 42, 4)]
      var field = 0
      while field + 4 <= extra.count {
        let length = number(extra, field + 2, 2)
        if number(extra, field, 2) == 1 {  // 64-bit numbers in place of those that do not fit
          var position = field + 4
          for k in sizes.indices where sizes[k] == 0xFFFF_FFFF && position + 8 <= extra.count {
            sizes[k] = number(extra, position, 8)
            position += 8
          }
        }
        field += 4 + length
      }
      if entries[name] == nil { names.append(name) }
      entries[name] = Entry(
        method: number(record, 10, 2), checksum: number(record, 16, 4), compressedSize: sizes[1],
        size: sizes[0], header: sizes[2])
      offset += 46 + nameLength + extraLength + number(record, 32, 2)
    }
  }

  /// Bytes of the file, all of which must exist.
  private func read(_ position: Int, _ count: Int) throws -> [UInt8] {
    guard position >= 0, count >= 0, position <= source.count, count <= source.count - position
    else { throw damaged("it ends too early") }
    return try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      initialized = try source.read(
        into: UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(rebasing: buffer[..<count])),
        at: position)
    }
  }

  /// A little-endian number; one beyond `Int.max` becomes that.
  private func number(_ bytes: [UInt8], _ position: Int, _ size: Int) -> Int {
    guard position + size <= bytes.count else { return .max }
    return Int(
      clamping: bytes[position..<position + size].reversed().reduce(0 as UInt64) {
        $0 << 8 | UInt64($1)
      })
  }

  private func damaged(_ what: String) -> DataError {
    DataError(.malformed, "\(path): damaged .npz: \(what): get the file again")
  }
}
