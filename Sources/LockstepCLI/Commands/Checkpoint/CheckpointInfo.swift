import ArgumentParser
import Lockstep
import Logging
import Training

struct CheckpointInfo: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "info", abstract: "Verifies a checkpoint, byte by byte, and lists its tensors.")

  @Argument(help: "A checkpoint, a run's directory, or any safetensors file.")
  var path: String

  func run() {
    withSession("checkpoint") { communicator in
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        if path.hasSuffix(".safetensors") {
          list(try SafetensorsFile(path: path))
        } else {
          let checkpoint = try Run.findCheckpoint(
            at: path, onWarning: { logger.warning("\($0)") })
          printLine("checkpoint  \(checkpoint.path)")
          printLine("step        \(grouped(checkpoint.step))")
          printLine("audited     \(checkpoint.isAudited ? "yes" : "no")")
          printLine("verified    \(checkpoint.fileNames.sorted().joined(separator: ", "))")
          list(try checkpoint.weights())
        }
      }
      return .success
    }
  }

  private func list(_ file: SafetensorsFile) {
    let names = file.entries.map(\.name.count).max() ?? 0
    for entry in file.entries.sorted(by: { $0.name < $1.name }) {
      let padding = String(repeating: " ", count: names - entry.name.count)
      printLine("  \(entry.name)\(padding)  \(entry.dataType.rawValue)  \(entry.shape)")
    }
    let total = file.entries.reduce(0) { $0 + $1.elementCount }
    printLine("  \(count(file.entries.count, "tensor")), \(grouped(total)) numbers")
  }
}
