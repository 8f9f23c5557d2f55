/// A picture of a package's targets as SVG, users above what they import.
///
/// An arrow is a declared dependency. One that follows from others (A → C beside A → B → C) is left
/// out: with all arrows nothing could be seen.
struct ArchitecturePicture {
  /// A box, or a place where a long arrow passes a row.
  private struct Node {
    var name: String
    /// Nil where an arrow passes.
    var kind: String?
    var row: Int
    var x = 0.0
    var width: Double { kind == nil ? 4 : Double(name.count) * 8 + 20 }
  }

  private var nodes: [Node] = []
  /// The nodes that a node points to, all one row below it.
  private var below: [[Int]] = []
  /// The nodes of each row from left to right; the lowest row is the first one.
  private var rows: [[Int]] = []
  /// The nodes of each arrow from its start to its end.
  private var arrows: [[Int]] = []

  private static let gap = 18.0
  private static let boxHeight = 26.0
  private static let rowHeight = 68.0
  private static let margin = 12.0

  /// A picture of all targets but tests, and of the products of other packages that they import.
  init(_ architecture: Architecture) {
    let targets = architecture.products
    let names = Set(targets.map(\.name))
    var dependencies: [String: [String]] = [:]
    for target in targets {
      dependencies[target.name] = target.dependencies
      nodes.append(Node(name: target.name, kind: "\(target.kind)", row: 0))
    }
    for name in Set(targets.flatMap(\.dependencies)).subtracting(names).sorted() {
      nodes.append(Node(name: name, kind: "package", row: 0))
    }
    addRows(dependencies)
    addArrows(dependencies)
    orderRows()
    place()
  }

  // MARK: Rows

  /// Puts each node one row above the highest of its dependencies, and one without dependencies
  /// right below the lowest of its users.
  private mutating func addRows(_ dependencies: [String: [String]]) {
    func height(_ name: String) -> Int {
      (dependencies[name] ?? []).map { height($0) + 1 }.max() ?? 0
    }
    for i in nodes.indices {
      let name = nodes[i].name
      let users = dependencies.filter { $0.value.contains(name) }.keys
      let isLeaf = (dependencies[name] ?? []).isEmpty
      nodes[i].row = isLeaf ? users.map { height($0) - 1 }.min() ?? 0 : height(name)
    }
  }

  /// Adds the arrows that do not follow from others, each as a chain from row to row.
  private mutating func addArrows(_ dependencies: [String: [String]]) {
    func reaches(_ start: String, _ end: String) -> Bool {
      (dependencies[start] ?? []).contains { $0 == end || reaches($0, end) }
    }
    below = nodes.map { _ in [] }
    let index = Dictionary(uniqueKeysWithValues: nodes.indices.map { (nodes[$0].name, $0) })
    for start in nodes.indices {
      let direct = dependencies[nodes[start].name] ?? []
      for name in direct where !direct.contains(where: { reaches($0, name) }) {
        guard let end = index[name] else { continue }
        var chain = [start]
        for row in stride(from: nodes[start].row - 1, to: nodes[end].row, by: -1) {
          chain.append(nodes.count)
          nodes.append(Node(name: "", kind: nil, row: row))
          below.append([])
        }
        chain.append(end)
        for (upper, lower) in zip(chain, chain.dropFirst()) { below[upper].append(lower) }
        arrows.append(chain)
      }
    }
  }

  /// Orders each row by the mean position of its neighbors, and keeps the order with the fewest
  /// crossings.
  private mutating func orderRows() {
    rows = (0...(nodes.map(\.row).max() ?? 0)).map { row in
      nodes.indices.filter { nodes[$0].row == row }
    }
    var best = rows
    for sweep in 0..<40 {
      let isDown = sweep % 2 == 0
      for row in isDown ? Array(rows.indices.reversed()) : Array(rows.indices) {
        let means = rows[row].enumerated().map { position, node in
          mean(of: neighbors(node, isAbove: isDown).map { Double(rowPosition($0)) })
            ?? Double(position)
        }
        rows[row] = rows[row].indices.sorted { (means[$0], $0) < (means[$1], $1) }
          .map { rows[row][$0] }
      }
      if crossings(rows) < crossings(best) { best = rows }
    }
    rows = best
  }

  private func neighbors(_ node: Int, isAbove: Bool) -> [Int] {
    isAbove ? below.indices.filter { below[$0].contains(node) } : below[node]
  }

  private func rowPosition(_ node: Int) -> Int { rows[nodes[node].row].firstIndex(of: node) ?? 0 }

  private func mean(of values: [Double]) -> Double? {
    values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
  }

  private func crossings(_ rows: [[Int]]) -> Int {
    var count = 0
    for (lower, upper) in zip(rows, rows.dropFirst()) {
      let ends = upper.flatMap { node in
        below[node].map { lower.firstIndex(of: $0) ?? 0 }.sorted().map { (node, $0) }
      }
      for i in ends.indices {
        count += ends[..<i].count { $0.0 != ends[i].0 && $0.1 > ends[i].1 }
      }
    }
    return count
  }

  // MARK: Places

