import Base
import Testing

@Suite("SHA256")
struct SHA256Tests {
  private func hash(_ bytes: [UInt8], pieces: Int = .max) -> String {
    var hash = SHA256()
    var rest = bytes[...]
    while !rest.isEmpty {
      Array(rest.prefix(pieces)).withUnsafeBytes { hash.update($0) }
      rest = rest.dropFirst(pieces)
    }
    return hash.finish()
  }

  // The examples of FIPS 180-4 and its test vectors.
  @Test(
    "Hashes of the standard's examples",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ])
  func examples(text: String, expected: String) {
    #expect(hash(Array(text.utf8)) == expected)
  }

  @Test("A million letters, in pieces of any size", arguments: [1, 63, 64, 65, 1000, 1_000_000])
  func pieces(size: Int) {
    #expect(
      hash([UInt8](repeating: 0x61, count: 1_000_000), pieces: size)
        == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }
}
