public import TensorCore

/// A part of a model: a plain type that holds parameters, buffers and other modules.
///
/// Parameters and buffers are found by reflection, in the order of declaration, under the names
/// that PyTorch would give them: `hidden.0.weight` is the `weight` of the first module in the array
/// `hidden`. Nothing needs to be registered:
///
///     struct Classifier: Module {
///       let hidden = Linear(64, 32)
///       let output = Linear(32, 10)
///       func callAsFunction(_ x: Tensor) -> Tensor { output(hidden(x).relu()) }
///     }
public protocol Module {
  /// The named parts to search for parameters and buffers; by default, the stored properties.
  var children: [(name: String, value: Any)] { get }

  /// What a name in a file of another program's weights is called here; nil for what is not needed.
  /// By default the name itself.
  func ownName(ofForeign name: String) -> String?
}

/// A module that maps one tensor to one tensor, so that it can stand in a `Sequential`.
public protocol Layer: Module {
  /// Applies the layer.
  func callAsFunction(_ x: Tensor) -> Tensor
}

extension Module {
  /// The name itself.
  public func ownName(ofForeign name: String) -> String? { name }

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
  /// A parameter that stands in several places is listed once, under its first name.
  public func namedParameters() -> [(name: String, parameter: Parameter)] {
    var seen: Set<ObjectIdentifier> = []
    return namedParameterPlaces().filter { seen.insert(ObjectIdentifier($0.parameter)).inserted }
  }

  /// All buffers with their names, in the order of declaration.
  ///
  /// A buffer that stands in several places is listed once, under its first name.
  public func namedBuffers() -> [(name: String, buffer: Buffer)] {
    var seen: Set<ObjectIdentifier> = []
    return namedStatePlaces().compactMap { place in
      guard let buffer = place.tensor as? Buffer,
        seen.insert(ObjectIdentifier(buffer)).inserted
      else { return nil }
      return (place.name, buffer)
    }
  }

  /// All places where parameters and buffers stand; a shared one appears under each of its names.
  func namedStatePlaces() -> [(name: String, tensor: Tensor)] {
    var found: [(name: String, tensor: Tensor)] = []
    collectState(of: self, "", &found)
    return found
  }

  /// All places where parameters stand.
  private func namedParameterPlaces() -> [(name: String, parameter: Parameter)] {
    namedStatePlaces().compactMap { place in
      (place.tensor as? Parameter).map { (place.name, $0) }
    }
  }

  /// All parameters, each once.
  public var parameters: [Parameter] { namedParameters().map(\.parameter) }

  /// The number of learnable numbers.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.count } }

  /// Forgets the gradients of all parameters.
  public func zeroGrad() {
    for parameter in parameters { parameter.zeroGrad() }
  }
}

private func collectState(
  of value: Any, _ path: String, _ found: inout [(name: String, tensor: Tensor)]
) {
  func join(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
  switch value {
  case let parameter as Parameter: found.append((path, parameter))
  case let buffer as Buffer: found.append((path, buffer))
  case is Tensor: break
  case let module as any Module:
    for child in module.children { collectState(of: child.value, join(child.name), &found) }
  default:
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional:
      if let some = mirror.children.first { collectState(of: some.value, path, &found) }
    case .collection, .tuple:
      for (index, element) in mirror.children.enumerated() {
        collectState(of: element.value, join(String(index)), &found)
      }
    case .dictionary, .set, .enum:
      var hidden: [(name: String, tensor: Tensor)] = []
      for child in mirror.children {
        for part in Mirror(reflecting: child.value).children {
          collectState(of: part.value, path, &hidden)
        }
        collectState(of: child.value, path, &hidden)
      }
      require(
        hidden.isEmpty,
        "\(path): parameters or buffers in a \(mirror.subjectType) have no order or name; use properties or arrays"
      )
    default: break
    }
  }
}
