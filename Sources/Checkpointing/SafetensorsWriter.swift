import Base

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
    var members = JSONObject()
    if !metadata.isEmpty {
      let strings = metadata.sorted { $0.key < $1.key }
      members.append("__metadata__", JSONObject(strings.map { ($0.key, $0.value) }))
    }
    var names: Set<String> = ["__metadata__"]
    var offset = 0
    for tensor in self.tensors {
      precondition(
        names.insert(tensor.name).inserted,
        "safetensors: the name '\(tensor.name)' is given to two tensors or reserved")
      let end = offset + tensor.byteCount
      let entry: JSONObject = [
        "dtype": tensor.dataType.rawValue, "shape": tensor.shape, "data_offsets": [offset, end],
      ]
      members.append(tensor.name, entry)
      offset = end
    }
    let text = members.text
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
