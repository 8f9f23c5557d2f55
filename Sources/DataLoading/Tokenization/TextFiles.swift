import Base
import Foundation

/// Files of text in UTF-8: each is a document; or, in JSON Lines, each line is one.
package struct TextFiles: Sendable {
  /// The files in their order.
  package let paths: [String]
  /// The key of the text in the objects of JSON Lines.
  package let field: String

  /// Files in this order.
  package init(_ paths: [String], field: String) { (self.paths, self.field) = (paths, field) }

  /// What a path may name.
  package static let expected =
    "a text file, a .jsonl file, a folder of .txt or .jsonl files, or a pattern such as 'texts/*.txt'"

  /// The files that a path names: itself, those that fit its pattern, or the texts in a folder and
  /// its subfolders, in the order of their names; empty if there are none.
  package static func paths(at path: String) -> [String] {
    if isFolder(path) {
      let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
      return names.filter { isTextName($0) && !isFolder(path + "/" + $0) }.sorted {
        $0.utf8.lexicographicallyPrecedes($1.utf8)
      }.map { path + "/" + $0 }
    }
    if FileManager.default.fileExists(atPath: path) { return [path] }
    guard path.contains(where: { "*?[".contains($0) }) else { return [] }
    var matches = glob_t()
    defer { globfree(&matches) }
    guard glob(path, 0, nil, &matches) == 0 else { return [] }
    return (0..<Int(matches.gl_pathc)).compactMap {
      matches.gl_pathv[$0].map { String(cString: $0) }
    }
    .filter { !isFolder($0) }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  private static func isTextName(_ name: String) -> Bool {
    guard !name.split(separator: "/").contains(where: { $0.hasPrefix(".") }) else { return false }
    let name = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
    return name.hasSuffix(".txt") || isJSONLines(name)
  }

  private static func isJSONLines(_ path: String) -> Bool {
    let name = path.hasSuffix(".gz") ? String(path.dropLast(3)) : path
    return name.hasSuffix(".jsonl") || name.hasSuffix(".ndjson")
  }

  /// How much of a file is read at a time.
  private static let partSize = 1 << 22

  /// Calls a closure with each document in turn, in one or more parts.
  ///
  /// Throws a `DataError` for a file that cannot be read, is not UTF-8, or has a line that is not a JSON
  /// object with the text; and what `body` throws.
  ///
  /// - Parameters:
  ///   - isWhole: Whether a document must come in one part; else it may be cut after a letter or a
  ///     digit that a space or a line break follows.
  ///   - body: Gets the bytes of a part, without a byte-order mark, and whether it is the last of its
  ///     document.
  package func forEachPart(
    isWhole: Bool, _ body: (UnsafeBufferPointer<UInt8>, _ endsDocument: Bool) throws -> Void
  ) throws {
    for path in paths {
      let reader = try ByteReader(path: path)
      if TextFiles.isJSONLines(path) {
        try readLines(of: reader) { try body($0, true) }
      } else {
        try TextFiles.readText(of: reader, isWhole: isWhole, body)
      }
    }
  }

  private static func readText(
    of reader: ByteReader, isWhole: Bool,
    _ body: (UTF8Bytes, _ endsDocument: Bool) throws -> Void
  ) throws {
    var place = TextPlace()
    var rest: [UInt8] = []
    var isEnd = false
    while !isEnd {
      Activity.advance()
      let wanted = max(partSize, rest.count)
      let part = try reader.bytes(upTo: wanted)
      isEnd = part.count < wanted
      rest += part
      if isWhole && !isEnd { continue }
      var used = 0
      try rest.withUnsafeBufferPointer { bytes in
        let (valid, _, isCutOff) = bytes.validPrefix()
        if valid < bytes.count, isEnd || !isCutOff {
          throw reader.notUTF8(bytes[valid], at: place.advanced(over: bytes.prefix(valid)))
        }
        let end = isEnd ? valid : lastCut(in: UTF8Bytes(rebasing: bytes[..<valid]))
        guard let end, isEnd || end > 0 else { return }
        var text = UTF8Bytes(rebasing: bytes[..<end])
        if place.byte == 0, text.starts(with: [0xEF, 0xBB, 0xBF]) {
          text = UTF8Bytes(rebasing: text[3...])
        }
        try body(text, isEnd)
        place = place.advanced(over: bytes[..<end])
        used = end
      }
      rest.removeFirst(used)
    }
  }

  /// The last space or line break that follows a letter or a number: none of the patterns has a word
  /// across its beginning, or looks back over it.
  private static func lastCut(in text: UTF8Bytes) -> Int? {
    let classes = CharacterClass.lookup
    var i = text.count - 1
    while i > 0 {
      if text[i] == UInt8(ascii: " ") || text[i] == UInt8(ascii: "\n") {
        var before = i - 1
        while before > 0, text[before] & 0xC0 == 0x80 { before -= 1 }
        switch CharacterClass(rawValue: classes[Int(text.scalar(at: before).value)]) {
        case .letter, .number: return i
        default: break
        }
      }
      i -= 1
    }
    return nil
  }

  private func readLines(of reader: ByteReader, _ body: (UTF8Bytes) throws -> Void) throws {
    let decoder = JSONDecoder()
    decoder.userInfo[JSONLine.field] = field
    var line = 0
    var before = 0  // the bytes before `rest`
    var rest: [UInt8] = []
    var isEnd = false
    while !isEnd {
      Activity.advance()
      let wanted = max(TextFiles.partSize, rest.count)
      let part = try reader.bytes(upTo: wanted)
      isEnd = part.count < wanted
      rest += part
      var start = 0
      while start < rest.count {
        let lineBreak = rest[start...].firstIndex(of: UInt8(ascii: "\n"))
        guard let end = lineBreak ?? (isEnd ? rest.count : nil) else { break }
        line += 1
        let content = rest[start..<end]
        let valid = content.withUnsafeBufferPointer { $0.validPrefix().count }
        guard valid == content.count else {
          throw reader.notUTF8(
            rest[start + valid], at: TextPlace(byte: before + start + valid, line: line))
        }
        start = end + 1
        if content.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
        let text = try JSONLine.text(content, decoder, field) { reason in
          reader.malformed("line \(line) \(reason)")
        }
        try text.withUTF8Bytes(body)
      }
      before += min(start, rest.count)
      rest.removeFirst(min(start, rest.count))
    }
  }
}

/// A place in a text, for messages.
struct TextPlace {
  /// The bytes before it.
  var byte = 0
  /// The number of the line, from 1.
  var line = 1

  /// The place after some bytes.
  func advanced(over bytes: some Collection<UInt8>) -> TextPlace {
    var place = self
    place.byte += bytes.count
    place.line += bytes.lazy.filter { $0 == UInt8(ascii: "\n") }.count
    return place
  }
}

extension ByteReader {
  /// The error of a byte that is not UTF-8 where it is.
  func notUTF8(_ byte: UInt8, at place: TextPlace) -> DataError {
    malformed(
      "byte \(place.byte) is \(byte), which is not UTF-8 there (line \(place.line)): "
        + "convert the text, or name a file of tokens .bin")
  }
}

/// The text in a line of JSON Lines.
private struct JSONLine: Decodable {
  static let field = CodingUserInfoKey(rawValue: "field")!

  let text: String?
  let keys: [String]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: JSONKey.self)
    let key = JSONKey(decoder.userInfo[JSONLine.field] as! String)
    text = try? container.decode(String.self, forKey: key)
    keys = text == nil ? container.allKeys.map(\.stringValue).sorted() : []
  }

  /// The text in a line's object.
  static func text(
    _ line: ArraySlice<UInt8>, _ decoder: JSONDecoder, _ field: String,
    _ malformed: (String) -> DataError
  ) throws -> String {
    let object: JSONLine
    do {
      object = try decoder.decode(JSONLine.self, from: Data(line))
    } catch {
      throw malformed(
        "is not a JSON object: '\(String(decoding: line.prefix(40), as: UTF8.self))': correct or "
          + "remove it")
    }
    guard let text = object.text else {
      let keys = object.keys.prefix(8).map { "'\($0.prefix(40))'" }.joined(separator: ", ")
      throw malformed(
        "has no text in '\(field)': its keys are \(keys); 'textField' says which has the text")
    }
    return text
  }
}
