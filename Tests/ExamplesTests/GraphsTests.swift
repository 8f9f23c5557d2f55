import Examples
import TensorCore
import Testing

@Suite struct GraphsTests {
  @Test("tensors print the operation that made them")
  func objects() {
    let (tensors, graph) = Graphs.objects()
    let texts = Dictionary(uniqueKeysWithValues: tensors)
    #expect(texts["a"]!.contains("requiresGrad: true"))
    #expect(!texts["b"]!.contains("requiresGrad"))
    #expect(texts["a b"]!.contains("gradFunction: MatmulBackward"))
    #expect(texts["c"]!.contains("gradFunction: AddBackward"))
    for part in ["digraph", "label=\"a\\n[2, 2]\"", "leaf0 -> op1;", "op0 -> op1;"] {
      #expect(graph.contains(part), "\(part) in\n\(graph)")
    }
  }

  @Test("eager lines have values at once, lazy ones when they are run")
  func eagerAndLazy() {
    let a = Tensor(2.0 as Double)
    a.requiresGrad = true
    let lines = Graphs.eager(a, Tensor(3.0 as Double))
    #expect(lines[0].hasPrefix("tensor(5.0000"))
    #expect(lines[1].hasPrefix("tensor(25.0000"))

    let d = Graphs.lazy(.input("a"), .input("b"))
    #expect("\(d)" == "(a + b) * (a + b)")
    #expect(d.value(["a": 2, "b": 3]) == 25)
    #expect(d.value(["a": 1, "b": 1]) == 4)
  }

  @Test("the gradient over two paths is the sum of those along each")
  func twoPaths() {
    let paths = Graphs.twoPaths(at: 2)
    #expect(paths.f == 24)
    #expect(paths.whole == 36)
    #expect(paths.parts == [24, 12])
  }
}