  /// Moves the nodes of each row as near to their neighbors as the other nodes of the row allow.
  private mutating func place() {
    for row in rows { setPlaces(of: row, wanted: row.map { _ in 0 }) }
    for sweep in 0..<60 {
      for row in sweep % 2 == 0 ? rows : rows.reversed() {
        setPlaces(
          of: row,
          wanted: row.map { node in
            let all = neighbors(node, isAbove: true) + neighbors(node, isAbove: false)
            return mean(of: all.map { nodes[$0].x }) ?? nodes[node].x
          })
      }
    }
    let left = nodes.map { $0.x - $0.width / 2 }.min() ?? 0
    for i in nodes.indices { nodes[i].x = (nodes[i].x - left + Self.margin).rounded() }
  }

  /// Places a row's nodes next to the wanted centers, by least squares, without overlaps.
  private mutating func setPlaces(of row: [Int], wanted: [Double]) {
    var offset = 0.0
    var offsets: [Double] = []
    // Without the distances between them, the places need only not decrease: nodes that would
    // change their order get their mean.
    var blocks: [(sum: Double, count: Int)] = []
    for (i, node) in row.enumerated() {
      if i > 0 { offset += (nodes[row[i - 1]].width + nodes[node].width) / 2 + Self.gap }
      offsets.append(offset)
      blocks.append((wanted[i] - offset, 1))
      while blocks.count > 1 {
        let (last, previous) = (blocks[blocks.count - 1], blocks[blocks.count - 2])
        if previous.sum / Double(previous.count) <= last.sum / Double(last.count) { break }
        blocks.removeLast()
        blocks[blocks.count - 1] = (previous.sum + last.sum, previous.count + last.count)
      }
    }
    let places = blocks.flatMap { Array(repeating: $0.sum / Double($0.count), count: $0.count) }
    for (i, node) in row.enumerated() { nodes[node].x = places[i] + offsets[i] }
  }

  // MARK: SVG

  /// The picture; its colors follow the reader's light or dark scheme.
  var svg: String {
    let width = (nodes.map { $0.x + $0.width / 2 }.max() ?? 0) + Self.margin
    let height = Double(rows.count - 1) * Self.rowHeight + Self.boxHeight + 2 * Self.margin
    var lines = [
      #"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \#(Int(width)) \#(Int(height))""#
        + #" font-family="sans-serif" font-size="13" text-anchor="middle">"#,
      """
      <title>The targets of Package.swift; arrows point to what a target imports</title>
      <style>
        .paper, .box { fill: #fff; }
        .box, .arrow { stroke: #8c959f; }
        .arrow { fill: none; }
        .head { fill: #8c959f; }
        text { fill: #1f2328; }
        .swift { fill: #ddf4ff; }
        .c { fill: #fff8c5; }
        .executable { fill: #dafbe1; }
        .system, .package { stroke-dasharray: 4 3; }
        @media (prefers-color-scheme: dark) {
          .paper, .box { fill: #0d1117; }
          .box, .arrow { stroke: #768390; }
          .arrow { fill: none; }
          .head { fill: #768390; }
          text { fill: #e6edf3; }
          .swift { fill: #0c2d6b; }
          .c { fill: #4b2900; }
          .executable { fill: #033a16; }
        }
      </style>
      <defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
      orient="auto"><path class="head" d="M0 0L8 4L0 8Z"/></marker></defs>
      <rect class="paper" width="100%" height="100%"/>
      """,
    ]
    lines += arrows.map(line)
    for node in nodes {
      guard let kind = node.kind else { continue }
      let (x, y) = (Int(node.x), Int(top(of: node)))
      lines.append(
        #"<rect class="box \#(kind)" x="\#(x - Int(node.width / 2))" y="\#(y)""#
          + #" width="\#(Int(node.width / 2) * 2)" height="\#(Int(Self.boxHeight))" rx="4"/>"#
          + #"<text x="\#(x)" y="\#(y + 18)">\#(node.name)</text>"#)
    }
    return (lines + ["</svg>"]).joined(separator: "\n") + "\n"
  }

  private func top(of node: Node) -> Double {
    Self.margin + Double(rows.count - 1 - node.row) * Self.rowHeight
  }

  /// An arrow that leaves each row, and reaches the next one, vertically.
  private func line(_ arrow: [Int]) -> String {
    let points = arrow.map { nodes[$0] }
    var path = "M\(Int(points[0].x)) \(Int(top(of: points[0]) + Self.boxHeight))"
    for (i, node) in points.enumerated().dropFirst() {
      let (from, to) = (Int(points[i - 1].x), Int(node.x))
      let (start, end) = (Int(top(of: points[i - 1]) + Self.boxHeight), Int(top(of: node)))
      let middle = (start + end) / 2
      path += "C\(from) \(middle) \(to) \(middle) \(to) \(end)"
      if i < points.count - 1 { path += "V\(end + Int(Self.boxHeight))" }
    }
    let label = "\(points[0].name) imports \(points[points.count - 1].name)"
    return
      #"<path class="arrow" marker-end="url(#head)" d="\#(path)"><title>\#(label)</title></path>"#
  }
}
