// The graph of a tensor, for inspection.

extension Tensor {
  /// The names of all operations in the graph of this tensor.
  package final func operationNames() -> Set<String> {
    Set(operationsBehind().map { "\($0.name)" })
  }

  /// All operations in the graph of this tensor, newest first.
  private func operationsBehind() -> [Operation] {
    guard let operation else { return [] }
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(operation)]
    var found = [operation]
    var next = 0
    while next < found.count {
      for case .operation(let input) in found[next].edges
      where seen.insert(ObjectIdentifier(input)).inserted {
        found.append(input)
      }
      next += 1
    }
    return found.sorted { $0.sequence > $1.sequence }
  }

  /// The computation graph of this tensor in Graphviz DOT: operations are boxes, leaves are ellipses,
  /// each with its shape; arrows point in the direction of the forward pass.
  ///
  ///     try tensor.graphDescription(["weight": w]).write(toFile: "graph.dot", …)
  ///     // dot -Tsvg graph.dot > graph.svg
  ///
  /// Leaves that are in `names` are labeled with their names.
  public final func graphDescription(_ names: [String: Tensor] = [:]) -> String {
    let leafNames = Dictionary(
      names.map { (ObjectIdentifier($0.value), $0.key) }, uniquingKeysWith: Swift.min)
    let operations = operationsBehind()
    let numbers = Dictionary(
      uniqueKeysWithValues: operations.reversed().enumerated().map {
        (ObjectIdentifier($0.element), $0.offset)
      })
    var nodes: [String] = []
    var arrows: [String] = []
    var leaves: [ObjectIdentifier: Int] = [:]
    func leafNumber(_ leaf: Tensor) -> Int {
      let key = ObjectIdentifier(leaf)
      if let known = leaves[key] { return known }
      let number = leaves.count
      leaves[key] = number
      let name = leafNames[key].map { "\($0)\\n" } ?? ""
      nodes.append("  leaf\(number) [label=\"\(name)\(leaf.shape)\", shape=ellipse];")
      return number
    }
    for operation in operations.reversed() {
      let number = numbers[ObjectIdentifier(operation)]!
      nodes.append("  op\(number) [label=\"\(operation.name)\\n\(operation.resultShape)\"];")
      for edge in operation.edges {
        switch edge {
        case .none: break
        case .leaf(let leaf): arrows.append("  leaf\(leafNumber(leaf)) -> op\(number);")
        case .operation(let input):
          arrows.append("  op\(numbers[ObjectIdentifier(input)]!) -> op\(number);")
        }
      }
    }
    if operations.isEmpty { _ = leafNumber(self) }
    let head = ["digraph {", "  rankdir=BT;", "  node [shape=box, fontname=\"sans-serif\"];"]
    return (head + nodes + arrows + ["}"]).joined(separator: "\n") + "\n"
  }
}
