import NeuralNetworks
import TensorCore
import Testing

/// A module with everything that reflection has to find.
private struct Everything: Module {
  let scale = Parameter(.ones([2]))
  let input = Linear(3, 4)
  let hidden = [Linear(4, 4), Linear(4, 4, bias: false)]
  let nested = Block(width: 4)
  let some: Linear? = Linear(2, 2)
  let none: Linear? = nil
  let body = Sequential(Linear(4, 2), ReLU(), Sequential(Tanh(), Linear(2, 1)))
  let pair = (Linear(1, 1, bias: false), ReLU())
  let anything: any Layer = Linear(1, 2, bias: false)
  // None of these holds a parameter.
  let constant = Tensor([1.0] as [Double])
  let name = "everything"
  let sizes = [1, 2]
  let activation: @Sendable (Tensor) -> Tensor = { $0.relu() }
}

private struct Block: Module {
  let inner: [Sequential]
  init(width: Int) { inner = [Sequential(Linear(width, 1))] }
}

private class Base: Module {
  let first = Linear(2, 3, bias: false)
}

private final class Derived: Base {
  let second = Linear(3, 1, bias: false)
}

/// One weight under two names, as in language models.
private struct Tied: Module {
  let encoder: Linear
  let decoder: Linear
  let again: [Linear]

  init() {
    encoder = Linear(3, 2)
    decoder = encoder
    again = [encoder]
  }
}

private struct Renamed: Module {
  let layer = Linear(2, 1)
  var children: [(name: String, value: Any)] { [("net", layer)] }
}

private func names(_ module: some Module) -> [String] { module.namedParameters().map(\.name) }

@Suite struct ModuleTests {
  @Test("parameters have PyTorch's names, in the order of declaration")
  func reflection() {
    let model = Everything()
    #expect(
      names(model) == [
        "scale", "input.weight", "input.bias", "hidden.0.weight", "hidden.0.bias",
        "hidden.1.weight", "nested.inner.0.0.weight", "nested.inner.0.0.bias", "some.weight",
        "some.bias", "body.0.weight", "body.0.bias", "body.2.1.weight", "body.2.1.bias",
        "pair.0.weight", "anything.weight",
      ])
    #expect(model.namedParameters()[1].parameter === model.input.weight)
    #expect(model.namedParameters()[5].parameter === model.hidden[1].weight)
    #expect(
      model.parameterCount == 2 + 16 + 20 + 16 + 5 + 6 + 10 + 3 + 1 + 2)
  }

  @Test("Sequential names its layers by position")
  func sequential() {
    #expect(
      names(Sequential(Linear(2, 3), ReLU(), Linear(3, 1)))
        == ["0.weight", "0.bias", "2.weight", "2.bias"])
  }

  @Test("a class has its superclass's parameters first")
  func inheritance() {
    #expect(names(Derived()) == ["first.weight", "second.weight"])
  }

  @Test("a module may name its children itself")
  func ownChildren() { #expect(names(Renamed()) == ["net.weight", "net.bias"]) }

  @Test("a shared parameter is listed once, but stands in the state dictionary under all its names")
  func sharedParameters() {
    let model = Tied()
    #expect(names(model) == ["encoder.weight", "encoder.bias"])
    #expect(model.parameters.count == 2)
    #expect(model.parameterCount == 8)
    #expect(
      model.stateDictionary().map(\.name) == [
        "encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias", "again.0.weight",
        "again.0.bias",
      ])
  }

  @Test("a shared parameter collects the gradients of all its uses")
  func sharedGradients() {
    let weight = Linear(weight: Tensor([[2.0]] as [[Double]]))
    let model = Sequential(weight, weight)
    model(Tensor([[3.0]] as [[Double]])).sum().backward()
    // d(w w x) / dw = 2 w x
    #expect(weight.weight.grad?.doubles() == [12])
    #expect(model.parameters.count == 1)
  }

  @Test("zeroGrad forgets the gradients of all parameters")
  func zeroGrad() {
    let model = Sequential(Linear(2, 2), Linear(2, 1))
    model(.ones([1, 2])).sum().backward()
    #expect(model.parameters.allSatisfy { $0.grad != nil })
    model.zeroGrad()
    #expect(model.parameters.allSatisfy { $0.grad == nil })
  }

  @Test("parameters in a dictionary are refused")
  func dictionary() async {
    await #expect(processExitsWith: .failure) {
      struct Unordered: Module {
        let layers = ["a": Linear(1, 1)]
      }
      _ = Unordered().parameters
    }
  }
}
