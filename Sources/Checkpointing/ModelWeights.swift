// Between a model and a file of weights.
public import Base
public import NeuralNetworks
import TensorCore

/// Reads the weights of a model from a safetensors file, which may have been written by PyTorch.
///
/// Names and shapes must be the model's, except those of a new head; floating-point types are converted.
/// Throws `WeightsError`,
/// `SafetensorsError` or a file's error.
///
/// - Parameters:
///   - model: The model.
///   - file: The file.
///   - newHead: Whether the last layer keeps the values that it has where the file lacks it, or has it in
///     another shape.
@discardableResult
public func loadWeights(
  of model: some Module, from file: SafetensorsFile, newHead: Bool = false
) throws -> LoadedWeights {
  let types = Dictionary(
    model.stateDictionary().map { ($0.name, $0.value.dataType) },
    uniquingKeysWith: { first, _ in first })
  var state: [String: Tensor] = [:]
  for entry in file.entries {
    guard let name = model.stateDictionaryKey(forForeignKey: entry.name) else { continue }
    let value = try file.tensor(of: entry)
    let isFloatingPoint = value.dataType.isFloatingPoint
    state[name] = isFloatingPoint ? value.converted(to: types[name] ?? .float32) : value
  }
  var loaded = LoadedWeights(count: state.count, leftOut: [], new: [])
  if newHead {
    let head = model.stateOfHead()
    if head.contains(where: { state[$0.name]?.shape != $0.value.shape }) {
      for (name, value) in head {
        if let other = state[name] { loaded.leftOut.append("\(name) \(other.shape)") }
        loaded.new.append("\(name) \(value.shape)")
        state[name] = value.copy()
      }
      loaded.count -= loaded.leftOut.count
    }
  }
  do {
    try model.load(stateDictionary: state)
  } catch let error as StateDictionaryError {
    throw WeightsError(
      path: file.path, difference: error,
      isHeadOnly: !newHead && model.isHeadOnly(error))
  }
  return loaded
}

/// What came from a file of weights, and what did not.
public struct LoadedWeights: Sendable, Equatable {
  /// The number of tensors that were loaded.
  public var count: Int
  /// The names and shapes of the file's tensors that were not, because the last layer is new.
  public var leftOut: [String]
  /// The names and shapes of the model's tensors that are new.
  public var new: [String]
}

extension Module {
  /// The parameters and buffers of the module with the last parameter.
  fileprivate func stateOfHead() -> [(name: String, value: Tensor)] {
    guard let last = namedParameters().last?.name else { return [] }
    let module = last.lastIndex(of: ".").map { last[...$0] } ?? ""
    return stateDictionary().filter { $0.name.hasPrefix(module) }
  }

  /// Whether only the last layer differs.
  fileprivate func isHeadOnly(_ error: StateDictionaryError) -> Bool {
    let head = stateOfHead().map(\.name)
    return error.unexpected.isEmpty && Set(head).isSuperset(of: error.missing)
      && error.mismatched.allSatisfy { text in head.contains { text.hasPrefix($0 + " ") } }
  }
}

/// The weights of a model as the tensors of a safetensors file: parameters are read from the model's
/// memory when they are written, buffers, which a forward pass may change, are copied now.
public func weightTensors(of model: some Module) -> [SafetensorsTensor] {
  let buffers = Set(model.namedBuffers().map(\.buffer.bytes))
  return model.stateDictionary().map { name, value in
    let value = buffers.contains(value.bytes) ? value.copy() : value
    return SafetensorsTensor(name: name, value)
  }
}

/// A file whose weights are those of another model.
public struct WeightsError: ExitStatusProviding, CustomStringConvertible {
  /// The file.
  public let path: String
  /// What differs.
  public let difference: StateDictionaryError
  /// Whether only the last layer differs.
  public let isHeadOnly: Bool

  /// The difference, the file and what to do.
  public var description: String {
    "'\(path)': \(difference); the configuration must describe the model that the file was saved from"
      + (isHeadOnly ? ". To train a new last layer: model.newHead=true" : "")
  }

  /// Bad data.
  public var exitStatus: ExitStatus { .badData }
}
