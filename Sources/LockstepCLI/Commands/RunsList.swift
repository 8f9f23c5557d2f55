import ArgumentParser
import Foundation
import Lockstep
import Reporting
import Training

struct RunsList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Shows a table of all runs, newest first.",
    usage: "\(programName) runs [list] [<directory>] [<options>]",
    discussion: """
      loss and accuracy are the best of validation. A run that says it is running, but whose process \
      is gone, has died.

        lockstep runs --filter status=done --filter "optimizer.learningRate<0.1" --sort loss

      Columns: \(RunSummary.Column.allCases.map(\.rawValue).joined(separator: ", ")), and every key \
      of the configuration.
      """)

  @Argument(help: ArgumentHelp("The directory that holds the runs.", valueName: "directory"))
  var directory = LoggingOptions().directory

  @Option(
    help: ArgumentHelp(
      "Show runs that fulfil this only: a column or key, one of = != < <= > >=, and a value.",
      valueName: "condition"))
  var filter: [String] = []

  @Option(help: ArgumentHelp("Sort by this, smallest first. (default: newest first)"))
  var sort: String?

  @Flag(help: "Reverse the order.")
  var reverse = false

  @Option(help: ArgumentHelp("What to show, separated by commas.", valueName: "names"))
  var columns: String?

  @Flag(help: "Print one JSON object for each run.")
  var json = false

  func validate() throws {
    for condition in filter where RunFilter(condition) == nil {
      throw ValidationError(
        "--filter '\(condition)' is no condition such as status=done or training.seed>3, on a column "
          + "or a key of the configuration")
    }
    for name in (sort.map { [$0] } ?? []) + names where !RunFilter.isName(name) {
      throw ValidationError("'\(name)' is no column and no key of the configuration")
    }
  }

  /// A path has the run's name and start.
  private static let standard: [RunSummary.Column] = [
    .path, .status, .steps, .epochs, .loss, .accuracy, .model, .data, .ranks, .duration,
  ]

  private var names: [String] {
    columns.map { $0.split(separator: ",").map(String.init) } ?? Self.standard.map(\.rawValue)
  }

  func run() throws {
    withSession("runs") { communicator in
      try communicator.collectiveTry {
        if communicator.isRoot { try show() }
      }
      return .success
    }
  }

  private func show() throws {
    guard try FileSystem().findsDirectory(directory) else {
      throw CommandError(
        "there is no directory '\(directory)'; runs are below logging.directory, 'runs' unless set",
        .inputMissing)
    }
    let filters = filter.compactMap(RunFilter.init)
    var runs = try RunDirectory.all(in: directory).map(RunSummary.init)
      .filter { run in filters.allSatisfy { $0.accepts(run) } }
    runs.sort { $1.run.start ?? 0 < $0.run.start ?? 0 }
    if let sort {
      // Runs without the value come last.
      let valued = runs.filter { $0.value(sort) != nil }.sorted {
        $0.value(sort)! < $1.value(sort)!
      }
      runs = valued + runs.filter { $0.value(sort) == nil }
    }
    if reverse { runs.reverse() }
    if json {
      for run in runs { printLine(run.json.text) }
      return
    }
    guard !runs.isEmpty else {
      printLine("no runs in '\(directory)'\(filters.isEmpty ? "" : " that fulfil the conditions")")
      return
    }
    let rows = runs.map { run in
      names.map { name in
        RunSummary.Column(rawValue: name).map(run.text) ?? run.value(name)?.text ?? "–"
      }
    }
    let numbers: Set = ["steps", "epochs", "loss", "accuracy", "ranks", "duration", "attempts"]
    for line in alignedColumns([names] + rows, isLeft: { !numbers.contains(names[$0]) }) {
      printLine(line)
    }
  }
}
