extension Tensor {
  /// The names of all operations that this tensor was computed by.
  package final func operationNames() -> Set<String> {
    guard let operation else { return [] }
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(operation)]
    var waiting = [operation]
    var names: Set<String> = []
    while let next = waiting.popLast() {
      names.insert("\(next.name)")
      for case .operation(let input) in next.edges
      where seen.insert(ObjectIdentifier(input)).inserted {
        waiting.append(input)
      }
    }
    return names
  }
}
