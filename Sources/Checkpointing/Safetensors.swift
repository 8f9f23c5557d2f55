// The safetensors format: eight bytes of header length, a JSON header, then the tensors' bytes back
// to back.
public import Base
public import Foundation

/// The element types that safetensors files of this library may hold, named as in the file.
public enum SafetensorsDataType: String, Sendable, CaseIterable {
  case bool = "BOOL"
  case uint8 = "U8"
  case int8 = "I8"
  case uint16 = "U16"
  case int16 = "I16"
  case float16 = "F16"
  case bfloat16 = "BF16"
  case uint32 = "U32"
  case int32 = "I32"
  case float32 = "F32"
  case uint64 = "U64"
  case int64 = "I64"
  case float64 = "F64"

  /// The bytes of one element, which is also its alignment.
  public var byteCount: Int {
    switch self {
    case .bool, .uint8, .int8: 1
    case .uint16, .int16, .float16, .bfloat16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64: 8
    }
  }
}

/// A safetensors file that breaks a rule of the format, or lacks what was asked of it.
public struct SafetensorsError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// What is wrong.
  public let reason: String
  /// The byte of the file at which it was noticed, where there is one.
  public let offset: Int?

  /// The file, the place and the reason.
  public var description: String {
    let place = offset.map { " at byte \($0)" } ?? ""
    return "'\(path)' is not a usable safetensors file: \(reason)\(place)"
  }

  /// Bad data.
  public var exitStatus: ExitStatus { .badData }
}

/// The tensors of a safetensors file, all rules of the format checked, read where they lie.
public struct SafetensorsFile: Sendable {
  /// One tensor of the file.
  public struct Entry: Sendable, Equatable {
    /// The tensor's name.
    public let name: String
    /// Its element type.
    public let dataType: SafetensorsDataType
    /// Its shape, row-major.
    public let shape: [Int]
    /// Where in the file its bytes are.
    public let byteRange: Range<Int>

    /// The product of the shape.
    public var elementCount: Int { byteRange.count / dataType.byteCount }
  }

  /// The file's path, for messages.
  public let path: String
  /// The tensors in the order of their bytes.
  public let entries: [Entry]
  /// The free strings of the header's `__metadata__`.
  public let metadata: [String: String]
  private let data: Data
  private let indices: [String: Int]

  /// The longest header that the format permits.
  public static let maximumHeaderByteCount = 100_000_000

  /// Opens a file; its tensors' bytes are mapped, not read.
  public init(path: String) throws {
    let data: Data
    do {
      data = try Data(contentsOf: URL(fileURLWithPath: path), options: .alwaysMapped)
    } catch {
      let code = access(path, R_OK) == 0 ? EIO : errno
      throw FileSystemError(.read, path, code: code)
    }
    try self.init(data: data, path: path)
  }

