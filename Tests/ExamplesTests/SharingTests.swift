import Examples
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

@Suite struct SharingTests {
  @Test("the gradient of a weight that acts twice is PyTorch's, by hand and by the program")
  func threeOperators() throws {
    let golden = try goldens.get()
    for result in [Sharing.threeOperators(), Sharing.threeOperatorsByHand()] {
      #expect(areClose([result.value], try golden["dag/q"].values, within: 1e-13))
      #expect(areClose(result.w1, try golden["dag/w1.grad"].values, within: 1e-13))
      #expect(areClose(result.w2, try golden["dag/w2.grad"].values, within: 1e-13))
    }
  }

  @Test("in their graph w1 is one leaf with two arrows")
  func graph() {
    let graph = Sharing.graph()
    let lines = graph.split(separator: "\n")
    #expect(lines.count { $0.contains("label=\"w1\\n[5, 5]\"") } == 1)
    #expect(lines.count { $0.contains("leaf0 ->") } == 2)
    #expect(lines.count { $0.contains("leaf1 ->") } == 1)
  }

  @Test("the norm of (1, 2, 2) is 3, its gradient (1/3, 2/3, 2/3)")
  func norm() {
    let (value, gradient) = Sharing.norm([1, 2, 2])
    #expect(value == 3)
    let third = 1.0 / 3
    #expect(areClose(gradient, [third, 2 * third, 2 * third], within: 1e-15))
  }

  @Test("depth adds layers", arguments: [0, 1, 4, 16])
  func depth(_ depth: Int) {
    let model = Sharing.DeepNetwork(inputs: 10, width: 32, outputs: 2, depth: depth)
    let hidden = 32 * 32 + 32
    #expect(model.parameterCount == 418 + depth * hidden)
    let y = model(.ones([3, 10]))
    #expect(y.shape == [3, 2])
    y.sum().backward()
    #expect(model.parameters.allSatisfy { $0.grad != nil })
  }

  @Test("siamese branches count their weights once and add their gradients")
  func siamese() {
    let (parameters, both, parts) = Sharing.siameseGradients()
    #expect(parameters == 58)
    #expect(areClose(both.doubles(), (parts[0] + parts[1]).doubles(), within: 1e-6))
    #expect(!areClose(both.doubles(), parts[0].doubles(), within: 1e-4))
  }

  @Test("pairs of one kind move together, others apart")
  func training() {
    let losses = Sharing.trainSiamese()
    #expect(losses.first! > 0.2)
    #expect(losses.last! < 0.05)
  }
}
