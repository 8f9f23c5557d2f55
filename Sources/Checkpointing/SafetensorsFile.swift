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
    try self.init(data: FileSystem().map(path), path: path)
  }

  /// Reads a file that is already in memory; the path serves the messages.
  public init(data: Data, path: String) throws(SafetensorsError) {
    (entries, metadata) = try SafetensorsFile.contents(of: data, path: path)
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
