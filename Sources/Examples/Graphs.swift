// What a tensor remembers of its making, and how that differs from a language that builds the
// whole computation before running it.

package import TensorCore

package enum Graphs {
  // MARK: Tensors and operations as things to look at

  /// c = a b + a: what each tensor prints, and the graph behind the last.
  package static func objects() -> (tensors: [(name: String, text: String)], graph: String) {
    let a = Tensor([[1, 2], [3, 4]] as [[Float]])
    let b = Tensor([[0, 1], [1, 0]] as [[Float]])
    a.requiresGrad = true  // b stays a constant
    let product = a.matmul(b)
    let c = product + a
    return (
      [("a", a), ("b", b), ("a b", product), ("c", c)].map { ($0.0, "\($0.1)") },
      c.graphDescription(["a": a, "b": b])
    )
  }

  // MARK: Eager against lazy

  /// A computation that has yet to happen: what a lazy language builds from the same two lines.
  package indirect enum Expression: CustomStringConvertible {
    case input(String)
    case sum(Expression, Expression)
    case product(Expression, Expression)

    package static func + (a: Expression, b: Expression) -> Expression { .sum(a, b) }
    package static func * (a: Expression, b: Expression) -> Expression { .product(a, b) }

    /// Runs the computation.
    package func value(_ inputs: [String: Double]) -> Double {
      switch self {
      case .input(let name): inputs[name]!
      case .sum(let a, let b): a.value(inputs) + b.value(inputs)
      case .product(let a, let b): a.value(inputs) * b.value(inputs)
      }
    }

    package var description: String {
      switch self {
      case .input(let name): name
      case .sum(let a, let b): "(\(a) + \(b))"
      case .product(let a, let b): "\(a) * \(b)"
      }
    }
  }

  /// Two lines, executed: after each there is a value, and the way back from it.
  package static func eager(_ a: Tensor, _ b: Tensor) -> [String] {
    let c = a + b
    let d = c * c
    return ["\(c)", "\(d)"]
  }

  /// The same two lines, building: no value until the end, then one for each set of inputs.
  package static func lazy(_ a: Expression, _ b: Expression) -> Expression {
    let c = a + b
    let d = c * c
    return d
  }

  // MARK: The multivariate chain rule

  /// f = x² (3 x): x reaches f by two paths, and its gradient is the sum over both.
  package static func twoPaths(at value: Double) -> (f: Double, whole: Double, parts: [Double]) {
    func gradient(cutting path: Int?) -> (f: Double, dx: Double) {
      let x = Tensor(value)
      x.requiresGrad = true
      // detached() is the same value without its past: nothing flows back along that path.
      let a = (path == 0 ? x.detached() : x).squared()
      let b = 3 * (path == 1 ? x.detached() : x)
      let f = a * b
      f.backward()
      return (f.item(), x.grad!.item())
    }
    let (f, whole) = gradient(cutting: nil)
    return (f, whole, [gradient(cutting: 1).dx, gradient(cutting: 0).dx])
  }

  package static func run() {
    heading("What a tensor knows")
    let (tensors, graph) = objects()
    for (name, text) in tensors { print("\(name)\n\(text)") }
    print("\nThe graph behind c, for `dot -Tsvg`:\n\(graph)")

    heading("Eager: c = a + b; d = c * c at a = 2, b = 3")
    let (a, b) = (Tensor(2.0 as Double), Tensor(3.0 as Double))
    a.requiresGrad = true
    for line in eager(a, b) { print(line) }
    print("A mistake shows on its line, and `if` and `for` may look at values.")

    heading("Lazy: the same two lines")
    let d = lazy(.input("a"), .input("b"))
    print("d is \(d)")
    print("run at a = 2, b = 3: \(text(d.value(["a": 2, "b": 3])))")
    print("run at a = 1, b = 1: \(text(d.value(["a": 1, "b": 1])))")
    print("The whole can be rearranged before it runs; mistakes show when it does.")

    heading("Two paths from x to f = x² (3 x), x = 2")
    let paths = twoPaths(at: 2)
    print("f = \(text(paths.f)), df/dx = \(text(paths.whole))")
    print("along x²: \(text(paths.parts[0])), along 3 x: \(text(paths.parts[1]))")
  }
}
