import ArgumentParser
import Checkpointing
import Foundation
import Lockstep
import Reporting
import Training

struct RunsDelete: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delete", abstract: "Deletes runs with everything in them.",
    usage: "\(programName) runs delete <run> ... [<options>]",
    discussion: """
      Refuses what is no run, and a run that is running. In a terminal it asks first; elsewhere it \
      needs --yes.
      """)

  @Argument(help: ArgumentHelp("Directories of runs.", valueName: "run"))
  var runs: [String]

  @Flag(help: "Say what would be deleted, and delete nothing.")
  var dryRun = false

  @Flag(name: .shortAndLong, help: "Do not ask.")
  var yes = false

  func run() throws {
    withSession("runs delete") { communicator in
      try communicator.collectiveTry {
        if communicator.isRoot { try delete() }
      }
      return .success
    }
  }

  private func delete() throws {
    // All are checked before the first is deleted.
    let directories = try runs.map { path in
      let directory = RunDirectory(path: path)
      guard directory.isRun else {
        throw CommandError("'\(path)' is no run, so nothing is deleted", .inputMissing)
      }
      if directory.isInUse { throw RunInUse(path: path) }
      return (directory: directory, bytes: FileSystem().size(of: path))
    }
    for (directory, bytes) in directories {
      printLine("\(directory.path)  \(Text.bytes(Double(bytes)))")
    }
    if dryRun {
      printLine("nothing is deleted (--dry-run)")
      return
    }
    guard try yes || isConfirmed(directories.count) else {
      printLine("nothing is deleted")
      return
    }
    var (deleted, freed) = (0, 0)
    // One that was named twice is gone the second time.
    for (directory, bytes) in directories where directory.isRun {
      // A run that started meanwhile holds the lock.
      let lock = try directory.lock()
      try FileSystem().remove(directory.path)
      lock.release()
      deleted += 1
      freed += bytes
    }
    printLine("deleted \(count(deleted, "run")), freed \(Text.bytes(Double(freed)))")
  }

  private func isConfirmed(_ count: Int) throws -> Bool {
    guard isatty(STDIN_FILENO) == 1 else {
      throw CommandError("deleting needs --yes where nobody can be asked", .usage)
    }
    printLine("Delete \(count == 1 ? "this run" : "these \(count) runs")? [y/N]")
    return ["y", "yes"].contains((readLine() ?? "").lowercased())
  }
}

/// A run that cannot be deleted because it is running.
private struct RunInUse: ExitStatusProviding, CustomStringConvertible {
  let path: String
  var description: String {
    "'\(path)' is locked by a process that trains it, so nothing is deleted; stop that first"
  }
  var exitStatus: ExitStatus { .cannotCreate }
}
