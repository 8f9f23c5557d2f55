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
      ReportCommand.self, RunsCommand.self, WatchCommand.self, BenchCommand.self,
      DoctorCommand.self,
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
      exit(withError: error)
    }
  }

  /// Opens standard files that the caller closed: otherwise the next file to be opened would get their
  /// number, and with it our output.
  private static func openMissingStandardFiles() {
    for descriptor in STDIN_FILENO...STDERR_FILENO where fcntl(descriptor, F_GETFD) == -1 {
      _ = open("/dev/null", O_RDWR)
    }
  }
}
