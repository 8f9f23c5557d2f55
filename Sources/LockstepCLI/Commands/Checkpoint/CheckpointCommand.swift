import ArgumentParser

struct CheckpointCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoint",
    abstract: "Inspects, verifies, compares, averages and exports checkpoints.",
    subcommands: [
      CheckpointInfo.self, CheckpointVerify.self, CheckpointDiff.self, CheckpointAverage.self,
      CheckpointExport.self,
    ])
}
