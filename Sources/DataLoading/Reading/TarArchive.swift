/// Reads the regular files of a tar archive (POSIX ustar), from first to last.
package struct TarArchive {
  private static let blockSize = 512
  private let reader: ByteReader

  /// An archive, which may be gzipped.
  package init(path: String) throws { reader = try ByteReader(path: path) }

  init(_ reader: ByteReader) { self.reader = reader }

  /// Calls a closure with the content of each file whose name, without folders, is wanted.
  ///
  /// Throws a `DataError` for an archive that is damaged, and what `body` throws.
  package func forEachFile(
    where isWanted: (_ name: String) -> Bool,
    _ body: (_ name: String, _ content: [UInt8]) throws -> Void
  ) throws {
    while true {
      let start = reader.offset
      let header = try reader.bytes(upTo: TarArchive.blockSize)
      // Two blocks of zeros end an archive; some writers leave them out.
      if header.allSatisfy({ $0 == 0 }) { return }
      guard header.count == TarArchive.blockSize, TarArchive.hasRightChecksum(header),
        let size = TarArchive.octal(header[124..<136])
      else { throw reader.malformed("is no tar archive, or damaged, at byte \(start)") }
      let path = String(decoding: header[..<100].prefix { $0 != 0 }, as: UTF8.self)
      let name = path.split(separator: "/").last.map(String.init) ?? ""
      let isRegular = header[156] == UInt8(ascii: "0") || header[156] == 0
      if isRegular, isWanted(name) {
        try body(name, reader.bytes(size))
      } else {
        try skip(size)
      }
      try skip(-size & (TarArchive.blockSize - 1))
    }
  }

  private func skip(_ count: Int) throws {
    var rest = count
    while rest > 0 {
      let part = try reader.bytes(upTo: min(rest, 1 << 20))
      guard !part.isEmpty else {
        throw reader.malformed("ends too early, inside a file: get the file again")
      }
      rest -= part.count
    }
  }

  /// The sum of the header's bytes, with spaces in place of the sum itself.
  private static func hasRightChecksum(_ header: [UInt8]) -> Bool {
    let sum = header.indices.reduce(0) { sum, i in
      sum + ((148..<156).contains(i) ? 32 : Int(header[i]))
    }
    return octal(header[148..<156]) == sum
  }

  /// A number in octal digits, which end with a space or zero; nil for another one.
  private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = field.drop { $0 == 32 }.prefix { $0 != 0 && $0 != 32 }
    return Int(String(decoding: digits, as: UTF8.self), radix: 8).flatMap { $0 >= 0 ? $0 : nil }
  }
}
