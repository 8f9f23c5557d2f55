import DataLoading
import DataParallel
import Optimizers
import Settings
import TensorCore

// What the values of a configuration stand for in the layers below.

extension TrainingConfiguration {
  /// Reads the data set.
  func openData() throws -> DataSplits {
    let format = DataFormat.all.named(data.kind.rawValue)!
    let (defaults, names) = (Data(), format.settings.settings.map(\.name))
    let given: [String: SettingValue?] = [
      "path": data.path.isEmpty ? nil : .text(data.path),
      "testCount": data.testCount < 0 ? nil : .integer(data.testCount),
      "classes": data.classes == 0 ? nil : .integer(data.classes),
      "target": data.target == .auto ? nil : .text(data.target.rawValue),
      "labelColumn": data.labelColumn.isEmpty ? nil : .text(data.labelColumn),
      "header": data.header == .auto ? nil : .text(data.header.rawValue),
      "inputShape": data.inputShape.isEmpty ? nil : .integers(data.inputShape),
      "normalize": data.normalize == .none ? nil : .text(data.normalize.rawValue),
      "blockSize": data.blockSize == defaults.blockSize ? nil : .integer(data.blockSize),
      "testFraction": data.testFraction == defaults.testFraction ? nil : .number(data.testFraction),
    ]
    if let unused = given.first(where: { $0.value != nil && !names.contains($0.key) }) {
      throw ConfigurationError("'data.\(unused.key)' is not for kind \(format.name): remove it")
    }
    do {
      let source = try format.source.replacing { given[$0] ?? nil }
      return try source.open()
    } catch let error as SettingError {
      throw error.inSection("data")
    }
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
    options.fixedSlices = distributed.shards == 0 ? nil : distributed.shards
    options.microBatches = training.microBatches
    options.bucketMegabytes = distributed.bucketMegabytes
    options.overlap = distributed.overlap
    options.gradientClipNorm = training.gradientClipNorm == 0 ? nil : training.gradientClipNorm
    options.synchronizedBatchNorm = distributed.synchronizedBatchNorm
    options.auditEverySteps = distributed.auditEverySteps == 0 ? nil : distributed.auditEverySteps
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

extension InputNormalization: Codable {}
