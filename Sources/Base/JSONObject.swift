/// A JSON object whose keys are written in the order in which they are given.
///
/// `JSONEncoder` sorts keys or leaves their order to chance. People read our lines from left to
/// right, and scripts match their beginning; a checkpoint's manifest must have the same bytes each
/// time.
package struct JSONObject: Encodable, ExpressibleByDictionaryLiteral, Sendable {
  /// A string, number, boolean, optional, list or object.
  package typealias Value = any Encodable & Sendable

  /// The keys with their values, in order.
  package private(set) var members: [(key: String, value: Value)]

  /// An object of keys and values in order.
  package init(_ members: [(key: String, value: Value)] = []) {
    self.members = members
  }

  /// An object of keys and values in order.
  package init(dictionaryLiteral elements: (String, Value)...) {
    members = elements.map { (key: $0.0, value: $0.1) }
  }

  /// Adds a key, which must be a new one.
  package mutating func append(_ key: String, _ value: Value) {
    members.append((key: key, value: value))
  }

  /// The members of both, which must have no key in common.
  package static func + (first: JSONObject, second: JSONObject) -> JSONObject {
    JSONObject(first.members + second.members)
  }

  /// The object on one line.
  package var text: String {
    "{" + members.map { Self.text($0.key) + ":" + Self.text($0.value) }.joined(separator: ",") + "}"
  }

  /// A member's value as JSON.
  package static func text(_ value: Value) -> String {
    switch value {
    case let object as JSONObject: object.text
    // JSONEncoder writes 1 for 1.0, which many readers take for an integer.
    case let number as Double where number.isFinite: number.description
    case let number as Float where number.isFinite: number.description
    // The encoder takes a microsecond for each, and a step that is logged has a dozen.
    case let number as Int: number.description
    case let text as String where text.utf8.allSatisfy(isPlain): "\"\(text)\""
    case let list as [Value]: "[" + list.map(text).joined(separator: ",") + "]"
    default: JSON.text(value)
    }
  }

  /// Whether a character stands for itself in a string.
  private static func isPlain(_ byte: UInt8) -> Bool {
    (0x20..<0x7F).contains(byte) && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
  }

  /// Encodes the members, in the order that the encoder chooses.
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: JSONKey.self)
    for (key, value) in members { try container.encode(value, forKey: JSONKey(key)) }
  }
}

/// Any key of an object.
package struct JSONKey: CodingKey {
  /// The key.
  package let stringValue: String
  /// No index.
  package var intValue: Int? { nil }

  /// A key.
  package init(_ stringValue: String) { self.stringValue = stringValue }
  /// A key.
  package init(stringValue: String) { self.init(stringValue) }
  /// No key: objects have no indices.
  package init?(intValue: Int) { nil }
}
