import Collectives
public import NeuralNetworks
import Optimizers
public import TensorCore

/// A reference training step on random data in memory, for measuring: the same shapes, loss and
/// optimizer as the scripts for PyTorch and JAX in `Benchmarks/`.
public struct Workload: Sendable {
  /// What it is called on the command line.
  public let name: String
  /// Samples of a step and rank.
  public let batch: Int
  let learningRate: Double
  let momentum: Double
  package let makeModel: @Sendable () -> any Layer
  let makeData: @Sendable () -> (inputs: Tensor, targets: Tensor)
  let loss: @Sendable (Tensor, Tensor) -> Tensor

  /// All workloads.
  public static let all = [
    Workload(
      name: "mlp-tiny", batch: 32, learningRate: 0.1, momentum: 0,
      makeModel: { Sequential(Linear(2, 3), Sigmoid(), Linear(3, 1), Sigmoid()) },
      makeData: { (normal([32, 2]), coins([32, 1])) },
      loss: { binaryCrossEntropy($0, $1) }),
    Workload(
      name: "mlp-seed", batch: 1000, learningRate: 0.01, momentum: 0,
      makeModel: { Sequential(Linear(784, 200), ReLU(), Linear(200, 1)) },
      makeData: { (normal([1000, 784]), coins([1000, 1])) },
      loss: { meanSquaredError($0, $1) }),
    Workload(
      name: "mlp", batch: 128, learningRate: 0.01, momentum: 0.9,
      makeModel: {
        Sequential(Linear(784, 1024), ReLU(), Linear(1024, 1024), ReLU(), Linear(1024, 10))
      },
      makeData: { (normal([128, 784]), labels([128], 10)) },
      loss: { crossEntropy($0, $1) }),
  ]

  private static func normal(_ shape: Shape) -> Tensor {
    var random = RandomSource(seed: 1)
    return .normal(shape, using: &random)
  }

  private static func coins(_ shape: Shape) -> Tensor {
    var random = RandomSource(seed: 2)
    return Tensor.uniform(shape, using: &random).rounded()
  }

  private static func labels(_ shape: Shape, _ classes: Int) -> Tensor {
    var random = RandomSource(seed: 3)
    return Tensor.uniform(shape, in: 0..<Double(classes), using: &random).converted(to: .int32)
  }
}

/// A workload with its model built and its data made, ready to take steps.
public final class WorkloadRun {
  /// The model.
  public let model: any Layer
  private let workload: Workload
  private let arena: ParameterArena
  private let optimizer: SGD
  private let inputs: Tensor
  private let targets: Tensor

  /// Builds the model and makes the data.
  public convenience init(_ workload: Workload) {
    self.init(
      workload, model: withRandomSource(seed: 0, workload.makeModel), data: workload.makeData())
  }

  /// Trains another model on other data with the loss and optimizer of a workload.
  package init(_ workload: Workload, model: any Layer, data: (inputs: Tensor, targets: Tensor)) {
    self.workload = workload
    self.model = model
    arena = ParameterArena(model.namedParameters())
    optimizer = SGD(arena, SGD.Options(momentum: workload.momentum))
    (inputs, targets) = data
  }

  /// Zeroes the gradients, computes the loss and its gradients, and updates the weights.
  ///
  /// Returns the loss.
  public func step() -> Tensor {
    arena.zeroGrad()
    let loss = workload.loss(model(inputs), targets)
    loss.backward()
    optimizer.step(learningRate: workload.learningRate)
    return loss
  }
}
