import Foundation

extension Tensor {
  /// Einstein summation of one or two tensors: letters name axes, and axes that are not in the output
  /// are summed.
  ///
  ///     Tensor.einsum("ij,jk->ik", a, b)     // matrix product
  ///     Tensor.einsum("bhqd,bhkd->bhqk", q, k)
  ///     Tensor.einsum("ij->ji", a)           // transpose
  ///     Tensor.einsum("i,j->ij", a, b)       // outer product
  ///
  /// A letter may occur once per tensor. Composed of differentiable operations.
  public static func einsum(_ form: String, _ tensors: Tensor...) -> Tensor {
    let sides = form.filter { $0 != " " }.components(separatedBy: "->")
    let inputs = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(Array.init)
    require(
      sides.count == 2 && inputs.count == tensors.count && [1, 2].contains(tensors.count),
      "einsum: \"\(form)\" does not fit \(tensors.count) tensors; write it like \"ij,jk->ik\"")
    let output = Array(sides[1])
    var sizes: [Character: Int] = [:]
    for (letters, tensor) in zip(inputs, tensors) {
      require(
        letters.count == tensor.shape.count && Set(letters).count == letters.count,
        "einsum: \"\(String(letters))\" does not name each axis of \(tensor.shape) once")
      for (letter, size) in zip(letters, tensor.shape) {
        require(
          sizes[letter, default: size] == size,
          "einsum: \"\(form)\": axis \(letter) is \(sizes[letter] ?? 0) and \(size)")
        sizes[letter] = size
      }
    }
    require(
      Set(output).count == output.count && output.allSatisfy { sizes[$0] != nil },
      "einsum: \"\(form)\": an axis of the output is in no tensor, or named twice")

    if tensors.count == 1 {
      let (letters, x) = summing(inputs[0], tensors[0]) { output.contains($0) }
      return x.permuted(output.map { letters.firstIndex(of: $0)! })
    }
    let (aLetters, a) = summing(inputs[0], tensors[0]) {
      output.contains($0) || inputs[1].contains($0)
    }
    let (bLetters, b) = summing(inputs[1], tensors[1]) {
      output.contains($0) || inputs[0].contains($0)
    }
    // Every letter is of one of four kinds now; each kind becomes one axis of a batched product.
    let batch = aLetters.filter { bLetters.contains($0) && output.contains($0) }
    let inner = aLetters.filter { bLetters.contains($0) && !output.contains($0) }
    let rows = aLetters.filter { !bLetters.contains($0) }
    let columns = bLetters.filter { !aLetters.contains($0) }
    func size(_ letters: [Character]) -> Int { letters.reduce(1) { $0 * sizes[$1]! } }
    func arranged(_ x: Tensor, _ letters: [Character], _ groups: [[Character]]) -> Tensor {
      x.permuted(groups.joined().map { letters.firstIndex(of: $0)! })
        .reshaped(to: TensorShape(groups.map(size)))
    }
    let product = arranged(a, aLetters, [batch, rows, inner])
      .matmul(arranged(b, bLetters, [batch, inner, columns]))
    let letters = batch + rows + columns
    return product.reshaped(to: TensorShape(letters.map { sizes[$0]! }))
      .permuted(output.map { letters.firstIndex(of: $0)! })
  }

  /// Sums over the axes whose letters are not kept.
  private static func summing(
    _ letters: [Character], _ x: Tensor, keeping isWanted: (Character) -> Bool
  ) -> ([Character], Tensor) {
    let axes = letters.indices.filter { !isWanted(letters[$0]) }
    return axes.isEmpty ? (letters, x) : (letters.filter(isWanted), x.sum(axes: axes))
  }
}
