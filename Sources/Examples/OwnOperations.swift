// Six operations written outside of Lockstep. Each is two functions: `forward` computes the result
// and keeps in a context what `backward` will need; `backward` turns the gradient of the result
// into the gradients of the inputs. `recorded(_:from:pullback:)` puts both into the graph.

package import TensorCore

/// What an operation keeps from its forward pass for its backward pass.
package final class Context: CustomStringConvertible {
  package let operation: String
  package private(set) var saved: [(name: String, value: Tensor)] = []

  init(_ operation: String) { self.operation = operation }

  func save(_ name: String, _ value: Tensor) { saved.append((name, value.detached())) }
  subscript(name: String) -> Tensor { saved.first { $0.name == name }!.value }

  package var description: String {
    let values = saved.map { "\($0.name) \($0.value.shape)" }.joined(separator: ", ")
    return "\(operation) keeps \(values.isEmpty ? "nothing" : values)"
  }
}

/// An operation, applied with `Name.apply(inputs)`.
///
/// Inside `forward` nothing is recorded, so the operation is one node of the graph, however many
/// tensor operations it is made of. What is saved is cut off from the graph, which keeps the
/// context simple; the price is that these gradients cannot be differentiated again.
package protocol OwnOperation {
  static var name: StaticString { get }
  static func forward(_ context: Context, _ x: [Tensor]) -> Tensor
  static func backward(_ context: Context, _ dy: Tensor) -> [Tensor?]
}

extension OwnOperation {
  package static func apply(_ x: Tensor) -> Tensor { applyKeepingContext(x).y }

  package static func applyKeepingContext(_ x: Tensor) -> (y: Tensor, context: Context) {
    let context = Context("\(name)")
    let y = withoutGrad { forward(context, [x]) }
    return (y.recorded(name, from: x) { backwardOnce(context, $0) }, context)
  }

  package static func apply(_ a: Tensor, _ b: Tensor) -> Tensor { applyKeepingContext(a, b).y }

  package static func applyKeepingContext(
    _ a: Tensor, _ b: Tensor
  ) -> (y: Tensor, context: Context) {
    let context = Context("\(name)")
    let y = withoutGrad { forward(context, [a, b]) }
    return (y.recorded(name, from: a, b) { backwardOnce(context, $0) }, context)
  }

  private static func backwardOnce(_ context: Context, _ dy: Tensor) -> [Tensor?] {
    require(!isGradientEnabled, "\(name): its gradient cannot be differentiated again")
    return backward(context, dy)
  }
}

/// The sum of all elements: each has the same part in it.
package enum Sum: OwnOperation {
  package static let name: StaticString = "Sum"
  package static func forward(_ context: Context, _ x: [Tensor]) -> Tensor {
    context.save("x", x[0])
    return x[0].sum()
  }
  package static func backward(_ context: Context, _ dy: Tensor) -> [Tensor?] {
    [dy.expanded(to: context["x"].shape)]
  }
}

/// The sum of each row of a matrix, as a column.
package enum RowSum: OwnOperation {
  package static let name: StaticString = "RowSum"
  package static func forward(_ context: Context, _ x: [Tensor]) -> Tensor {
    context.save("x", x[0])
    return x[0].sum(axes: [1], keepingAxes: true)
  }
  package static func backward(_ context: Context, _ dy: Tensor) -> [Tensor?] {
    [dy.expanded(to: context["x"].shape)]
  }
}

/// Each row of a matrix divided by its sum: y = x / s.
///
/// An element counts directly, dy / s, and through the sum, -Σ(dy x) / s².
package enum Normalize: OwnOperation {
  package static let name: StaticString = "Normalize"
  package static func forward(_ context: Context, _ x: [Tensor]) -> Tensor {
    let s = x[0].sum(axes: [1], keepingAxes: true)
    context.save("x", x[0])
    context.save("s", s)
    return x[0] / s
  }
  package static func backward(_ context: Context, _ dy: Tensor) -> [Tensor?] {
    let (x, s) = (context["x"], context["s"])
    return [dy / s - (dy * x).sum(axes: [1], keepingAxes: true) / s.squared()]
  }
}

