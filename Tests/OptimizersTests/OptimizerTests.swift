import NeuralNetworks
import Optimizers
import TensorCore
import Testing

/// What every optimizer promises.
@Suite struct OptimizerTests {
  struct Method: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let make: @Sendable (ParameterArena) -> any Optimizer
  }

  static let methods = [
    Method(testDescription: "SGD") { SGD($0) },
    Method(testDescription: "SGD with momentum") {
      SGD($0, SGD.Options(momentum: 0.9, weightDecay: 0.1))
    },
    Method(testDescription: "AdamW") { AdamW($0) },
    Method(testDescription: "Adam") { Adam($0, Adam.Options(weightDecay: 0.1)) },
    Method(testDescription: "Adam with amsgrad") { Adam($0, Adam.Options(amsgrad: true)) },
    Method(testDescription: "RMSprop") { RMSprop($0) },
    Method(testDescription: "RMSprop, centered, with momentum") {
      RMSprop($0, RMSprop.Options(momentum: 0.9, centered: true, weightDecay: 0.1))
    },
    Method(testDescription: "Adagrad") {
      Adagrad($0, Adagrad.Options(rateDecay: 0.1, initialAccumulator: 0.1))
    },
    Method(testDescription: "Lion") { Lion($0, Lion.Options(weightDecay: 0.1)) },
    Method(testDescription: "LARS") {
      LARS($0, LARS.Options(trustCoefficient: 0.1, weightDecay: 0.1))
    },
    Method(testDescription: "LAMB") { LAMB($0) },
  ]

  /// Measures the norms of an optimizer that needs them.
  private func measure(_ optimizer: any Optimizer) {
    guard let layerwise = optimizer as? LayerwiseOptimizer else { return }
    var sums = [Double](repeating: 0, count: layerwise.sumCount)
    layerwise.measure(
      0..<layerwise.arena.count, gradients: layerwise.arena.gradientBuffer, adding: &sums)
    layerwise.setNorms(sums)
  }

  /// Trains a model for three steps, the second of which gives its first parameter no gradient.
  private func train(
    _ method: Method, step: (any Optimizer) -> Void
  ) -> (values: [Float], counters: [Int]) {
    let model = withRandomSource(seed: 2) { Sequential(Linear(9, 30), Linear(30, 5)) }
    let arena = ParameterArena(model)
    let optimizer = method.make(arena)
    for number in 0..<3 {
      arena.zeroGrad()
      for (index, entry) in arena.entries.enumerated() where number != 1 || index > 0 {
        entry.parameter.backward(gradient: entry.parameter.sin() * Double(index + number + 1))
      }
      step(optimizer)
    }
    return (Array(arena.values), optimizer.stateCounters)
  }

  @Test("slices in any order give the same bits as one update of everything", arguments: methods)
  func slices(_ method: Method) {
    let expected = train(method) { $0.step(learningRate: 0.1) }
    for size in [1, 7, 64, 333, 1000] {
      let found = train(method) { optimizer in
        let count = optimizer.arena.count
        // The gradients lie elsewhere, as the sums over ranks do.
        optimizer.beginStep()
        measure(optimizer)
        for start in stride(from: 0, to: count, by: size).reversed() {
          let range = start..<min(start + size, count)
          let gradients = UnsafeMutableBufferPointer<Float>.allocate(capacity: range.count)
          defer { gradients.deallocate() }
          _ = gradients.update(fromContentsOf: optimizer.arena.gradients.extracting(range))
          optimizer.update(
            range, gradients: ArenaBuffer(gradients.baseAddress!, count: range.count, .float32),
            learningRate: 0.1)
        }
        optimizer.endStep()
      }
      #expect(found.values == expected.values, "slices of \(size)")
      #expect(found.counters == expected.counters)
    }
  }

  @Test("elements that are not updated keep their values", arguments: methods)
  func partialUpdate(_ method: Method) {
    let model = withRandomSource(seed: 2) { Linear(9, 30) }
    let arena = ParameterArena(model)
    let optimizer = method.make(arena)
    model(.ones([2, 9])).sum().backward()
    let before = Array(arena.values)
    optimizer.beginStep()
    measure(optimizer)
    optimizer.update(40..<90, gradients: arena.gradientBuffer[40..<90], learningRate: 0.1)
    optimizer.endStep()
    for i in before.indices { #expect((arena.values[i] != before[i]) == (40..<90).contains(i)) }
  }

  @Test("a restored state continues as if nothing had happened", arguments: methods)
  func restore(_ method: Method) {
    func step(_ optimizer: any Optimizer, _ number: Int) {
      optimizer.arena.zeroGrad()
      for entry in optimizer.arena.entries {
        entry.parameter.backward(gradient: entry.parameter.cos() * Double(number))
      }
      optimizer.step(learningRate: 0.1)
    }
    let straight = method.make(ParameterArena(withRandomSource(seed: 3) { Linear(5, 4) }))
    let first = method.make(ParameterArena(withRandomSource(seed: 3) { Linear(5, 4) }))
    for number in 1..<5 { step(straight, number) }
    for number in 1..<3 { step(first, number) }
    let second = method.make(ParameterArena(withRandomSource(seed: 4) { Linear(5, 4) }))
    _ = second.arena.values.update(fromContentsOf: first.arena.values)
    for (target, source) in zip(second.stateBuffers, first.stateBuffers) {
      #expect(target.name == source.name)
      target.values.copy(from: source.values)
    }
    second.restore(stateCounters: first.stateCounters)
    for number in 3..<5 { step(second, number) }
    #expect(Array(second.arena.values) == Array(straight.arena.values))
  }
}
