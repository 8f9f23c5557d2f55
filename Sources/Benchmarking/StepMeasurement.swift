package import Collectives
package import DataParallel

/// The measured times of steps.
package struct StepMeasurement {
  /// The number of ranks.
  package let ranks: Int
  /// The seconds of each step on rank zero.
  package let seconds: [Double]
  /// The mean times over all steps and ranks.
  package let meanTimes: DataParallel.Times
  /// The rank with the longest mean compute time.
  package let slowestRank: Int
  /// Its compute time of a step.
  package let slowestCompute: Double

  /// Takes steps for about `duration` seconds, after a warm-up.
  ///
  /// Collective: all ranks call it.
  package init(_ run: WorkloadRun, seconds duration: Double, _ communicator: any Communicator)
    throws
  {
    func time() throws -> Double {
      let start = ContinuousClock.now
      try run.step()
      return (ContinuousClock.now - start) / .seconds(1)
    }
    for _ in 0..<3 { _ = try time() }
    // All ranks take the same number of steps.
    let once = communicator.allReduce(max(try time(), 1e-6), .max)
    let before = run.parallel.times
    seconds = try (0..<max(5, min(20_000, Int(duration / once)))).map { _ in try time() }
    let after = run.parallel.times
    let steps = Double(seconds.count)
    func mean(_ part: KeyPath<DataParallel.Times, Double>) -> [Double] {
      let own = (after[keyPath: part] - before[keyPath: part]) / steps
      let all = (0..<communicator.worldSize).map { $0 == communicator.rank ? own : 0 }
      return communicator.allReduce(all, .sum)
    }
    ranks = communicator.worldSize
    func overRanks(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    let compute = mean(\.compute)
    slowestRank = compute.indices.max { compute[$0] < compute[$1] }!
    slowestCompute = compute[slowestRank]
    var times = DataParallel.Times()
    times.compute = overRanks(compute)
    times.waiting = overRanks(mean(\.waiting))
    times.exposedCommunication = overRanks(mean(\.exposedCommunication))
    times.hiddenCommunication = overRanks(mean(\.hiddenCommunication))
    times.update = overRanks(mean(\.update))
    meanTimes = times
  }

  /// The median of the seconds of a step on rank zero.
  package var median: Double { seconds.quantile(0.5) }

  /// The samples per second of all ranks, at the median.
  package func samplesPerSecond(_ run: WorkloadRun) -> Double { Double(run.globalBatch) / median }
}

extension [Double] {
  /// The value below which a share of the values lies, interpolated between the two that are next to it: what
  /// Python's `statistics.quantiles(method="inclusive")` gives.
  package func quantile(_ share: Double) -> Double {
    let sorted = sorted()
    let place = share * Double(sorted.count - 1)
    let below = Int(place)
    let above = Swift.min(below + 1, sorted.count - 1)
    return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
  }
}
