import ArgumentParser
import Foundation
import Lockstep
import Logging
import Training

/// The name by which this program was started, for its help texts.
let programName =
  CommandLine.arguments.first?.split(separator: "/").last.map(String.init) ?? "lockstep"

struct LockstepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: programName,
    abstract: "Trains neural networks on CPUs, alone or under mpirun across nodes.",
    discussion: """
      A configuration gives the same results on any number of ranks:

        lockstep train configs/digits-mlp.yaml
        mpirun -np 4 lockstep train configs/digits-mlp.yaml
      """,
    version: "lockstep \(Version.current)",
    subcommands: [
      TrainCommand.self, EvalCommand.self, PredictCommand.self, GenerateCommand.self,
      ConfigCommand.self, DataCommand.self, GraphCommand.self, CheckpointCommand.self,
      ReportCommand.self, RunsCommand.self, WatchCommand.self, SweepCommand.self,
      LaunchCommand.self,
      BenchCommand.self,
      DoctorCommand.self, ReferenceCommand.self,
    ])

  /// Runs the command that the process was started with, and ends the process.
  ///
  /// Only rank zero prints help and errors of the command line.
  static func start() -> Never {
    openMissingStandardFiles()
    LoggingSystem.bootstrap { _ in StandardErrorLog() }
    do {
      var command = try parseAsRoot()
      try command.run()
      LockstepCommand.exit()
    } catch {
      if LauncherEnvironment()?.rank ?? 0 != 0 { leaveQuietly(exitCode(for: error).rawValue) }
      printHint(for: error)
      exit(withError: error)
    }
  }

  /// Prints the error of a wrong command line with what may have been meant, and ends the process; returns
  /// where there is no hint.
  private static func printHint(for error: any Error) {
    let arguments = Array(CommandLine.arguments.dropFirst())
    let message = fullMessage(for: error)
    guard exitCode(for: error) == .validationFailure,
      let hint = CommandLineHint.hint(for: arguments, refusal: message)
    else { return }
    var lines = message.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    // The parser's own suggestion has been considered.
    lines[0] = lines[0].replacing(/\. Did you mean '[^']*'\?/, with: "") + "; " + hint
    try? FileHandle.standardError.write(
      contentsOf: Data((lines.joined(separator: "\n") + "\n").utf8))
    exit(withError: ExitCode.validationFailure)
  }

  /// Opens standard files that the caller closed: otherwise the next file to be opened would get their
  /// number, and with it our output.
  private static func openMissingStandardFiles() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      _ = open("/dev/null", O_RDWR)
    }
  }
}
