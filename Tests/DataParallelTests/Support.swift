import Base
import Collectives
import DataParallel
import NeuralNetworks
import Optimizers
import Synchronization
import TensorCore
import Testing

/// A model with its data, small enough to train many times.
struct Case: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let makeModel: @Sendable () -> any Layer
  let loss: @Sendable (any Layer, Range<Int>) -> Tensor

  /// Sample `i` of a batch is the same wherever it is computed.
  private static func inputs(_ samples: Range<Int>, _ shape: TensorShape) -> Tensor {
    let size = shape.elementCount
    var values: [Float] = []
    for sample in samples {
      for i in 0..<size { values.append(Float((sample * 37 + i * 11) % 29) / 14 - 1) }
    }
    return .of(values, shape: TensorShape([samples.count] + shape.array))
  }

  private static func labels(_ samples: Range<Int>, _ count: Int = 1) -> Tensor {
    .of(
      samples.flatMap { sample in (0..<count).map { Int32((sample * 7 + $0) % 3) } },
      shape: [samples.count * count])
  }

  static let mlp = Case(testDescription: "mlp") {
    Sequential(Linear(5, 70), Tanh(), Linear(70, 300), Tanh(), Linear(300, 3))
  } loss: { model, samples in
    crossEntropy(model(inputs(samples, [5])), labels(samples))
  }

  static let cnn = Case(testDescription: "cnn with batch norm and dropout") {
    Sequential(
      Conv2d(1, 4, kernel: 3), BatchNorm2d(4), ReLU(), MaxPool2d(2), Flatten(), Dropout(0.3),
      Linear(36, 3))
  } loss: { model, samples in
    crossEntropy(model(inputs(samples, [1, 8, 8])), labels(samples))
  }

  static let gpt = Case(testDescription: "gpt") {
    GPT(
      GPT.Options(vocabulary: 5, context: 6, layers: 2, heads: 2, width: 16, dropout: 0.1))
  } loss: { model, samples in
    let tokens = Tensor.of(
      samples.flatMap { sample in (0..<6).map { Int32((sample * 3 + $0) % 5) } },
      shape: [samples.count, 6])
    return crossEntropy(model(tokens).reshaped(to: [-1, 5]), labels(samples, 6))
  }

  static let all = [mlp, cnn, gpt]
}

/// How many ranks there are, and how many on a node.
struct Ranks: Sendable, CustomTestStringConvertible {
  var count: Int
  var perNode: Int
  var testDescription: String { "\(count) ranks, \(perNode) on a node" }

  static let one = Ranks(count: 1, perNode: 1)
}

/// Trains for some steps and returns the weights and buffers of each rank.
func train(
  _ example: Case, on ranks: Ranks, steps: Int = 4, batch: Int = 11,
  algorithm: InterNodeAllReduce = .standard,
  _ change: @Sendable (inout DataParallel.Options) -> Void = { _ in },
  optimizer: @escaping @Sendable (ParameterArena) -> any Optimizer = {
    SGD($0, SGD.Options(momentum: 0.9))
  }
) throws -> [[Float]] {
  var options = DataParallel.Options()
  options.bucketMegabytes = 1.0 / 16
  options.auditEverySteps = 2
  options.seed = 5
  change(&options)
  return try withRanks(ranks.count, ranksPerNode: ranks.perNode) { [options] communicator in
    // Ranks that start differently train what rank zero has.
    let model = withRandomSource(seed: UInt64(communicator.rank), example.makeModel)
    let parallel = try DataParallel(
      model, communicator, options: options, interNodeAllReduce: algorithm,
      makeOptimizer: optimizer)
    for step in 0..<steps {
      let result = try parallel.step(
        samples: step * batch..<(step + 1) * batch, epoch: 0, learningRate: 0.05
      ) { example.loss(model, $0) }
      try #require(result.sampleCount == Double(batch))
    }
    return model.stateDictionary().flatMap { $0.value.doubles().map { Float($0) } }
  }
}

/// The largest difference of two lists of numbers, relative to the largest number.
func difference(_ a: [Float], _ b: [Float]) -> Float {
  guard a.count == b.count else { return .infinity }
  let largest = b.map(abs).max() ?? 1
  return (zip(a, b).map { abs($0 - $1) }.max() ?? 0) / largest
}

/// How far weights of at most four steps may differ when sums are rounded in another order: eight
/// units in the last place of the largest weight.
let roundingBound: Float = 8 * .ulpOfOne

/// A communicator that counts the bytes that it sends to other nodes.
final class CountingCommunicator: Communicator {
  private let base: any Communicator
  private let counter: CountingAcrossNodes

  init(_ base: any Communicator) {
    self.base = base
    counter = CountingAcrossNodes(base.acrossNodes)
  }

  var sentBytes: Int { counter.sentBytes }
  var rank: Int { base.rank }
  var worldSize: Int { base.worldSize }
  var topology: Topology { base.topology }
  var node: any NodeCommunicator { base.node }
  var acrossNodes: any InterNodeCommunicator { counter }

  func allReduce(_ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation) {
    base.allReduce(buffer, operation)
  }
  func allReduce(_ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation) {
    base.allReduce(buffer, operation)
  }
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) {
    base.broadcast(bytes, root: root)
  }
  func allGather(_ bytes: [UInt8]) -> [[UInt8]] { base.allGather(bytes) }
  func barrier() { base.barrier() }
  func abort(exitCode: Int32) -> Never { base.abort(exitCode: exitCode) }
  func finalize() { base.finalize() }
}

private final class CountingAcrossNodes: InterNodeCommunicator {
  private let base: any InterNodeCommunicator
  private let sent = Mutex(0)

  init(_ base: any InterNodeCommunicator) { self.base = base }

  /// Messages may be started by the progress thread.
  var sentBytes: Int { sent.withLock { $0 } }
  var rank: Int { base.rank }
  var size: Int { base.size }
  var canProgressOnAnyThread: Bool { base.canProgressOnAnyThread }

  func nextTag() -> Int { base.nextTag() }
  func startSend(_ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int) -> any PendingMessage {
    sent.withLock { $0 += bytes.count }
    return base.startSend(bytes, to: peer, tag: tag)
  }
  func startReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int
  ) -> any PendingMessage {
    base.startReceive(bytes, from: peer, tag: tag)
  }
}
