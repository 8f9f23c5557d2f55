import ArgumentParser
import Base
import Checkpointing
import Configuration
import Lockstep
import Logging
import Training

struct CheckpointAverage: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "average", abstract: "Writes the mean of the weights of several checkpoints.",
    usage: "\(programName) checkpoint average <path> ... --output <file> [--last <n>]",
    discussion: """
      The mean of checkpoints from the end of a run is often better than the last of them.

        lockstep checkpoint average runs/digits-mlp --last 5 -o mean.safetensors
        lockstep eval runs/digits-mlp --weights mean.safetensors

      Running statistics of batch normalization are averaged too.
      """)

  @Argument(help: "Runs' directories, checkpoints or safetensors files.")
  var paths: [String]

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The safetensors file to write.", valueName: "file"))
  var output: String

  @Option(help: ArgumentHelp("Number of newest checkpoints to take from each run.", valueName: "n"))
  var last = 1

  func validate() throws {
    guard last > 0 else { throw ValidationError("--last must be at least 1") }
  }

  func run() {
    withSession("checkpoint average") { communicator in
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        let files = try paths.flatMap(weights)
        guard files.count > 1 else {
          throw CommandError(
            "one checkpoint has no mean: name several, or take more of a run with --last", .usage)
        }
        let tensors = try averagedWeights(of: files)
        let writer = SafetensorsWriter(tensors, metadata: ["format": "pt"])
        try FileSystem().replaceFile(output) { try writer.write(to: $0) }
        files.forEach { printLine("of     \($0.path)") }
        if tensors.contains(where: { $0.name.hasSuffix("running_mean") }) {
          printLine("note   running statistics of batch normalization are averaged too")
        }
        printLine("wrote  \(output)  the mean of \(files.count), \(count(tensors.count, "tensor"))")
      }
      return .success
    }
  }

  /// The weights at a path that training evaluated.
  private func weights(_ path: String) throws -> [SafetensorsFile] {
    if last == 1 || path.hasSuffix(".safetensors") || Checkpoint.isCheckpoint(path) {
      return [try SafetensorsFile.weights(at: path)]
    }
    let store = try RunDirectory.find(at: path).checkpoints(keep: 0)
    let steps = try store.steps()
    guard steps.count >= last else {
      throw CommandError(
        "'\(path)' has \(count(steps.count, "checkpoint")), fewer than --last \(last); "
          + "checkpoint.keep says how many a run keeps", .badData)
    }
    return try steps.suffix(last).map { try store.checkpoint(step: $0).evaluatedWeights() }
  }
}
