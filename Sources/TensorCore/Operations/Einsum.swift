import Foundation

extension Tensor {
  /// Einstein summation, as in PyTorch: letters name axes, and axes that are not in the output are
  /// summed.
  ///
  ///     Tensor.einsum("ij,jk->ik", a, b)               // matrix product
  ///     Tensor.einsum("bhqd,bhkd->bhqk", q, k)
  ///     Tensor.einsum("ij,jk,kl->il", a, b, c)         // in the cheaper order
  ///     Tensor.einsum("...ij->...ji", a)               // transposes of a batch
  ///     Tensor.einsum("ii->i", a)                      // diagonal; "ii" is the trace
  ///     Tensor.einsum("i,j", a, b)                     // without an output: "i,j->ij"
  ///
  /// Without "->", the output has the axes of "..." and then the letters that occur once, in
  /// alphabetical order. An axis of size one is broadcast. Several tensors are contracted two at a
  /// time, in the order that needs the fewest operations: the best one for up to four, else always the
  /// cheapest pair.
  ///
  /// Composed of differentiable operations.
  public static func einsum(_ form: String, _ tensors: Tensor...) -> Tensor {
    einsum(form, tensors)
  }

  /// The same for an array of tensors.
  public static func einsum(_ form: String, _ tensors: [Tensor]) -> Tensor {
    let equation = Equation(form, tensors.map(\.shape))
    var terms = zip(equation.inputs, tensors).map { labels, x in
      Term(labels: labels, x: x).withoutRepeatedLabels()
    }
    // Where another tensor has the whole axis, one of size one is left out: it is the same for all.
    terms = terms.map { term in
      let broadcast = term.labels.indices.filter {
        term.x.shape[$0] == 1 && equation.sizes[term.labels[$0]]! > 1
      }
      return term.without(broadcast)
    }
    let output = equation.output
    while terms.count > 1 {
      let (i, j) = nextPair(terms.map(\.labels), output, equation.sizes)
      let second = terms.remove(at: j)
      let first = terms.remove(at: i)
      let wanted = Set(output).union(terms.flatMap(\.labels))
      terms.append(first.contracted(with: second, keeping: wanted, equation.sizes))
    }
    let last = terms[0].summed(keeping: Set(output))
    return last.x.permuted(output.map { last.labels.firstIndex(of: $0)! })
  }

  /// The two terms to contract next.
  private static func nextPair(
    _ terms: [[Int]], _ output: [Int], _ sizes: [Int: Int]
  ) -> (Int, Int) {
    if terms.count == 2 { return (0, 1) }
    var best: (cost: Double, pair: (Int, Int)) = (.infinity, (0, 1))
    for i in terms.indices {
      for j in terms.indices where j > i {
        let (cost, rest) = contracting(terms, i, j, output, sizes)
        let total =
          terms.count <= 4 ? cost + cheapest(rest, output, sizes) : cost
        if total < best.cost { best = (total, (i, j)) }
      }
    }
    return best.pair
  }

  /// The operations that the best order needs.
  private static func cheapest(_ terms: [[Int]], _ output: [Int], _ sizes: [Int: Int]) -> Double {
    guard terms.count > 1 else { return 0 }
    var least = Double.infinity
    for i in terms.indices {
      for j in terms.indices where j > i {
        let (cost, rest) = contracting(terms, i, j, output, sizes)
        least = Swift.min(least, cost + cheapest(rest, output, sizes))
      }
    }
    return least
  }

  /// The operations that contracting two terms needs, and the terms after it.
  private static func contracting(
    _ terms: [[Int]], _ i: Int, _ j: Int, _ output: [Int], _ sizes: [Int: Int]
  ) -> (cost: Double, rest: [[Int]]) {
    let all = Set(terms[i]).union(terms[j])
    var rest = terms
    rest.remove(at: j)
    rest.remove(at: i)
    let wanted = Set(output).union(rest.flatMap(\.self))
    rest.append(all.filter(wanted.contains))
    return (all.reduce(1) { $0 * Double(sizes[$1]!) }, rest)
  }
}

/// The axes of an einsum as numbers: those of letters are positive, those of "..." negative, -1 being
/// the last.
private struct Equation {
  let inputs: [[Int]]
  let output: [Int]
  private(set) var sizes: [Int: Int] = [:]

