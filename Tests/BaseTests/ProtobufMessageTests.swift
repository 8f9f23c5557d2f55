import Base
import Testing

@Suite struct ProtobufMessageTests {
  @Test("fields are encoded as protobuf's documentation shows")
  func encoding() {
    var message = ProtobufMessage()
    message.add(1, 150)
    message.add(2, "testing")
    message.add(3) { $0.add(1, 150) }
    message.add(6, packed: [3, 270, 86942])
    #expect(
      message.bytes == [
        0x08, 0x96, 0x01,
        0x12, 0x07, 0x74, 0x65, 0x73, 0x74, 0x69, 0x6E, 0x67,
        0x1A, 0x03, 0x08, 0x96, 0x01,
        0x32, 0x06, 0x03, 0x8E, 0x02, 0x9E, 0xA7, 0x05,
      ])
  }

  @Test("numbers are little-endian, and negative integers take ten bytes")
  func numbers() {
    var message = ProtobufMessage()
    message.add(1, 1.0)
    message.add(2, Float(0.5))
    message.add(3, packed: [1.0])
    message.add(20, -1)
    #expect(
      message.bytes == [0x09, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
        + [0x15, 0, 0, 0, 0x3F]
        + [0x1A, 8, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F]
        + [0xA0, 0x01] + [UInt8](repeating: 0xFF, count: 9) + [0x01])
  }

  @Test("long bytes stay in one piece through all messages around them")
  func pieces() {
    let long = [UInt8](repeating: 7, count: 100_000)
    var message = ProtobufMessage()
    message.add(1) { outer in
      outer.add(2) { $0.add(3, bytes: long) }
      outer.add(4, 5)
    }
    #expect(message.pieces.contains(long))
    #expect(message.byteCount == message.bytes.count)
    #expect(
      message.bytes == [0x0A, 0xAA, 0x8D, 0x06, 0x12, 0xA4, 0x8D, 0x06, 0x1A, 0xA0, 0x8D, 0x06]
        + long + [0x20, 5])
  }
}
