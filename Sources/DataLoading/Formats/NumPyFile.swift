import Base
import Foundation
import Settings

/// NumPy's format for one array, versions 1 to 3.
///
/// A magic, a Python dictionary that describes the array, and the elements. Arrays of objects or
/// records are refused.
package enum NumPyFile {
  /// Reads a whole array, and brings it into row-major order.
  package static func read(_ reader: ByteReader) throws -> NumericArray {
    let magic = try reader.bytes(8)
    guard magic.prefix(6) == [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59] else {
      throw reader.malformed("not a .npy file: it does not begin with \\x93NUMPY")
    }
    guard (1...3).contains(magic[6]) else {
      throw reader.malformed(".npy version \(magic[6]).\(magic[7]) is unknown: 1, 2 and 3 are read")
    }
    let length = try reader.bytes(magic[6] == 1 ? 2 : 4).reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length <= 10_000 else {  // NumPy's own limit
      throw reader.malformed("the header of \(length) bytes is longer than 10000")
    }
    let start = reader.offset
    var parser = HeaderParser(bytes: try reader.bytes(length))
    guard let header = parser.header() else {
      throw reader.malformed(
        "cannot understand the header near byte \(start + parser.position): a dictionary of descr "
          + "(a plain number), fortran_order and shape is expected")
    }
    guard let (type, isBigEndian) = elementType(header.descr) else {
      throw reader.malformed(
        "elements of type '\(header.descr)' cannot be read: save float32, float64, bool or "
          + "integers of up to 64 bits")
    }
    guard let count = header.shape.byteCount(elementBytes: type.byteCount) else {
      throw reader.malformed("declares more elements than can exist: shape \(header.shape)")
    }
    var bytes = try reader.bytes(count)
    try reader.expectEnd()
    if header.isFortranOrder && header.shape.count > 1 {
      bytes = rowMajor(bytes, shape: header.shape, elementSize: type.byteCount)
    }
    return NumericArray(
      name: reader.name, shape: header.shape, type: type, isBigEndian: isBigEndian, bytes: bytes)
  }

  /// Reads a pair of files; nil if there are no inputs.
  static func samples(
    inputs inputsPath: String, targets targetsPath: String, layout: ImageLayout,
    inputShape: [Int]?
  ) throws -> Samples? {
    guard FileManager.default.fileExists(atPath: inputsPath) else { return nil }
    let inputs = try read(ByteReader(path: inputsPath))
    let targets = try read(ByteReader(path: targetsPath))
    return try samples(inputs, targets, layout: layout, inputShape: inputShape)
  }

  /// Samples of arrays with the samples along the first axis.
  ///
  /// - Parameters:
  ///   - inputs: The inputs.
  ///   - targets: The targets; a second axis of length 1 is left out.
  ///   - layout: The order of the axes of images.
  ///   - inputShape: The shape of a sample, if it is another than that of the array.
  static func samples(
    _ inputs: NumericArray, _ targets: NumericArray, layout: ImageLayout, inputShape: [Int]?
  ) throws -> Samples {
    guard !inputs.shape.isEmpty, !targets.shape.isEmpty else {
      throw DataError(
        .malformed,
        "\(inputs.name) and \(targets.name): the first axis counts samples, one has none")
    }
    var inputs = inputs
    var shape = inputs.shape.count == 1 ? [1] : Array(inputs.shape.dropFirst())
    if let inputShape {
      guard inputShape.reduce(1, *) == shape.reduce(1, *) else {
        throw SettingError(
          "inputShape",
          "is \(inputShape), which has \(inputShape.reduce(1, *)) numbers; a sample of "
            + "\(inputs.name) has \(shape.reduce(1, *))")
      }
      shape = inputShape
    } else if layout.hasChannelsLast(shape) {
      inputs = inputs.channelsFirst()
      shape = Array(inputs.shape.dropFirst())
    } else if layout != .channelsFirst && shape.count == 2 {
      shape = [1] + shape  // a grey channel
    }
    let labels = targets.shape.count == 2 && targets.shape[1] == 1 ? targets.flattened : targets
    return try Samples(inputs: inputs, inputShape: shape, divisor: 1, targets: labels)
  }

  /// The element type and byte order of a `descr` such as `<f4`.
  private static func elementType(_ descr: String) -> (NumericArray.ElementType, Bool)? {
    let type: NumericArray.ElementType
    switch descr.dropFirst() {
    case "b1": type = .bool
    case "u1": type = .uint8
    case "u2": type = .uint16
    case "u4": type = .uint32
    case "u8": type = .uint64
    case "i1": type = .int8
    case "i2": type = .int16
    case "i4": type = .int32
    case "i8": type = .int64
    case "f4": type = .float32
    case "f8": type = .float64
    default: return nil
    }
    switch descr.first {
    case "<", "=": return (type, false)
    case ">": return (type, true)
    case "|" where type.byteCount == 1: return (type, false)
    default: return nil
    }
  }

  /// Elements stored with the first axis fastest, reordered to have the last axis fastest.
  private static func rowMajor(_ bytes: [UInt8], shape: [Int], elementSize: Int) -> [UInt8] {
    var strides = [Int](repeating: elementSize, count: shape.count)
    for axis in 1..<shape.count { strides[axis] = strides[axis - 1] * shape[axis - 1] }
    var index = [Int](repeating: 0, count: shape.count)
    var from = 0
    return [UInt8](unsafeUninitializedCapacity: bytes.count) { result, count in
      for to in stride(from: 0, to: bytes.count, by: elementSize) {
        for byte in 0..<elementSize {
          result.initializeElement(at: to + byte, to: bytes[from + byte])
        }
        for axis in shape.indices.reversed() {
          index[axis] += 1
          from += strides[axis]
          if index[axis] < shape[axis] { break }
          from -= index[axis] * strides[axis]
          index[axis] = 0
        }
      }
      count = bytes.count
    }
  }
}

