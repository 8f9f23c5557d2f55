import CZlib

/// Inflates gzip on demand; consecutive members are one stream.
///
/// zlib verifies each member's checksum and length when its end is read.
final class Inflater {
  static let magic: [UInt8] = [0x1F, 0x8B]

  private let name: String
  private let source: any ByteSource
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
  private let input = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 1 << 16)
  private var position = 0  // of the compressed bytes given to zlib
  private var isBetweenMembers = false

  init(_ source: any ByteSource, name: String) throws {
    self.source = source
    self.name = name
    stream.initialize(to: z_stream())
    // 15 bits of window, and 16 for gzip's header and trailer.
    let code = inflateInit2_(
      stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib does not start: code \(code)")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
    input.deallocate()
  }

  /// Fills `buffer` and returns the number of bytes read; fewer than its size only at the end.
  func read(into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
    var done = 0
    while done < buffer.count {
      if stream.pointee.avail_in == 0 { try refill() }
      if isBetweenMembers {
        if stream.pointee.avail_in == 0 { break }
        inflateReset(stream)
        isBetweenMembers = false
      }
      let room = min(buffer.count - done, 1 << 30)  // zlib counts in 32 bits
      stream.pointee.next_out = (buffer.baseAddress! + done).assumingMemoryBound(to: UInt8.self)
      stream.pointee.avail_out = UInt32(room)
      let code = inflate(stream, Z_NO_FLUSH)
      done += room - Int(stream.pointee.avail_out)
      switch code {
      case Z_OK: break
      case Z_STREAM_END: isBetweenMembers = true
      case Z_BUF_ERROR: throw failure("ends too early")
      default:
        throw failure(stream.pointee.msg.map { String(cString: $0) } ?? "code \(code)")
      }
    }
    return done
  }

  private func refill() throws {
    let count = try source.read(into: UnsafeMutableRawBufferPointer(input), at: position)
    position += count
    stream.pointee.next_in = input.baseAddress
    stream.pointee.avail_in = UInt32(count)
  }

  private func failure(_ what: String) -> DataError {
    let place = position - Int(stream.pointee.avail_in)
    return DataError(
      .malformed,
      "\(name): damaged gzip near byte \(place) of \(source.count) (\(what)): get the file again")
  }
}
