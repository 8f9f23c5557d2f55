import ArgumentParser
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
}
