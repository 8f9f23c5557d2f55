public import TensorCore

/// A state dictionary that does not match a model.
public struct StateDictionaryError: Error, CustomStringConvertible {
  /// Parameters and buffers of the model that the dictionary lacks.
  public var missing: [String] = []
  /// Names in the dictionary that the model lacks.
  public var unexpected: [String] = []
  /// Names with different shapes or types, and both of these.
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
  /// The values of all parameters and buffers with PyTorch's names, in the order of declaration; they
  /// share memory with the model.
  public func stateDictionary() -> [(name: String, value: Tensor)] {
    namedState().map { ($0.name, $0.tensor.detached()) }
  }

  /// Copies values into the parameters and buffers of the same names.
  ///
  /// Throws `StateDictionaryError`, and changes nothing, unless names, shapes and types are exactly those
  /// of the model. `num_batches_tracked` of PyTorch's batch normalization is accepted and ignored, because
  /// only a cumulative average needs it. It is not saved either; PyTorch loads files without it.
  public func load(stateDictionary state: [String: Tensor]) throws {
    let places = namedState()
    var error = StateDictionaryError()
    for (name, tensor) in places {
      guard let value = state[name] else {
        error.missing.append(name)
        continue
      }
      if value.shape != tensor.shape || value.dataType != tensor.dataType {
        error.mismatched.append(
          "\(name) is \(value.dataType) \(value.shape), the model's \(tensor.dataType) \(tensor.shape)"
        )
      }
    }
    let known = Set(places.map(\.name)).union(places.map { batchCount(beside: $0.name) })
    error.unexpected = state.keys.filter { !known.contains($0) }.sorted()
    guard error.missing.isEmpty, error.unexpected.isEmpty, error.mismatched.isEmpty else {
      throw error
    }
    for (name, tensor) in places { tensor.assign(state[name]!) }
  }
}

/// The name of PyTorch's count of batches if `name` is the name of a running mean, else `name`.
private func batchCount(beside name: String) -> String {
  let last = "running_mean"
  guard name == last || name.hasSuffix(".\(last)") else { return name }
  return name.dropLast(last.count) + "num_batches_tracked"
}
