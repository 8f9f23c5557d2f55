public import Collectives
public import DataParallel
public import NeuralNetworks
import Optimizers
public import TensorCore

/// A reference training step on random data in memory, to be timed: the same shapes, loss and
/// optimizer as the scripts for PyTorch and JAX in `Benchmarks/`.
public struct Workload: Sendable {
  /// The name on the command line.
  public let name: String
  let problem: Problem
  package let learningRate: Double
  package let momentum: Double
  package let makeModel: @Sendable () -> any Layer

  /// The samples of a step on one rank.
  public var batch: Int { problem.batch }

  /// All workloads; the table `W` of `Benchmarks/torch_bench.py` has the same.
  public static let all = [
    Workload("mlp-tiny", .coins([32, 2]) { binaryCrossEntropy($0, $1) }, 0.1, momentum: 0) {
      Sequential(Linear(2, 3), Sigmoid(), Linear(3, 1), Sigmoid())
    },
    Workload("mlp-seed", .coins([1000, 784]) { meanSquaredError($0, $1) }, 0.01, momentum: 0) {
      Sequential(Linear(784, 200), ReLU(), Linear(200, 1))
    },
    Workload("mlp", .labels([128, 784], classes: 10), 0.01) {
      Sequential(Linear(784, 1024), ReLU(), Linear(1024, 1024), ReLU(), Linear(1024, 10))
    },
    Workload("cnn", .labels([64, 1, 28, 28], classes: 10), 0.01) {
      ConvolutionalNetworks.cnn(channels: 1, size: 28, classes: 10)
    },
    Workload("resnet18", .labels([32, 3, 32, 32], classes: 10), 0.01) {
      ResNet(depth: 18, stem: .cifar, classes: 10)
    },
    Workload("vgg16-cifar", .labels([32, 3, 32, 32], classes: 10), 1e-3) {
      VGG(depth: 16, size: 32, classes: 10, hidden: 512, dropout: 0)
    },
    Workload("vgg16-224", .labels([4, 3, 224, 224], classes: 1000), 1e-4) {
      VGG(depth: 16, dropout: 0)
    },
    Workload("gpt-char", .tokens([12, 64], vocabulary: 65), 0.01) {
      GPT(GPT.Options(vocabulary: 65, context: 64, layers: 4, heads: 4, width: 128))
    },
    Workload("gpt2-124m", .tokens([4, 64], vocabulary: 50257), 1e-4) { GPT(GPT.Options()) },
    // Other shapes, so that nothing is tuned to a single one.
    Workload("resnet18-b8", .labels([8, 3, 32, 32], classes: 10), 0.01) {
      ResNet(depth: 18, stem: .cifar, classes: 10)
    },
    Workload("resnet18-b128", .labels([128, 3, 32, 32], classes: 10), 0.01) {
      ResNet(depth: 18, stem: .cifar, classes: 10)
    },
    Workload("resnet50-224", .labels([4, 3, 224, 224], classes: 1000), 1e-3) {
      ResNet(depth: 50, stem: .imageNet)
    },
    Workload("mobilenet", .labels([16, 3, 112, 112], classes: 100), 0.01) {
      mobileNet(classes: 100)
    },
    Workload("gpt-512", .tokens([4, 512], vocabulary: 65), 0.01) {
      GPT(GPT.Options(vocabulary: 65, context: 512, layers: 4, heads: 4, width: 128))
    },
  ]

  init(
    _ name: String, _ problem: Problem, _ learningRate: Double, momentum: Double = 0.9,
    makeModel: @escaping @Sendable () -> any Layer
  ) {
    self.name = name
    self.problem = problem
    self.learningRate = learningRate
    self.momentum = momentum
    self.makeModel = makeModel
  }

  /// Makes random inputs and targets.
  package func makeData() -> (inputs: Tensor, targets: Tensor) {
    var random = RandomSource(seed: 1)
    return problem.makeData(&random)
  }

  /// Makes random inputs and targets of fewer samples than the workload's batch.
  package func makeData(samples count: Int) -> (inputs: Tensor, targets: Tensor) {
    let (inputs, targets) = makeData()
    return (
      rows(of: inputs, 0..<count, batch: batch), rows(of: targets, 0..<count, batch: batch)
    )
  }
}

/// The data and loss of a workload.
struct Problem: Sendable {
  let batch: Int
  let makeData: @Sendable (inout RandomSource) -> (inputs: Tensor, targets: Tensor)
  let loss: @Sendable (Tensor, Tensor) -> Tensor

