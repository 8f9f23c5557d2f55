package import Collectives
package import DataParallel

/// The measured times of steps.
package struct StepMeasurement {
  /// The number of ranks.
  package let ranks: Int
  /// The seconds of each step on this rank; with `localSteps`, of a step in the mean of those between two
  /// outer steps.
  package let seconds: [Double]
  /// The number of steps.
  package let stepCount: Int
  /// Where the time of the median step goes, a mean over all ranks.
  ///
  /// Computation, waiting, exposed communication, the update and `other` add up to the median: they are
  /// the shares of the parts in the middle half of the steps, by their time on rank zero. Hidden
  /// communication is in computation.
  package let times: DataParallel.Times
  /// What remains of the median: the step header, and what is between the parts.
  package let other: Double
  /// The rank with the longest compute time.
  package let slowestRank: Int
  /// Its compute time of a step.
  package let slowestCompute: Double

  /// Takes steps for about `duration` seconds, after a warm-up.
  ///
  /// Collective: all ranks call it.
  package init(_ run: WorkloadRun, seconds duration: Double, _ communicator: any Communicator)
    throws
  {
    // With local steps only the last of some steps communicates: they are one measurement.
    let interval = run.parallel.localStepInterval
    func time() throws -> Double {
      let start = ContinuousClock.now
      for _ in 0..<interval { try run.step() }
      return (ContinuousClock.now - start) / .seconds(1) / Double(interval)
    }
    for _ in 0..<3 { _ = try time() }
    // All ranks take the same number of steps.
    let once = communicator.allReduce(max(try time(), 1e-6), .max)
    var records = [run.parallel.times]
    let seconds = try (0..<max(5, min(20_000, Int(duration / once) / interval))).map { _ in
      let seconds = try time()
      records.append(run.parallel.times)
      return seconds
    }
    self.seconds = seconds
    stepCount = seconds.count * interval
    // The same steps on all ranks, which take them together.
    let order = seconds.indices.sorted { seconds[$0] < seconds[$1] }
    let quarter = seconds.count / 4
    let middle = communicator.broadcast(order[quarter..<seconds.count - quarter].map { $0 })
    let median = communicator.broadcast(seconds.quantile(0.5))
    let ownTotal = middle.reduce(0) { $0 + seconds[$1] }
    /// The share of a part in the time of each rank, as a part of the median.
    func part(_ part: KeyPath<DataParallel.Times, Double>) -> [Double] {
      let sum = middle.reduce(0) {
        $0 + (records[$1 + 1][keyPath: part] - records[$1][keyPath: part]) / Double(interval)
      }
      let own = sum / ownTotal * median
      let all = (0..<communicator.worldSize).map { $0 == communicator.rank ? own : 0 }
      return communicator.allReduce(all, .sum)
    }
    ranks = communicator.worldSize
    func overRanks(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    let compute = part(\.compute)
    slowestRank = compute.indices.max { compute[$0] < compute[$1] }!
    slowestCompute = compute[slowestRank]
    var times = DataParallel.Times()
    times.compute = overRanks(compute)
    times.waiting = overRanks(part(\.waiting))
    times.exposedCommunication = overRanks(part(\.exposedCommunication))
    times.hiddenCommunication = overRanks(part(\.hiddenCommunication))
    times.update = overRanks(part(\.update))
    self.times = times
    other =
      median - times.compute - times.waiting - times.exposedCommunication - times.update
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
