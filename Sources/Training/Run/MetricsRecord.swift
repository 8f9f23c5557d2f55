public import Checkpointing

/// What a record of metrics.jsonl measures.
public enum MetricsKind: String, Sendable, CaseIterable {
  case step, epoch
  case evaluation = "eval"
}

/// A record of metrics.jsonl.
public struct MetricsRecord: Sendable, Equatable {
  /// What it measures.
  public let kind: MetricsKind
  /// The number of optimizer steps done.
  public let step: Int
  /// The epoch of the last of them.
  public let epoch: Int
  /// The measured values, in the order in which they are written.
  public let values: [JSONValue.Member]

  /// Collects the values measured after a step.
  public init(
    _ kind: MetricsKind, step: Int, epoch: Int, values: KeyValuePairs<String, JSONValue>
  ) {
    self.kind = kind
    self.step = step
    self.epoch = epoch
    self.values = values.map { JSONValue.Member($0.key, $0.value) }
  }

  /// The record as one JSON object.
  public var json: JSONValue {
    .object(
      [
        .init("kind", .string(kind.rawValue)), .init("step", .integer(step)),
        .init("epoch", .integer(epoch)),
      ] + values)
  }

  /// Reads a line of the log; nil when it is torn or not a record.
  public init?(line: some Sequence<UInt8>) {
    guard let json = try? JSONValue(parsing: Array(line)), let members = json.members,
      let kind = json["kind"]?.stringValue.flatMap(MetricsKind.init),
      let step = json["step"]?.integerValue, let epoch = json["epoch"]?.integerValue
    else { return nil }
    self.kind = kind
    self.step = step
    self.epoch = epoch
    values = members.filter { !["kind", "step", "epoch"].contains($0.key) }
  }

  /// The value of a key, if it is a number.
  public subscript(key: String) -> Double? {
    values.first { $0.key == key }?.value.doubleValue
  }
}

extension StepReport {
  /// The record of the step.
  var record: MetricsRecord {
    MetricsRecord(
      .step, step: step, epoch: epoch,
      values: [
        "loss": .number(loss), "accuracy": accuracy.map { .number($0) } ?? .null,
        "learningRate": .number(learningRate), "samplesPerSecond": .number(samplesPerSecond),
      ])
  }
}

extension EpochReport {
  /// The record of the training samples, and that of the test samples if they were evaluated.
  var records: [MetricsRecord] {
    func accuracy(_ metrics: Metrics) -> JSONValue {
      hasAccuracy ? .number(metrics.accuracy) : .null
    }
    let training = MetricsRecord(
      .epoch, step: step, epoch: epoch,
      values: [
        "loss": .number(metrics.loss), "accuracy": accuracy(metrics),
        "learningRate": .number(learningRate), "samplesPerSecond": .number(samplesPerSecond),
        "seconds": .number(seconds),
      ])
    let evaluation = test.map { test in
      MetricsRecord(
        .evaluation, step: step, epoch: epoch,
        values: [
          "loss": .number(test.loss), "accuracy": accuracy(test),
          "samples": .integer(Int(test.sampleCount)),
        ])
    }
    return [training] + (evaluation.map { [$0] } ?? [])
  }
}
