import Base
import Foundation
import Settings

/// Comma-separated numbers, a sample in each line: columns of inputs and one of the target.
///
/// Fields may be quoted, lines may end in LF, CRLF or CR, a byte-order mark and blank lines are
/// skipped. Every field must be a finite decimal number. A first line with a field that is not a number
/// is a header, unless `header` says otherwise.
enum CSV {
  /// Reads all samples; the inputs are divided by `divisor`.
  static func read(_ reader: ByteReader, options: CSVSource, divisor: Float = 1) throws -> Samples {
    let bytes = try reader.remainingBytes()
    return try bytes.withUnsafeBufferPointer { bytes in
      var parser = CSVParser(name: reader.name, bytes: bytes)
      return try parser.samples(options: options, divisor: divisor)
    }
  }

  /// Reads rows of `width` numbers without a target; a first row with a field that is not a number is
  /// a header.
  static func rows(_ reader: ByteReader, width: Int) throws -> [Float] {
    let bytes = try reader.remainingBytes()
    return try bytes.withUnsafeBufferPointer { bytes in
      var parser = CSVParser(name: reader.name, bytes: bytes)
      return try parser.rows(width: width)
    }
  }

  /// Reads a file, or the same with `.gz` added to its name; nil if there is neither.
  static func samples(path: String, options: CSVSource) throws -> Samples? {
    let found = [path, path + ".gz"].first { FileManager.default.fileExists(atPath: $0) }
    return try found.map { try read(ByteReader(path: $0), options: options) }
  }
}

/// Parses bytes in one pass, field by field.
private struct CSVParser {
  /// The range of a field's text, without quotes, and whether the field ends its line.
  private struct Field {
    let text: Range<Int>
    let isLast: Bool
  }

  private static let longestField = 4_096
  private static let mostColumns = 1 << 20

  let name: String
  let bytes: UnsafeBufferPointer<UInt8>
  var position = 0
  var line = 1  // where the current row begins
  var column = 0  // of the field read last, counted from one
  var newlines = 0  // since the current row's beginning

  init(name: String, bytes: UnsafeBufferPointer<UInt8>) {
    self.name = name
    self.bytes = bytes
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
  }

  mutating func samples(options: CSVSource, divisor: Float) throws -> Samples {
    let (columns, header) = try start(options.header)
    let target = try targetColumn(options.labelColumn, of: columns, header: header)
    guard columns > 1 else {
      throw failure("only one column: at least one input and the target are needed")
    }
    let inputShape = options.inputShape ?? [columns - 1]
    guard !inputShape.isEmpty, inputShape.elementCount == columns - 1 else {
      throw SettingError(
        "inputShape",
        "is \(inputShape), which does not hold the \(columns - 1) inputs of a row of \(name)"
      )
    }
    let isClasses = options.target != .values
    var inputs: [Float] = []
    var labels: [Int32] = []
    var values: [Float] = []
    while startRow() {
      for index in 0..<columns {
        let field = try nextField()
        guard field.isLast == (index == columns - 1) else {
          throw failure(
            field.isLast
              ? "the row ends after \(index + 1) of \(columns) columns"
              : "the row has more columns than the first one, which has \(columns)")
        }
        let value = try number(field)
        if index != target {
          inputs.append(Float(value) / divisor)
        } else if isClasses {
          labels.append(try label(value, classes: options.classes))
        } else {
          values.append(Float(value))
        }
      }
    }
    let count = isClasses ? labels.count : values.count
    guard count > 0 else { throw DataError(.malformed, "\(name): no samples") }
    return Samples(
      name: name, inputs: inputs, inputShape: inputShape,
      targets: isClasses ? .labels(labels) : .values(values), count: count)
  }

  mutating func rows(width: Int) throws -> [Float] {
    guard startRow() else { throw DataError(.malformed, "\(name): no samples") }
    let (columns, header) = try start(.auto)
    guard header == nil || columns == width else {
      throw failure(
        "the header has \(count(columns, "column")); the model takes \(width), without a label")
    }
    var numbers: [Float] = []
    while startRow() {
      for index in 0..<width {
        let field = try nextField()
        guard field.isLast == (index == width - 1) else {
          throw failure(
            "the row has \(field.isLast ? "\(index + 1)" : "more than \(width)") columns; the model "
              + "takes \(width), without a label")
        }
        numbers.append(Float(try number(field)))
      }
    }
    guard !numbers.isEmpty else { throw DataError(.malformed, "\(name): no samples") }
    return numbers
  }

