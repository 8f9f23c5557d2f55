// JSON, strictly. Foundation's reader keeps the last of two equal keys without a word, and its
// writer refuses not-a-number; files which must be trusted need the first, and a log of losses
// needs the second.
import Foundation

/// A JSON value that keeps the order of its keys and the exact text of its numbers.
public indirect enum JSONValue: Sendable, Equatable {
  case null
  case boolean(Bool)
  /// A number as it is written.
  case number(String)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// A key and its value.
  public struct Member: Sendable, Equatable {
    /// The key.
    public let key: String
    /// The value.
    public let value: JSONValue

    /// Pairs a key with a value.
    public init(_ key: String, _ value: JSONValue) {
      self.key = key
      self.value = value
    }
  }

  /// An object from keys and values in the order in which they are to be written.
  public static func object(_ members: KeyValuePairs<String, JSONValue>) -> JSONValue {
    .object(members.map { Member($0.key, $0.value) })
  }

  /// An integer.
  public static func integer(_ value: some BinaryInteger) -> JSONValue {
    .number(String(value))
  }

  /// A floating-point number in the fewest digits that read back to it.
  ///
  /// JSON has no word for the others: they become the strings `NaN`, `Infinity` and `-Infinity`.
  public static func number<T: BinaryFloatingPoint & LosslessStringConvertible>(
    _ value: T
  ) -> JSONValue {
    if value.isFinite { return .number(value.description) }
    return .string(value.isNaN ? "NaN" : value < 0 ? "-Infinity" : "Infinity")
  }

  /// The value of a key of an object.
  public subscript(key: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key == key }?.value
  }

  /// The text of a string.
  public var stringValue: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The elements of an array.
  public var arrayValue: [JSONValue]? {
    if case .array(let elements) = self { elements } else { nil }
  }

  /// The members of an object.
  public var members: [Member]? {
    if case .object(let members) = self { members } else { nil }
  }

  /// The truth value of a boolean.
  public var booleanValue: Bool? {
    if case .boolean(let value) = self { value } else { nil }
  }

  /// The value of a number written as an integer that fits.
  public var integerValue: Int? {
    if case .number(let text) = self { Int(text) } else { nil }
  }

  /// The value of a number, or of one of the strings that stand for what JSON cannot write.
  public var doubleValue: Double? {
    switch self {
    case .number(let text): Double(text)
    case .string("NaN"): .nan
    case .string("Infinity"): .infinity
    case .string("-Infinity"): -.infinity
    default: nil
    }
  }

  /// The value as JSON on one line.
  public var text: String {
    var output = ""
    write(to: &output)
    return output
  }

  private func write(to output: inout String) {
    switch self {
    case .null: output += "null"
    case .boolean(let value): output += value ? "true" : "false"
    case .number(let text): output += text
    case .string(let text): JSONValue.writeQuoted(text, to: &output)
    case .array(let elements):
      output += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { output += "," }
        element.write(to: &output)
      }
      output += "]"
    case .object(let members):
      output += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { output += "," }
        JSONValue.writeQuoted(member.key, to: &output)
        output += ":"
        member.value.write(to: &output)
      }
      output += "}"
    }
  }

  /// Writes a string with quotes and escapes; what results is also a double-quoted scalar of YAML.
  package static func writeQuoted(_ text: String, to output: inout String) {
    output += "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\t": output += "\\t"
      case "\0"..." ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
        if scalar == " " {
          output += " "
        } else {
          output += "\\u" + String(String(hexadecimal: scalar.value).suffix(4))
        }
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}

/// Text that is not the JSON that was expected, and where.
public struct JSONError: Error, Equatable, CustomStringConvertible {
  /// What is wrong.
  public let reason: String
  /// The byte at which it was noticed.
  public let offset: Int

  /// The reason and the offset.
  public var description: String { "\(reason) at byte \(offset)" }
}

extension JSONValue {
  /// Parses JSON by the letter of RFC 8259, without equal keys in an object and not nested too
  /// deeply.
  public init(parsing bytes: UnsafeRawBufferPointer, maximumDepth: Int = 16) throws(JSONError) {
    var parser = JSONParser(bytes: bytes, maximumDepth: maximumDepth)
    self = try parser.parseDocument()
  }

  /// Parses JSON by the letter of RFC 8259, without equal keys in an object and not nested too
  /// deeply.
  public init(parsing bytes: [UInt8], maximumDepth: Int = 16) throws(JSONError) {
    let result = bytes.withUnsafeBytes { buffer -> Result<JSONValue, JSONError> in
      var parser = JSONParser(bytes: buffer, maximumDepth: maximumDepth)
      do throws(JSONError) {
        return .success(try parser.parseDocument())
      } catch {
        return .failure(error)
      }
    }
    self = try result.get()
  }

  /// Parses JSON by the letter of RFC 8259, without equal keys in an object and not nested too
  /// deeply.
  public init(parsing text: String, maximumDepth: Int = 16) throws(JSONError) {
    try self.init(parsing: Array(text.utf8), maximumDepth: maximumDepth)
  }
}

private struct JSONParser {
  let bytes: UnsafeRawBufferPointer
  let maximumDepth: Int
  var position = 0

  init(bytes: UnsafeRawBufferPointer, maximumDepth: Int) {
    self.bytes = bytes
    self.maximumDepth = maximumDepth
  }

