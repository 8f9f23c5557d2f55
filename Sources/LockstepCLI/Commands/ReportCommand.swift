import ArgumentParser
import Base
import Checkpointing
import Lockstep
import Reporting
import Training

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Writes a page about a run, or about several to compare them.",
    usage: "\(programName) report <run> ... [<options>]",
    discussion: """
      The page is one HTML file that needs no network: curves, time by phase and rank, confusion \
      matrix, worst mistakes, settings, environment and attempts. The model is evaluated on the test \
      or validation samples of its data. A run may be running.

        lockstep report runs/digits-mlp
      """)

  @Argument(
    help: ArgumentHelp(
      "Runs; a directory that holds runs, such as runs/NAME, stands for its newest.",
      valueName: "run"))
  var runs: [String]

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The file to write. (default: report.html in the run, or here for several runs)",
      valueName: "file"))
  var output: String?

  @Flag(help: "Leave out what needs the model and its data.")
  var noModel = false

  func run() {
    withSession("report") { communicator in
      Threads.count = communicator.threadsPerRank()
      let histories = try communicator.collectiveTry {
        try runs.map { RunHistory(try RunDirectory.existing(at: $0)) }
      }
      let findings = noModel ? [] : histories.map { measure($0, communicator) }
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        let file =
          output
          ?? (histories.count == 1
            ? histories[0].directory.path.appendingPath("report.html") : "report.html")
        try FileSystem().replaceFile(file, with: Report(histories, findings: findings).page)
        printLine("report  \(file)")
      }
      return .success
    }
  }

  private func measure(
    _ run: RunHistory, _ communicator: any Communicator
  ) -> Result<ModelFindings, ModelFindingsMissing> {
    do {
      return .success(try ModelFindings(run, communicator))
    } catch {
      return .failure(error)
    }
  }
}