  /// Reads a file that is already in memory; the path serves the messages.
  public init(data: Data, path: String) throws(SafetensorsError) {
    let header = try SafetensorsFile.header(of: data, path: path)
    (entries, metadata) = try SafetensorsFile.contents(of: header, in: data, path: path)
    indices = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($1.name, $0) })
    self.data = data
    self.path = path
  }

  /// The tensor of a name.
  public subscript(name: String) -> Entry? { indices[name].map { entries[$0] } }

  /// Gives a tensor's bytes to a closure; they need not be aligned for their type.
  public func withBytes<Result>(
    of entry: Entry, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    try data.withUnsafeBytes { bytes in
      try body(UnsafeRawBufferPointer(rebasing: bytes[entry.byteRange]))
    }
  }

  /// A tensor's values as `Float`, rounded from 64 bits and widened from 16 where needed.
  public func floats(of entry: Entry) throws(SafetensorsError) -> [Float] {
    try numbers(of: entry, { $0 }, { Float($0) })
  }

  /// A tensor's values as `Double`.
  public func doubles(of entry: Entry) throws(SafetensorsError) -> [Double] {
    try numbers(of: entry, { Double($0) }, { $0 })
  }

  private func numbers<Number>(
    of entry: Entry, _ fromFloat: (Float) -> Number, _ fromDouble: (Double) -> Number
  ) throws(SafetensorsError) -> [Number] {
    switch entry.dataType {
    case .float32: elements(of: entry, as: UInt32.self) { fromFloat(Float(bitPattern: $0)) }
    case .float64: elements(of: entry, as: UInt64.self) { fromDouble(Double(bitPattern: $0)) }
    case .bfloat16:
      elements(of: entry, as: UInt16.self) { fromFloat(Float(bitPattern: UInt32($0) << 16)) }
    case .float16: elements(of: entry, as: UInt16.self) { fromFloat(Float(float16Bits: $0)) }
    default: throw unexpectedType(of: entry, wanted: "floating-point numbers")
    }
  }

  /// A tensor's values as `Int`.
  public func integers(of entry: Entry) throws(SafetensorsError) -> [Int] {
    switch entry.dataType {
    case .bool, .uint8: elements(of: entry, as: UInt8.self) { Int($0) }
    case .int8: elements(of: entry, as: Int8.self) { Int($0) }
    case .uint16: elements(of: entry, as: UInt16.self) { Int($0) }
    case .int16: elements(of: entry, as: Int16.self) { Int($0) }
    case .uint32: elements(of: entry, as: UInt32.self) { Int($0) }
    case .int32: elements(of: entry, as: Int32.self) { Int($0) }
    case .int64: elements(of: entry, as: Int64.self) { Int($0) }
    default: throw unexpectedType(of: entry, wanted: "integers of at most 64 bits with a sign")
    }
  }

  private func elements<Bits: FixedWidthInteger & BitwiseCopyable, Number>(
    of entry: Entry, as bits: Bits.Type, _ convert: (Bits) -> Number
  ) -> [Number] {
    withBytes(of: entry) { bytes in
      (0..<entry.elementCount).map { index in
        let offset = index * MemoryLayout<Bits>.size
        return convert(
          Bits(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Bits.self)))
      }
    }
  }

  private func unexpectedType(of entry: Entry, wanted: String) -> SafetensorsError {
    SafetensorsError(
      path: path, reason: "'\(entry.name)' holds \(entry.dataType.rawValue), not \(wanted)",
      offset: nil)
  }
}

extension Float {
  /// Widens the bits of an IEEE half; done here because not every processor has the type.
  fileprivate init(float16Bits bits: UInt16) {
    let sign = UInt32(bits >> 15) << 31
    let exponent = UInt32(bits >> 10) & 0x1F
    let fraction = UInt32(bits) & 0x3FF
    switch exponent {
    case 0:
      // Zero and the subnormals: the fraction counts steps of two to the minus 24.
      let magnitude = Float(fraction) * 0x1p-24
      self = Float(bitPattern: magnitude.bitPattern | sign)
    case 0x1F: self = Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
    default: self = Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
    }
  }
}

// MARK: - Reading the header

