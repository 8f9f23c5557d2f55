import Foundation
import NeuralNetworks
import Optimizers
import TensorCore
import TestSupport
import Testing

@Suite struct ParameterArenaTests {
  private func model() -> Sequential {
    withRandomSource(seed: 4) { Sequential(Linear(5, 7), Tanh(), Linear(7, 16), Linear(16, 1)) }
  }

  /// The elements that belong to no parameter.
  private func gaps(_ arena: ParameterArena) -> [Int] {
    (0..<arena.count).filter { index in !arena.entries.contains { $0.range.contains(index) } }
  }

  @Test("parameters lie in the reverse order of declaration, each at a multiple of 64 bytes")
  func layout() {
    let model = model()
    let arena = ParameterArena(model)
    #expect(
      arena.entries.map(\.name)
        == ["3.bias", "3.weight", "2.bias", "2.weight", "0.bias", "0.weight"])
    #expect(
      arena.entries.map(\.range) == [0..<1, 16..<32, 32..<48, 48..<160, 160..<167, 176..<211])
    #expect(arena.count == 224)
    for buffer in [arena.values, arena.gradients] {
      #expect(buffer.count == arena.count)
      #expect(UInt(bitPattern: buffer.baseAddress) % 64 == 0)
    }
    for entry in arena.entries {
      #expect(entry.range.lowerBound % 16 == 0)
      #expect(entry.parameter.bytes == arena.values.baseAddress! + entry.range.lowerBound)
    }
    #expect(gaps(arena).count == 224 - 1 - 16 - 16 - 112 - 7 - 35)
  }

  @Test("parameters keep their values when they are moved")
  func values() {
    let model = model()
    let x = Tensor([[1, -1, 0.5, 2, 0]] as [[Float]])
    let before = (model.parameters.map { $0.doubles() }, model(x).doubles())
    let arena = ParameterArena(model)
    #expect(model.parameters.map { $0.doubles() } == before.0)
    #expect(model(x).doubles() == before.1)
    // Values and parameters are one memory.
    arena.values[0] = 42
    #expect(model.parameters.last?.doubles() == [42])
    // A second arena takes them over.
    let second = ParameterArena(model)
    #expect(second.values[0] == 42)
    arena.values[0] = 1
    #expect(model.parameters.last?.doubles() == [42])
  }

  @Test("the gaps are zero, and stay so in training")
  func gapsStayZero() {
    let model = model()
    let arena = ParameterArena(model)
    let optimizer = SGD(arena, SGD.Options(momentum: 0.9, weightDecay: 0.1))
    for _ in 0..<3 {
      arena.zeroGrad()
      model(.ones([2, 5])).sum().backward()
      arena.clipGradients(toNorm: 0.5)
      optimizer.step(learningRate: 0.1)
    }
    #expect(gaps(arena).allSatisfy { arena.values[$0] == 0 && arena.gradients[$0] == 0 })
    #expect(gaps(arena).allSatisfy { optimizer.velocity![$0] == 0 })
  }

  @Test("backward leaves gradients in the arena, equal to those outside of one")
  func gradients() {
    let (plain, model) = (model(), model())
    let arena = ParameterArena(model)
    let x = Tensor.arange(10).reshaped(to: [2, 5])
    plain(x).squared().sum().backward()
    model(x).squared().sum().backward()
    for (entry, expected) in zip(arena.entries, plain.parameters.reversed()) {
      let place = UnsafeMutableRawPointer(arena.gradients.baseAddress! + entry.range.lowerBound)
      #expect(entry.parameter.grad?.bytes == place)
      #expect(entry.parameter.grad === entry.parameter.gradientView)
      #expect(
        arena.gradients.extracting(entry.range).map(Double.init) == expected.grad?.doubles())
    }
  }

  @Test("several backward passes add up, and zeroGrad starts over")
  func accumulation() {
    let model = model()
    let arena = ParameterArena(model)
    let batches = (0..<3).map { (Tensor.arange(10) * 0.1 - Double($0)).reshaped(to: [2, 5]) }
    func gradients(_ batches: [Tensor]) -> [Double] {
      arena.zeroGrad()
      for x in batches { model(x).squared().sum().backward() }
      return arena.gradients.map(Double.init)
    }
    let single = batches.map { gradients([$0]) }
    let together = gradients(batches)
    let largest = together.map(abs).max()!
    for (index, sum) in together.enumerated() {
      #expect(abs(sum - single.reduce(0) { $0 + $1[index] }) <= 1e-6 * largest)
    }
    #expect(largest > 0)
    #expect(gradients([batches[0]]) == single[0])
  }

  @Test("zeroGrad forgets; leftovers count neither in the norm nor after zeroFillMissingGradients")
  func missingGradients() {
    let layer = Linear(2, 2)
    let arena = ParameterArena(layer)
    layer(.ones([1, 2])).sum().backward()
    #expect(arena.gradients.contains { $0 != 0 })
    arena.zeroGrad()
    #expect(layer.parameters.allSatisfy { $0.grad == nil })
    layer.weight.backward(gradient: Tensor([[3, 0], [0, 4]] as [[Float]]))
    #expect(arena.gradientNorm() == 5)
    #expect(layer.bias?.grad == nil)
    #expect(arena.gradients.extracting(arena.entries[0].range).allSatisfy { $0 == 0 })
    arena.zeroGrad()
    arena.zeroFillMissingGradients()
    #expect(arena.gradients.allSatisfy { $0 == 0 })
  }

  @Test(
    "clipping is PyTorch's", arguments: ["above", "far_above", "below", "equal", "tiny", "zero"])
  func clipping(_ name: String) throws {
    let goldens = try Goldens("clipping", in: .module)
    let layer = Linear(2, 3)
    let arena = ParameterArena(layer)
    for (key, parameter) in layer.namedParameters() {
      parameter.backward(gradient: try goldens["\(name)/\(key)"].tensor())
    }
    let norm = arena.clipGradients(toNorm: try goldens["\(name)/max_norm"].number)
    #expect(try goldens["\(name)/norm"].mismatch([norm], tolerance: 1e-6) == nil)
    for (key, parameter) in layer.namedParameters() {
      let mismatch = try goldens["\(name)/\(key).clipped"].mismatch(
        parameter.grad, tolerance: 1e-6)
      #expect(mismatch == nil, "\(key)")
    }
  }

  @Test("every golden of clipping is compared")
  func complete() throws {
    let cases: Set = ["above", "far_above", "below", "equal", "tiny", "zero"]
    #expect(try Goldens("clipping", in: .module).cases == cases)
  }

  @Test("a model without parameters makes an empty arena")
  func empty() {
    let arena = ParameterArena(ReLU())
    #expect(arena.count == 0)
    #expect(arena.clipGradients(toNorm: 1) == 0)
    SGD(arena, SGD.Options(momentum: 0.9)).step(learningRate: 1)
  }

  @Test("parameters of another type, or of two, are refused")
  func types() async {
    await #expect(processExitsWith: .failure) {
      _ = ParameterArena(Linear(weight: .ones([1, 1], .bfloat16)))
    }
    await #expect(processExitsWith: .failure) {
      _ = ParameterArena(Linear(weight: .ones([1, 1], .float64), bias: .ones([1])))
    }
    await #expect(processExitsWith: .failure) {
      _ = ParameterArena(Linear(weight: .ones([1, 1], .float64))).values
    }
  }

  @Test("float64 parameters have float64 values, gradients and norms")
  func float64() {
    let layer = Linear(
      weight: Tensor([[1e-200, 3]] as [[Double]]), bias: Tensor([0.1] as [Double]))
    let arena = ParameterArena(layer)
    #expect(arena.dataType == .float64)
    // Eight numbers in 64 bytes.
    #expect(arena.entries.map(\.range) == [0..<1, 8..<10] && arena.count == 16)
    #expect(arena.valueBuffer.array()[8...9] == [1e-200, 3])
    layer(Tensor([[1, 2]] as [[Double]])).sum().backward()
    #expect(arena.gradientBuffer.doubles[8...9].elementsEqual([1, 2]))
    #expect(arena.gradientNorm() == 6.0.squareRoot())
    arena.clipGradients(toNorm: 1)
    #expect(abs(arena.gradientNorm() - 1) < 1e-6)
  }

  // Sanitizers keep freed memory.
  #if !SANITIZERS
    // In a process of its own: other tests ask for memory at the same time.
    @Test("the memory of the first values goes back to the system")
    func returnedMemory() async {
      await #expect(processExitsWith: .success) {
        let before = try residentBytes()
        let model = Sequential(Linear(4096, 4096), Linear(4096, 4096))
        let arena = ParameterArena(model)
        // Values and gradients, of four bytes each element.
        let grown = try residentBytes() - before
        #expect(grown >= 8 * arena.count && grown < 10 * arena.count)
      }
    }
  #endif
}
