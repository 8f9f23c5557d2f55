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
      let code = try communicator.collectiveTry {
        communicator.isRoot ? try verify().rawValue : 0
      }
      return ExitStatus(rawValue: communicator.broadcast(code))!
    }
  }

  /// Something to verify.
  private struct Item {
    let path: String
    /// Reads all of it, and says what it is.
    let verify: () throws -> String
  }

  /// Prints a line for each checkpoint; the code of the worst.
  private func verify() throws -> ExitStatus {
    var status = ExitStatus.success
    for item in try paths.flatMap(items) {
      do {
        printLine("ok       \(item.path)  \(try item.verify())")
      } catch let error as any ExitStatusProviding where error.exitStatus == .inputOutput {
        printLine("unread   \(item.path)  \(error)")
        status = .inputOutput
      } catch let error as any ExitStatusProviding where error.exitStatus == .badData {
        printLine("damaged  \(item.path)  \(reason(error))")
        if status == .success { status = .badData }
      }
    }
    return status
  }

  /// What is wrong, and with which file of the checkpoint.
  private func reason(_ error: any Error) -> String {
    guard case CheckpointError.damaged(let path, let reason) = error else { return "\(error)" }
    return "\(path.split(separator: "/").last ?? ""): \(reason)"
  }

  /// The checkpoints at a path.
  private func items(_ path: String) throws -> [Item] {
    if path.hasSuffix(".safetensors") {
      return [
        Item(path: path) {
          let tensors = try SafetensorsFile(path: path).entries.count
          return "\(count(tensors, "tensor")), without checksums"
        }
      ]
    }
    func item(_ path: String, _ open: @escaping () throws -> Checkpoint) -> Item {
      Item(path: path) {
        let checkpoint = try open()
        return "step \(grouped(checkpoint.step)), \(count(checkpoint.fileNames.count, "file"))"
      }
    }
    if Checkpoint.isCheckpoint(path) { return [item(path) { try Checkpoint(path: path) }] }
    let store = try RunDirectory.find(at: path).checkpoints(keep: 0)
    let steps = try store.steps()
    guard !steps.isEmpty else { throw CheckpointError.missing(path: path) }
    return steps.map { step in item(store.path(step: step)) { try store.checkpoint(step: step) } }
  }
}