  var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  func failure(_ reason: String, at offset: Int? = nil) -> JSONError {
    JSONError(reason: reason, offset: offset ?? position)
  }

  mutating func parseDocument() throws(JSONError) -> JSONValue {
    skipSpace()
    let value = try parseValue(depth: 0)
    skipSpace()
    guard position == bytes.count else { throw failure("unexpected text after the value") }
    return value
  }

  mutating func skipSpace() {
    while let byte = current,
      byte == 0x20
        || (0x09...0x0D).contains(byte) && byte != 0x0B
          && byte != 0x0C
    {
      position += 1
    }
  }

  mutating func consume(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  mutating func expect(_ character: Unicode.Scalar) throws(JSONError) {
    if !consume(character) { throw failure("expected '\(character)'") }
  }

  mutating func parseValue(depth: Int) throws(JSONError) -> JSONValue {
    guard depth <= maximumDepth else { throw failure("nested deeper than \(maximumDepth)") }
    switch current {
    case nil: throw failure("the text ends too early")
    case UInt8(ascii: "{"): return try parseObject(depth: depth)
    case UInt8(ascii: "["): return try parseArray(depth: depth)
    case UInt8(ascii: "\""): return .string(try parseString())
    case UInt8(ascii: "t"): return try parseWord("true", .boolean(true))
    case UInt8(ascii: "f"): return try parseWord("false", .boolean(false))
    case UInt8(ascii: "n"): return try parseWord("null", .null)
    default: return try parseNumber()
    }
  }

  mutating func parseWord(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let start = position
    for character in word.unicodeScalars where !consume(character) {
      throw failure("expected '\(word)'", at: start)
    }
    return value
  }

  mutating func parseObject(depth: Int) throws(JSONError) -> JSONValue {
    try expect("{")
    var members: [JSONValue.Member] = []
    var keys: Set<String> = []
    skipSpace()
    if consume("}") { return .object(members) }
    repeat {
      skipSpace()
      let start = position
      let key = try parseString()
      // A set pays only when there are many keys, and most objects have few.
      if members.count == 16 { keys = Set(members.map(\.key)) }
      let isNew =
        members.count < 16
        ? !members.contains { $0.key == key } : keys.insert(key).inserted
      guard isNew else {
        throw failure("the key '\(key.prefix(80))' appears twice", at: start)
      }
      skipSpace()
      try expect(":")
      skipSpace()
      members.append(JSONValue.Member(key, try parseValue(depth: depth + 1)))
      skipSpace()
    } while consume(",")
    try expect("}")
    return .object(members)
  }

  mutating func parseArray(depth: Int) throws(JSONError) -> JSONValue {
    try expect("[")
    var elements: [JSONValue] = []
    skipSpace()
    if consume("]") { return .array(elements) }
    repeat {
      skipSpace()
      elements.append(try parseValue(depth: depth + 1))
      skipSpace()
    } while consume(",")
    try expect("]")
    return .array(elements)
  }

  mutating func skipDigits() throws(JSONError) {
    guard let byte = current, (0x30...0x39).contains(byte) else {
      throw failure("expected a digit")
    }
    while let byte = current, (0x30...0x39).contains(byte) { position += 1 }
  }

  mutating func parseNumber() throws(JSONError) -> JSONValue {
    let start = position
    let isNegative = consume("-")
    guard let first = current, (0x30...0x39).contains(first) else {
      throw failure(isNegative ? "expected a digit" : "expected a value", at: start)
    }
    if !consume("0") { try skipDigits() }
    if consume(".") { try skipDigits() }
    if consume("e") || consume("E") {
      if !consume("+") { _ = consume("-") }
      try skipDigits()
    }
    return .number(String(decoding: bytes[start..<position], as: UTF8.self))
  }

  mutating func parseString() throws(JSONError) -> String {
    let start = position
    try expect("\"")
    var text = ""
    while true {
      let run = position
      while let byte = current, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"),
        byte >= 0x20
      {
        position += 1
      }
      if position > run {
        guard let piece = String(validating: bytes[run..<position], as: UTF8.self) else {
          throw failure("a string is not valid UTF-8", at: start)
        }
        text += piece
      }
      switch current {
      case UInt8(ascii: "\""):
        position += 1
        return text
      case UInt8(ascii: "\\"):
        position += 1
        text.unicodeScalars.append(try parseEscape())
      case nil: throw failure("a string does not end", at: start)
      default: throw failure("a control character stands in a string")
      }
    }
  }

  mutating func parseEscape() throws(JSONError) -> Unicode.Scalar {
    guard let byte = current else { throw failure("the text ends too early") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""): return "\""
    case UInt8(ascii: "\\"): return "\\"
    case UInt8(ascii: "/"): return "/"
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let high = try parseHexadecimal()
      if let scalar = Unicode.Scalar(high) { return scalar }
      guard (0xD800...0xDBFF).contains(high), consume("\\"), consume("u") else {
        throw failure("half a surrogate pair")
      }
      let low = try parseHexadecimal()
      guard (0xDC00...0xDFFF).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
      else { throw failure("half a surrogate pair") }
      return scalar
    default: throw failure("unknown escape", at: position - 1)
    }
  }

  mutating func parseHexadecimal() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("expected four hexadecimal digits")
      }
      value = value << 4 + UInt32(digit)
      position += 1
    }
    return value
  }
}
