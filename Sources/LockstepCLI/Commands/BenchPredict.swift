import ArgumentParser
import Base
import Benchmarking
import Checkpointing
import Foundation
import Lockstep

struct BenchPredict: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Predicts the training step of a workload on more nodes than there are.",
    usage: "\(programName) bench predict --workload <name> [<options>]",
    discussion: """
      Measures the workload's step on each rank for itself: the forward and backward pass, when each gradient is \
      final, and the update. Then simulates how the buckets of gradients are all-reduced over a \
      network, with every algorithm and several bucket sizes. Prints the step as it is configured with its \
      efficiency (1 is perfect scaling) and the wait for all-reduces, and the best step; writes \
      predict.csv with all that was tried, predict.json and the picture predict.svg.

        lockstep bench predict --workload cnn --network 30e-6,117e6
        mpirun -np 4 lockstep bench predict --workload cnn --network 30e-6,117e6 --ranks-per-node 4
        lockstep bench predict --workload cnn --network 30e-6,117e6 --profile predict-cnn/predict.json

      Under mpirun all ranks are measured at the same time, as the ranks of a node compute at the same time: use \
      as many as a node will have. On ranks of two nodes or more, "measured" times messages between these.

      What is taken as given: all nodes compute like this one; their links are full duplex, and the \
      switches between them never the limit. With a given network messages take no time from computation, with a \
      measured one as much as they took. \
      A step waits for its slowest rank: the more ranks, the longer is the longest of as many measured \
      steps. --no-jitter has all ranks take the median.
      """)

  @Option(help: ArgumentHelp("A workload of bench step.", valueName: "name"))
  var workload: String

  @Option(
    help: ArgumentHelp(
      "Numbers of nodes, as in 2,4,8. Default: powers of two from 2 to 1024.", valueName: "list"))
  var nodes: String?

  @Option(
    help: ArgumentHelp(
      """
      "measured", which needs ranks on two nodes or more; or the seconds of a short message, the bytes per \
      second of a node, and, if several messages at once take longer, the seconds of each further one: \
      SECONDS,BYTES_PER_SECOND[,SECONDS]. 1 Gbit/s Ethernet has about 50e-6,117e6.
      """, valueName: "network"))
  var network = "measured"

  @Option(
    help: ArgumentHelp("The ranks of each node.", valueName: "count"))
  var ranksPerNode = 1

  @Flag(help: "Only weak scaling: every rank computes a batch of its own.")
  var weak = false

  @Flag(help: "Only strong scaling: the ranks share one batch.")
  var strong = false

  @Option(
    help: ArgumentHelp(
      "The algorithm of the configured step; auto is the fastest of those that a run with auto times.",
      valueName: "name"))
  var allReduce = "auto"

  @Option(
    help: ArgumentHelp(
      "The bucket size of the configured step; 0 all-reduces all gradients at once.",
      valueName: "megabytes"))
  var bucketMegabytes = DataParallel.Options().bucketMegabytes ?? 0

  @Flag(
    inversion: .prefixedNo,
    help: "Have ranks take as long as measured steps; or all of them the median.")
  var jitter = true

  @Option(help: ArgumentHelp("The threads of each rank.", valueName: "count"))
  var threads = 1

  @Option(help: "The precision of products: float32 or bfloat16.")
  var precision = Precision.float32

  @Option(help: ArgumentHelp("The approximate time to measure.", valueName: "seconds"))
  var seconds = 5.0

  @Option(
    help: ArgumentHelp(
      "Take what was measured of the workload from the predict.json of an earlier prediction.",
      valueName: "file"))
  var profile: String?

  @Option(
    help: ArgumentHelp(
      "Show the measured steps of a scaling.json of bench scaling beside the predicted ones.",
      valueName: "file"))
  var measured: String?

  @Option(
    help: ArgumentHelp(
      "Write the configured steps as traces for SimGrid into this directory, for Benchmarks/predict-against-simgrid.",
      valueName: "directory"))
  var smpi: String?

  @Option(
    help: ArgumentHelp(
      "The directory of the files. Default: predict-<workload>.", valueName: "directory"))
  var output: String?

  @Flag(help: "Print predict.json instead of tables.")
  var json = false

  func validate() throws {
    try validate(workload: workload, threads: threads)
    guard (1...1024).contains(ranksPerNode) else {
      throw ValidationError("--ranks-per-node must be 1...1024")
    }
    try validate(seconds: seconds)
    guard (0..<4096).contains(bucketMegabytes) else {
      throw ValidationError("--bucket-megabytes must be at least 0 and below 4096")
    }
    _ = try nodeCounts()
    _ = try givenNetwork()
    let known = ["auto"] + algorithms.map(\.name)
    guard known.contains(allReduce) else {
      throw ValidationError(
        "unknown algorithm '\(allReduce)'; known: \(known.joined(separator: ", "))")
    }
  }

  func run() {
    withSession("bench predict") { communicator in
      let network = try networkModel(communicator)
      let profile = try scalingProfile(communicator)
      guard communicator.isRoot else { return .success }
      let prediction = try prediction(profile, network)
      let report = PredictionReport(
        prediction, machine: machine, isNetworkMeasured: try givenNetwork() == nil,
        measured: try measuredSteps())
      if let smpi { try writeTraces(prediction, smpi) }
      let directory = output ?? "predict-\(workload)"
      try FileSystem().makeDirectories(directory)
      for (name, text) in [("csv", report.csv), ("json", report.json), ("svg", report.svg)] {
        try FileSystem().replaceFile(directory.appendingPath("predict.\(name)"), with: text)
      }
      printLine(String((json ? report.json : report.text).dropLast()))
      return .success
    }
  }

  private var knownWorkload: Workload { Workload.all.first { $0.name == workload }! }

  /// The numbers of nodes in ascending order.
  private func nodeCounts() throws -> [Int] {
    guard let nodes else { return (1...10).map { 1 << $0 } }
    let words = nodes.split(separator: ",", omittingEmptySubsequences: false)
    let counts = Set(words.compactMap { Int($0) })
    guard counts.count == words.count, counts.allSatisfy((1...4096).contains) else {
      throw ValidationError(
        "--nodes needs distinct numbers of 1...4096 separated by commas, not '\(nodes)'")
    }
    return counts.sorted()
  }

  /// The network on the command line; nil if it is to be measured.
  private func givenNetwork() throws -> NetworkModel? {
    if network == "measured" { return nil }
    let words = network.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = words.compactMap { Double($0) }
    guard (2...3).contains(words.count), numbers.count == words.count, numbers[1] >= 1,
      numbers.allSatisfy({ $0 >= 0 && $0.isFinite })
    else {
      throw ValidationError(
        "--network is 'measured' or SECONDS,BYTES_PER_SECOND as in 50e-6,117e6, not '\(network)'")
    }
    return NetworkModel(
      latency: numbers[0], bandwidth: numbers[1], perMessage: numbers.count == 3 ? numbers[2] : 0)
  }

  /// The algorithms that can be predicted.
  private var algorithms: [InterNodeAllReduce] { InterNodeAllReduce.all.filter { $0.plan != nil } }

  private func networkModel(_ communicator: any Communicator) throws -> NetworkModel {
    if let network = try givenNetwork() { return network }
    guard communicator.topology.nodeCount > 1 else {
      throw CommandError(
        "--network measured needs ranks on two nodes or more; start them with mpirun, or give the network, as in --network 50e-6,117e6",
        .usage)
    }
    Threads.count = threads
    let run = try communicator.collectiveTry {
      try WorkloadRun(knownWorkload, precision: precision)
    }
    return try NetworkModel.measure(seconds: min(seconds, 10), communicator) { try run.step() }
  }

  private func scalingProfile(_ communicator: any Communicator) throws -> ScalingProfile {
    guard let profile else {
      Threads.count = threads
      return try ScalingProfile(
        knownWorkload, smallerBatches: strong || !weak,
        precision: precision, threads: threads, seconds: seconds, communicator)
    }
    struct Content: Decodable { let profile: ScalingProfile }
    return try communicator.collectiveTry {
      let text = try read(profile)
      let content: ScalingProfile
      do {
        content = try JSON.decode(Content.self, from: text.utf8).profile
      } catch {
        throw CommandError("\(profile) is no predict.json of bench predict: \(error)", .badData)
      }
      if let fault = content.fault {
        throw CommandError("\(profile) is damaged: \(fault)", .badData)
      }
      guard content.workload == workload else {
        throw CommandError(
          "\(profile) has a profile of '\(content.workload)', not of '\(workload)'", .usage)
      }
      return content
    }
  }

  private func measuredSteps() throws -> MeasuredSteps? {
    guard let measured else { return nil }
    let steps: MeasuredSteps
    do {
      steps = try MeasuredSteps(try read(measured))
    } catch let error as JSONError {
      throw CommandError("\(measured) is no scaling.json of bench scaling: \(error)", .badData)
    }
    guard steps.workload == workload else {
      throw CommandError(
        "\(measured) has steps of '\(steps.workload)', not of '\(workload)'", .usage)
    }
    return steps
  }

  private func read(_ path: String) throws -> String {
    guard let text = fileText(path) else {
      throw CommandError("\(path) does not exist or cannot be read", .inputMissing)
    }
    return text
  }

  private func prediction(
    _ profile: ScalingProfile, _ network: NetworkModel
  ) throws -> ScalingPrediction {
    let scalings: [ScalingPrediction.Scaling] =
      weak == strong ? [.weak, .strong] : weak ? [.weak] : [.strong]
    let nodes = try nodeCounts()
    let prediction = ScalingPrediction(
      profile, network, nodes: nodes, ranksPerNode: ranksPerNode, scalings: scalings,
      configured: ScalingPrediction.Choice(algorithm: allReduce, bucketMegabytes: bucketMegabytes),
      varies: jitter)
    guard !prediction.points.isEmpty else {
      throw CommandError(
        "\(count(nodes[0] * ranksPerNode, "rank")) cannot share a batch of \(profile.timelines[0].batch); name fewer --nodes",
        .usage)
    }
    return prediction
  }

  private func writeTraces(_ prediction: ScalingPrediction, _ directory: String) throws {
    try FileSystem().makeDirectories(directory)
    for point in prediction.points {
      let algorithm = algorithms.first { $0.name == point.configured.choice.algorithm }!
      guard let trace = SMPITrace(prediction, point, algorithm) else {
        throw CommandError(
          "with '\(algorithm.name)' \(count(point.nodes, "node")) do not all do the same, which --smpi needs; choose a power of two, or another --all-reduce",
          .usage)
      }
      let name = "\(point.scaling)-\(point.nodes).trace"
      try FileSystem().replaceFile(directory.appendingPath(name), with: trace.text)
    }
  }

  private var machine: JSONObject {
    [
      "version": Version.current, "workload": workload, "processor": Environment.processor,
      "isa": Threads.instructionSet, "openblas_core": BLAS.coreName,
    ]
  }
}
