import Examples
import TensorCore
import TestSupport
import Testing

@Suite struct GatesTests {
  @Test("(x + y) z at (-2, 5, -4) is -12, its gradients (-4, -4, 3)")
  func sumTimes() {
    for result in [Gates.sumTimes(-2, 5, -4), Gates.sumTimesAutomatically(-2, 5, -4)] {
      #expect(result.value == -12)
      #expect(result.gradients == [-4, -4, 3])
    }
  }

  @Test("the neuron of CS231n gives 0.73, and gradients to two decimals as in its notes")
  func neuron() {
    let (w, x) = ([2.0, -3, -3], [-1.0, -2])
    for result in [
      Gates.neuron(weights: w, inputs: x), Gates.neuronAutomatically(weights: w, inputs: x),
    ] {
      #expect(areClose([result.value], [0.73], within: 0.005))
      #expect(areClose(result.gradients, [-0.2, -0.39, 0.2, 0.39, -0.59], within: 0.005))
    }
  }

  @Test("the wires of its sigmoid carry the values and gradients of the notes")
  func wires() {
    let wires = Gates.neuronWires(weights: [2, -3, -3], inputs: [-1, -2])
    #expect(wires.map(\.gate) == ["w · x", "* -1", "exp", "+ 1", "1 / x"])
    #expect(areClose(wires.map(\.value), [1, -1, 0.37, 1.37, 0.73], within: 0.005))
    #expect(areClose(wires.map(\.gradient), [0.2, -0.2, -0.53, -0.53, 1], within: 0.005))
  }

  @Test("the staged gradient of (x + sigmoid(y)) / (sigmoid(x) + (x + y)²) is PyTorch's")
  func staged() throws {
    let expected = try goldens.get()["gates/staged"].values
    for result in [Gates.staged(3, -4), Gates.stagedAutomatically(3, -4)] {
      #expect(areClose([result.value] + result.gradients, expected, within: 1e-14))
    }
  }

  @Test("the add gate distributes, the multiply gate switches, the max gate routes")
  func gates() {
    let result = Gates.addMultiplyMax(3, -4, 2, -1)
    #expect(result.value == -20)
    #expect(result.gradients == [-8, 6, 2, 0])
  }
}
