import ArgumentParser
import Foundation
import Lockstep

@main
struct LockstepCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lockstep",
    abstract: "Trains neural networks on CPUs, alone or under mpirun across nodes.",
    discussion: """
      A configuration means the same run on any number of ranks:

        lockstep train configs/digits-mlp.yaml
        mpirun -np 4 lockstep train configs/digits-mlp.yaml
      """,
    version: "lockstep \(Version.current)",
    subcommands: [
      TrainCommand.self, EvalCommand.self, PredictCommand.self, ConfigCommand.self,
      CheckpointCommand.self, BenchCommand.self, DoctorCommand.self,
    ])

  /// Help, and what is wrong with the command line, come from rank zero alone.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      if LauncherEnvironment()?.rank ?? 0 != 0 { leaveTheWordToRankZero(exitCode(for: error)) }
      exit(withError: error)
    }
  }

  /// A launcher ends all processes when the first one fails, so this one waits for the other's message.
  private static func leaveTheWordToRankZero(_ code: ExitCode) -> Never {
    if !code.isSuccess { sleep(1) }
    Foundation.exit(code.rawValue)
  }
}
