// Tensors and weights in safetensors files, one call each.
public import NeuralNetworks
public import TensorCore

extension Module {
  /// Writes all parameters and buffers to a safetensors file with PyTorch's names, which
  /// `safetensors.torch.load_file` reads.
  ///
  /// An existing file is replaced only once the new one is complete. Throws `FileSystemError`.
  ///
  ///     try model.save(to: "model.safetensors")
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - metadata: Free strings for the header.
  public func save(to path: String, metadata: [String: String] = [:]) throws {
    let writer = SafetensorsWriter(weightTensors(of: self), metadata: metadata)
    try FileSystem().replaceFile(path) { try writer.write(to: $0) }
  }

  /// Reads all parameters and buffers from a safetensors file, which may have been written by PyTorch.
  ///
  /// Names and shapes must be the model's; floating-point types are converted. Throws `WeightsError`,
  /// `SafetensorsError` or `FileSystemError`, and changes nothing then.
  ///
  ///     try model.load(from: "model.safetensors")
  public func load(from path: String) throws {
    try loadWeights(of: self, from: SafetensorsFile(path: path))
  }
}

/// Writes tensors to a safetensors file, as PyTorch's `safetensors.torch.save_file`.
///
/// An existing file is replaced only once the new one is complete. Throws `FileSystemError`.
public func save(
  _ tensors: [String: Tensor], to path: String, metadata: [String: String] = [:]
) throws {
  let entries = tensors.map { name, tensor in
    SafetensorsTensor(name: name, tensor.detached().contiguous())
  }
  let writer = SafetensorsWriter(entries, metadata: metadata)
  try FileSystem().replaceFile(path) { try writer.write(to: $0) }
}

/// The tensors of a safetensors file by name, as PyTorch's `safetensors.torch.load_file`.
///
/// float16 becomes float32; integers of other sizes become int64. Throws `SafetensorsError` or
/// `FileSystemError`.
public func loadTensors(from path: String) throws -> [String: Tensor] {
  let file = try SafetensorsFile(path: path)
  var tensors: [String: Tensor] = [:]
  for entry in file.entries { tensors[entry.name] = try file.tensor(of: entry) }
  return tensors
}

extension SafetensorsTensor {
  /// A contiguous tensor, whose elements are read when they are written.
  init(name: String, _ tensor: Tensor) {
    let bytes = UnsafeRawBufferPointer(
      start: tensor.bytes, count: tensor.count * tensor.dataType.byteCount)
    self.init(name: name, dataType: .init(tensor.dataType), shape: tensor.shape.array) { write in
      try withExtendedLifetime(tensor) { try write(bytes) }
    }
  }
}

extension SafetensorsDataType {
  /// The type of a tensor's elements in a file.
  init(_ type: DataType) {
    self =
      switch type {
      case .float32: .float32
      case .float64: .float64
      case .bfloat16: .bfloat16
      case .int32: .int32
      case .int64: .int64
      case .bool: .bool
      }
  }
}

extension SafetensorsFile {
  /// A tensor of the file; float16 becomes float32, integers of other sizes become int64.
  public func tensor(of entry: Entry) throws(SafetensorsError) -> Tensor {
    let shape = TensorShape(entry.shape)
    switch entry.dataType {
    case .float16, .float32: return .of(try floats(of: entry), shape: shape)
    case .bfloat16:
      return Tensor.of(try floats(of: entry), shape: shape).converted(to: .bfloat16)
    case .float64: return .of(try doubles(of: entry), shape: shape)
    case .bool: return .of(try integers(of: entry).map { $0 != 0 }, shape: shape)
    case .int32: return .of(try integers(of: entry).map { Int32($0) }, shape: shape)
    default: return .of(try integers(of: entry), shape: shape)
    }
  }
}
