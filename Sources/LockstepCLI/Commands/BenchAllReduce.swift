import ArgumentParser
import Base
import Benchmarking
import Foundation
import Lockstep
import Training

struct BenchAllReduce: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allreduce",
    abstract: "Times all-reduces, in shared memory and with MPI.",
    usage: "mpirun -np <ranks> lockstep bench allreduce [<options>]",
    discussion: """
      Sums a float32 buffer of every rank, so that each rank can read the sums: once as training does \
      it, and once with MPI_Allreduce in place. As training does it, each rank of a node sums its \
      chunk of the shared memory; then the nodes all-reduce these chunks.
      """)

  @Option(help: ArgumentHelp("About how long to measure each size.", valueName: "seconds"))
  var seconds = 0.5

  @Flag(help: "Print one JSON object for each size.")
  var json = false

  func validate() throws { try validate(seconds: seconds) }

  func run() {
    withSession("bench allreduce") { communicator in
      guard communicator.worldSize > 1 else {
        throw CommandError(
          "bench allreduce needs several ranks; start it with mpirun -np 2 or more", .usage)
      }
      Threads.count = 1
      if communicator.isRoot && !json {
        printLine("       bytes      lockstep           MPI   ratio")
      }
      for bytes in [1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 33_000_000] {
        let benchmark = try AllReduceBenchmark(elements: bytes / 4, communicator)
        let own = benchmark.medianSeconds(about: seconds) { benchmark.reduceInSharedMemory() }
        let mpi = benchmark.medianSeconds(about: seconds) { benchmark.reduceByMessages() }
        if communicator.isRoot { show(bytes, own, mpi, communicator) }
      }
      return .success
    }
  }

  private func show(_ bytes: Int, _ own: Double, _ mpi: Double, _ communicator: any Communicator) {
    if json {
      func microseconds(_ seconds: Double) -> Double { (seconds * 1e9).rounded() / 1e3 }
      let record: JSONObject = [
        "bytes": bytes, "ranks": communicator.worldSize, "lockstep_us": microseconds(own),
        "mpi_us": microseconds(mpi), "ratio": (mpi / own * 100).rounded() / 100,
      ]
      printLine(record.text)
    } else {
      printLine(
        String(
          format: "%12d %10.1f us %10.1f us  %6.2f", bytes, own * 1e6, mpi * 1e6, mpi / own))
    }
  }
}
