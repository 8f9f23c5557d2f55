import NeuralNetworks
import TensorCore
import Testing

@Suite("Hooks, and parts in another mode") struct HooksTests {
  private let x = Tensor([[1, -2], [3, 4]] as [[Float]])

  @Test("hooks see and replace the input and the output, and names stay")
  func hooks() {
    let inner = Linear(2, 3)
    var seen: [TensorShape] = []
    let hooked = Hooked(
      inner,
      before: { input in
        seen.append(input.shape)
        return 2 * input
      },
      after: { input, output in
        seen += [input.shape, output.shape]
        return output + 1
      })
    let model = Sequential(hooked, ReLU())
    #expect(model.namedParameters().map(\.name) == ["0.weight", "0.bias"])
    #expect(model(x).doubles() == (inner(2 * x) + 1).relu().doubles())
    #expect(seen == [[2, 2], [2, 2], [2, 3]])
    let silent = Hooked(inner, before: { _ in nil }, after: { _, _ in nil })
    #expect(silent(x).doubles() == inner(x).doubles())
  }

  @Test("a hook of the output sees its gradient")
  func backwardHook() {
    var gradients: [TensorShape] = []
    let layer = Hooked(
      Linear(2, 3),
      after: { _, output in
        output.registerHook { gradient in
          gradients.append(gradient.shape)
          return nil
        }
        return nil
      })
    layer(x).sum().backward()
    #expect(gradients == [[2, 3]])
  }

  @Test("activations and parts of a sequence")
  func activations() async {
    let model = Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    let all = model.activations(x)
    #expect(all.map(\.shape) == [[2, 3], [2, 3], [2, 1]])
    #expect(all[1].min().item() >= 0)
    #expect(all[2].doubles() == model(x).doubles())
    #expect(model[..<2](x).doubles() == all[1].doubles())
    #expect(model[2...](all[1]).doubles() == all[2].doubles())
    #expect(model[-1] is Linear && model[1] is ReLU)
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Sequential(ReLU())[1]
    }
    let message = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(message.contains("Sequential: layer 1 of 1"))
  }

  @Test("a layer in evaluation keeps its statistics while the rest is trained")
  func evaluation() {
    let (frozen, trained) = (BatchNorm1d(2), BatchNorm1d(2))
    let model = Sequential(InEvaluation(Sequential(frozen, Dropout(0.9))), trained)
    let y = model(x)
    #expect(
      model.activations(x)[0].doubles().map { ($0 * 1000).rounded() } == [1000, -2000, 3000, 4000])
    #expect(frozen.namedBuffers().map { $0.buffer.doubles() } == [[0, 0], [1, 1]])
    #expect(trained.namedBuffers()[0].buffer.doubles() != [0, 0])
    #expect(
      model.namedParameters().map(\.name) == ["0.0.weight", "0.0.bias", "1.weight", "1.bias"])
    y.sum().backward()
    #expect(frozen.parameters[0].grad != nil)
  }

  @Test("requiresGrad of a module is that of its parameters")
  func freezing() {
    let model = Sequential(Linear(2, 3), Linear(3, 1))
    #expect(model.requiresGrad)
    model[0].requiresGrad = false
    model(x).sum().backward()
    #expect(model.parameters.map { $0.grad != nil } == [false, false, true, true])
    #expect(model.requiresGrad && !model[0].requiresGrad)
    model[0].requiresGrad = true
    #expect(model.trainedParameters().count == 4)
  }
}
