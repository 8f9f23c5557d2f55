import ArgumentParser
import Foundation
import Lockstep

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench", abstract: "Measures this machine.", subcommands: [Step.self])

  struct Step: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Times the training step of a reference workload.",
      usage: "lockstep bench step --workload <name> [<options>]",
      discussion: """
        A step zeroes the gradients, computes the loss and its gradients, and updates the \
        weights, on random data in memory. Benchmarks/ has the same workloads for PyTorch and \
        JAX. Unset OPENBLAS_CORETYPE before comparing.
        """)

    @Option(
      help: ArgumentHelp(
        "One of \(Workload.all.map(\.name).joined(separator: ", ")).", valueName: "name"))
    var workload: String

    @Option(help: ArgumentHelp("The threads to compute with.", valueName: "count"))
    var threads = 1

    @Option(help: ArgumentHelp("About how long to measure.", valueName: "seconds"))
    var seconds = 5.0

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
    }

    func run() {
      withSession { communicator in
        guard communicator.worldSize == 1 else {
          throw ConfigurationError(
            "bench step measures one process; start it without mpirun", exitStatus: .usage)
        }
        Threads.count = threads
        show(measure(WorkloadRun(Workload.all.first { $0.name == workload }!)))
        return .success
      }
    }

    /// The seconds of each step, after a warm-up.
    private func measure(_ run: WorkloadRun) -> [Double] {
      func time() -> Double {
        let start = ContinuousClock.now
        _ = run.step()
        return (ContinuousClock.now - start) / .seconds(1)
      }
      for _ in 0..<3 { _ = time() }
      let once = max(time(), 1e-6)
      let steps = max(5, min(20_000, Int(seconds / once)))
      return (0..<steps).map { _ in time() }
    }

    private func show(_ times: [Double]) {
      let sorted = times.sorted()
      let middle = sorted.count / 2
      let median =
        sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
      let batch = Workload.all.first { $0.name == workload }!.batch
      func rounded(_ value: Double, _ digits: Double) -> JSONValue {
        .number((value * digits).rounded() / digits)
      }
      if json {
        printLine(
          JSONValue.object([
            "peer": .string("lockstep"), "version": .string(Version.current),
            "workload": .string(workload), "ranks": .integer(1), "threads": .integer(threads),
            "steps": .integer(times.count), "median_ms": rounded(median * 1e3, 1e4),
            "min_ms": rounded(sorted[0] * 1e3, 1e4),
            "samples_per_s": rounded(Double(batch) / median, 100),
            "isa": .string(Threads.instructionSet), "openblas_core": .string(BLAS.coreName),
          ]).text)
      } else {
        printLine("workload   \(workload), batch \(batch), \(count(threads, "thread"))")
        printLine("kernels    \(Threads.instructionSet), OpenBLAS \(BLAS.coreName)")
        printLine(String(format: "median     %.4f ms per step", median * 1e3))
        printLine(String(format: "minimum    %.4f ms per step", sorted[0] * 1e3))
        printLine("samples/s  \(grouped(Int(Double(batch) / median)))")
        printLine("steps      \(grouped(times.count))")
      }
    }
  }
}
