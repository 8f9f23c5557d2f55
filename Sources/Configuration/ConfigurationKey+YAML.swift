import Base
public import Settings
import Yams

// Values of keys as YAML, read and written.

extension ConfigurationKey {
  /// The value as YAML that reads back to it, here and in readers with other rules for numbers.
  public func yaml(_ value: SettingValue) -> String {
    switch value {
    case .text(let text):
      if case .word = declaration.type {
        // Other readers take these for truth values.
        return ["yes", "no"].contains(text) ? "\"\(text)\"" : text
      }
      return JSON.text(text)
    case .number(let value): return ConfigurationKey.yaml(value)
    case .numbers(let values):
      return "[" + values.map(ConfigurationKey.yaml).joined(separator: ", ") + "]"
    case .texts(let texts): return "[" + texts.map(JSON.text).joined(separator: ", ") + "]"
    case .null, .boolean, .integer, .integers: return value.description
    }
  }

  /// A number that readers of YAML do not take for text, as they do `1e-4`.
  private static func yaml(_ value: Double) -> String {
    let digits = value.description
    guard let e = digits.firstIndex(of: "e"), !digits.contains(".") else { return digits }
    return digits[..<e] + ".0" + digits[e...]
  }

  /// The value of a node of a file; nil if it is of another type or out of bounds.
  func value(of node: Node) -> SettingValue? {
    let isNull = node.plainText.map { ["", "~", "null"].contains($0) } ?? false
    if isNull {
      // A key that only some kinds have is not set where it is null.
      return declaration.isOptional || !kinds.isEmpty ? .null : nil
    }
    let value: SettingValue?
    switch declaration.type {
    case .boolean:
      value = node.plainText == "true" ? true : node.plainText == "false" ? false : nil
    case .integer: value = node.plainText.flatMap(Int.init(strict:)).map { .integer($0) }
    case .number: value = node.plainText.flatMap(Double.init(strict:)).map { .number($0) }
    case .text, .fileName, .word: value = node.scalar.map { .text($0.string) }
    case .integers:
      value = list(node) { $0.plainText.flatMap(Int.init(strict:)) }.map { .integers($0) }
    case .numbers:
      value = list(node) { $0.plainText.flatMap(Double.init(strict:)) }.map { .numbers($0) }
    case .texts: value = list(node) { $0.scalar?.string }.map { .texts($0) }
    }
    return value.flatMap(declaration.accepted)
  }

  /// The elements of a list, or the only one without brackets; nil if an element is of another type.
  private func list<Element>(_ node: Node, _ element: (Node) -> Element?) -> [Element]? {
    guard case .sequence(let nodes) = node else { return element(node).map { [$0] } }
    let values = nodes.compactMap(element)
    return values.count == nodes.count ? values : nil
  }

  /// The value of a `--set` option as a node.
  func node(override text: String) -> Node {
    if declaration.isOptional && text == "null" { return Node(text, .implicit, .plain) }
    switch declaration.type {
    case .text, .fileName:
      // On the command line empty text needs no quotes: the shell has removed them.
      return Node(text, .implicit, .doubleQuoted)
    case .integers, .numbers, .texts: return list(text)
    case .boolean, .integer, .number, .word:
      // Nothing is not null here, which a shell's empty variable would make of a value.
      return Node(text, .implicit, text.isEmpty ? .doubleQuoted : .plain)
    }
  }

  /// A list with or without brackets.
  private func list(_ text: String) -> Node {
    let isBracketed = text.hasPrefix("[") && text.hasSuffix("]") && text.count >= 2
    let inner = isBracketed ? text.dropFirst().dropLast() : text[...]
    if inner.allSatisfy(\.isWhitespace) && isBracketed { return Node([] as [Node]) }
    return Node(
      inner.split(separator: ",", omittingEmptySubsequences: false).map { piece in
        Node(piece.split(whereSeparator: \.isWhitespace).joined(separator: " "), .implicit, .plain)
      })
  }

  /// Why a value is refused that other readers of YAML would accept.
  func hint(for node: Node) -> String {
    guard case .scalar(let scalar) = node else { return "" }
    let (text, isQuoted) = (scalar.string, scalar.style != .plain)
    switch declaration.type {
    case .integer where isQuoted, .number where isQuoted, .boolean where isQuoted:
      return ", which quotes make a text"
    case .integer where text.contains(".") || text.lowercased().contains("e"):
      return ", which is not written as an integer"
    case .integer where text.hasPrefix("0"), .number where text.hasPrefix("0"):
      return ", whose meaning differs between readers of YAML"
    default: return ""
    }
  }
}

extension Node {
  /// The text of a scalar without quotes.
  fileprivate var plainText: String? {
    scalar.flatMap { $0.style == .plain ? $0.string : nil }
  }
}

extension Int {
  /// A decimal integer; `010`, `0x10` and `1_000` mean different things to different readers.
  fileprivate init?(strict text: String) {
    guard text.wholeMatch(of: /-?(0|[1-9][0-9]*)/) != nil else { return nil }
    self.init(text)
  }
}

extension Double {
  /// A finite decimal number, such as `3`, `0.5`, `.5` or `1e-4`.
  fileprivate init?(strict text: String) {
    guard
      text.wholeMatch(of: /[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?/) != nil,
      let value = Double(text), value.isFinite
    else { return nil }
    self = value
  }
}
