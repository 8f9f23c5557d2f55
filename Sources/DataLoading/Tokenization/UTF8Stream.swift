/// Makes text of bytes that come one after another: a character appears when its last byte is there.
package struct UTF8Stream {
  private var rest: [UInt8] = []

  /// A stream without bytes.
  package init() {}

  /// Adds bytes and returns the characters that they complete; wrong bytes become U+FFFD.
  package mutating func append(_ bytes: some Sequence<UInt8>) -> String {
    rest += bytes
    var text = ""
    while !rest.isEmpty {
      let (valid, wrong, isCutOff) = rest.withUnsafeBufferPointer { $0.validPrefix() }
      text += String(decoding: rest[..<valid], as: UTF8.self)
      rest.removeFirst(valid)
      if wrong == 0 || isCutOff { break }
      text += "\u{FFFD}"
      rest.removeFirst(wrong)
    }
    return text
  }

  /// Ends the stream: U+FFFD for a character that was not completed, or nothing.
  package mutating func finish() -> String {
    defer { rest = [] }
    return rest.isEmpty ? "" : "\u{FFFD}"
  }
}
