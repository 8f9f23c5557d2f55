import Base
/// An array in a file: numbers of some element type and byte order, row-major.
package struct NumericArray: Sendable {
  /// The element type.
  package enum ElementType: Sendable {
    case bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float32, float64

    /// The bytes of an element.
    package var byteCount: Int {
      switch self {
      case .bool, .uint8, .int8: 1
      case .uint16, .int16: 2
      case .uint32, .int32, .float32: 4
      case .uint64, .int64, .float64: 8
      }
    }

    /// Whether the elements are floating-point numbers.
    package var isFloatingPoint: Bool { self == .float32 || self == .float64 }
  }

  /// The file's name.
  package let name: String
  /// The number of elements along each axis.
  package let shape: [Int]
  /// The element type.
  package let type: ElementType
  let isBigEndian: Bool
  let bytes: [UInt8]

  /// The elements as 32-bit floats, all of them finite.
  package func floats() throws -> [Float] {
    let floats: [Float] =
      switch type {
      case .bool, .uint8: bytes.map { Float($0) }
      case .int8: integers(Int8.self) { Float($0) }
      case .uint16: integers(UInt16.self) { Float($0) }
      case .int16: integers(Int16.self) { Float($0) }
      case .uint32: integers(UInt32.self) { Float($0) }
      case .int32: integers(Int32.self) { Float($0) }
      case .uint64: integers(UInt64.self) { Float($0) }
      case .int64: integers(Int64.self) { Float($0) }
      case .float32: integers(UInt32.self) { Float(bitPattern: $0) }
      case .float64: integers(UInt64.self) { Float(Double(bitPattern: $0)) }
      }
    if let bad = floats.firstIndex(where: { !$0.isFinite }) {
      throw DataError(
        .malformed, "\(name): element \(bad) is \(floats[bad]) as a 32-bit float: clean the data")
    }
    return floats
  }

  /// The elements as integers; the element type must be one of integers.
  package func integers() throws -> [Int] {
    switch type {
    case .bool, .uint8: return bytes.map { Int($0) }
    case .int8: return integers(Int8.self) { Int($0) }
    case .uint16: return integers(UInt16.self) { Int($0) }
    case .int16: return integers(Int16.self) { Int($0) }
    case .uint32: return integers(UInt32.self) { Int($0) }
    case .int32: return integers(Int32.self) { Int($0) }
    case .int64: return integers(Int64.self) { Int($0) }
    case .uint64:
      let words = integers(UInt64.self) { $0 }
      if let bad = words.firstIndex(where: { $0 > Int.max }) {
        throw DataError(
          .malformed, "\(name): element \(bad) (counted from 0) is \(words[bad]), beyond \(Int.max)"
        )
      }
      return words.map { Int($0) }
    case .float32, .float64: preconditionFailure("NumericArray.integers: \(type)")
    }
  }

  private func integers<T: FixedWidthInteger, R>(_: T.Type, _ convert: (T) -> R) -> [R] {
    bytes.withUnsafeBytes { raw in
      let size = MemoryLayout<T>.size
      return [R](unsafeUninitializedCapacity: raw.count / size) { result, count in
        for i in 0..<raw.count / size {
          let word = raw.loadUnaligned(fromByteOffset: i * size, as: T.self)
          result.initializeElement(at: i, to: convert(isBigEndian ? T(bigEndian: word) : word))
        }
        count = raw.count / size
      }
    }
  }
}
