public import TensorCore

/// A part of a model: a type with parameters, buffers and other modules as properties.
///
/// Parameters and buffers are found by reflection, in the order of declaration, with PyTorch's names:
/// `hidden.0.weight` is the `weight` of the first module in the array `hidden`. Nothing is registered:
///
///     struct Classifier: Module {
///       let hidden = Linear(64, 32)
///       let output = Linear(32, 10)
///       func callAsFunction(_ x: Tensor) -> Tensor { output(hidden(x).relu()) }
///     }
public protocol Module {
  /// The named values that contain parameters and buffers; by default, the stored properties.
  var children: [(name: String, value: Any)] { get }

  /// The key in this module's state dictionary for a key in a file from another program, such as a
  /// checkpoint of Hugging Face; nil if the value is not needed. By default, the same key.
  func stateDictionaryKey(forForeignKey key: String) -> String?
}

/// A module that maps a tensor to a tensor and can be an element of `Sequential`.
public protocol Layer: Module {
  /// Applies the layer.
  func callAsFunction(_ x: Tensor) -> Tensor
}

extension Module {
  /// The same key.
  public func stateDictionaryKey(forForeignKey key: String) -> String? { key }

  /// The stored properties, in the order of declaration.
  public var children: [(name: String, value: Any)] {
    var children: [(name: String, value: Any)] = []
    var mirror: Mirror? = Mirror(reflecting: self)
    var levels: [Mirror] = []
    while let level = mirror {
      levels.append(level)
      mirror = level.superclassMirror
    }
    for level in levels.reversed() {
      children += level.children.compactMap { child in
        child.label.map { (name: $0, value: child.value) }
      }
    }
    return children
  }

  /// All parameters with their names, in the order of declaration.
  ///
  /// A shared parameter is listed once, with its first name.
  public func namedParameters() -> [(name: String, parameter: Parameter)] {
    var seen: Set<ObjectIdentifier> = []
    return namedParameterOccurrences().filter {
      seen.insert(ObjectIdentifier($0.parameter)).inserted
    }
  }

  /// All buffers with their names, in the order of declaration.
  ///
  /// A shared buffer is listed once, with its first name.
  public func namedBuffers() -> [(name: String, buffer: Buffer)] {
    var seen: Set<ObjectIdentifier> = []
    return namedState().compactMap { place in
      guard let buffer = place.tensor as? Buffer,
        seen.insert(ObjectIdentifier(buffer)).inserted
      else { return nil }
      return (place.name, buffer)
    }
  }

  /// All parameters and buffers with all their names.
  func namedState() -> [(name: String, tensor: Tensor)] {
    var found: [(name: String, tensor: Tensor)] = []
    forEachPart(of: self) { path, part in
      if let tensor = part as? Tensor, part is Parameter || part is Buffer {
        found.append((path, tensor))
      }
      return true
    }
    return found
  }

  /// All parameters with all their names.
  private func namedParameterOccurrences() -> [(name: String, parameter: Parameter)] {
    namedState().compactMap { place in
      (place.tensor as? Parameter).map { (place.name, $0) }
    }
  }

  /// All parameters, each once.
  public var parameters: [Parameter] { namedParameters().map(\.parameter) }

  /// The number of elements of all parameters.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

  /// Sets `grad` of all parameters to nil.
  public func zeroGrad() {
    for parameter in parameters { parameter.zeroGrad() }
  }
}

/// Visits a value and all values inside that may be or contain parameters, buffers and modules, in
/// order, each with its path of names.
///
/// `visit` returns whether to look inside a value.
func forEachPart(of value: Any, _ path: String = "", _ visit: (String, Any) -> Bool) {
  guard visit(path, value) else { return }
  func join(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
  switch value {
  case is Tensor: break
  case let module as any Module:
    for child in module.children { forEachPart(of: child.value, join(child.name), visit) }
  default:
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional:
      if let some = mirror.children.first { forEachPart(of: some.value, path, visit) }
    case .collection, .tuple:
      for (index, element) in mirror.children.enumerated() {
        forEachPart(of: element.value, join(String(index)), visit)
      }
    case .dictionary, .set, .enum:
      for child in mirror.children {
        requireNoState(in: child.value, path, mirror.subjectType)
        for part in Mirror(reflecting: child.value).children {
          requireNoState(in: part.value, path, mirror.subjectType)
        }
      }
    default: break
    }
  }
}

/// Stops the program if a container without order or names has parameters or buffers.
private func requireNoState(in value: Any, _ path: String, _ container: Any.Type) {
  forEachPart(of: value, path) { _, part in
    require(
      !(part is Parameter || part is Buffer),
      "\(path): parameters or buffers in a \(container) have no order or name; use properties or arrays"
    )
    return true
  }
}
