import ArgumentParser
import Base
import Benchmarking
import Checkpointing
import Foundation
import Lockstep
import Logging
import Settings

struct BenchStep: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "step",
    abstract: "Times the training step of a reference workload.",
    usage: "\(programName) bench step --workload <name> [<options>]",
    discussion: """
      A step zeroes the gradients, computes the loss and its gradients, all-reduces them, and \
      updates the weights, on random data in memory. Under mpirun every rank computes a batch of \
      its own, or with --strong its slice of one. Benchmarks/ has the same workloads for PyTorch \
      and most of them for JAX. Those from resnet18-b8 on have other batches, image sizes, contexts and \
      kinds of convolution than the first ones. Unset OPENBLAS_CORETYPE before comparing.

      Prints the median, the minimum, and the times within which 10 % and 90 % of the steps stay: if they \
      differ much, other processes disturb the steps.

      --profile adds tables of where the time of further steps goes: by operation, forward and \
      backward, and by module. "of limit" is the share of what this machine can do, measured \
      afterwards: of multiply-adds per second, or of bytes of memory per second, whichever is more. It \
      may exceed 100 % where operands are in the cache, or an algorithm multiplies less than the \
      direct one (Winograd's), whose operations are counted. Under mpirun the tables show rank zero.
      """)

  @Option(
    help: ArgumentHelp(
      "One of \(Workload.all.map(\.name).joined(separator: ", ")).", valueName: "name"))
  var workload: String

  @Option(help: ArgumentHelp("The threads of each rank.", valueName: "count"))
  var threads = 1

  @Option(
    help: "Compute products in bfloat16, all else and the weights in float32; or all in float32.")
  var precision = Precision.float32

  @Option(help: ArgumentHelp("The approximate time to measure.", valueName: "seconds"))
  var seconds = 5.0

  @Flag(help: "Share one batch between the ranks.")
  var strong = false

  @Option(
    name: [.customLong("fixed-slices"), .customLong("shards")],
    help: BenchStep.help("fixedSlices", "count"))
  var fixedSlices: Int?

  @Option(help: BenchStep.help("overlap", "mode"))
  var overlap = DataParallel.Options().overlap

  @Option(help: BenchStep.help("bucketMegabytes", "megabytes"))
  var bucketMegabytes = DataParallel.Options().bucketMegabytes ?? 0

  @Option(help: BenchStep.help("allReduce", "name"))
  var allReduce = DataParallel.Options().allReduce

  @Option(help: BenchStep.help("nodesPerSwitch", "count"))
  var nodesPerSwitch: Int?

  @Option(help: BenchStep.help("wire", "type"))
  var wire = DataParallel.Options().wire

  @Flag(help: "Add what rounding to bfloat16 took away to the gradients of the next step.")
  var errorFeedback = false

  @Flag(help: "Let each node keep and update only its part of the optimizer's state.")
  var shardOptimizer = false

  @Option(name: .customLong("local-steps"), help: BenchStep.help("localSteps", "count"))
  var localSteps: Int?

  @Flag(help: "Show where the time goes, by operation and by module.")
  var profile = false

  @Option(
    help: ArgumentHelp(
      "Write the profiled steps of all ranks as a trace for Perfetto or Chrome (about:tracing).",
      valueName: "file"))
  var trace: String?

  @Flag(help: "Print one JSON object, with the keys that the scripts for other frameworks use.")
  var json = false

  func validate() throws {
    try validate(workload: workload, threads: threads)
    try validate(seconds: seconds)
    do {
      try parallelOptions.validate()
    } catch {
      throw ValidationError("\(error)")
    }
  }

  /// The help text of an option that is a setting of `DataParallel`, with 0 for null.
  private static func help(_ setting: String, _ valueName: String) -> ArgumentHelp {
    let help = DataParallel.Options().settings.first { $0.name == setting }?.help ?? ""
    let text = help.replacingOccurrences(of: "null", with: "0")
    return ArgumentHelp("\(text.prefix(1).uppercased())\(text.dropFirst()).", valueName: valueName)
  }

  private var parallelOptions: DataParallel.Options {
    var options = DataParallel.Options()
    options.fixedSlices = fixedSlices == 0 ? nil : fixedSlices
    options.overlap = overlap
    options.allReduce = allReduce
    options.nodesPerSwitch = nodesPerSwitch == 0 ? nil : nodesPerSwitch
    options.bucketMegabytes = bucketMegabytes == 0 ? nil : bucketMegabytes
    options.wire = wire
    options.errorFeedback = errorFeedback
    options.shardOptimizer = shardOptimizer
    options.localSteps = localSteps == 0 ? nil : localSteps
    return options
  }

  func run() {
    withSession("bench step") { communicator in
      Threads.count = threads
      let workload = Workload.all.first { $0.name == self.workload }!
      let run = try WorkloadRun(
        workload, on: communicator, precision: precision, isStrong: strong, options: parallelOptions
      )
      if communicator.isRoot, let warning = run.parallel.warning { logger.warning("\(warning)") }
      let measurement = try StepMeasurement(run, seconds: seconds, communicator)
      let profile =
        profile || trace != nil ? try run.profile(about: measurement.median, communicator) : nil
      if let trace {
        let text = profile!.trace(communicator)
        try communicator.collectiveTry {
          if let text { try FileSystem().replaceFile(trace, with: text) }
        }
      }
      let limits = self.profile ? StepProfile.Limits(communicator) : nil
      if communicator.isRoot {
        if json {
          let all: JSONObject =
            if let profile, let limits { ["profile": profile.record(limits)] } else { [:] }
          printLine((record(measurement, run) + all).text)
        } else {
          describe(measurement, run)
          if let profile, let limits { printLine("\n" + profile.report(limits).dropLast()) }
        }
      }
      return .success
    }
  }

  private func record(_ measurement: StepMeasurement, _ run: WorkloadRun) -> JSONObject {
    func rounded(_ value: Double, _ digits: Double) -> Double {
      (value * digits).rounded() / digits
    }
    func milliseconds(_ seconds: Double) -> Double { rounded(seconds * 1e3, 1e4) }
    let times = measurement.times
    return [
      "peer": "lockstep", "version": Version.current,
      "workload": workload, "ranks": measurement.ranks,
      "nodes": run.parallel.topology.nodeCount, "threads": threads,
      "precision": precision.rawValue,
      "scaling": strong ? "strong" : "weak", "shards": fixedSlices ?? 0,
      "overlap": run.parallel.overlap.rawValue,
      "all_reduce": run.parallel.interNodeAllReduce.map { $0.algorithm.name },
      "wire": wire.rawValue, "shard_optimizer": shardOptimizer, "local_steps": localSteps ?? 0,
      "steps": measurement.stepCount,
      "median_ms": milliseconds(measurement.median),
      "min_ms": milliseconds(measurement.seconds.min()!),
      "p10_ms": milliseconds(measurement.seconds.quantile(0.1)),
      "p90_ms": milliseconds(measurement.seconds.quantile(0.9)),
      "parameters": run.model.parameterCount,
      "samples_per_s": rounded(measurement.samplesPerSecond(run), 100),
      "compute_ms": milliseconds(times.compute), "waiting_ms": milliseconds(times.waiting),
      "exposed_communication_ms": milliseconds(times.exposedCommunication),
      "hidden_communication_ms": milliseconds(times.hiddenCommunication),
      "update_ms": milliseconds(times.update), "other_ms": milliseconds(measurement.other),
      "slowest_rank": measurement.slowestRank,
      "slowest_rank_compute_ms": milliseconds(measurement.slowestCompute),
      "isa": Threads.instructionSet, "openblas_core": BLAS.coreName,
    ]
  }

  private func describe(_ measurement: StepMeasurement, _ run: WorkloadRun) {
    let ranks = measurement.ranks
    let nodes = run.parallel.topology.nodeCount
    func line(_ label: String, _ text: String) {
      printLine(label.padding(toLength: 11, withPad: " ", startingAt: 0) + text)
    }
    func milliseconds(_ seconds: Double) -> String { String(format: "%.4f ms", seconds * 1e3) }
    line(
      "workload",
      "\(workload), batch \(run.globalBatch), \(grouped(run.model.parameterCount)) parameters, \(precision.rawValue)"
    )
    line(
      "ranks",
      "\(ranks) with \(count(threads, "thread")) each"
        + (nodes > 1
          ? " on \(nodes) nodes, inter-node all-reduce: \(run.parallel.overlap.rawValue), \(wire.rawValue)"
            + (shardOptimizer ? ", optimizer sharded" : "")
            + (parallelOptions.localSteps.map { ", every \($0) steps" } ?? "")
          : ""))
    if let allReduce = run.parallel.interNodeAllReduce { line("all-reduce", "\(allReduce)") }
    line("kernels", "\(Threads.instructionSet), OpenBLAS \(BLAS.coreName)")
    line("median", "\(milliseconds(measurement.median)) per step")
    line("minimum", "\(milliseconds(measurement.seconds.min()!)) per step")
    line("10 %", "\(milliseconds(measurement.seconds.quantile(0.1))) or less")
    line("90 %", "\(milliseconds(measurement.seconds.quantile(0.9))) or less")
    let rate = measurement.samplesPerSecond(run)
    line("samples/s", rate < 100 ? String(format: "%.2f", rate) : grouped(Int(rate)))
    line("steps", grouped(measurement.stepCount))
    guard ranks > 1 else { return }
    let times = measurement.times
    line("compute", milliseconds(times.compute))
    line(
      "waiting",
      "\(milliseconds(times.waiting)) for slower ranks; rank \(measurement.slowestRank) computes longest, \(milliseconds(measurement.slowestCompute))"
    )
    if nodes > 1 {
      line(
        "network",
        "\(milliseconds(times.exposedCommunication)) exposed, \(milliseconds(times.hiddenCommunication)) hidden behind computation"
      )
    }
    line("update", "\(milliseconds(times.update)) sums within the node, and optimizer")
    line("other", "\(milliseconds(measurement.other)) between these; together they are the median")
  }
}
