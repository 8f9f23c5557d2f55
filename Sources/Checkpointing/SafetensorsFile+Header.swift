import Base
import Foundation

// The header of a file, with all rules of the format checked: nothing in it is trusted.

extension SafetensorsFile {
  /// The bytes of the header, and where the tensors' bytes begin.
  private static func headerBytes(
    of data: Data, path: String
  ) throws(SafetensorsError) -> (header: Data, dataStart: Int) {
    func failure(_ reason: String, at offset: Int) -> SafetensorsError {
      SafetensorsError(path: path, reason: reason, offset: offset)
    }
    guard data.count >= 8 else {
      throw failure("\(data.count) bytes are too few for the length of a header", at: 0)
    }
    let length = data.withUnsafeBytes {
      UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self))
    }
    guard length <= UInt64(maximumHeaderByteCount) else {
      throw failure("a header of \(length) bytes exceeds the permitted 100000000", at: 0)
    }
    guard Int(length) <= data.count - 8 else {
      throw failure("the file has \(data.count) bytes, its header alone claims \(length)", at: 0)
    }
    let start = 8 + Int(length)
    let header = data.dropFirst(8).prefix(Int(length))
    guard header.first == UInt8(ascii: "{") else {
      throw failure("the header does not begin with '{'", at: 8)
    }
    if let fault = header.withUnsafeBytes(SafetensorsHeaderCheck.firstFault) {
      throw failure(fault.reason, at: 8 + fault.offset)
    }
    return (header, start)
  }

  /// The tensors of a file in the order of their bytes, and the strings of `__metadata__`.
  static func contents(
    of data: Data, path: String
  ) throws(SafetensorsError) -> ([Entry], [String: String]) {
    let (bytes, start) = try headerBytes(of: data, path: path)
    let header: Header
    do throws(JSONError) {
      header = try JSON.decode(from: bytes)
    } catch {
      throw SafetensorsError(path: path, reason: "the header: \(error)", offset: nil)
    }
    var entries: [Entry] = []
    for (name, tensor) in header.tensors {
      do throws(EntryError) {
        entries.append(try tensor.entry(named: name, dataStart: start))
      } catch {
        throw SafetensorsError(
          path: path, reason: "tensor '\(name.prefix(80))': \(error.reason)", offset: nil)
      }
    }
    entries.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound)
        < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    try requireNoGaps(between: entries, from: start, to: data.count, path: path)
    return (entries, header.metadata)
  }

  /// Throws unless each tensor begins where the one before it ends, up to the end of the file.
  private static func requireNoGaps(
    between entries: [Entry], from start: Int, to fileEnd: Int, path: String
  ) throws(SafetensorsError) {
    var end = start
    for entry in entries {
      guard entry.byteRange.lowerBound == end else {
        let fault = entry.byteRange.lowerBound < end ? "overlap others" : "leave a hole before them"
        throw SafetensorsError(
          path: path, reason: "the bytes of tensor '\(entry.name.prefix(80))' \(fault)",
          offset: end)
      }
      end = entry.byteRange.upperBound
    }
    guard end == fileEnd else {
      throw SafetensorsError(
        path: path, reason: "the tensors end at byte \(end), the file has \(fileEnd)",
        offset: min(end, fileEnd))
    }
  }
}

/// The header: a tensor for each key but `__metadata__`.
private struct Header: Decodable {
  let metadata: [String: String]
  let tensors: [(name: String, tensor: HeaderEntry)]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: JSONKey.self)
    let metadataKey = JSONKey("__metadata__")
    metadata =
      container.contains(metadataKey)
      ? try container.decode([String: String].self, forKey: metadataKey) : [:]
    tensors = try container.allKeys.filter { $0.stringValue != metadataKey.stringValue }
      .map { ($0.stringValue, try container.decode(HeaderEntry.self, forKey: $0)) }
  }
}

/// What the header says of a tensor.
private struct HeaderEntry: Decodable {
  let dataType: String
  let shape: [Int]
  let offsets: [Int]

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: JSONKey.self)
    let unknown = container.allKeys.first {
      !["dtype", "shape", "data_offsets"].contains($0.stringValue)
    }
    if let unknown {
      throw DecodingError.dataCorruptedError(
        forKey: unknown, in: container, debugDescription: "unknown key")
    }
    dataType = try container.decode(String.self, forKey: JSONKey("dtype"))
    shape = try container.decode([Int].self, forKey: JSONKey("shape"))
    offsets = try container.decode([Int].self, forKey: JSONKey("data_offsets"))
  }

  /// The tensor, if type, shape and place fit together.
  func entry(named name: String, dataStart: Int) throws(EntryError) -> SafetensorsFile.Entry {
    guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
      throw EntryError(reason: "the name holds a control character")
    }
    guard let type = SafetensorsDataType(rawValue: dataType) else {
      let known = SafetensorsDataType.allCases.map(\.rawValue).joined(separator: ", ")
      throw EntryError(reason: "unknown dtype '\(dataType.prefix(80))'; known are \(known)")
    }
    guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= Int.max - dataStart else {
      throw EntryError(reason: "'data_offsets' \(offsets) is not a begin and an end")
    }
    guard let byteCount = shape.byteCount(elementBytes: type.byteCount) else {
      throw EntryError(reason: "the shape \(shape) is impossible")
    }
    guard offsets[1] - offsets[0] == byteCount else {
      throw EntryError(
        reason: "\(dataType) \(shape) takes \(byteCount) bytes, not \(offsets[1] - offsets[0])")
    }
    return SafetensorsFile.Entry(
      name: name, dataType: type, shape: shape,
      byteRange: (dataStart + offsets[0])..<(dataStart + offsets[1]))
  }
}

private struct EntryError: Error {
  let reason: String
}
