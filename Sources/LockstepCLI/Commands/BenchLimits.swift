import ArgumentParser
import Base
import Benchmarking
import Foundation
import Lockstep

struct BenchLimits: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "limits",
    abstract: "Measures what this machine can do at most.",
    usage: "\(programName) bench limits [<options>]",
    discussion: """
      Arithmetic in GFLOP/s: multiply-adds in registers with the instruction set of the kernels, of \
      float32 and of bfloat16 that is added to float32, and OpenBLAS's product of two matrices of 1024 x 1024. Memory in GB/s, with arrays of 64 MiB: a copy, \
      the triad y = a + s b, and the sum of the ranks' gradients as training makes it. The \
      overhead of an operation in microseconds is the time of one that is recorded and computes next to \
      nothing, forward and backward together. Under mpirun all ranks measure at the same time, and their \
      rates are added; the overhead is their mean. Prints the median of each with minimum and maximum. \
      Unset OPENBLAS_CORETYPE before comparing.
      """)

  @Option(
    help: ArgumentHelp(
      "Numbers of threads of each rank, as in 1,2,4. Default: powers of two up to the rank's cores.",
      valueName: "counts"),
    transform: { text in
      let counts = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
      guard counts.allSatisfy({ (1...256).contains($0) }) else {
        throw ValidationError("'\(text)' is no list of numbers from 1 to 256")
      }
      return counts
    })
  var threads: [Int]?

  @Option(help: ArgumentHelp("About how long to measure each limit.", valueName: "seconds"))
  var seconds = 0.5

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws { try validate(seconds: seconds) }

  /// A limit of the table.
  private struct Limit: Sendable {
    let title: String
    let key: String
    /// What a unit of the table is in operations or bytes per second, or in seconds.
    var unit = 1e9
    let measure: @Sendable (MachineLimits) throws -> MachineLimits.Figure
  }

  private static let limits = [
    Limit(title: "multiply-add GFLOP/s", key: "multiply_add_gflops") { $0.multiplyAdd() },
    Limit(title: "bfloat16 GFLOP/s", key: "bfloat16_gflops") { $0.bfloat16() },
    Limit(title: "sgemm GFLOP/s", key: "sgemm_gflops") { $0.sgemm() },
    Limit(title: "copy GB/s", key: "copy_gb_per_s") { $0.copy() },
    Limit(title: "triad GB/s", key: "triad_gb_per_s") { $0.triad() },
    Limit(title: "shared sum GB/s", key: "shared_sum_gb_per_s") { try $0.sharedSum() },
    Limit(title: "operation overhead us", key: "operation_overhead_us", unit: 1e-6) {
      $0.operationOverhead()
    },
  ]

  func run() {
    withSession("bench limits") { communicator in
      let ranks = communicator.worldSize
      let largest = communicator.broadcast(communicator.threadsPerRank())
      let counts =
        threads ?? (0..<9).map { 1 << $0 }.filter { $0 < largest } + [largest]
      if communicator.isRoot && !json {
        printLine(
          "kernels \(Threads.instructionSet), OpenBLAS \(BLAS.coreName), \(count(ranks, "rank"))")
        printLine()
        printLine("threads  limit                    median   minimum   maximum")
      }
      var rows: [JSONObject] = []
      for count in counts {
        Threads.count = count
        let machine = MachineLimits(seconds: seconds, communicator)
        var row: JSONObject = ["threads": count]
        for limit in BenchLimits.limits {
          let figure = try limit.measure(machine)
          row.append(limit.key, record(limit, figure))
          if communicator.isRoot && !json { printLine(line(count, limit, figure)) }
        }
        rows.append(row)
      }
      if communicator.isRoot && json {
        let all: JSONObject = [
          "version": Version.current, "isa": Threads.instructionSet, "openblas_core": BLAS.coreName,
          "ranks": ranks, "limits": rows,
        ]
        printLine(all.text)
      }
      return .success
    }
  }

  private func line(_ threads: Int, _ limit: Limit, _ figure: MachineLimits.Figure) -> String {
    let format = figure.isTime ? "%10.3f" : "%10.1f"
    let reason =
      figure.isTime
      ? "the median is 15 % above the minimum" : "the maximum is 15 % above the median"
    return String(format: "%7d  ", threads)
      + limit.title.padding(toLength: 21, withPad: " ", startingAt: 0)
      + [figure.median, figure.minimum, figure.maximum]
      .map { String(format: format, $0 / limit.unit) }.joined()
      + (figure.isDisturbed ? "  disturbed: \(reason)" : "")
  }

  private func record(_ limit: Limit, _ figure: MachineLimits.Figure) -> JSONObject {
    let digits = figure.isTime ? 1e3 : 1e2
    func rounded(_ value: Double) -> Double { (value / limit.unit * digits).rounded() / digits }
    return [
      "median": rounded(figure.median), "minimum": rounded(figure.minimum),
      "maximum": rounded(figure.maximum), "disturbed": figure.isDisturbed,
    ]
  }
}
