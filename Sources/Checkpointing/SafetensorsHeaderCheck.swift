import Foundation

/// Refuses in a header what `JSONDecoder` accepts: a key twice (it takes the first, other readers the
/// last), a comma before a closing bracket, numbers that are not natural (it takes 1.0 and 1e3 for
/// integers), text in UTF-16, and nesting that no header has.
///
/// Whether the rest is JSON is left to the decoder.
struct SafetensorsHeaderCheck {
  /// What is wrong, and where in the header.
  struct Failure: Error {
    let reason: String
    let offset: Int
  }

  /// The depth of a shape: in a tensor, in the header.
  private static let maximumDepth = 3

  private let bytes: UnsafeRawBufferPointer
  private var position = 0
  /// For each open bracket the keys so far; nil for a list.
  private var keys: [Set<String>?] = []

  private init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  /// The first fault of a header; nil if there is none.
  static func firstFault(in bytes: UnsafeRawBufferPointer) -> Failure? {
    var check = SafetensorsHeaderCheck(bytes)
    do throws(Failure) {
      try check.run()
      return nil
    } catch {
      return error
    }
  }

  private mutating func run() throws(Failure) {
    var previous: UInt8 = 0
    while position < bytes.count {
      let byte = bytes[position]
      switch byte {
      case UInt8(ascii: "\""): try checkString()
      case UInt8(ascii: "{"), UInt8(ascii: "["):
        keys.append(byte == UInt8(ascii: "{") ? [] : nil)
        guard keys.count <= Self.maximumDepth else {
          throw failure("nested deeper than \(Self.maximumDepth)")
        }
      case UInt8(ascii: "}"), UInt8(ascii: "]"):
        guard previous != UInt8(ascii: ",") else { throw failure("nothing follows a comma") }
        _ = keys.popLast()
      case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: ","): break
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"):
        position += 1
        continue
      default: throw failure("neither a natural number nor a string, a list or an object")
      }
      previous = byte
      position += 1
    }
  }

  private func failure(_ reason: String) -> Failure { Failure(reason: reason, offset: position) }

  /// Moves to the end of a string, and notes it if it is a key.
  private mutating func checkString() throws(Failure) {
    let start = position
    position += 1
    var hasEscapes = false
    while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
      if bytes[position] == UInt8(ascii: "\\") {
        hasEscapes = true
        position += 1
      }
      position += 1
    }
    guard position < bytes.count else {
      throw Failure(reason: "a string does not end", offset: start)
    }
    let next = bytes[(position + 1)...].first { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }
    guard next == UInt8(ascii: ":"), !keys.isEmpty else { return }
    let text = bytes[start...position]
    // A key may be written in several ways: "w" is "\u0077".
    let key =
      hasEscapes
      ? try? JSONDecoder().decode(String.self, from: Data(text))
      : String(validating: text.dropFirst().dropLast(), as: UTF8.self)
    guard let key else { throw Failure(reason: "a key is not valid text", offset: start) }
    if keys[keys.count - 1]?.insert(key).inserted == false {
      throw Failure(reason: "the key '\(key.prefix(80))' appears twice", offset: start)
    }
  }
}
