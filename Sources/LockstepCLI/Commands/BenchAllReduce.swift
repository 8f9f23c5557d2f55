import ArgumentParser
import Base
import Benchmarking
import Foundation
import Lockstep
import Training

struct BenchAllReduce: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allreduce",
    abstract: "Times all-reduces, in shared memory, between nodes and with MPI.",
    usage: "mpirun -np <ranks> lockstep bench allreduce [<options>]",
    discussion: """
      Sums a float32 buffer of every rank, so that each rank can read the sums: once as training does \
      it, and once with MPI_Allreduce in place. As training does it, each rank of a node sums its \
      chunk of the shared memory; then the nodes all-reduce these chunks.

      On several nodes each algorithm of distributed.allReduce is timed, beside the limit of the network: \
      each of N nodes must send and receive 2 (N - 1) / N times the buffer.
      """)

  @Option(
    help: ArgumentHelp("About how long to measure each size and algorithm.", valueName: "seconds"))
  var seconds = 0.5

  @Option(
    help: ArgumentHelp(
      "The bytes of the buffers, as in 1K,4M. Default: 1K to 256M.", valueName: "list"),
    transform: BenchAllReduce.sizes)
  var sizes = stride(from: 10, through: 28, by: 2).map { 1 << $0 }

  @Option(
    help: ArgumentHelp(
      "What a node can send, and receive at the same time, for the limit. Default: as measured.",
      valueName: "bytes per second"))
  var bandwidth: Double?

  @Option(
    help: ArgumentHelp(
      "Also time the two-level all-reduce, with as many consecutive nodes at each of several switches.",
      valueName: "count"))
  var nodesPerSwitch: Int?

  @Flag(help: "Print one JSON object for each size.")
  var json = false

  func validate() throws {
    try validate(seconds: seconds)
    guard bandwidth ?? 1 > 0 else { throw ValidationError("--bandwidth must be above 0") }
    guard nodesPerSwitch ?? 2 >= 2 else {
      throw ValidationError("--nodes-per-switch must be 2 or more")
    }
  }

  /// Reads a list of sizes in bytes, of whole floats.
  private static func sizes(_ text: String) throws -> [Int] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { word in
      let units: [Character: Int] = ["K": 1 << 10, "M": 1 << 20]
      let unit = word.last.flatMap { units[$0] }
      let number = Int(unit == nil ? word : word.dropLast()) ?? 0
      guard number > 0, number <= 1 << 32 / (unit ?? 1), number * (unit ?? 1) % 4 == 0 else {
        throw ValidationError(
          "'\(word)' is no size: a multiple of 4 bytes up to 4096M, such as 1024, 64K or 4M")
      }
      return number * (unit ?? 1)
    }
  }

  /// What was measured for a size.
  private struct Row {
    let bytes: Int
    /// In shared memory, and by each algorithm between nodes; without a name on one node.
    let own: [(name: String?, seconds: Double)]
    let mpi: Double
    /// The limit of the network; nil on one node.
    let limit: Double?

    var best: (name: String?, seconds: Double) { own.min { $0.seconds < $1.seconds }! }
  }

  func run() {
    withSession("bench allreduce") { communicator in
      guard communicator.worldSize > 1 else {
        throw CommandError(
          "bench allreduce needs several ranks; start it with mpirun -np 2 or more", .usage)
      }
      Threads.count = 1
      let nodes = communicator.topology.nodeCount
      let bandwidth =
        nodes == 1 ? nil : bandwidth ?? AllReduceBenchmark.bandwidth(between: communicator)
      if communicator.isRoot && !json { printHead(nodes, bandwidth) }
      for bytes in sizes {
        let benchmark = try AllReduceBenchmark(elements: bytes / 4, communicator)
        let algorithms = algorithms(nodes)
        let calls =
          algorithms.map { algorithm in { benchmark.reduceInSharedMemory(using: algorithm) } }
          + [benchmark.reduceByMessages]
        let times = benchmark.medianSeconds(about: seconds, calls)
        let row = Row(
          bytes: bytes,
          own: zip(algorithms, times).map { (nodes == 1 ? nil : $0.name, $1) }, mpi: times.last!,
          limit: bandwidth.map {
            AllReduceBenchmark.limit(bytes: bytes, nodes: nodes, bandwidth: $0)
          })
        if communicator.isRoot {
          if json { printLine(record(row, communicator).text) } else { print(row) }
        }
      }
      return .success
    }
  }

  /// The algorithms that are timed: any one does for ranks of one node.
  private func algorithms(_ nodes: Int) -> [InterNodeAllReduce] {
    if nodes == 1 { return [.standard] }
    return InterNodeAllReduce.all.compactMap { algorithm in
      if algorithm.name != "two-level" { return algorithm }
      guard let nodesPerSwitch, nodes > nodesPerSwitch, nodes.isMultiple(of: nodesPerSwitch) else {
        return nil
      }
      return .twoLevel(nodesPerSwitch: nodesPerSwitch)
    }
  }

  private func printHead(_ nodes: Int, _ bandwidth: Double?) {
    if let bandwidth {
      printLine(
        String(
          format: "%d nodes, %@ %.4g MB/s; the limit is 2 (%d - 1) / %d x bytes / bandwidth", nodes,
          self.bandwidth == nil ? "measured" : "given", bandwidth / 1e6, nodes, nodes))
      printLine()
      printLine("       bytes  algorithm                             time   x limit  MPI / it")
    } else {
      printLine("       bytes      lockstep           MPI   ratio")
    }
  }

  private func print(_ row: Row) {
    guard let limit = row.limit else {
      printLine(
        String(
          format: "%12d %10.1f us %10.1f us  %6.2f", row.bytes, row.best.seconds * 1e6,
          row.mpi * 1e6, row.mpi / row.best.seconds))
      return
    }
    func line(_ name: String, _ seconds: Double, isFirst: Bool = false) {
      let start = isFirst ? String(format: "%12d", row.bytes) : String(repeating: " ", count: 12)
      printLine(
        start + "  " + name.padding(toLength: 26, withPad: " ", startingAt: 0)
          + String(
            format: " %12.1f us  %8.2f  %8.2f", seconds * 1e6, seconds / limit, row.mpi / seconds))
    }
    line("limit", limit, isFirst: true)
    for (name, seconds) in row.own.sorted(by: { $0.seconds < $1.seconds }) {
      line(name ?? "", seconds)
    }
    line("MPI_Allreduce", row.mpi)
  }

  private func record(_ row: Row, _ communicator: any Communicator) -> JSONObject {
    func microseconds(_ seconds: Double) -> Double { (seconds * 1e9).rounded() / 1e3 }
    func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
    var record: JSONObject = [
      "bytes": row.bytes, "ranks": communicator.worldSize,
      "nodes": communicator.topology.nodeCount, "lockstep_us": microseconds(row.best.seconds),
      "mpi_us": microseconds(row.mpi), "ratio": rounded(row.mpi / row.best.seconds),
    ]
    if let limit = row.limit {
      record.append("algorithm", row.best.name)
      record.append("limit_us", microseconds(limit))
      record.append("times_limit", rounded(row.best.seconds / limit))
      record.append(
        "algorithms_us",
        JSONObject(row.own.map { (key: $0.name ?? "", value: microseconds($0.seconds)) }))
    }
    return record
  }
}