/// A column repeated to the width of another matrix: the opposite of `RowSum`.
package enum Expand: OwnOperation {
  package static let name: StaticString = "Expand"
  package static func forward(_ context: Context, _ x: [Tensor]) -> Tensor {
    x[0].expanded(to: [x[0].shape[0], x[1].shape[1]]).copy()
  }
  package static func backward(_ context: Context, _ dy: Tensor) -> [Tensor?] {
    [dy.sum(axes: [1], keepingAxes: true), nil]  // of the other matrix only the width was used
  }
}

/// 1 / (1 + exp(-x)), whose derivative is y (1 - y).
package enum Sigmoid: OwnOperation {
  package static let name: StaticString = "Sigmoid"
  package static func forward(_ context: Context, _ x: [Tensor]) -> Tensor {
    let y = 1 / (1 + (-x[0]).exp())
    context.save("y", y)
    return y
  }
  package static func backward(_ context: Context, _ dy: Tensor) -> [Tensor?] {
    let y = context["y"]
    return [dy * y * (1 - y)]
  }
}

/// The product of two matrices: da = dy bᵀ, db = aᵀ dy.
package enum MatrixMultiply: OwnOperation {
  package static let name: StaticString = "MatrixMultiply"
  package static func forward(_ context: Context, _ x: [Tensor]) -> Tensor {
    context.save("a", x[0])
    context.save("b", x[1])
    return x[0].matmul(x[1])
  }
  package static func backward(_ context: Context, _ dy: Tensor) -> [Tensor?] {
    let (a, b) = (context["a"], context["b"])
    return [dy.matmul(b.transposed()), a.transposed().matmul(dy)]
  }
}

package enum OwnOperations {
  package typealias Case = (name: String, function: ([Tensor]) -> Tensor, inputs: [Tensor])

  /// Each operation with inputs to try it at.
  package static func cases() -> [Case] {
    var generator = Generator()
    func input(_ shape: TensorShape) -> Tensor {
      let x = generator.tensor(shape, .float64) + 1.5  // away from a row sum of 0
      x.requiresGrad = true
      return x
    }
    return [
      ("sum", { Sum.apply($0[0]) }, [input([3, 4])]),
      ("row sum", { RowSum.apply($0[0]) }, [input([3, 4])]),
      ("normalize", { Normalize.apply($0[0]) }, [input([3, 4])]),
      ("expand", { Expand.apply($0[0], $0[1]) }, [input([3, 1]), input([3, 4])]),
      ("sigmoid", { Sigmoid.apply($0[0]) }, [input([3, 4])]),
      (
        "matrix multiply", { MatrixMultiply.apply($0[0], $0[1]) }, [input([3, 4]), input([4, 2])]
      ),
    ]
  }

  /// Two layers out of nothing but our own operations; rows of probabilities come out.
  package static func network(_ x: Tensor, _ w: Tensor, _ v: Tensor) -> Tensor {
    let hidden = Sigmoid.apply(MatrixMultiply.apply(x, w))
    return Normalize.apply(MatrixMultiply.apply(hidden, v).exp())
  }

  package static func run() throws {
    heading("Gradients of six operations against finite differences")
    for (name, function, inputs) in cases() {
      try checkGradient(of: function, at: inputs)
      print("\(name): as finite differences say")
    }
    heading("What an operation keeps")
    let x = Tensor([[1, 3], [2, 2]] as [[Double]])
    x.requiresGrad = true
    let (y, context) = Normalize.applyKeepingContext(x)
    print(y)
    print(context)
    y[0][0].backward()
    print("the gradient of its first element:\n\(x.grad!)")

    heading("Two layers of our own operations")
    var generator = Generator()
    let w = generator.tensor([2, 3])
    let v = generator.tensor([3, 2])
    for leaf in [w, v] { leaf.requiresGrad = true }
    let p = network(Tensor([[1, -1]] as [[Float]]), w, v)
    print(p)
    print(p.graphDescription(["w": w, "v": v]))
  }
}
