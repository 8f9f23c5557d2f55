import Foundation
import Lockstep
import Testing

// The code of the articles that no other test has: as it is printed there, and run where it ends.

extension Tensor {
  func cubed() -> Tensor {
    let x = self
    let y = withoutGrad { x * x * x }
    return y.recorded("Cube", from: x) { dy in [3 * x * x * dy] }
  }
}

extension Tensor {
  func logistic() -> Tensor {
    let y = withoutGrad { 1 / (1 + (-self).exp()) }
    return y.recorded("Logistic", from: self, withResult: { dy, y in [dy * y * (1 - y)] })
  }
}

private struct Classifier: Module {
  let layer = Linear(2, 2)
  func callAsFunction(_ x: Tensor) -> Tensor { layer(x) }
}

@Suite("Articles") struct ArticleTests {
  private let points = Tensor([[0, 0], [0, 1], [1, 0], [1, 1]] as [[Float]])
  private let classes = Tensor([0, 1, 1, 0] as [Int32])

  @Test("Lockstep: a step of descent")
  func landingPage() {
    let model = Sequential(Linear(2, 8), Tanh(), Linear(8, 2))
    let arena = ParameterArena(model)
    let optimizer = SGD(arena, SGD.Options(momentum: 0.9))

    let loss = crossEntropy(model(points), classes)
    arena.zeroGrad()
    loss.backward()
    optimizer.step(learningRate: 0.1)
    #expect(crossEntropy(model(points), classes).item() < loss.item())
  }

  @Test("Adding an operation: both operations have right gradients")
  func operations() throws {
    let x = Tensor([0.5, -1.2, 2.0] as [Double])
    x.requiresGrad = true
    try checkGradient(of: { $0[0].cubed() }, at: [x])
    try checkGradient(of: { $0[0].logistic() }, at: [x])
  }

  @Test("How backward works: the graph, and a product with the Hessian")
  func backward() {
    let x = Tensor([[1, 1]] as [[Float]])
    let w = Tensor([[1, 2], [3, 4]] as [[Float]])
    w.requiresGrad = true
    let y = (x.matmul(w)).sum()
    #expect("\(String(describing: y.gradFunction))".contains("SumBackward"))
    print(y.graphDescription(["w": w]))
    hessian()
  }

  private func hessian() {
    let x = Tensor([1.0, 2.0] as [Double])
    let v = Tensor([1.0, 0.0] as [Double])
    x.requiresGrad = true
    func f(_ x: Tensor) -> Tensor { (x * x * x).sum() }
    let g = grad(of: f(x), withRespectTo: [x], createGraph: true)[0]!
    let hv = grad(of: (g * v).sum(), withRespectTo: [x])[0]!
    #expect(hv.array(of: Double.self) == [6, 0])
  }

  @Test("A program of your own with tensors: types, and changes of views")
  func library() {
    let w = Tensor([1, 2])
    w.requiresGrad = true

    let a = Tensor([[1, 2], [3, 4]])
    let b = Tensor([1, 2] as [Int32])
    let counts = [3, 4]
    let c = Tensor(counts)
    let mask = a .> 2
    #expect([a, b, c, mask].map(\.dataType) == [.float32, .int32, .int64, .bool])

    var y = Tensor.zeros([2, 2])
    y[0] += w
    y.sum().backward()
    #expect(w.grad!.doubles() == [1, 1] && y.doubles() == [1, 2, 0, 0])
    y = a
  }

  /// Compiled, and not run: each stops the program.
  private func refused(_ x: Tensor) {
    func overwritten() {
      var y = x.sin()
      y += 1
      y *= y
      y.sum().backward()
    }
    func viewed(_ y: inout Tensor) {
      let v = y[0..<2]
      y *= 2
      _ = v.sum()
      y[0..<2].zero_()
    }
    _ = (overwritten, viewed)
  }

  @Test("Training on several ranks: the loop, on one")
  func ranks() throws {
    let (batches, ranks) = (1, SingleProcess())
    func inputs(_ samples: Range<Int>) -> Tensor { .zeros([samples.count, 2]) }
    func targets(_ samples: Range<Int>) -> Tensor {
      .of(samples.map { Int32($0 % 2) }, shape: [samples.count])
    }
    let model = Classifier()
    let parallel = try DataParallel(model, ranks) { SGD($0, SGD.Options(momentum: 0.9)) }

    for batch in 0..<batches {
      let result = try parallel.step(
        samples: batch * 64..<(batch + 1) * 64, learningRate: 0.1
      ) { samples in
        crossEntropy(model(inputs(samples)), targets(samples))
      }
      if ranks.isRoot { print(result.loss) }
    }
  }

  @Test("Mixed precision: a step")
  func mixedPrecision() {
    let model = Classifier()
    let (x, labels) = (points, classes)
    let optimizer = SGD(ParameterArena(model))
    let loss = withAutocast { crossEntropy(model(x), labels) }
    loss.backward()
    optimizer.step(learningRate: 0.1)
  }

  @Test("the code of the articles stands here")
  func lines() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let source = try code(String(contentsOfFile: #filePath, encoding: .utf8))
    // A value that is printed; a row of the table of gradients; what the test does in another way.
    let others = [
      "y.gradFunction", "v.sum()", #".init("sigmoid()", [4]) { $0[0].sigmoid() },"#,
      "let ranks = try MPICommunicator.start()",
    ]
    for article in [
      "Lockstep", "adding-an-operation", "backward", "data-parallel", "mixed-precision",
    ] {
      let path = root.appending(path: "Sources/Lockstep/Lockstep.docc/\(article).md")
      let text = try String(contentsOf: path, encoding: .utf8)
      let blocks = text.matches(of: /```swift\n((?s).*?)```/).map { String($0.output.1) }
      #expect(!blocks.isEmpty, "\(article)")
      for line in blocks.flatMap(code) where !others.contains(line) {
        let isHere = source.contains(line)
        #expect(isHere, "\(article): \(line)")
      }
    }
  }

  /// The lines of a program without indentation, comments and empty lines.
  private func code(_ text: String) -> [String] {
    text.split(separator: "\n").compactMap { line in
      let code = line.prefix(upTo: line.firstRange(of: "//")?.lowerBound ?? line.endIndex)
        .trimmingCharacters(in: .whitespaces)
      return code.isEmpty ? nil : code
    }
  }
}
