import Base
package import Collectives
import DataParallel
import Foundation
import NeuralNetworks
import Optimizers
package import TensorCore

/// What a rank does in a step, and when: measured on ranks without a network.
package struct StepTimeline: Codable, Equatable, Sendable {
  /// The gradient of a parameter.
  package struct Gradient: Codable, Equatable, Sendable {
    /// The end of its elements among those of all gradients.
    package var end: Int
    /// The share of the compute time after which it is final.
    package var final: Double

    package init(end: Int, final: Double) {
      (self.end, self.final) = (end, final)
    }
  }

  /// The samples of the rank's batch.
  package var batch: Int
  /// The ranks that were measured, all at the same time.
  package var ranks: Int
  /// The gradients in the order of their elements.
  package var gradients: [Gradient]
  /// The seconds of the forward and backward pass of the slowest of these ranks: quantiles over the steps,
  /// from the shortest to the longest.
  package var compute: [Double]
  /// The seconds of an update of all parameters.
  package var update: Double
  /// The bytes of what ranks agree on in a step, without eight for each rank.
  package var agreementBytes: Int
  /// The bytes of running statistics, which are averaged over the ranks.
  package var statisticsBytes: Int

  enum CodingKeys: String, CodingKey {
    case batch, ranks, gradients
    case compute = "compute_s"
    case update = "update_s"
    case agreementBytes = "agreement_bytes"
    case statisticsBytes = "statistics_bytes"
  }

  package init(
    batch: Int, ranks: Int = 1, gradients: [Gradient], compute: [Double], update: Double,
    agreementBytes: Int = 0, statisticsBytes: Int = 0
  ) {
    (self.batch, self.ranks, self.gradients) = (batch, ranks, gradients)
    (self.compute, self.update) = (compute, update)
    (self.agreementBytes, self.statisticsBytes) = (agreementBytes, statisticsBytes)
  }

  /// The number of gradients.
  package var count: Int { gradients.last?.end ?? 0 }

  /// The seconds of the forward and backward pass of the slowest of some ranks, in the median step.
  ///
  /// - Parameter varies: Whether ranks take as long as steps that were measured; otherwise all take the
  ///   median.
  package func computeSeconds(ranks: Int, varies: Bool) -> Double {
    // The slowest of n is below the median of the slowest with the probability p^n = 1/2.
    let draws = max(1, Double(ranks) / Double(self.ranks))
    return compute.quantile(varies ? pow(0.5, 1 / draws) : 0.5)
  }

  /// The buckets of a node's ranks.
  ///
  /// - Parameters:
  ///   - bytes: The size of a bucket; 0 makes one of all gradients.
  ///   - ranksPerNode: The ranks of a node, which sum its gradients and update the parameters together.
  ///   - compute: The seconds of the forward and backward pass.
  ///   - sumRate: The bytes per second of memory that a rank reads and writes while it adds up.
  package func buckets(bytes: Int, ranksPerNode: Int, compute: Double, sumRate: Double)
    -> [BucketQueue.Bucket]
  {
    let layout = BucketLayout(count: count, bytes: bytes, chunksPerBucket: ranksPerNode)
    var next = 0
    var final = 0.0
    return layout.buckets.map { elements in
      // Buckets begin in order, and one needs all gradients of which it has elements.
      while next < gradients.count {
        final = max(final, gradients[next].final)
        if gradients[next].end >= elements.upperBound { break }
        next += 1
      }
      let bytes = Double(elements.count * MemoryLayout<Float>.stride)
      let chunk = bytes / Double(ranksPerNode)
      // The ranks of a node read each other's gradients.
      let summing = ranksPerNode > 1 ? chunk * Double(ranksPerNode + 1) / sumRate : 0
      return BucketQueue.Bucket(
        bytes: bytes, final: final * compute + summing,
        update: update * Double(elements.count) / Double(max(count, 1)) / Double(ranksPerNode))
    }
  }

  /// The timeline of a batch between those of two others.
  package static func between(_ low: StepTimeline, _ high: StepTimeline, batch: Int) -> StepTimeline
  {
    guard low.batch < high.batch else { return high }
    let place = Double(batch - low.batch) / Double(high.batch - low.batch)
    func mix(_ a: Double, _ b: Double) -> Double { max(0, a + (b - a) * place) }
    var result = high
    result.batch = batch
    result.compute = zip(low.compute, high.compute).map(mix)
    result.update = mix(low.update, high.update)
    for index in result.gradients.indices {
      result.gradients[index].final = mix(low.gradients[index].final, high.gradients[index].final)
    }
    return result
  }
}

extension StepTimeline {
  /// The number of quantiles that are kept.
  private static let quantiles = 101

  /// Measures steps of a workload on every rank, each for itself, all at the same time.
  ///
  /// Collective: all ranks call it. Rank zero tells when gradients are final.
  ///
  /// - Parameters:
  ///   - workload: The workload.
  ///   - batch: The samples of a step, at most the workload's.
  ///   - precision: The precision of forward pass and loss.
  ///   - duration: About how long to measure.
  ///   - communicator: The ranks.
  package init(
    _ workload: Workload, batch: Int, precision: Precision, seconds duration: Double,
    _ communicator: any Communicator
  ) throws {
    let run = try communicator.collectiveTry {
      try WorkloadRun(
        workload, model: withRandomSource(seed: 0, workload.makeModel),
        data: workload.makeData(samples: batch), precision: precision)
    }
    let entries = run.parallel.arena.entries
    let entryOfLeaf = Dictionary(
      uniqueKeysWithValues: entries.enumerated().map {
        (ObjectIdentifier($0.element.parameter), $0.offset)
      })
    var clock = Stopwatch()
    var computed = 0.0
    var finals = Array(repeating: 0.0, count: entries.count)
    run.parallel.didCompleteGradient = { leaf in
      if let entry = entryOfLeaf[ObjectIdentifier(leaf)] { finals[entry] = clock.elapsed }
    }
    run.parallel.willUpdate = { computed = clock.elapsed }
    /// Returns the seconds of the step.
    func step() throws -> Double {
      communicator.barrier()
      clock = Stopwatch()
      try run.step()
      return clock.elapsed
    }
    for _ in 0..<3 { _ = try step() }
    let once = communicator.allReduce(max(try step(), 1e-6), .max)
    let before = run.parallel.times.update
    var compute: [Double] = []
    var shares = entries.map { _ in [Double]() }
    let steps = max(5, min(5_000, Int(duration / once)))
    for _ in 0..<steps {
      _ = try step()
      compute.append(computed)
      for index in shares.indices { shares[index].append(finals[index] / computed) }
    }
    let updates = communicator.allReduce(run.parallel.times.update - before, .sum)
    let slowest = communicator.allReduce(compute, .max)
    let statistics = run.model.namedBuffers().reduce(0) { $0 + $1.buffer.count }
    self.init(
      batch: batch, ranks: communicator.worldSize,
      gradients: zip(entries, shares).map { entry, shares in
        Gradient(end: entry.range.upperBound, final: min(1, shares.quantile(0.5)))
      },
      compute: (0..<Self.quantiles).map {
        slowest.quantile(Double($0) / Double(Self.quantiles - 1))
      },
      update: updates / Double(steps * communicator.worldSize),
      agreementBytes: (entries.count + 8) * MemoryLayout<Double>.stride,
      statisticsBytes: statistics * MemoryLayout<Float>.stride)
  }
}
