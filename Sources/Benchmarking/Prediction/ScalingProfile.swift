import Base
package import Collectives
package import TensorCore

/// What was measured of a workload on this computer: its step with one or several batches.
package struct ScalingProfile: Codable, Equatable, Sendable {
  /// The workload's name.
  package var workload: String
  /// The precision of forward pass and loss.
  package var precision: String
  /// The threads of each rank.
  package var threads: Int
  /// The bytes per second of memory that a rank reads and writes while it adds up.
  package var sumRate: Double
  /// The steps, the largest batch first: the workload's, and where strong scaling needs them smaller ones.
  package var timelines: [StepTimeline]

  enum CodingKeys: String, CodingKey {
    case workload, precision, threads, timelines
    case sumRate = "sum_bytes_per_s"
  }

  package init(
    workload: String, precision: String = "float32", threads: Int = 1, sumRate: Double,
    timelines: [StepTimeline]
  ) {
    (self.workload, self.precision, self.threads) = (workload, precision, threads)
    (self.sumRate, self.timelines) = (sumRate, timelines)
  }

  /// Measures a workload on every rank, each for itself, all at the same time.
  ///
  /// Collective: all ranks call it.
  ///
  /// - Parameters:
  ///   - workload: The workload.
  ///   - smallerBatches: Whether to measure halves of its batch too, down to one sample.
  ///   - precision: The precision of forward pass and loss.
  ///   - threads: The threads of each rank.
  ///   - duration: About how long to measure.
  ///   - communicator: The ranks.
  package init(
    _ workload: Workload, smallerBatches: Bool, precision: Precision, threads: Int,
    seconds duration: Double, _ communicator: any Communicator
  ) throws {
    var batches = [workload.batch]
    while smallerBatches, batches.last! > 1 { batches.append(batches.last! / 2) }
    let limits = MachineLimits(seconds: 0.1, megabytes: 16, communicator)
    self.init(
      workload: workload.name, precision: "\(precision)", threads: threads,
      sumRate: limits.triad().median / Double(communicator.worldSize),
      timelines: try batches.map { batch in
        // The whole batch is what most predictions rest on.
        let share =
          batches.count == 1 ? 1 : batch == batches[0] ? 0.4 : 0.6 / Double(batches.count - 1)
        return try StepTimeline(
          workload, batch: batch, precision: precision, seconds: duration * share, communicator)
      })
  }

  /// The step with a batch: measured, or between two that were measured.
  package func timeline(batch: Int) -> StepTimeline {
    let high = timelines.last { $0.batch >= batch } ?? timelines[0]
    let low = timelines.first { $0.batch <= batch } ?? timelines[timelines.count - 1]
    return .between(low, high, batch: batch)
  }

  /// What is wrong with a profile that was read from a file; nil if nothing is.
  package var fault: String? {
    guard sumRate > 0 else { return "'sum_bytes_per_s' is not positive" }
    guard let first = timelines.first else { return "'timelines' is empty" }
    for (index, timeline) in timelines.enumerated() {
      let name = "timelines[\(index)]"
      let ends = timeline.gradients.map(\.end)
      guard timeline.batch > 0, timeline.ranks > 0 else {
        return "'\(name)' has no samples or no ranks"
      }
      guard index == 0 || timeline.batch < timelines[index - 1].batch else {
        return "'\(name).batch' is not smaller than the one before"
      }
      guard !ends.isEmpty, ends == first.gradients.map(\.end), ends[0] > 0,
        zip(ends, ends.dropFirst()).allSatisfy(<)
      else { return "'\(name).gradients' do not end one after the other" }
      guard timeline.gradients.allSatisfy({ (0...1).contains($0.final) }) else {
        return "'\(name).gradients' has a 'final' outside of 0...1"
      }
      guard !timeline.compute.isEmpty, timeline.compute.count == first.compute.count,
        timeline.compute.allSatisfy({ $0 > 0 && $0.isFinite }), timeline.update >= 0,
        timeline.update.isFinite
      else { return "'\(name)' has times that are none" }
      guard timeline.agreementBytes >= 0, timeline.statisticsBytes >= 0 else {
        return "'\(name)' has a negative number of bytes"
      }
    }
    return nil
  }
}
