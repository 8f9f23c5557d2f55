import ArgumentParser
import Base
import Benchmarking
import Foundation
import Lockstep
import Logging

struct BenchScaling: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scaling",
    abstract: "Times the training step of a workload on different numbers of ranks.",
    usage: "\(programName) bench scaling --workload <name> [<options>]",
    discussion: """
      Starts bench step with each number of ranks, one after another. Prints a line for each, with \
      speed-up and efficiency in samples per second against the fewest ranks, and writes \
      scaling.csv, scaling.json and the picture scaling.svg. Computation, exposed communication, waiting for \
      slower ranks, the update and the rest add up to the step.

      With --repeat each number of ranks is measured several times, in rounds of all, so that a slow \
      minute does not fall on one of them. The median counts, and range is from the shortest to the \
      longest, in percent of it. With three numbers of ranks or more, a serial fraction is fitted: by \
      Amdahl's law with --strong, else by Gustafson's. An asterisk marks what other processes of this \
      computer disturbed: more than a tenth of a core was busy with them.

        lockstep bench scaling --workload cnn --ranks 1,2,4 --repeat 5
        lockstep bench scaling --workload cnn --ranks 8,16 --launcher srun

      Exit codes, besides the usual ones: that of failed ranks; 78 when the launcher fails; 83 when \
      ranks do not end in time. Earlier measurements stay in the files.
      """)

  enum Scaling: String, EnumerableFlag {
    case weak, strong

    static func help(for value: Scaling) -> ArgumentHelp? {
      switch value {
      case .weak: "Every rank computes a batch of its own."
      case .strong: "The ranks share one batch."
      }
    }
  }

  @Option(help: ArgumentHelp("A workload of bench step.", valueName: "name"))
  var workload: String

  @Option(
    help: ArgumentHelp(
      "Numbers of ranks, as in 1,2,4. Default: powers of two up to this machine's cores.",
      valueName: "list"))
  var ranks: String?

  @Flag var scaling = Scaling.weak

  @Option(help: ArgumentHelp("The threads of each rank.", valueName: "count"))
  var threads = 1

  @Option(
    help: ArgumentHelp(
      "The approximate time to measure each number of ranks.", valueName: "seconds"))
  var seconds = 5.0

  @Option(
    name: .customLong("repeat"),
    help: ArgumentHelp("How often to measure each number of ranks.", valueName: "count"))
  var repetitions = 1

  @Flag(
    help: """
      Write trace-<ranks>.json, with a few further steps of every rank for Perfetto or Chrome, as bench \
      step --trace does.
      """)
  var trace = false

  @Option(
    help: ArgumentHelp(
      """
      The command that starts several ranks, to which -n and their number are added. Default: \
      mpirun (or mpiexec, if built with another MPI than Open MPI), with each rank on its own cores. \
      One rank needs no launcher.
      """, valueName: "command"))
  var launcher: String?

  @Option(
    help: ArgumentHelp(
      "The directory of the files. Default: scaling-<workload>.", valueName: "directory"))
  var output: String?

  func validate() throws {
    if let launcher = LauncherEnvironment() {
      throw ValidationError(
        "bench scaling starts its ranks itself: call it without \(launcher.launcher.rawValue)")
    }
    do {
      _ = try BenchStep.parse(stepOptions)
    } catch {
      throw ValidationError(BenchStep.message(for: error))
    }
    guard (1...100).contains(repetitions) else {
      throw ValidationError("--repeat must be 1...100")
    }
    let counts = try rankCounts()
    guard counts.last! > 1 else { return }
    guard let program = launcherWords.first, isProgram(program) else {
      throw ValidationError(
        "no program '\(launcherWords.first ?? "")' was found to start ranks with; install that of "
          + "\(MPICommunicator.libraryVersion), or name another program with --launcher")
    }
  }

  func run() {
    StopSignals.observe()
    withSession("bench scaling") { _ in
      let directory = output ?? "scaling-\(workload)"
      try FileSystem().preflight(directory)
      let counts = try rankCounts()
      let crowded = counts.filter { launcher == nil && $0 * threads > Cores.count }
      if !crowded.isEmpty {
        logger.warning(
          """
          \(count(Cores.count, "core")) for \(crowded.map(String.init).joined(separator: ", ")) \
          ranks of \(count(threads, "thread")): ranks that share cores do not measure scaling
          """)
      }
      var report = ScalingReport(
        title: "\(workload), \(scaling) scaling, \(count(threads, "thread")) per rank",
        isStrong: scaling == .strong, origin: origin, machine: machine)
      printLine("\(report.title); times in milliseconds")
      printLine("\(report.origin.host), \(report.origin.date), \(report.origin.mpi)")
      if repetitions == 1 { printLine(ScalingReport.tableHead) }
      for round in 1...repetitions {
        if repetitions > 1 { printLine("round \(round) of \(repetitions)") }
        for ranks in counts {
          let isTraced = trace && round == repetitions
          let measurement = try measure(
            ranks, trace: isTraced ? directory.appendingPath("trace-\(ranks).json") : nil)
          report.measurements.append(measurement)
          if repetitions == 1 { printLine(report.tableRows.last!) }
          for (name, text) in [("csv", report.csv), ("json", report.json), ("svg", report.svg)] {
            try FileSystem().replaceFile(directory.appendingPath("scaling.\(name)"), with: text)
          }
        }
      }
      if repetitions > 1 {
        printLine(ScalingReport.tableHead)
        report.tableRows.forEach { printLine($0) }
      }
      if let law = report.law { printLine("\(law)") }
      return .success
    }
  }

  private var origin: ScalingReport.Origin {
    ScalingReport.Origin(
      host: ProcessInfo.processInfo.hostName,
      date: ISO8601DateFormatter().string(from: Date()), mpi: MPICommunicator.libraryVersion)
  }

  /// The numbers of ranks in ascending order.
  private func rankCounts() throws -> [Int] {
    guard let ranks else {
      return [1] + (1..<13).map { 1 << $0 }.filter { $0 * threads <= Cores.count }
    }
    let words = ranks.split(separator: ",", omittingEmptySubsequences: false)
    let counts = Set(words.compactMap { Int($0) })
    guard counts.count == words.count, counts.allSatisfy((1...4096).contains) else {
      throw ValidationError(
        "--ranks needs distinct numbers of 1...4096 separated by commas, not '\(ranks)'")
    }
    return counts.sorted()
  }

  private var launcherWords: [String] {
    (launcher ?? (MPICommunicator.isOpenMPI ? "mpirun" : "mpiexec")).split(separator: " ").map(
      String.init)
  }

  private var stepOptions: [String] {
    ["--workload=\(workload)", "--threads=\(threads)", "--seconds=\(seconds)", "--json"]
      + (scaling == .strong ? ["--strong"] : [])
  }

  private var machine: JSONObject {
    [
      "version": Version.current, "workload": workload, "scaling": scaling.rawValue,
      "processor": Environment.processor, "cores": Cores.count, "isa": Threads.instructionSet,
      "openblas_core": BLAS.coreName,
    ]
  }

  private func measure(_ ranks: Int, trace: String?) throws -> ScalingReport.Measurement {
    var command = ranks == 1 ? [] : launcherWords + ["-n", "\(ranks)"]
    if ranks > 1, launcher == nil { command += placement(ranks) }
    command += [Bundle.main.executablePath ?? CommandLine.arguments[0], "bench", "step"]
    let start = (time: ProcessorTime.current(), clock: ContinuousClock.now)
    let child = try ChildProcess(command + stepOptions + (trace.map { ["--trace=\($0)"] } ?? []))
    let limit = 10 * seconds + 120
    func failure(_ reason: String, _ status: ExitStatus) -> CommandError {
      // Indented, to tell the child's messages from ours.
      let lines = child.errors.split(separator: "\n").suffix(30).map { "\n  \($0)" }.joined()
      return CommandError(
        "\(count(ranks, "rank")): '\(command[0])' \(reason)" + (lines.isEmpty ? "" : ":\(lines)"),
        status)
    }
    switch child.wait(seconds: limit) {
    case nil: throw failure("did not end within \(Int(limit)) seconds", .stalled)
    case 0: break
    case let code?:
      throw failure("failed with exit code \(code)", ExitStatus(rawValue: code) ?? .configuration)
    }
    guard var measurement = ScalingReport.Measurement(output: child.output) else {
      throw failure("ended without a measurement", .configuration)
    }
    guard measurement.ranks == ranks else {
      throw failure("started \(count(measurement.ranks, "rank"))", .configuration)
    }
    if let before = start.time, let after = ProcessorTime.current() {
      measurement.coresOfOthers = ProcessorTime.coresOfOthers(
        from: before, to: after, seconds: (ContinuousClock.now - start.clock) / .seconds(1))
    }
    if measurement.isDisturbed {
      let cores = String(format: "%.1f", measurement.coresOfOthers ?? 0)
      logger.warning(
        """
        other processes kept \(cores) cores of this computer busy while \(count(ranks, "rank")) \
        \(ranks == 1 ? "was" : "were") measured: the times may be too long. Measure again when it is quiet
        """)
    }
    return measurement
  }

  /// The launcher's options that give each rank its own cores, if there are enough.
  private func placement(_ ranks: Int) -> [String] {
    guard MPICommunicator.isOpenMPI else {
      // MPICH's launcher puts several ranks on a core without being asked.
      let isPossible = Cores.areAll && ranks * threads <= Cores.count
      return ["-bind-to", isPossible ? "core:\(threads)" : "none"]
    }
    if ranks * threads > Cores.count { return ["--bind-to", "none", "--oversubscribe"] }
    // Open MPI binds to any cores of the machine, also those that this process may not use.
    return Cores.areAll
      ? ["--bind-to", "core", "--map-by", "slot:PE=\(threads)"] : ["--bind-to", "none"]
  }
}
