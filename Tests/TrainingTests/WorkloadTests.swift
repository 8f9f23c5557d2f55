import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing
import Training

/// The numbers of the golden workloads; `Goldens/make_goldens.py` has the same generator.
private struct Generator {
  var state: UInt64 = 1

  /// A number from 0 to below 1.
  mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(state >> 40) / 0x1p24
  }

  mutating func tensor(_ shape: Shape, _ number: (Double) -> Double) -> Tensor {
    .of((0..<shape.elementCount).map { _ in Float(number(next())) }, shape: shape)
  }
}

@Suite struct WorkloadTests {
  private func workload(_ name: String) throws -> Workload {
    try #require(Workload.all.first { $0.name == name })
  }

  @Test(
    "the first ten losses are PyTorch's",
    arguments: [("mlp-tiny", "mlp-tiny"), ("mlp-seed", "mlp-seed"), ("mlp-small", "mlp")])
  func losses(_ name: String, _ workloadName: String) throws {
    let goldens = try Goldens("workloads", in: .module)
    func golden(_ part: String) throws -> Golden { try goldens["\(name)/\(part)"] }
    let workload = try workload(workloadName)
    let sizes = try golden("sizes").values.map { Int($0) }
    let batch = Int(try golden("batch").number)
    // The workload `mlp` is compared with narrower layers and a smaller batch.
    let isSmall = name == "mlp-small"
    let model =
      isSmall
      ? Sequential(
        Linear(sizes[0], sizes[1]), ReLU(), Linear(sizes[1], sizes[2]), ReLU(),
        Linear(sizes[2], sizes[3])) : workload.makeModel()
    #expect(isSmall || workload.batch == batch)
    let expectedShapes = zip(sizes, sizes.dropFirst()).flatMap { [[$1, $0], [$1]] }
    #expect(model.parameters.map(\.shape.array) == expectedShapes)

    var generator = Generator()
    var bound = 0.0
    for (index, parameter) in model.parameters.enumerated() {
      if parameter.shape.count == 2 { bound = 1 / Double(parameter.shape[1]).squareRoot() }
      let values = generator.tensor(parameter.shape) { (2 * $0 - 1) * bound }
      parameter.assign(values)
      if index == 0 {
        #expect(
          try values.doubles().prefix(8).elementsEqual(golden("first_weights").tensor().doubles()))
      }
    }
    let inputs = generator.tensor([batch, sizes[0]]) { 2 * $0 - 1 }
    #expect(try inputs.doubles().prefix(8).elementsEqual(golden("first_inputs").tensor().doubles()))
    let targets =
      isSmall
      ? generator.tensor([batch]) { ($0 * Double(sizes.last!)).rounded(.down) }
        .converted(to: .int32)
      : generator.tensor([batch, 1]) { (2 * $0).rounded(.down) }
    #expect(try targets.doubles().suffix(8).elementsEqual(golden("last_targets").values))

    let run = WorkloadRun(workload, model: model, data: (inputs, targets))
    let losses = (0..<10).map { _ in run.step().item() }
    #expect(try golden("losses").mismatch(losses, tolerance: 1e-5) == nil)
    let norm = model.parameters.reduce(0) { sum, parameter in
      parameter.doubles().reduce(sum) { $0 + $1 * $1 }
    }
    #expect(try golden("norm").mismatch([norm.squareRoot()], tolerance: 1e-6) == nil)
  }

  @Test("every golden is compared")
  func complete() throws {
    let names = try Goldens("workloads", in: .module).cases
    #expect(names == ["mlp-tiny", "mlp-seed", "mlp-small"])
  }

  @Test("workloads repeat exactly and learn", arguments: ["mlp-tiny", "mlp-seed", "mlp"])
  func repeats(_ name: String) throws {
    let workload = try workload(name)
    func losses() -> [Double] {
      let run = WorkloadRun(workload)
      return (0..<5).map { _ in run.step().item() }
    }
    let first = losses()
    #expect(losses() == first)
    #expect(first[4] < first[0])
  }

  // In a process of its own: other tests ask for memory at the same time.
  @Test("training in a steady state asks the system for no memory and keeps none")
  func steadyState() async {
    await #expect(processExitsWith: .success) {
      for (name, steps) in [("mlp-tiny", 500), ("mlp-seed", 20), ("mlp", 200)] {
        let run = WorkloadRun(try #require(Workload.all.first { $0.name == name }))
        for _ in 0..<3 { _ = run.step() }
        let steady = MemoryStatistics.current
        for step in 0..<steps {
          _ = run.step()
          try #require(MemoryStatistics.current == steady, "\(name), step \(step)")
        }
      }
    }
  }
}
