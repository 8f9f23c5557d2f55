// Between a model and a file of weights.
public import Base
public import NeuralNetworks
import TensorCore

/// Reads the weights of a model from a safetensors file, which may have been written by PyTorch.
///
/// Names, shapes and types must be the model's. Throws `WeightsError`, `SafetensorsError` or a
/// file's error.
public func loadWeights(of model: some Module, from file: SafetensorsFile) throws {
  var state: [String: Tensor] = [:]
  for entry in file.entries {
    guard let name = model.stateDictionaryKey(forForeignKey: entry.name) else { continue }
    let shape = TensorShape(entry.shape)
    switch entry.dataType {
    case .float16, .bfloat16, .float32, .float64:
      state[name] = Tensor.of(try file.floats(of: entry), shape: shape)
    default:  // PyTorch's counters
      let values = try file.integers(of: entry).map { Int32(truncatingIfNeeded: $0) }
      state[name] = Tensor.of(values, shape: shape)
    }
  }
  do {
    try model.load(stateDictionary: state)
  } catch let error as StateDictionaryError {
    throw WeightsError(path: file.path, difference: error)
  }
}

/// The weights of a model as the tensors of a safetensors file: parameters are read from the model's
/// memory when they are written, buffers, which a forward pass may change, are copied now.
public func weightTensors(of model: some Module) -> [SafetensorsTensor] {
  let buffers = Set(model.namedBuffers().map(\.buffer.bytes))
  return model.stateDictionary().map { name, value in
    let value = buffers.contains(value.bytes) ? value.copy() : value
    return SafetensorsTensor(name: name, dataType: .float32, shape: value.shape.array) { write in
      let buffer = UnsafeRawBufferPointer(start: value.bytes, count: value.count * 4)
      try withExtendedLifetime(value) { try write(buffer) }
    }
  }
}

/// A file whose weights are those of another model.
public struct WeightsError: ExitStatusProviding, CustomStringConvertible {
  /// The file.
  public let path: String
  /// What differs.
  public let difference: StateDictionaryError

  /// The difference, the file and what to do.
  public var description: String {
    "'\(path)': \(difference); the configuration must describe the model that the file was saved from"
  }

  /// Bad data.
  public var exitStatus: ExitStatus { .badData }
}
