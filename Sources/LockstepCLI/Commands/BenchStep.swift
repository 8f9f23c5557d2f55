public import ArgumentParser
import Benchmarking
import Foundation
public import Lockstep
import Training

struct BenchStep: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step",
    abstract: "Times the training step of a reference workload.",
    usage: "lockstep bench step --workload <name> [<options>]",
    discussion: """
      A step zeroes the gradients, computes the loss and its gradients, adds these up over all \
      ranks, and updates the weights, on random data in memory. Under mpirun every rank computes a \
      batch of its own, or with --strong its part of one. Benchmarks/ has the same workloads for \
      PyTorch and JAX. Unset OPENBLAS_CORETYPE before comparing.
      """)

  @Option(
    help: ArgumentHelp(
      "One of \(Workload.all.map(\.name).joined(separator: ", ")).", valueName: "name"))
  var workload: String

  @Option(help: ArgumentHelp("The threads of each rank.", valueName: "count"))
  var threads = 1

  @Option(help: ArgumentHelp("About how long to measure.", valueName: "seconds"))
  var seconds = 5.0

  @Flag(help: "Share one batch between the ranks.")
  var strong = false

  @Option(
    help: ArgumentHelp(
      "Cut the batch into so many fixed parts; see distributed.shards.", valueName: "count"))
  var shards = 0

  @Option(
    help: ArgumentHelp(
      "How sums across machines go on behind computation.", valueName: "mode"))
  var overlap = Overlap.auto

  @Option(
    help: ArgumentHelp(
      "How much gradient is summed at a time across machines; 0 is all.", valueName: "megabytes"))
  var bucketMegabytes = 0.5

  @Flag(help: "Print one JSON object, with the keys that the scripts for other frameworks use.")
  var json = false

  func validate() throws {
    let names = Workload.all.map(\.name)
    guard names.contains(workload) else {
      throw ValidationError(
        "there is no workload '\(workload)'; known: \(names.joined(separator: ", "))")
    }
    guard threads >= 1, threads <= 256 else { throw ValidationError("--threads must be 1...256") }
    guard seconds > 0 else { throw ValidationError("--seconds must be positive") }
    guard bucketMegabytes >= 0, bucketMegabytes <= 4096 else {
      throw ValidationError("--bucket-megabytes must be 0...4096")
    }
    guard shards >= 0, shards <= 4096 else { throw ValidationError("--shards must be 0...4096") }
  }

  func run() {
    withSession { communicator in
      Threads.count = threads
      var options = DataParallel.Options()
      options.fixedSlices = shards > 0 ? shards : nil
      options.overlap = overlap
      options.bucketBytes = Int(bucketMegabytes * Double(1 << 20))
      let workload = Workload.all.first { $0.name == self.workload }!
      let run = try WorkloadRun(
        workload, on: communicator, isStrong: strong, options: options)
      let measurement = try StepMeasurement(run, seconds: seconds, communicator)
      if communicator.isRoot {
        if json {
          printLine(record(measurement, run).text)
        } else {
          describe(measurement, run)
        }
      }
      return .success
    }
  }

  private func record(_ measurement: StepMeasurement, _ run: WorkloadRun) -> JSONValue {
    func rounded(_ value: Double, _ digits: Double) -> JSONValue {
      .number((value * digits).rounded() / digits)
    }
    func milliseconds(_ seconds: Double) -> JSONValue { rounded(seconds * 1e3, 1e4) }
    let times = measurement.meanTimes
    return .object([
      "peer": .string("lockstep"), "version": .string(Version.current),
      "workload": .string(workload), "ranks": .integer(measurement.ranks),
      "nodes": .integer(run.parallel.topology.nodeCount), "threads": .integer(threads),
      "scaling": .string(strong ? "strong" : "weak"), "shards": .integer(shards),
      "overlap": .string(run.parallel.overlap.rawValue),
      "steps": .integer(measurement.seconds.count),
      "median_ms": milliseconds(measurement.median),
      "min_ms": milliseconds(measurement.seconds.min()!),
      "samples_per_s": rounded(measurement.samplesPerSecond(run), 100),
      "compute_ms": milliseconds(times.compute), "waiting_ms": milliseconds(times.waiting),
      "exposed_communication_ms": milliseconds(times.exposedCommunication),
      "hidden_communication_ms": milliseconds(times.hiddenCommunication),
      "update_ms": milliseconds(times.update),
      "slowest_rank": .integer(measurement.slowestRank),
      "slowest_rank_compute_ms": milliseconds(measurement.slowestCompute),
      "isa": .string(Threads.instructionSet), "openblas_core": .string(BLAS.coreName),
    ])
  }

  private func describe(_ measurement: StepMeasurement, _ run: WorkloadRun) {
    let ranks = measurement.ranks
    let nodes = run.parallel.topology.nodeCount
    func line(_ label: String, _ text: String) {
      printLine(label.padding(toLength: 11, withPad: " ", startingAt: 0) + text)
    }
    func milliseconds(_ seconds: Double) -> String { String(format: "%.4f ms", seconds * 1e3) }
    line("workload", "\(workload), batch \(run.globalBatch)")
    line(
      "ranks",
      "\(ranks) with \(count(threads, "thread")) each"
        + (nodes > 1
          ? " on \(nodes) machines, sums across machines: \(run.parallel.overlap.rawValue)" : ""))
    line("kernels", "\(Threads.instructionSet), OpenBLAS \(BLAS.coreName)")
    line("median", "\(milliseconds(measurement.median)) per step")
    line("minimum", "\(milliseconds(measurement.seconds.min()!)) per step")
    let rate = measurement.samplesPerSecond(run)
    line("samples/s", rate < 100 ? String(format: "%.2f", rate) : grouped(Int(rate)))
    line("steps", grouped(measurement.seconds.count))
    guard ranks > 1 else { return }
    let times = measurement.meanTimes
    line("compute", milliseconds(times.compute))
    line(
      "waiting",
      "\(milliseconds(times.waiting)) for slower ranks; rank \(measurement.slowestRank) computes longest, \(milliseconds(measurement.slowestCompute))"
    )
    if nodes > 1 {
      line(
        "network",
        "\(milliseconds(times.exposedCommunication)) waited for, \(milliseconds(times.hiddenCommunication)) behind computation"
      )
    }
    line("update", "\(milliseconds(times.update)) adding up and optimizer")
  }
}

extension Overlap: ExpressibleByArgument {}

/// The time of steps, and where it went.
private struct StepMeasurement {
  let ranks: Int
  /// The seconds of each step on rank zero.
  let seconds: [Double]
  /// The mean over all steps and ranks.
  let meanTimes: DataParallel.Times
  /// The rank that computes longest, and how long for a step.
  let slowestRank: Int
  let slowestCompute: Double

  /// Takes steps for about so many seconds, after a warm-up.
  init(_ run: WorkloadRun, seconds duration: Double, _ communicator: any Communicator) throws {
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

  var median: Double {
    let sorted = seconds.sorted()
    let middle = sorted.count / 2
    return sorted.count.isMultiple(of: 2)
      ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
  }

  func samplesPerSecond(_ run: WorkloadRun) -> Double { Double(run.globalBatch) / median }
}