extension SafetensorsFile {
  /// Parses the header, after checking that its length is possible.
  private static func header(of data: Data, path: String) throws(SafetensorsError) -> JSONValue {
    func failure(_ reason: String, at offset: Int) -> SafetensorsError {
      SafetensorsError(path: path, reason: reason, offset: offset)
    }
    guard data.count >= 8 else {
      throw failure("\(data.count) bytes are too few to hold the length of a header", at: 0)
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
    let result = data.withUnsafeBytes { bytes -> Result<JSONValue, SafetensorsError> in
      var header = UnsafeRawBufferPointer(rebasing: bytes[8..<(8 + Int(length))])
      guard header.first == UInt8(ascii: "{") else {
        return .failure(failure("the header does not begin with '{'", at: 8))
      }
      while header.last == UInt8(ascii: " ") {
        header = UnsafeRawBufferPointer(rebasing: header.dropLast())
      }
      do throws(JSONError) {
        return .success(try JSONValue(parsing: header, maximumDepth: 3))
      } catch {
        return .failure(failure(error.reason, at: 8 + error.offset))
      }
    }
    return try result.get()
  }

  /// Turns the header into entries that cover the data exactly.
  private static func contents(
    of header: JSONValue, in data: Data, path: String
  ) throws(SafetensorsError) -> ([Entry], [String: String]) {
    func failure(_ reason: String) -> SafetensorsError {
      SafetensorsError(path: path, reason: reason, offset: nil)
    }
    let start =
      8
      + data.withUnsafeBytes {
        Int(UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 0, as: UInt64.self)))
      }
    var metadata: [String: String] = [:]
    var entries: [Entry] = []
    for member in header.members ?? [] {
      if member.key == "__metadata__" {
        guard let strings = member.value.members else {
          throw failure("'__metadata__' is not an object")
        }
        for string in strings {
          guard let text = string.value.stringValue else {
            throw failure(
              "'__metadata__' holds something other than a string under '\(string.key)'")
          }
          metadata[string.key] = text
        }
      } else {
        do throws(EntryError) {
          entries.append(try entry(named: member.key, member.value, dataStart: start))
        } catch {
          throw failure("tensor '\(member.key.prefix(80))': \(error.reason)")
        }
      }
    }
    entries.sort {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound)
        < ($1.byteRange.lowerBound, $1.byteRange.upperBound)
    }
    var end = start
    for entry in entries {
      guard entry.byteRange.lowerBound == end else {
        let fault = entry.byteRange.lowerBound < end ? "overlap others" : "leave a hole before them"
        throw SafetensorsError(
          path: path, reason: "the bytes of tensor '\(entry.name.prefix(80))' \(fault)", offset: end
        )
      }
      end = entry.byteRange.upperBound
    }
    guard end == data.count else {
      throw SafetensorsError(
        path: path, reason: "the tensors end at byte \(end), the file has \(data.count)",
        offset: min(end, data.count))
    }
    return (entries, metadata)
  }

  private struct EntryError: Error {
    let reason: String
  }

  private static func entry(
    named name: String, _ value: JSONValue, dataStart: Int
  ) throws(EntryError) -> Entry {
    guard name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
      throw EntryError(reason: "the name holds a control character")
    }
    guard let members = value.members else { throw EntryError(reason: "not an object") }
    for member in members where !["dtype", "shape", "data_offsets"].contains(member.key) {
      throw EntryError(reason: "unknown key '\(member.key.prefix(80))'")
    }
    guard let typeName = value["dtype"]?.stringValue else {
      throw EntryError(reason: "no 'dtype'")
    }
    guard let dataType = SafetensorsDataType(rawValue: typeName) else {
      let known = SafetensorsDataType.allCases.map(\.rawValue).joined(separator: ", ")
      throw EntryError(reason: "unknown dtype '\(typeName.prefix(80))'; known are \(known)")
    }
    let shape = try naturals(value["shape"], "shape")
    let offsets = try naturals(value["data_offsets"], "data_offsets")
    guard offsets.count == 2, offsets[0] <= offsets[1], offsets[1] <= Int.max - dataStart else {
      throw EntryError(reason: "'data_offsets' \(offsets) is not a begin and an end")
    }
    var byteCount = dataType.byteCount
    for size in shape {
      let (product, overflow) = byteCount.multipliedReportingOverflow(by: size)
      guard !overflow else { throw EntryError(reason: "the shape \(shape) is too large") }
      byteCount = product
    }
    guard offsets[1] - offsets[0] == byteCount else {
      throw EntryError(
        reason: "\(typeName) \(shape) takes \(byteCount) bytes, not \(offsets[1] - offsets[0])")
    }
    return Entry(
      name: name, dataType: dataType, shape: shape,
      byteRange: (dataStart + offsets[0])..<(dataStart + offsets[1]))
  }

  private static func naturals(_ value: JSONValue?, _ key: String) throws(EntryError) -> [Int] {
    guard let elements = value?.arrayValue else { throw EntryError(reason: "no array '\(key)'") }
    var naturals: [Int] = []
    for element in elements {
      guard let natural = element.integerValue, natural >= 0, element != .number("-0") else {
        throw EntryError(reason: "'\(key)' holds something other than a natural number")
      }
      naturals.append(natural)
    }
    return naturals
  }
}

