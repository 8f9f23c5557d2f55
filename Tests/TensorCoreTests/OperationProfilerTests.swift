import Testing

import TensorCore

@Suite("Profiler of operations")
struct OperationProfilerTests {
  private let first = Tensor.ones([4, 3]), second = Tensor.ones([2, 4]), bias = Tensor.ones([2])

  init() { for parameter in [first, second, bias] { parameter.requiresGrad = true } }

  private var parameters: [(name: String, parameter: Tensor)] {
    [("body.0.weight", first), ("head.weight", second), ("head.bias", bias)]
  }

  /// The profile of a forward and a backward pass of two layers on five samples, and the gradient.
  private func profileTwoLayers() throws -> (OperationProfiler, [Double]) {
    OperationProfiler.start(parameters)
    let gradient = twoLayers()
    OperationProfiler.mark("end")
    return (try #require(OperationProfiler.stop()), gradient)
  }

  private func twoLayers() -> [Double] {
    let x = Tensor.ones([5, 3])
    x.linear(weight: first).relu().linear(weight: second, bias: bias).sum().backward()
    defer { for parameter in [first, second, bias] { parameter.zeroGrad() } }
    return first.grad!.doubles()
  }

  @Test("each operation has an event forward and one backward, with its module")
  func events() throws {
    let (profile, _) = try profileTwoLayers()
    let events = profile.events.map { "\($0.pass) \($0.name) \(profile.modules[$0.module])" }
    #expect(
      events == [
        "forward Linear body.0", "forward Relu body.0", "forward Linear head", "forward Sum head",
        "other order of backward head", "backward Sum head", "backward Linear head",
        "backward Relu body.0", "backward Linear body.0", "other end ",
      ])
    #expect(profile.events[0].shapes == [[5, 3], [4, 3], [5, 4]])
    #expect(profile.events[8].shapes == [[5, 3], [4, 3], [5, 4]])
  }

  @Test("events leave no gap")
  func gaps() throws {
    let events = try profileTwoLayers().0.events
    #expect(zip(events, events.dropFirst()).allSatisfy { $0.end == $1.start })
    #expect(events.allSatisfy { $0.start <= $0.end })
  }

  @Test("products count 2 m n k forward, and again for each gradient that is needed")
  func work() throws {
    let work = try profileTwoLayers().0.events.map(\.work)
    #expect(work.map(\.operations) == [120, 0, 80, 0, 0, 0, 160, 0, 120, 0])
    #expect(work[0].bytes == 4 * (15 + 12 + 20))
    #expect(work[1].bytes == 4 * 40)
    // dy, x and W are read, the gradient of W is written.
    #expect(work[8].bytes == 4 * (20 + 15 + 12 + 12))
  }

  @Test("convolutions and attention count the products that they are made of")
  func convolutions() throws {
    let (x, weight) = (Tensor.ones([2, 6, 5, 5]), Tensor.ones([4, 3, 3, 3]))
    let q = Tensor.ones([2, 3, 5, 8])
    for leaf in [x, weight, q] { leaf.requiresGrad = true }
    OperationProfiler.start([])
    x.conv2d(weight: weight, groups: 2).sum().backward()
    Tensor.scaledDotProductAttention(q, q, q).sum().backward()
    _ = Tensor.ones([2, 5, 24]).selfAttention(heads: 2)
    let events = try #require(OperationProfiler.stop()).events
    func operations(_ name: String) -> [Double] {
      events.filter { "\($0.name)" == name }.map(\.work.operations)
    }
    let convolution = 2.0 * (2 * 4 * 3 * 3) * (3 * 3 * 3)
    #expect(operations("Conv2d") == [convolution, 2 * convolution])
    let attention = 4.0 * (2 * 3) * (5 * 5 * 8)
    #expect(operations("Attention") == [attention, 2 * attention])
    #expect(operations("SelfAttention") == [4 * 2 * (5 * 5 * 8)])
  }

  @Test("operations that are not recorded count too, and views move no bytes")
  func unrecorded() throws {
    OperationProfiler.start([])
    withoutGrad { _ = first.transposed().exp() }
    let events = try #require(OperationProfiler.stop()).events
    #expect(events.map { "\($0.name)" } == ["Transpose", "Exp"])
    #expect(events[0].work == OperationProfiler.Work())
    #expect(events[1].work.bytes == 96)
  }

  @Test("gradients have the same bits, and a thread that is not profiled notes nothing")
  func bits() throws {
    let gradient = try profileTwoLayers().1
    #expect(twoLayers() == gradient)
    OperationProfiler.mark("nothing")
    #expect(OperationProfiler.stop() == nil)
  }
}
