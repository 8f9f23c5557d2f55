import ArgumentParser
import Base
import Checkpointing
import Lockstep
import Training

struct CheckpointVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Compares every file of checkpoints with its checksum.",
    usage: "\(programName) checkpoint verify <path> ...",
    discussion: """
      Prints a line for each checkpoint: of a run, all of them. Exit code 65 if one is damaged, 74 if \
      one cannot be read.
      """)

  @Argument(help: "Runs' directories, checkpoints or safetensors files.")
  var paths: [String]

  func run() {
    withSession("checkpoint verify") { communicator in
      try communicator.collectiveTry {
        guard communicator.isRoot else { return .success }
        return try verify()
      }
    }
  }

  /// Prints a line for each checkpoint; the code of the worst.
  private func verify() throws -> ExitStatus {
    var status = ExitStatus.success
    for path in try paths.flatMap(checkpoints) {
      do {
        if path.hasSuffix(".safetensors") {
          let file = try SafetensorsFile(path: path)
          printLine("ok       \(path)  \(count(file.entries.count, "tensor")), without checksums")
        } else {
          let checkpoint = try Checkpoint(path: path)
          let files = count(checkpoint.fileNames.count, "file")
          printLine("ok       \(path)  step \(grouped(checkpoint.step)), \(files)")
        }
      } catch let error as any ExitStatusProviding where error.exitStatus == .inputOutput {
        printLine("unread   \(path)  \(error)")
        status = .inputOutput
      } catch let error as any ExitStatusProviding where error.exitStatus == .badData {
        printLine("damaged  \(path)  \(error)")
        if status == .success { status = .badData }
      }
    }
    return status
  }

  /// The checkpoints at a path.
  private func checkpoints(_ path: String) throws -> [String] {
    let isOne =
      path.hasSuffix(".safetensors") || Checkpoint.isCheckpoint(path)
    if isOne { return [path] }
    let store = try RunDirectory.find(at: path).checkpoints(keep: 0)
    let steps = try store.steps()
    guard !steps.isEmpty else { throw CheckpointError.missing(path: path) }
    return steps.map { store.path(step: $0) }
  }
}
