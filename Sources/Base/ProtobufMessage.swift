/// A message of protobuf, Google's binary format, about to be written.
///
/// Fields are named by their numbers and stand in the order in which they are added.
package struct ProtobufMessage {
  /// The bytes in pieces, so that long ones are never copied, however deep messages are nested.
  package private(set) var pieces: [[UInt8]] = [[]]
  /// The number of all bytes.
  package private(set) var byteCount = 0

  /// Bytes from this many on are a piece of their own.
  private static let longPiece = 4096

  /// An empty message.
  package init() {}

  /// The bytes.
  package var bytes: [UInt8] { Array(pieces.joined()) }

  // MARK: Fields

  /// Adds an integer (`int64`, `int32`, `enum` and `bool` of the format).
  package mutating func add(_ field: Int, _ value: Int) {
    addKey(field, .varint)
    addVarint(UInt64(bitPattern: Int64(value)))
  }

  /// Adds a number of 64 bits.
  package mutating func add(_ field: Int, _ value: Double) {
    addKey(field, .bits64)
    addLittleEndian(value.bitPattern)
  }

  /// Adds a number of 32 bits.
  package mutating func add(_ field: Int, _ value: Float) {
    addKey(field, .bits32)
    addLittleEndian(value.bitPattern)
  }

  /// Adds a text.
  package mutating func add(_ field: Int, _ text: String) {
    add(field, bytes: Array(text.utf8))
  }

  /// Adds bytes.
  package mutating func add(_ field: Int, bytes: [UInt8]) {
    addLength(field, bytes.count)
    append(bytes)
  }

  /// Adds a message.
  package mutating func add(_ field: Int, _ message: ProtobufMessage) {
    addLength(field, message.byteCount)
    for piece in message.pieces { append(piece) }
  }

  /// Adds the message that a closure fills.
  package mutating func add(_ field: Int, _ body: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    body(&message)
    add(field, message)
  }

  /// Adds a list of integers in one field.
  package mutating func add(_ field: Int, packed values: [Int]) {
    var list = ProtobufMessage()
    for value in values { list.addVarint(UInt64(bitPattern: Int64(value))) }
    add(field, list)
  }

  /// Adds a list of numbers of 64 bits in one field.
  package mutating func add(_ field: Int, packed values: [Double]) {
    var list = ProtobufMessage()
    for value in values { list.addLittleEndian(value.bitPattern) }
    add(field, list)
  }

  // MARK: Encoding

  /// How a field's value is encoded.
  private enum WireType: UInt64 {
    case varint = 0
    case bits64 = 1
    case length = 2
    case bits32 = 5
  }

  private mutating func addKey(_ field: Int, _ type: WireType) {
    precondition(field > 0, "ProtobufMessage: there is no field \(field)")
    addVarint(UInt64(field) << 3 | type.rawValue)
  }

  private mutating func addLength(_ field: Int, _ count: Int) {
    addKey(field, .length)
    addVarint(UInt64(count))
  }

  /// Seven bits per byte, the lowest first; the highest bit says that more follow.
  private mutating func addVarint(_ value: UInt64) {
    var rest = value
    var bytes: [UInt8] = []
    repeat {
      let low = UInt8(truncatingIfNeeded: rest & 0x7F)
      rest >>= 7
      bytes.append(rest == 0 ? low : low | 0x80)
    } while rest != 0
    append(bytes)
  }

  private mutating func addLittleEndian(_ bits: some FixedWidthInteger) {
    append(withUnsafeBytes(of: bits.littleEndian) { Array($0) })
  }

  private mutating func append(_ bytes: [UInt8]) {
    byteCount += bytes.count
    if bytes.count >= ProtobufMessage.longPiece {
      pieces.append(bytes)
      pieces.append([])
    } else {
      pieces[pieces.count - 1] += bytes
    }
  }
}
