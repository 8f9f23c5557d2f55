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
    forEachPart(of: self) { path, part in
      if let tensor = part as? Tensor, part is Parameter || part is Buffer {
        found.append((path, tensor))
      }
      return true
    }
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

/// Visits a value and everything in it where parameters, buffers and modules may be, in order, with
/// the path of names that lead there. `visit` returns whether to look inside.
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

/// Stops the program if there are parameters or buffers in a part of a container that gives them no
/// order or name.
private func requireNoState(in value: Any, _ path: String, _ container: Any.Type) {
  forEachPart(of: value, path) { _, part in
    require(
      !(part is Parameter || part is Buffer),
      "\(path): parameters or buffers in a \(container) have no order or name; use properties or arrays"
    )
    return true
  }
}
