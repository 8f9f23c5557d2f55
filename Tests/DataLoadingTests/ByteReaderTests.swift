import DataLoading
import Foundation
import Testing

@Suite("ByteReader and gzip")
struct ByteReaderTests {
  private func read(_ bytes: [UInt8]) throws -> [UInt8] {
    try ByteReader(name: "x.gz", bytes: bytes).remainingBytes()
  }

  @Test("Plain and compressed bytes come back", arguments: [0, 1, 2, 1_000, 300_000])
  func roundTrip(count: Int) throws {
    let plain = (0..<count).map { UInt8(truncatingIfNeeded: $0 * $0 >> 3) }
    #expect(try read(plain) == plain)
    #expect(try read(gzip(plain)) == plain)
    #expect(try read(gzip(plain) + gzip([7]) + gzip([]) + gzip(plain)) == plain + [7] + plain)
  }

  @Test("gzip cut off at any byte is an error that says where")
  func truncated() {
    let whole = gzip(Array("The quick brown fox jumps over the lazy dog".utf8))
    for count in 2..<whole.count {
      let error = #expect(throws: DataError.self) { try read(Array(whole[..<count])) }
      #expect(error?.kind == .malformed)
      #expect(error?.message.contains("byte \(count) of \(count)") == true)
    }
  }

  @Test("gzip with wrong contents, checksum, length or rest is an error")
  func damaged() {
    let whole = gzip((0..<200).map { UInt8($0 * 7 % 251) })
    for place in [12, 40, whole.count - 8, whole.count - 1] {
      var bytes = whole
      bytes[place] ^= 0x10
      #expect(throws: DataError.self) { try read(bytes) }
    }
    let error = #expect(throws: DataError.self) { try read(whole + [1, 2, 3]) }
    #expect(error?.message.contains("incorrect header check") == true)
  }

  @Test("A file that inflates without end is refused before it fills the memory")
  func bomb() throws {
    let bomb = gzip([UInt8](repeating: 0, count: 1_000_001))
    let reader = try ByteReader(name: "bomb.gz", bytes: bomb, inflatedLimit: 1_000_000)
    let error = #expect(throws: DataError.self) { _ = try reader.remainingBytes() }
    #expect(error?.message.contains("1000000 bytes once inflated") == true)
  }

  @Test("A small gzip file inflates to no more than 100 times its size and 64 MiB")
  func smallBomb() throws {
    // Members follow one another, so that a bomb needs little work.
    let member = gzip([UInt8](repeating: UInt8(ascii: "0"), count: 10_000_000))
    let bomb = [[UInt8]](repeating: member, count: 12).flatMap { $0 }
    let limit = ByteReader.inflatedLimit(ofCompressed: bomb.count)
    #expect(bomb.count < 200_000 && limit == 64 << 20 + 100 * bomb.count && limit < 120_000_000)
    #expect(ByteReader.inflatedLimit(ofCompressed: 1_500_000) < 220_000_000)
    #expect(ByteReader.inflatedLimit(ofCompressed: .max) == 1 << 30)
    let reader = try ByteReader(name: "bomb.gz", bytes: bomb)
    let error = #expect(throws: DataError.self) { _ = try reader.remainingBytes() }
    #expect(error?.message.contains("\(limit) bytes once inflated: use gunzip first") == true)
    // The header of an IDX file says how much there is to inflate.
    let images = gzip(idx([100_000, 1_000], [UInt8](repeating: 0, count: 100_000_000)))
    #expect(throws: DataError.self) {
      _ = try IDX.read(ByteReader(name: "images.gz", bytes: images))
    }
  }

  @Test("What cannot be read is an error that names the path")
  func unreadable() throws {
    try withFolder { folder in
      for path in [folder, folder + "/nothing", "/dev/null"] {
        let error = #expect(throws: DataError.self) { _ = try ByteReader(path: path) }
        #expect(error?.kind == .missing && error?.message.contains(path) == true)
      }
    }
  }
}