  init(_ form: String, _ shapes: [TensorShape]) {
    let sides = form.filter { !$0.isWhitespace }.components(separatedBy: "->")
    let parts = sides[0].components(separatedBy: ",")
    require(
      sides.count <= 2 && parts.count == shapes.count && !shapes.isEmpty,
      "einsum: \"\(form)\" does not fit \(shapes.count) tensors; write it like \"ij,jk->ik\"")
    var widest = 0
    inputs = zip(parts, shapes).map { part, shape in
      let labels = Self.labels(part, form, axes: shape.count)
      widest = Swift.max(widest, labels.filter { $0 < 0 }.count)
      require(
        labels.count == shape.count,
        "einsum: \"\(form)\": \"\(part)\" names \(labels.count) axes of \(shape)")
      return labels
    }
    for (labels, shape) in zip(inputs, shapes) {
      for (label, size) in zip(labels, shape) where size != 1 || sizes[label] == nil {
        let known = sizes[label] ?? 1
        require(
          known == 1 || known == size,
          "einsum: \"\(form)\": axis \(Self.name(label)) is \(known) and \(size) in \(shapes)")
        sizes[label] = size
      }
    }
    let rest = (0..<widest).map { $0 - widest }
    if sides.count == 2 {
      let known = sizes
      output = Self.labels(sides[1], form, axes: sides[1].count - 3 + widest)
      require(
        Set(output).count == output.count && output.allSatisfy { known[$0] != nil },
        "einsum: \"\(form)\": an axis of the output is in no tensor, or named twice")
    } else {
      let letters = inputs.joined().filter { $0 > 0 }
      output = rest + Set(letters).filter { a in letters.count { $0 == a } == 1 }.sorted()
    }
  }

  /// The axes that a term names; "..." stands for as many as it takes to have `axes` of them.
  private static func labels(_ part: String, _ form: String, axes: Int) -> [Int] {
    let pieces = part.components(separatedBy: "...")
    require(
      pieces.count <= 2 && pieces.joined().allSatisfy { $0.isASCII && $0.isLetter },
      "einsum: \"\(form)\": \"\(part)\" is not of letters and one \"...\"")
    let letters = pieces.map { $0.unicodeScalars.map { Int($0.value) } }
    if pieces.count == 1 { return letters[0] }
    let others = Swift.max(axes - letters[0].count - letters[1].count, 0)
    return letters[0] + (0..<others).map { $0 - others } + letters[1]
  }

  private static func name(_ label: Int) -> String {
    label < 0 ? "\(label) of ..." : String(UnicodeScalar(UInt8(label)))
  }
}

/// A tensor whose axes have labels.
private struct Term {
  var labels: [Int]
  var x: Tensor

  /// The diagonal of axes with the same label.
  func withoutRepeatedLabels() -> Term {
    var term = self
    while true {
      let labels = term.labels
      guard let j = labels.indices.first(where: { labels[..<$0].contains(labels[$0]) }) else {
        return term
      }
      let i = labels.firstIndex(of: labels[j])!
      require(
        term.x.shape[i] == term.x.shape[j],
        "einsum: the diagonal of axes \(i) and \(j) of \(term.x.shape) is not of a square")
      term.x = term.x.diagonal(axes: (i, j))
      term.labels.remove(at: j)
      term.labels.remove(at: i)
      term.labels.append(labels[j])
    }
  }

  /// This term without axes of size one.
  func without(_ axes: [Int]) -> Term {
    axes.reversed().reduce(into: self) { term, axis in
      term.x = term.x.squeezed(axis: axis)
      term.labels.remove(at: axis)
    }
  }

  /// Sums over the axes that are not wanted.
  func summed(keeping wanted: Set<Int>) -> Term {
    let axes = labels.indices.filter { !wanted.contains(labels[$0]) }
    return axes.isEmpty
      ? self : Term(labels: labels.filter(wanted.contains), x: x.sum(axes: axes))
  }

  /// The product of two terms, summed over the axes that are not wanted.
  func contracted(with other: Term, keeping wanted: Set<Int>, _ sizes: [Int: Int]) -> Term {
    let a = summed(keeping: wanted.union(other.labels))
    let b = other.summed(keeping: wanted.union(labels))
    // Every label is of one of four kinds now; each kind becomes one axis of a batched product.
    let batch = a.labels.filter { b.labels.contains($0) && wanted.contains($0) }
    let inner = a.labels.filter { b.labels.contains($0) && !wanted.contains($0) }
    let rows = a.labels.filter { !b.labels.contains($0) }
    let columns = b.labels.filter { !a.labels.contains($0) }
    func size(_ labels: [Int]) -> Int { labels.reduce(1) { $0 * sizes[$1]! } }
    func arranged(_ term: Term, _ groups: [[Int]]) -> Tensor {
      term.x.permuted(groups.joined().map { term.labels.firstIndex(of: $0)! })
        .reshaped(to: TensorShape(groups.map(size)))
    }
    let product: Tensor
    if inner.isEmpty {
      product = arranged(a, [batch, rows, []]) * arranged(b, [batch, [], columns])
    } else if !a.x.dataType.isFloatingPoint {
      product = (arranged(a, [batch, rows, [], inner]) * arranged(b, [batch, [], columns, inner]))
        .sum(axes: [3])
    } else if batch.isEmpty {
      product = arranged(a, [rows, inner]).matmul(arranged(b, [inner, columns]))
    } else {
      product = arranged(a, [batch, rows, inner]).matmul(arranged(b, [batch, inner, columns]))
    }
    let labels = batch + rows + columns
    return Term(
      labels: labels, x: product.reshaped(to: TensorShape(labels.map { sizes[$0]! })))
  }
}
