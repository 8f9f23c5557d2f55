import Foundation

/// Takes the text of a table apart, field by field, in one pass.
///
/// Fields may be quoted, lines may end in LF, CRLF or CR, a byte-order mark and blank lines are
/// skipped.
struct CSVParser {
  /// The range of a field's text, without quotes, and whether the field ends its line.
  struct Field {
    let text: Range<Int>
    let isLast: Bool
  }

  private static let longestField = 4_096
  private static let mostColumns = 1 << 20

  let name: String
  private let bytes: UnsafeBufferPointer<UInt8>
  private let separator: UInt8
  private var position = 0
  private(set) var line = 1  // where the current row begins
  private var column = 0  // of the field read last, counted from one
  private var newlines = 0  // since the current row's beginning

  /// A parser of bytes; nil finds the separator.
  init(name: String, bytes: UnsafeBufferPointer<UInt8>, separator: UInt8?) {
    self.name = name
    self.bytes = bytes
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    self.separator = separator ?? CSVParser.separator(of: bytes.suffix(from: position))
  }

  /// The separator: the first of ; tab | , that occurs equally often in the first two lines, outside
  /// quotes.
  private static func separator(of bytes: Slice<UnsafeBufferPointer<UInt8>>) -> UInt8 {
    let candidates = [";", "\t", "|", ","].map { UInt8(ascii: $0) }
    var lines: [[UInt8: Int]] = []
    var counts: [UInt8: Int] = [:]
    var (isQuoted, isBlank) = (false, true)
    for byte in bytes.prefix(1 << 20) {
      if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
      if !isQuoted, byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        if !isBlank { lines.append(counts) }
        (counts, isBlank) = ([:], true)
        if lines.count == 2 { break }
        continue
      }
      isBlank = false
      if !isQuoted, candidates.contains(byte) { counts[byte, default: 0] += 1 }
    }
    if lines.count < 2 && !isBlank { lines.append(counts) }
    return candidates.first { candidate in
      guard let first = lines.first?[candidate] else { return false }
      return lines.allSatisfy { $0[candidate] == first }
    } ?? UInt8(ascii: ",")
  }

  /// Where reading can return to.
  struct Mark {
    fileprivate let position: Int
    fileprivate let line: Int
  }

  /// The place after the fields that were read.
  var mark: Mark { Mark(position: position, line: line + newlines) }

  /// Returns to the beginning of a row.
  mutating func rewind(to mark: Mark) {
    (position, line, newlines, column) = (mark.position, mark.line, 0, 0)
  }

  /// The fields of the next row; nil at the end.
  mutating func row() throws -> [Range<Int>]? {
    guard startRow() else { return nil }
    var fields: [Field] = []
    repeat {
      fields.append(try nextField())
      guard fields.count <= Self.mostColumns else {
        throw failure("more than \(Self.mostColumns) columns")
      }
    } while !fields[fields.count - 1].isLast
    return fields.map(\.text)
  }

  /// Moves to the next row that is not blank; false at the end.
  mutating func startRow() -> Bool {
    line += newlines
    newlines = 0
    column = 0
    while position < bytes.count {
      var end = position
      while end < bytes.count,
        bytes[end] == UInt8(ascii: " ")
          || bytes[end] == UInt8(ascii: "\t") && separator != bytes[end]
      {
        end += 1
      }
      guard end == bytes.count || isNewline(bytes[end]) else { return true }
      position = end
      if end < bytes.count { takeNewline() }
      line += newlines
      newlines = 0
    }
    return false
  }

  private func isNewline(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }

  private mutating func takeNewline() {
    let isPair =
      bytes[position] == UInt8(ascii: "\r") && position + 1 < bytes.count
      && bytes[position + 1] == UInt8(ascii: "\n")
    position += isPair ? 2 : 1
    newlines += 1
  }

  mutating func nextField() throws -> Field {
    column += 1
    let isQuoted = position < bytes.count && bytes[position] == UInt8(ascii: "\"")
    let text = isQuoted ? try quotedText() : try plainText()
    guard position < bytes.count else { return Field(text: text, isLast: true) }
    if bytes[position] == separator {
      position += 1
      return Field(text: text, isLast: false)
    }
    guard isNewline(bytes[position]) else { throw failure("text after the closing quote") }
    takeNewline()
    return Field(text: text, isLast: true)
  }

  private mutating func plainText() throws -> Range<Int> {
    let start = position
    while position < bytes.count, bytes[position] != separator, !isNewline(bytes[position]) {
      try step(from: start)
    }
    return start..<position
  }

  private mutating func quotedText() throws -> Range<Int> {
    position += 1
    let start = position
    while position < bytes.count {
      if bytes[position] == UInt8(ascii: "\"") {
        let isEscaped = position + 1 < bytes.count && bytes[position + 1] == UInt8(ascii: "\"")
        guard isEscaped else {
          position += 1
          return start..<position - 1
        }
        position += 1
      } else if bytes[position] == UInt8(ascii: "\n") {
        newlines += 1
      }
      try step(from: start)
    }
    throw failure("the quote is never closed")
  }

  private mutating func step(from start: Int) throws {
    guard bytes[position] != 0 else {
      throw failure("a zero byte at offset \(position): this is not text in UTF-8")
    }
    guard position - start < Self.longestField else {
      throw failure("the field is longer than \(Self.longestField) bytes")
    }
    position += 1
  }

  func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self).replacingOccurrences(of: "\"\"", with: "\"")
      .trimmingCharacters(in: .whitespaces)
  }

  // MARK: Numbers

  /// Whether a field says that there is no value: it is empty or one of the usual words, as pandas
  /// reads them, or `?`.
  func isMissing(_ range: Range<Int>) -> Bool {
    range.count <= 8 && Self.missing.contains(text(range))
  }

  private static let missing: Set = [
    "", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None",
  ]

  /// The finite decimal number in a field; nil if there is none, as in `0x1`.
  ///
  /// Where commas do not separate fields, they may stand for the decimal point.
  func number(_ range: Range<Int>) -> Double? {
    var start = range.lowerBound
    var end = range.upperBound
    while start < end, bytes[start] == 0x20 || bytes[start] == 0x09 { start += 1 }
    while start < end, bytes[end - 1] == 0x20 || bytes[end - 1] == 0x09 { end -= 1 }
    if let value = parseShort(start..<end) { return value }
    let isDecimal = bytes[start..<end].allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x2B, 0x2D, 0x2E, 0x45, 0x65: true  // 0-9 + - . E e
      default: false
      }
    }
    if isDecimal { return Double(String(decoding: bytes[start..<end], as: UTF8.self)) }
    guard separator != UInt8(ascii: ","), start < end else { return nil }
    let text = String(decoding: bytes[start..<end], as: UTF8.self)
    guard text.wholeMatch(of: /[-+]?[0-9]+,[0-9]+/) != nil else { return nil }
    return Double(text.replacingOccurrences(of: ",", with: "."))
  }

  /// A number of up to 15 digits without exponent, exactly: both integers below are exact doubles.
  private func parseShort(_ range: Range<Int>) -> Double? {
    guard range.count <= 17 else { return nil }
    var position = range.lowerBound
    let isNegative = position < range.upperBound && bytes[position] == UInt8(ascii: "-")
    if isNegative { position += 1 }
    var digits = 0
    var mantissa = 0
    var scale: Double?
    while position < range.upperBound {
      let byte = bytes[position]
      if byte == UInt8(ascii: "."), scale == nil {
        scale = 1
      } else if (0x30...0x39).contains(byte) {
        digits += 1
        mantissa = mantissa * 10 + Int(byte - 0x30)
        scale? *= 10
      } else {
        return nil
      }
      position += 1
    }
    guard (1...15).contains(digits) else { return nil }
    let value = Double(mantissa) / (scale ?? 1)
    return isNegative ? -value : value
  }

  /// An error in the field that was read last.
  func failure(_ what: String) -> DataError {
    DataError(.malformed, "\(name): row \(line), column \(column): \(what)")
  }
}
