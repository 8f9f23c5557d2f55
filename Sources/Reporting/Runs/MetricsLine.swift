import Base
import Foundation
package import Training

/// A number of a line of metrics.jsonl; the name is its key.
package enum MetricsField: Int, CaseIterable, Sendable {
  case time, elapsed, loss, accuracy, learningRate, gradientNorm, samplesPerSecond, dataWait
  case communication, memory, seconds, samples, perplexity, bitsPerByte

  /// The keys, by raw value.
  fileprivate static let keys = allCases.map { Array("\($0)".utf8) }
}

/// A line of metrics.jsonl; what is missing or no number is nil.
package struct MetricsLine: Sendable {
  /// What it measures.
  package let kind: MetricsKind
  /// The optimizer steps done.
  package let step: Int
  /// The epoch of the last of them.
  package let epoch: Int
  /// The seconds of each rank in an epoch, by phase.
  package private(set) var phases: [String: [Double]] = [:]
  /// The numbers of all fields; meaningless where the field is missing.
  private let numbers: [Double]
  /// A bit for each field that is there.
  private let present: UInt32

  /// The value of a field.
  package subscript(field: MetricsField) -> Double? {
    present & (1 << field.rawValue) == 0 ? nil : numbers[field.rawValue]
  }

  /// Reads a line; nil if it is torn or no record.
  init?(_ bytes: ArraySlice<UInt8>) {
    guard let line = bytes.withUnsafeBufferPointer({ MetricsLine(flat: $0) }) else { return nil }
    self = line
    guard kind == .epoch else { return }
    struct Phases: Decodable { var phases: [String: [Double]]? }
    phases = (try? JSON.decode(Phases.self, from: bytes))?.phases ?? [:]
  }

  /// Reads all but the phases.
  private init?(flat bytes: UnsafeBufferPointer<UInt8>) {
    var reader = FlatObjectReader(bytes)
    var numbers = [Double](repeating: 0, count: MetricsField.keys.count)
    var present: UInt32 = 0
    var (kind, step, epoch): (MetricsKind?, Int?, Int?)
    // Keys mostly come in the same order.
    var expected = 0
    while let (key, value) = reader.next() {
      if let index = MetricsLine.index(of: key, from: expected) {
        expected = index + 1
        guard let number = FlatObjectReader.number(value) else { continue }
        numbers[index] = number
        present |= 1 << index
      } else if key.elementsEqual("kind".utf8) {
        kind = FlatObjectReader.text(value).flatMap(MetricsKind.init)
      } else if key.elementsEqual("step".utf8) {
        step = FlatObjectReader.number(value).flatMap { Int(exactly: $0) }
      } else if key.elementsEqual("epoch".utf8) {
        epoch = FlatObjectReader.number(value).flatMap { Int(exactly: $0) }
      }
    }
    guard reader.isComplete, let kind, let step, let epoch, step >= 0 else { return nil }
    (self.kind, self.step, self.epoch) = (kind, step, epoch)
    (self.numbers, self.present) = (numbers, present)
  }

  /// The field with a key; the search begins at an index.
  private static func index(
    of key: UnsafeBufferPointer<UInt8>, from expected: Int
  ) -> Int? {
    let keys = MetricsField.keys
    for offset in keys.indices {
      let index = (expected + offset) % keys.count
      let name = keys[index]
      if name.count == key.count, memcmp(name, key.baseAddress!, key.count) == 0 { return index }
    }
    return nil
  }
}

/// Reads a JSON object key by key without decoding what it holds: logs have a million lines, and
/// `JSONDecoder` takes many microseconds for each.
private struct FlatObjectReader {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var place = 0
  /// Whether the object's end was read, and nothing follows.
  private(set) var isComplete = false

  init(_ bytes: UnsafeBufferPointer<UInt8>) {
    self.bytes = bytes
    skipSpaces()
    if byte == UInt8(ascii: "{") { place += 1 } else { place = bytes.count }
  }

  /// The next byte; 0 at the end.
  private var byte: UInt8 { place < bytes.count ? bytes[place] : 0 }

  /// The next key with its value as it stands there; nil at the end, or where there is no JSON.
  mutating func next() -> (key: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>)? {
    skipSpaces()
    if byte == UInt8(ascii: "}") {
      place += 1
      skipSpaces()
      isComplete = place == bytes.count
      return nil
    }
    guard let key = string(), !key.isEmpty else { return nil }
    skipSpaces()
    guard byte == UInt8(ascii: ":") else { return nil }
    place += 1
    skipSpaces()
    guard let value = value() else { return nil }
    skipSpaces()
    if byte == UInt8(ascii: ",") { place += 1 }
    return (UnsafeBufferPointer(rebasing: key.dropFirst().dropLast()), value)
  }

  private mutating func skipSpaces() {
    while byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\r") {
      place += 1
    }
  }

  private func part(from start: Int) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(rebasing: bytes[start..<place])
  }

  /// A string with its quotes.
  private mutating func string() -> UnsafeBufferPointer<UInt8>? {
    guard byte == UInt8(ascii: "\"") else { return nil }
    let start = place
    place += 1
    while place < bytes.count, bytes[place] != UInt8(ascii: "\"") {
      place += bytes[place] == UInt8(ascii: "\\") ? 2 : 1
    }
    guard place < bytes.count else { return nil }
    place += 1
    return part(from: start)
  }

  /// A value of any kind, of which lists and objects are passed over; a byte follows it.
  private mutating func value() -> UnsafeBufferPointer<UInt8>? {
    let start = place
    var depth = 0
    while place < bytes.count {
      switch bytes[place] {
      case UInt8(ascii: "\""):
        guard let text = string() else { return nil }
        if depth == 0 { return text }
        continue
      case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "]") where depth > 0, UInt8(ascii: "}") where depth > 0:
        depth -= 1
        if depth == 0 {
          place += 1
          return part(from: start)
        }
      case UInt8(ascii: ","), UInt8(ascii: "}"), UInt8(ascii: "]"):
        if depth == 0 { return place > start ? part(from: start) : nil }
      default: break
      }
      place += 1
    }
    return nil
  }

  /// A value as text; nil if it is no string.
  static func text(_ value: UnsafeBufferPointer<UInt8>) -> String? {
    guard value.first == UInt8(ascii: "\"") else { return nil }
    return String(decoding: value.dropFirst().dropLast(), as: UTF8.self)
  }

  /// A value as a number, also one that stands as a string because JSON has none for it.
  static func number(_ value: UnsafeBufferPointer<UInt8>) -> Double? {
    switch value[0] {
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
      // The byte after the value ends it.
      strtod(UnsafeRawPointer(value.baseAddress!).assumingMemoryBound(to: CChar.self), nil)
    case UInt8(ascii: "\""):
      switch text(value) {
      case "NaN": .nan
      case "Infinity": .infinity
      case "-Infinity": -.infinity
      default: nil
      }
    default: nil
    }
  }
}
