public import DataLoading
import DataParallel
import Optimizers
import TensorCore

// What the values of a configuration stand for in the layers below.

extension TrainingConfiguration {
  /// The data set, ready to be opened.
  public var source: DataSource {
    var source = DataSource(data.kind, path: data.path.isEmpty ? nil : data.path)
    source.testCount = data.testCount < 0 ? nil : data.testCount
    source.classes = data.classes == 0 ? nil : data.classes
    source.target = data.target == .auto ? nil : data.target == .classes ? .classes : .values
    source.labelColumn = data.labelColumn.isEmpty ? nil : data.labelColumn
    source.header = data.header == .auto ? nil : data.header == .yes
    source.inputShape = data.inputShape.isEmpty ? nil : data.inputShape
    source.normalize = data.normalize
    // The defaults are not for other kinds, which refuse what they would ignore.
    let defaults = Data()
    source.blockSize = data.blockSize == defaults.blockSize ? nil : data.blockSize
    source.testFraction = data.testFraction == defaults.testFraction ? nil : data.testFraction
    return source
  }

  /// The rule that updates the parameters in `arena`.
  ///
  /// AdamW's weight decay spares biases and the gains of normalisations, as is usual with it.
  func makeOptimizer(_ arena: ParameterArena) -> any Optimizers.Optimizer {
    switch optimizer.kind {
    case .sgd:
      SGD(
        arena,
        SGD.Options(
          momentum: optimizer.momentum, dampening: optimizer.dampening,
          weightDecay: optimizer.weightDecay, nesterov: optimizer.nesterov))
    case .adamw:
      AdamW(
        arena,
        AdamW.Options(
          beta1: optimizer.beta1, beta2: optimizer.beta2, epsilon: optimizer.epsilon,
          weightDecay: optimizer.weightDecay)
      ) { $0.parameter.shape.count > 1 }
    }
  }

  /// How ranks work together.
  var parallelOptions: DataParallel.Options {
    var options = DataParallel.Options()
    options.fixedSlices = distributed.shards > 0 ? distributed.shards : nil
    options.microBatches = training.microBatches
    options.bucketBytes = Int(distributed.bucketMegabytes * Double(1 << 20))
    options.overlap = distributed.overlap
    options.gradientClipNorm = training.gradientClipNorm
    options.synchronizesBatchNorm = distributed.synchronizedBatchNorm
    options.auditEverySteps = distributed.auditEverySteps
    options.seed = UInt64(training.seed)
    return options
  }

  /// The learning rate as a function of the step.
  func makeSchedule(totalSteps: Int) -> Optimizers.Schedule {
    let shape: Optimizers.Schedule.Shape =
      switch schedule.kind {
      case .constant: .constant
      case .step: .step(size: schedule.stepSize, gamma: schedule.gamma)
      case .cosine: .cosine(steps: totalSteps, minimum: schedule.minimumLearningRate)
      }
    return Optimizers.Schedule(
      base: optimizer.learningRate, warmupSteps: schedule.warmupSteps, shape)
  }

  /// The values that must be the same on all ranks, by key: those that decide what is computed,
  /// and when ranks wait for each other.
  var comparableValues: [String: String] {
    let own = [
      "name", "model.weights", "data.path", "checkpoint.keep", "distributed.threadsPerRank",
    ]
    let keys = ConfigurationKey.all().filter { key in
      !own.contains(key.path) && !key.path.hasPrefix("logging.")
    }
    return Dictionary(uniqueKeysWithValues: keys.map { ($0.path, $0.value(in: self).yaml) })
  }
}
