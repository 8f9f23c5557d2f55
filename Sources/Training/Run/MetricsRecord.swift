package import Base

/// What a record of metrics.jsonl measures.
public enum MetricsKind: String, Sendable, CaseIterable, Decodable {
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
  /// The line of the log, a JSON object.
  public let line: String

  private struct Head: Decodable {
    let kind: MetricsKind
    let step: Int
    let epoch: Int
  }

  /// The record of values measured after a step: numbers, or null where there is none.
  package init(_ kind: MetricsKind, step: Int, epoch: Int, values: JSONObject) {
    (self.kind, self.step, self.epoch) = (kind, step, epoch)
    line = (["kind": kind.rawValue, "step": step, "epoch": epoch] + values).text
  }

  /// The same with further values at the end.
  package func adding(_ values: JSONObject) -> MetricsRecord {
    MetricsRecord(
      kind, step, epoch, line: line.dropLast() + "," + values.text.dropFirst())
  }

  private init(_ kind: MetricsKind, _ step: Int, _ epoch: Int, line: some StringProtocol) {
    (self.kind, self.step, self.epoch, self.line) = (kind, step, epoch, String(line))
  }

  /// Reads a line of the log; nil when it is torn or not a record.
  public init?(line: some Sequence<UInt8>) {
    let bytes = Array(line)
    guard let head = try? JSON.decode(Head.self, from: bytes) else { return nil }
    (kind, step, epoch) = (head.kind, head.step, head.epoch)
    self.line = String(decoding: bytes, as: UTF8.self)
  }

  /// The value of a key; nil if it is missing or not a number.
  public subscript(key: String) -> Double? { numbers[key] }

  /// All values that are numbers, by their keys.
  public var numbers: [String: Double] {
    struct Number: Decodable {
      let value: Double?
      init(from decoder: any Decoder) throws {
        value = try? decoder.singleValueContainer().decode(Double.self)
      }
    }
    let values = try? JSON.decode([String: Number].self, from: line.utf8)
    return values?.compactMapValues(\.value) ?? [:]
  }
}

extension StepReport {
  /// The record of the step.
  var record: MetricsRecord {
    var values: JSONObject = [
      "loss": loss, "accuracy": accuracy, "learningRate": learningRate,
      "gradientNorm": gradientNorm, "samplesPerSecond": samplesPerSecond,
    ]
    if skippedSteps > 0 { values.append("skippedSteps", skippedSteps) }
    if rollbacks > 0 { values.append("rollbacks", rollbacks) }
    return MetricsRecord(.step, step: step, epoch: epoch, values: values)
  }
}

extension EpochReport {
  /// The record of the training samples, and that of the validation samples if they were evaluated.
  var records: [MetricsRecord] {
    func accuracy(_ metrics: Metrics) -> Double? { hasAccuracy ? metrics.accuracy : nil }
    let training = MetricsRecord(
      .epoch, step: step, epoch: epoch,
      values: [
        "loss": metrics.loss, "accuracy": accuracy(metrics), "learningRate": learningRate,
        "samplesPerSecond": samplesPerSecond, "seconds": seconds,
        "phases": PhaseTimes.json(phases),
      ])
    let evaluation = validation.map { validation in
      var values: JSONObject = [
        "loss": validation.loss, "accuracy": accuracy(validation),
        "samples": Int(validation.sampleCount),
      ]
      values.append("best", isBest)
      if let rootMeanSquaredError {
        values.append("rootMeanSquaredError", rootMeanSquaredError)
      }
      if countsTokens { values.append("perplexity", validation.perplexity) }
      if let bits = validation.bitsPerByte { values.append("bitsPerByte", bits) }
      return MetricsRecord(.evaluation, step: step, epoch: epoch, values: values)
    }
    return [training] + (evaluation.map { [$0] } ?? [])
  }
}
