import ArgumentParser
import Base
import Lockstep
import Reporting
import Training

struct RunsCompare: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Shows the results of runs and the settings that differ.",
    usage: "\(programName) runs compare <run> <run> ... [<options>]",
    discussion: "`lockstep report RUN RUN` draws the same as a page with curves.")

  @Argument(
    help: ArgumentHelp(
      "Runs; a directory that holds runs, such as runs/NAME, stands for its newest.",
      valueName: "run"))
  var runs: [String]

  @Flag(help: "Print one JSON object for each run.")
  var json = false

  func validate() throws {
    guard runs.count > 1 else { throw ValidationError("name two runs or more") }
  }

  func run() throws {
    withSession("runs compare") { communicator in
      try communicator.collectiveTry {
        let summaries = try runs.map { RunSummary(try RunDirectory.existing(at: $0)) }
        if communicator.isRoot { show(summaries) }
      }
      return .success
    }
  }

  private static let results: [RunSummary.Column] = [
    .status, .started, .steps, .loss, .accuracy, .ranks, .duration,
  ]

  private func show(_ summaries: [RunSummary]) {
    let paths = RunLabels.differingPaths(of: summaries.map(\.run))
    if json {
      for summary in summaries {
        let settings = JSONObject(paths.map { ($0, summary.run.setting($0)) })
        printLine((summary.json + ["settings": settings]).text)
      }
      return
    }
    let ids = summaries.map { $0.run.name + "/" + $0.run.id }
    var rows = [[""] + ids]
    rows += Self.results.map { column in [column.rawValue] + summaries.map { $0.text(column) } }
    rows += paths.map { path in [path] + summaries.map { $0.run.setting(path) ?? "unreadable" } }
    alignedColumns(rows, isLeft: { _ in true }).forEach { printLine($0) }
    if paths.isEmpty { printLine("all settings are the same") }
  }
}
