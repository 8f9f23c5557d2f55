import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing
import Benchmarking

/// A workload with fewer samples and, to be quick, some with a smaller network: what
/// `Goldens/make_goldens_models.py` has trained in PyTorch.
private struct GoldenWorkload: Sendable, CustomTestStringConvertible {
  let name: String
  let inputs: TensorShape
  /// The number of classes or tokens; 1 for targets that are 0 or 1.
  let count: Int
  /// How far a loss may be from PyTorch's, relative to the largest.
  ///
  /// In deep networks, rounding switches units with ReLU on or off, and how sums are rounded depends on the
  /// processor.
  let tolerance: Double
  /// The smaller network; nil for the workload's own.
  let makeModel: (@Sendable () -> any Layer)?

  init(
    _ name: String, _ inputs: TensorShape, _ count: Int, tolerance: Double = 1e-5,
    makeModel: (@Sendable () -> any Layer)? = nil
  ) {
    self.tolerance = tolerance
    self.name = name
    self.inputs = inputs
    self.count = count
    self.makeModel = makeModel
  }

  static let all = [
    GoldenWorkload("mlp-tiny", [32, 2], 1),
    GoldenWorkload("mlp-seed", [1000, 784], 1),
    GoldenWorkload("mlp", [16, 784], 10) {
      Sequential(Linear(784, 64), ReLU(), Linear(64, 64), ReLU(), Linear(64, 10))
    },
    GoldenWorkload("cnn", [8, 1, 28, 28], 10),
    GoldenWorkload("resnet18", [4, 3, 16, 16], 10),
    GoldenWorkload("vgg16-cifar", [2, 3, 32, 32], 10, tolerance: 1e-4),
    GoldenWorkload("vgg16-224", [2, 3, 64, 64], 100) {
      VGG(depth: 16, size: 64, classes: 100, hidden: 64, dropout: 0)
    },
    GoldenWorkload("gpt-char", [4, 64], 65) {
      GPT(GPT.Options(vocabulary: 65, context: 64, layers: 2, heads: 4, width: 128))
    },
    GoldenWorkload("gpt2-124m", [4, 16], 97) {
      GPT(GPT.Options(vocabulary: 97, context: 32, layers: 2, heads: 2, width: 16))
    },
    GoldenWorkload("resnet18-b8", [2, 3, 16, 16], 10),
    GoldenWorkload("resnet18-b128", [8, 3, 16, 16], 10),
    GoldenWorkload("resnet50-224", [4, 3, 64, 64], 1000),
    GoldenWorkload("mobilenet", [4, 3, 64, 64], 100),
    GoldenWorkload("gpt-512", [1, 512], 65) {
      GPT(GPT.Options(vocabulary: 65, context: 512, layers: 2, heads: 2, width: 64))
    },
  ]

  var testDescription: String { name }

  /// The run with the numbers that PyTorch had.
  func run(_ precision: Precision = .float32) throws -> WorkloadRun {
    let workload = try #require(Workload.all.first { $0.name == name })
    let model = (makeModel ?? workload.makeModel)()
    var generator = GoldenGenerator()
    for (name, parameter) in model.namedParameters() { generator.fill(parameter, named: name) }
    if model is GPT {
      let tokens = generator.integers(inputs, below: count)
      let targets = generator.integers([inputs.elementCount], below: count)
      return try WorkloadRun(workload, model: model, data: (tokens, targets), precision: precision)
    }
    let samples = generator.uniform(inputs)
    let targets =
      count == 1
      ? generator.integers([inputs[0], 1], below: 2).converted(to: .float32)
      : generator.integers([inputs[0]], below: count)
    return try WorkloadRun(workload, model: model, data: (samples, targets), precision: precision)
  }
}

@Suite struct WorkloadTests {
  @Test("the first ten losses are PyTorch's", arguments: GoldenWorkload.all)
  fileprivate func losses(_ workload: GoldenWorkload) throws {
    let goldens = try Goldens("workloads", in: .module)
    let run = try workload.run()
    let losses = try (0..<10).map { _ in try run.step() }
    let mismatch = try goldens["\(workload.name)/losses"]
      .mismatch(losses, tolerance: workload.tolerance, relativeTo: .largest)
    #expect(mismatch == nil)
    let norm = run.model.parameters.reduce(0) { sum, parameter in
      parameter.doubles().reduce(sum) { $0 + $1 * $1 }
    }
    #expect(
      try goldens["\(workload.name)/norm"].mismatch([norm.squareRoot()], tolerance: 1e-6) == nil)
  }

  @Test(
    "in bfloat16, the first ten losses are as near to float32's as PyTorch's",
    arguments: GoldenWorkload.all)
  fileprivate func bfloat16Losses(_ workload: GoldenWorkload) throws {
    let goldens = try Goldens("workloads", in: .module)
    let exact = try goldens["\(workload.name)/losses"].values
    let autocast = try goldens["\(workload.name)/losses_bfloat16"].values
    let run = try workload.run(.bfloat16)
    let losses = try exact.map { _ in try run.step() }
    func distance(_ losses: [Double]) -> Double {
      zip(losses, exact).map { abs($0 - $1) }.max()!
    }
    #expect(distance(losses) <= 1.5 * distance(autocast) + 2e-4 * exact.max()!)
  }

  @Test("shapes, numbers of parameters, learning rates and momenta are those of torch_bench.py")
  func settings() throws {
    let goldens = try Goldens("workloads", in: .module)
    #expect(Set(Workload.all.map(\.name)) == goldens.cases)
    #expect(Workload.all.map(\.name) == GoldenWorkload.all.map(\.name))
    for workload in Workload.all {
      func expect(_ part: String, _ values: [Double]) throws {
        #expect(try goldens["\(workload.name)/\(part)"].values == values, "\(workload.name)")
      }
      let (inputs, targets) = workload.makeData()
      try expect("inputs", inputs.shape.map(Double.init))
      try expect("targets", targets.shape.map(Double.init))
      try expect("parameters", [Double(workload.makeModel().parameterCount)])
      try expect("learning_rate", [workload.learningRate])
      try expect("momentum", [workload.momentum])
      #expect(workload.batch == inputs.shape[0])
    }
  }

  @Test("workloads repeat exactly and learn", arguments: ["mlp-tiny", "mlp-seed", "mlp", "cnn"])
  func repeats(_ name: String) throws {
    let workload = try #require(Workload.all.first { $0.name == name })
    func losses() throws -> [Double] {
      let run = try WorkloadRun(workload)
      return try (0..<5).map { _ in try run.step() }
    }
    let first = try losses()
    #expect(try losses() == first)
    #expect(first[4] < first[0])
  }

  // In a process of its own: other tests ask for memory at the same time.
  @Test("training in a steady state asks the system for no memory and keeps none")
  func steadyState() async {
    await #expect(processExitsWith: .success) {
      for (workload, steps) in zip(
        GoldenWorkload.all, [500, 20, 200, 5, 3, 2, 2, 5, 5, 2, 2, 2, 2, 2])
      {
        let run = try workload.run()
        for _ in 0..<3 { _ = try run.step() }
        let steady = MemoryStatistics.current
        for step in 0..<steps {
          _ = try run.step()
          try #require(MemoryStatistics.current == steady, "\(workload.name), step \(step)")
        }
      }
    }
  }
}
