/// The secret that a browser shows to read the pages of `lockstep watch`.
package struct AccessToken: Sendable {
  /// The secret.
  package let text: String

  /// A given secret; nil unless it has 8 to 200 letters, digits, `-`, `_`, `.` or `~`.
  package init?(_ text: String) {
    guard text.wholeMatch(of: /[A-Za-z0-9_.~\-]{8,200}/) != nil else { return nil }
    self.text = text
  }

  /// A new secret of 128 random bits.
  package init() {
    var generator = SystemRandomNumberGenerator()
    text = (0..<2).map { _ in
      let digits = String(generator.next() as UInt64, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }

  /// Whether a text is the secret, in a time that does not depend on where they differ.
  package func equals(_ other: String?) -> Bool {
    guard let other else { return false }
    let (mine, given) = (Array(text.utf8), Array(other.utf8))
    var difference = mine.count ^ given.count
    for index in mine.indices {
      difference |= Int(mine[index] ^ (index < given.count ? given[index] : 0))
    }
    return difference == 0
  }

  /// The value of a cookie in the header `Cookie`.
  package static func cookie(_ name: String, in header: String?) -> String? {
    header?.split(separator: ";").lazy
      .map { $0.drop { $0 == " " } }
      .first { $0.hasPrefix(name + "=") }
      .map { String($0.dropFirst(name.count + 1)) }
  }

  /// The secret in the header `Authorization: Bearer SECRET`.
  package static func bearer(in header: String?) -> String? {
    guard let header, header.prefix(7).lowercased() == "bearer " else { return nil }
    return String(header.dropFirst(7).drop { $0 == " " })
  }
}
