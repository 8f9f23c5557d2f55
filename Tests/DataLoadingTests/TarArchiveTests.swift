import DataLoading
import Foundation
import Testing

@Suite("TarArchive")
struct TarArchiveTests {
  /// An entry as `tar` writes it.
  private func entry(_ name: String, _ content: [UInt8], type: UInt8 = 0x30) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, _ offset: Int) {
      for (i, byte) in text.utf8.enumerated() { header[offset + i] = byte }
    }
    put(name, 0)
    put("0000644\0", 100)
    put(String(format: "%011o", content.count), 124)
    header[156] = type
    put("ustar", 257)
    put("        ", 148)
    put(String(format: "%06o\0 ", header.reduce(0) { $0 + Int($1) }), 148)
    return header + content + [UInt8](repeating: 0, count: -content.count & 511)
  }

  private func read(_ archive: [UInt8], _ wanted: Set<String>) throws -> [String: [UInt8]] {
    try withFolder(["a.tar.gz": archive]) { folder in
      var files: [String: [UInt8]] = [:]
      try TarArchive(path: folder + "/a.tar.gz").forEachFile(where: { wanted.contains($0) }) {
        files[$0] = $1
      }
      return files
    }
  }

  private let end = [UInt8](repeating: 0, count: 1024)

  @Test("Wanted files are read, folders and others are passed over")
  func wanted() throws {
    let one = [UInt8](repeating: 1, count: 700)
    let archive =
      entry("set/", [], type: 0x35) + entry("set/one.bin", one) + entry("set/readme", [2, 2])
      + entry("../../two.bin", [3]) + end
    #expect(try read(gzip(archive), ["one.bin", "two.bin"]) == ["one.bin": one, "two.bin": [3]])
    #expect(try read(archive, ["readme"]) == ["readme": [2, 2]])
    #expect(try read(entry("x", [1]), ["x"]) == ["x": [1]])
  }

  @Test("Damaged archives are errors")
  func damaged() {
    let good = entry("one", [UInt8](repeating: 1, count: 700))
    for count in [1, 100, 511, 600, 1000] {
      #expect(throws: DataError.self) { _ = try read(Array(good[..<count]), ["one"]) }
    }
    #expect(throws: DataError.self) { _ = try read(Array(good[..<600]), []) }
    var changed = good
    changed[0] ^= 1
    let error = #expect(throws: DataError.self) { _ = try read(changed, ["one"]) }
    #expect(error?.message.contains("is no tar archive, or damaged, at byte 0") == true)
    #expect(throws: DataError.self) { _ = try read(Array("no archive at all".utf8), ["one"]) }
  }
}
