import NeuralNetworks
import Optimizers
import TensorCore
import Testing

@Suite struct WeightAverageTests {
  @Test("the average follows its formula, for weights and buffers, in both types")
  func formula() {
    for type in [DataType.float32, .float64] {
      let weight = Tensor([[1, -2]] as [[Float]]).converted(to: type)
      let model = Sequential(Linear(weight: weight), BatchNorm1d(1))
      let parameters = model.namedParameters().filter { $0.name == "0.weight" }
      let arena = ParameterArena(parameters)
      let average = WeightAverage(of: model, in: arena, decay: 0.75)
      var expected = [1.0, -2]
      var mean = 0.0
      let buffer = model.namedBuffers().first { $0.name == "1.running_mean" }!.buffer
      for step in 0..<40 {
        let value = Double(step * step)
        arena.valueBuffer[0] = value
        buffer.assign(.full([1], value))
        average.update()
        let decay = min(0.75, Double(1 + step) / Double(10 + step))
        expected[0] += (1 - decay) * (value - expected[0])
        mean += (1 - decay) * (value - mean)
      }
      #expect(average.updateCount == 40)
      let inside = average.withAverages {
        (parameters[0].parameter.doubles(), buffer.doubles()[0])
      }
      let tolerance = type == .float64 ? 1e-12 : 1e-6
      let weightError: Double = abs(inside.0[0] / expected[0] - 1)
      let bufferError: Double = abs(inside.1 / mean - 1)
      #expect(weightError < tolerance)
      #expect(inside.0[1] == -2)
      #expect(bufferError < 1e-6)
      // Outside, the model has its own.
      #expect(parameters[0].parameter.doubles()[0] == 39 * 39)
      #expect(buffer.doubles()[0] == 39 * 39)
    }
  }

  @Test("a decay of 1 or more is refused")
  func decay() async {
    await #expect(processExitsWith: .failure) {
      let model = Linear(1, 1)
      _ = WeightAverage(of: model, in: ParameterArena(model), decay: 1)
    }
  }
}
