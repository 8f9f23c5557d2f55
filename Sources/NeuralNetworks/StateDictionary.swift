public import TensorCore

/// A state dictionary that does not fit a model.
public struct StateDictionaryError: Error, CustomStringConvertible {
  /// Parameters of the model that the dictionary lacks.
  public var missing: [String] = []
  /// Names in the dictionary that the model lacks.
  public var unexpected: [String] = []
  /// Names whose shapes or types differ, each with both.
  public var mismatched: [String] = []

  /// All differences in one message.
  public var description: String {
    var parts: [String] = []
    if !missing.isEmpty { parts.append("missing: \(missing.joined(separator: ", "))") }
    if !unexpected.isEmpty {
      parts.append("not in the model: \(unexpected.joined(separator: ", "))")
    }
    if !mismatched.isEmpty { parts.append("different: \(mismatched.joined(separator: "; "))") }
    return "the weights do not fit the model (\(parts.joined(separator: "; ")))"
  }
}

extension Module {
  /// The values of all parameters under PyTorch's names, in the order of declaration; they share
  /// memory with the model.
  public func stateDictionary() -> [(name: String, value: Tensor)] {
    namedParameterPlaces().map { ($0.name, $0.parameter.detached()) }
  }

  /// Copies values into the parameters of the same names.
  ///
  /// Throws `StateDictionaryError`, and changes nothing, unless names, shapes and types are exactly
  /// the model's.
  public func load(stateDictionary state: [String: Tensor]) throws {
    let places = namedParameterPlaces()
    var error = StateDictionaryError()
    for (name, parameter) in places {
      guard let value = state[name] else {
        error.missing.append(name)
        continue
      }
      if value.shape != parameter.shape || value.dataType != parameter.dataType {
        error.mismatched.append(
          "\(name) is \(value.dataType) \(value.shape), the model's \(parameter.dataType) \(parameter.shape)"
        )
      }
    }
    let known = Set(places.map(\.name))
    error.unexpected = state.keys.filter { !known.contains($0) }.sorted()
    guard error.missing.isEmpty, error.unexpected.isEmpty, error.mismatched.isEmpty else {
      throw error
    }
    for (name, parameter) in places { parameter.assign(state[name]!) }
  }
}