  /// Normally distributed inputs of a shape, and targets of 0 or 1.
  static func coins(
    _ shape: TensorShape, loss: @escaping @Sendable (Tensor, Tensor) -> Tensor
  ) -> Problem {
    Problem(
      batch: shape[0],
      makeData: { random in
        let inputs = Tensor.normal(shape, using: &random)
        return (inputs, integers([shape[0], 1], below: 2, &random).converted(to: .float32))
      }, loss: loss)
  }

  /// Normally distributed inputs of a shape, and a class for each sample.
  static func labels(_ shape: TensorShape, classes: Int) -> Problem {
    Problem(
      batch: shape[0],
      makeData: { random in
        let inputs = Tensor.normal(shape, using: &random)
        return (inputs, integers([shape[0]], below: classes, &random))
      }, loss: { crossEntropy($0, $1) })
  }

  /// Tokens of shape `[B, T]` as inputs, and as targets one token for each of them, `[B * T]`.
  static func tokens(_ shape: TensorShape, vocabulary: Int) -> Problem {
    Problem(
      batch: shape[0],
      makeData: { random in
        let inputs = integers(shape, below: vocabulary, &random)
        return (inputs, integers([shape.elementCount], below: vocabulary, &random))
      }, loss: { crossEntropy($0.reshaped(to: [$1.count, -1]), $1) })
  }

  private static func integers(
    _ shape: TensorShape, below limit: Int, _ random: inout RandomSource
  ) -> Tensor {
    Tensor.uniform(shape, in: 0..<Double(limit), using: &random).converted(to: .int32)
  }
}

/// A workload with its model and data, ready to take steps on all ranks.
public final class WorkloadRun {
  /// The model.
  public let model: any Layer
  /// The data-parallel training of the model.
  public let parallel: DataParallel
  /// The samples of a step over all ranks.
  public let globalBatch: Int
  private let workload: Workload
  private let precision: Precision
  private let inputs: Tensor
  private let targets: Tensor
  /// This rank's slice of the global batch, whose samples `inputs` and `targets` hold.
  private let samples: Range<Int>

  /// Builds the model and makes the data.
  ///
  /// - Parameters:
  ///   - workload: The workload.
  ///   - communicator: The ranks.
  ///   - precision: The precision of forward pass and loss.
  ///   - isStrong: Whether the ranks share one batch of the workload (strong scaling), instead of
  ///     computing one each (weak scaling).
  ///   - options: The options of data-parallel training.
  public convenience init(
    _ workload: Workload, on communicator: any Communicator = SingleProcess(),
    precision: Precision = .float32, isStrong: Bool = false,
    options: DataParallel.Options = DataParallel.Options()
  ) throws {
    try self.init(
      workload, model: withRandomSource(seed: 0, workload.makeModel), data: workload.makeData(),
      on: communicator, precision: precision, isStrong: isStrong, options: options)
  }

  /// Trains another model on other data with the loss and optimizer of a workload.
  package init(
    _ workload: Workload, model: any Layer, data: (inputs: Tensor, targets: Tensor),
    on communicator: any Communicator = SingleProcess(), precision: Precision = .float32,
    isStrong: Bool = false, options: DataParallel.Options = DataParallel.Options()
  ) throws {
    self.workload = workload
    self.precision = precision
    self.model = model
    parallel = try DataParallel(model, communicator, options: options) {
      SGD($0, SGD.Options(momentum: workload.momentum))
    }
    let batch = data.inputs.shape[0]
    globalBatch = isStrong ? batch : batch * communicator.worldSize
    samples = parallel.slice(of: 0..<globalBatch)
    let own = isStrong ? samples : 0..<batch
    inputs = rows(of: data.inputs, own, batch: batch)
    targets = rows(of: data.targets, own, batch: batch)
  }

  /// Takes one training step and returns the mean loss over all ranks.
  @discardableResult
  public func step() throws -> Double {
    try parallel.step(samples: 0..<globalBatch, learningRate: workload.learningRate) { batch in
      let own = batch.lowerBound - samples.lowerBound..<batch.upperBound - samples.lowerBound
      return precision {
        workload.problem.loss(
          model(rows(of: inputs, own, batch: samples.count)),
          rows(of: targets, own, batch: samples.count))
      }
    }.loss
  }
}

/// The rows of some samples in a tensor that has the same number of rows for each sample of a batch.
private func rows(of tensor: Tensor, _ samples: Range<Int>, batch: Int) -> Tensor {
  if samples == 0..<batch { return tensor }
  let rows = tensor.shape[0] / batch
  return tensor.sliced(samples.lowerBound * rows..<samples.upperBound * rows)
}