// MARK: - Writing

/// A tensor to be written, which hands over its bytes when they are needed.
public struct SafetensorsTensor {
  /// The tensor's name.
  public let name: String
  /// Its element type.
  public let dataType: SafetensorsDataType
  /// Its shape, row-major.
  public let shape: [Int]
  /// Calls its argument with the tensor's bytes, in one or several pieces from first to last.
  public let forEachPiece: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void

  /// A tensor whose bytes a closure hands over, in one or several pieces, little-endian and
  /// row-major.
  public init(
    name: String, dataType: SafetensorsDataType, shape: [Int],
    forEachPiece: @escaping ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) {
    self.name = name
    self.dataType = dataType
    self.shape = shape
    self.forEachPiece = forEachPiece
  }

  /// A tensor of 32-bit floats.
  public init(name: String, shape: [Int], floats: [Float]) {
    self.init(name: name, dataType: .float32, shape: shape) { write in
      try floats.withUnsafeBytes { try write($0) }
    }
  }

  /// The bytes of all elements.
  public var byteCount: Int { shape.reduce(dataType.byteCount, *) }
}

/// A safetensors file about to be written: its header is laid out, its tensors are read as they are
/// written.
public struct SafetensorsWriter {
  private let tensors: [SafetensorsTensor]
  private let header: String

  /// Lays out a file: the widest elements first, then by name, so that every tensor is aligned.
  public init(_ tensors: [SafetensorsTensor], metadata: [String: String] = [:]) {
    self.tensors = tensors.sorted {
      ($1.dataType.byteCount, $0.name) < ($0.dataType.byteCount, $1.name)
    }
    var members: [JSONValue.Member] = []
    if !metadata.isEmpty {
      let strings = metadata.sorted { $0.key < $1.key }
      members.append(
        JSONValue.Member(
          "__metadata__", .object(strings.map { JSONValue.Member($0.key, .string($0.value)) })))
    }
    var names: Set<String> = ["__metadata__"]
    var offset = 0
    for tensor in self.tensors {
      precondition(
        names.insert(tensor.name).inserted,
        "safetensors: the name '\(tensor.name)' is given to two tensors or reserved")
      let end = offset + tensor.byteCount
      members.append(
        JSONValue.Member(
          tensor.name,
          .object([
            "dtype": .string(tensor.dataType.rawValue),
            "shape": .array(tensor.shape.map { JSONValue.integer($0) }),
            "data_offsets": .array([.integer(offset), .integer(end)]),
          ])))
      offset = end
    }
    let text = JSONValue.object(members).text
    header = text + String(repeating: " ", count: (8 - text.utf8.count % 8) % 8)
  }

  /// The size of the whole file.
  public var byteCount: Int { 8 + header.utf8.count + tensors.reduce(0) { $0 + $1.byteCount } }

  /// Writes the file; the tensors' bytes go from where they are to the disk, without a copy.
  public func write(to writer: FileWriter) throws {
    try write { try writer.write($0) }
  }

  /// Hands the file's bytes over, piece by piece.
  public func write(_ body: (UnsafeRawBufferPointer) throws -> Void) throws {
    try withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { try body($0) }
    try Array(header.utf8).withUnsafeBytes { try body($0) }
    for tensor in tensors {
      var written = 0
      try tensor.forEachPiece { bytes in
        written += bytes.count
        try body(bytes)
      }
      precondition(
        written == tensor.byteCount,
        "safetensors: '\(tensor.name)' of shape \(tensor.shape) handed over \(written) bytes")
    }
  }
}
