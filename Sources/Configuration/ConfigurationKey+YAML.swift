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
    return unchecked(node).flatMap(declaration.accepted)
  }

  /// The value of a node, which may be out of bounds; nil if it is of another type.
  private func unchecked(_ node: Node) -> SettingValue? {
    switch declaration.type {
    case .boolean:
      node.plainText == "true" ? true : node.plainText == "false" ? false : nil
    case .integer: node.plainText.flatMap(Int.init(strict:)).map { .integer($0) }
    case .number: node.plainText.flatMap(Double.init(strict:)).map { .number($0) }
    case .text, .fileName, .word: node.scalar.map { .text($0.string) }
    case .integers:
      list(node) { $0.plainText.flatMap(Int.init(strict:)) }.map { .integers($0) }
    case .numbers:
      list(node) { $0.plainText.flatMap(Double.init(strict:)) }.map { .numbers($0) }
    case .texts: list(node) { $0.scalar?.string }.map { .texts($0) }
    }
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
}

extension Node {
  /// The text of a scalar without quotes.
  var plainText: String? {
    scalar.flatMap { $0.style == .plain ? $0.string : nil }
  }
}

extension Int {
  /// A decimal integer; `010`, `0x10` and `1_000` mean different things to different readers.
  init?(strict text: String) {
    guard text.wholeMatch(of: /-?(0|[1-9][0-9]*)/) != nil else { return nil }
    self.init(text)
  }
}

extension Double {
  /// A finite decimal number, such as `3`, `0.5`, `.5` or `1e-4`.
  init?(strict text: String) {
    guard
      text.wholeMatch(of: /[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?/) != nil,
      let value = Double(text), value.isFinite
    else { return nil }
    self = value
  }
}