  /// Counts the columns of the first row, and skips the row if it is a header.
  private mutating func start(
    _ header: CSVSource.Header
  ) throws -> (columns: Int, header: [String]?) {
    guard startRow() else { throw DataError(.malformed, "\(name): empty") }
    let start = (position, line)
    var fields: [Field] = []
    repeat {
      fields.append(try nextField())
      guard fields.count <= Self.mostColumns else {
        throw failure("more than \(Self.mostColumns) columns")
      }
    } while !fields[fields.count - 1].isLast
    let hasHeader =
      switch header {
      case .auto: fields.contains { isName($0.text) }
      case .yes: true
      case .no: false
      }
    if hasHeader {
      return (fields.count, fields.map { text($0.text) })
    }
    (position, line) = start
    newlines = 0
    return (fields.count, nil)
  }

  /// The target column: by its name in the header, by its number from 1, or the last.
  private func targetColumn(_ wanted: String?, of columns: Int, header: [String]?) throws -> Int {
    guard let wanted else { return columns - 1 }
    if let index = header?.firstIndex(of: wanted) { return index }
    if let number = Int(wanted), (1...columns).contains(number) { return number - 1 }
    let known = header.map { "the header has \($0.prefix(20).joined(separator: ", "))" }
    throw SettingError(
      "labelColumn",
      "is '\(wanted)', which is not a column of \(name): \(known ?? "there is no header"), and "
        + "numbers are 1...\(columns)")
  }

  private func label(_ value: Double, classes: Int?) throws -> Int32 {
    guard let label = Int32(exactly: value), label >= 0 else {
      throw failure(
        "the label \(value) is not a whole number from 0: to predict numbers, set 'target' to values"
      )
    }
    if let classes, label >= classes {
      throw failure("the label \(label) is out of range: 'classes' is \(classes)")
    }
    return label
  }

  // MARK: Fields

  /// Moves to the next row that is not blank; false at the end.
  private mutating func startRow() -> Bool {
    line += newlines
    newlines = 0
    column = 0
    while position < bytes.count {
      var end = position
      while end < bytes.count, bytes[end] == UInt8(ascii: " ") || bytes[end] == UInt8(ascii: "\t") {
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

  private mutating func nextField() throws -> Field {
    column += 1
    let isQuoted = position < bytes.count && bytes[position] == UInt8(ascii: "\"")
    let text = isQuoted ? try quotedText() : try plainText()
    guard position < bytes.count else { return Field(text: text, isLast: true) }
    if bytes[position] == UInt8(ascii: ",") {
      position += 1
      return Field(text: text, isLast: false)
    }
    guard isNewline(bytes[position]) else { throw failure("text after the closing quote") }
    takeNewline()
    return Field(text: text, isLast: true)
  }

  private mutating func plainText() throws -> Range<Int> {
    let start = position
    while position < bytes.count, bytes[position] != UInt8(ascii: ","), !isNewline(bytes[position])
    {
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

  private func text(_ range: Range<Int>) -> String {
    String(decoding: bytes[range], as: UTF8.self).replacingOccurrences(of: "\"\"", with: "\"")
      .trimmingCharacters(in: .whitespaces)
  }

  // MARK: Numbers

  private func number(_ field: Field) throws -> Double {
    guard let value = parse(field.text) else {
      let shown = String(text(field.text).prefix(40))
      throw failure(shown.isEmpty ? "no number" : "'\(shown)' is not a number")
    }
    guard Float(value).isFinite else {
      throw failure("\(text(field.text).prefix(40)) is beyond the range of 32-bit floats")
    }
    return value
  }

  /// Whether a field is no number in any notation: `0x10` and `nan` are refused, not taken for names.
  private func isName(_ range: Range<Int>) -> Bool {
    parse(range) == nil && Double(text(range)) == nil
  }

  /// The decimal number in a field; nil if there is none, as in `nan` and `0x1`.
  private func parse(_ range: Range<Int>) -> Double? {
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
    return isDecimal ? Double(String(decoding: bytes[start..<end], as: UTF8.self)) : nil
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

  private func failure(_ what: String) -> DataError {
    DataError(.malformed, "\(name): row \(line), column \(column): \(what)")
  }
}
