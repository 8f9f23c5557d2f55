import Foundation

/// How all our files of JSON are written and read: NaN and the infinities, for which JSON has no
/// number, as the strings `NaN`, `Infinity` and `-Infinity`.
package enum JSON {
  private static let encoder: JSONEncoder = {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    return encoder
  }()

  private static let decoder: JSONDecoder = {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
    return decoder
  }()

  /// A value as JSON on one line, its keys sorted; a string is also a double-quoted scalar of YAML.
  package static func text(_ value: any Encodable) -> String {
    do {
      return escaped(String(decoding: try encoder.encode(value), as: UTF8.self))
    } catch {
      preconditionFailure("JSON.text: \(type(of: value)) cannot be encoded: \(error)")
    }
  }

  /// Escapes what JSON allows in a string, but YAML takes for a line break or refuses.
  private static func escaped(_ text: String) -> String {
    func needsEscape(_ scalar: Unicode.Scalar) -> Bool {
      (0x7F...0x9F).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value)
    }
    guard text.unicodeScalars.contains(where: needsEscape) else { return text }
    return text.unicodeScalars.reduce(into: "") { result, scalar in
      if needsEscape(scalar) {
        result += "\\u" + String(0x10000 + scalar.value, radix: 16).suffix(4)
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
  }

  /// Reads a value.
  package static func decode<Value: Decodable>(
    _ type: Value.Type = Value.self, from bytes: some Sequence<UInt8>
  ) throws(JSONError) -> Value {
    do {
      return try decoder.decode(type, from: Data(bytes))
    } catch {
      throw JSONError(error)
    }
  }
}

/// JSON that cannot be read, or does not hold what was expected.
package struct JSONError: Error, Equatable, CustomStringConvertible {
  /// What is wrong, with the key where there is one.
  package let description: String

  /// An error of `JSONDecoder`.
  init(_ error: any Error) {
    description =
      switch error {
      case DecodingError.keyNotFound(let key, let context):
        "'\(JSONError.path(context.codingPath + [key]))' is missing"
      case DecodingError.valueNotFound(let type, let context):
        "'\(JSONError.path(context.codingPath))' is null, not \(JSONError.name(of: type))"
      case DecodingError.typeMismatch(let type, let context) where context.codingPath.isEmpty:
        "it is not \(JSONError.name(of: type))"
      case DecodingError.typeMismatch(let type, let context):
        "'\(JSONError.path(context.codingPath))' is not \(JSONError.name(of: type))"
      case DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty:
        "'\(JSONError.path(context.codingPath))': \(context.debugDescription)"
      case DecodingError.dataCorrupted:
        // JSONDecoder tells neither the place nor which of the two it is.
        "it is not valid JSON, or a number in it is out of range"
      default: "\(error)"
      }
  }

  /// A path such as `files[2].bytes`.
  private static func path(_ keys: [any CodingKey]) -> String {
    keys.reduce("") { path, key in
      if let index = key.intValue { return "\(path)[\(index)]" }
      let name = key.stringValue.prefix(80)
      return path.isEmpty ? String(name) : "\(path).\(name)"
    }
  }

  /// A type in the words of JSON.
  private static func name(of type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a string"
    case is Bool.Type: "true or false"
    case is any BinaryInteger.Type: "an integer"
    case is any FloatingPoint.Type: "a number"
    case is [Any].Type: "a list"
    default: "an object"
    }
  }
}