/// Parses the subset of Python's literals that NumPy writes; nil for anything else.
private struct HeaderParser {
  let bytes: [UInt8]
  var position = 0

  init(bytes: [UInt8]) { self.bytes = bytes }

  mutating func header() -> (descr: String, isFortranOrder: Bool, shape: [Int])? {
    var descr: String?
    var isFortranOrder: Bool?
    var shape: [Int]?
    guard take("{") else { return nil }
    while !take("}") {
      guard let key = string(), take(":") else { return nil }
      switch key {
      case "descr" where descr == nil: descr = string(); if descr == nil { return nil }
      case "fortran_order" where isFortranOrder == nil:
        if take("True") { isFortranOrder = true } else if take("False") { isFortranOrder = false }
        if isFortranOrder == nil { return nil }
      case "shape" where shape == nil: shape = tuple(); if shape == nil { return nil }
      default: return nil
      }
      if !take(",") {
        guard take("}") else { return nil }
        break
      }
    }
    skipSpace()
    guard position == bytes.count, let descr, let isFortranOrder, let shape else { return nil }
    return (descr, isFortranOrder, shape)
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
  }

  private mutating func take(_ text: StaticString) -> Bool {
    skipSpace()
    let wanted = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    guard bytes[position...].starts(with: wanted) else { return false }
    position += wanted.count
    return true
  }

  private mutating func string() -> String? {
    let quote: UInt8
    if take("'") { quote = 0x27 } else if take("\"") { quote = 0x22 } else { return nil }
    guard let end = bytes[position...].firstIndex(of: quote) else { return nil }
    defer { position = end + 1 }
    return String(decoding: bytes[position..<end], as: UTF8.self)
  }

  private mutating func tuple() -> [Int]? {
    guard take("(") else { return nil }
    var values: [Int] = []
    while !take(")") {
      skipSpace()
      let digits = bytes[position...].prefix { (0x30...0x39).contains($0) }
      guard values.count < 32, let value = Int(String(decoding: digits, as: UTF8.self)) else {
        return nil
      }
      position += digits.count
      values.append(value)
      if !take(",") {
        // Python reads `(3)` as a number.
        guard values.count > 1, take(")") else { return nil }
        break
      }
    }
    return values
  }
}
