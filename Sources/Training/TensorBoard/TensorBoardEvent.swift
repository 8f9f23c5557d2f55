import Base

/// A record of a TensorBoard event file.
package struct TensorBoardEvent {
  /// The event as a message of protobuf.
  private let message: ProtobufMessage

  private init(time: Double, step: Int, _ addContent: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    message.add(1, time)
    if step != 0 { message.add(2, step) }
    addContent(&message)
    self.message = message
  }

  /// The first record of a file.
  package static func version(time: Double) -> TensorBoardEvent {
    TensorBoardEvent(time: time, step: 0) { $0.add(3, "brain.Event:2") }
  }

  /// Tells TensorBoard that a run starts with this step: what earlier files say of it and of later steps is
  /// dropped.
  package static func start(time: Double, step: Int) -> TensorBoardEvent {
    TensorBoardEvent(time: time, step: step) { event in
      event.add(7) { $0.add(1, 1) }
    }
  }

  /// Values of a step.
  package static func values(
    _ values: [TensorBoardValue], time: Double, step: Int
  ) -> TensorBoardEvent {
    TensorBoardEvent(time: time, step: step) { event in
      event.add(5) { summary in
        for value in values { summary.add(1, value.message) }
      }
    }
  }

  /// The bytes of the record: its length, their checksum, the message, its checksum.
  package var record: [UInt8] {
    let content = message.bytes
    let length = withUnsafeBytes(of: UInt64(content.count).littleEndian) { Array($0) }
    func checksum(_ bytes: [UInt8]) -> [UInt8] {
      withUnsafeBytes(of: CRC32C.masked(bytes).littleEndian) { Array($0) }
    }
    return length + checksum(length) + content + checksum(content)
  }
}

/// A value with a name, the same in all steps: TensorBoard draws a chart for each name.
package struct TensorBoardValue {
  fileprivate let message: ProtobufMessage

  private init(_ name: String, _ addContent: (inout ProtobufMessage) -> Void) {
    var message = ProtobufMessage()
    message.add(1, name)
    addContent(&message)
    self.message = message
  }

  /// A number.
  package static func scalar(_ name: String, _ value: Double) -> TensorBoardValue {
    TensorBoardValue(name) { $0.add(2, Float(value)) }
  }

  /// A picture as a PNG file.
  package static func image(
    _ name: String, png: [UInt8], width: Int, height: Int
  ) -> TensorBoardValue {
    TensorBoardValue(name) { value in
      value.add(4) { image in
        image.add(1, height)
        image.add(2, width)
        image.add(3, 3)  // red, green, blue
        image.add(4, bytes: png)
      }
    }
  }

  /// How numbers are distributed.
  package static func histogram(_ name: String, _ histogram: Histogram) -> TensorBoardValue {
    TensorBoardValue(name) { value in
      value.add(5) { message in
        message.add(1, histogram.smallest)
        message.add(2, histogram.largest)
        message.add(3, histogram.counts.reduce(0, +))
        message.add(4, histogram.sum)
        message.add(5, histogram.squareSum)
        message.add(6, packed: histogram.limits)
        message.add(7, packed: histogram.counts)
      }
    }
  }
}
