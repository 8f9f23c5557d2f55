import ArgumentParser
import Base
import Checkpointing
import Configuration
import DataLoading
import Exporting
import Lockstep
import Training

struct CheckpointExport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export", abstract: "Writes a trained model for other programs.",
    usage: "\(programName) checkpoint export <run> --onnx|--pytorch [<options>]",
    discussion: """
      --onnx writes one file with the model, its weights and the normalization of its inputs, for ONNX \
      Runtime and others. --pytorch writes a folder with model.py, a program that can be read and \
      changed, and model.safetensors.

        lockstep checkpoint export runs/digits-mlp --onnx -o digits.onnx
        lockstep checkpoint export runs/digits-mlp --pytorch -o digits
      """)

  /// What is written.
  enum Format: EnumerableFlag {
    case onnx, pytorch

    static func help(for value: Format) -> ArgumentHelp? {
      switch value {
      case .onnx: "Write a file of ONNX."
      case .pytorch: "Write a Python program and its weights."
      }
    }
  }

  @OptionGroup var checkpoint: CheckpointOptions

  @Flag var format: Format

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The file or folder to write. (default: model.onnx or model-pytorch)", valueName: "path"))
  var output: String?

  func run() {
    withSession("checkpoint export") { communicator in
      try communicator.collectiveTry {
        guard communicator.isRoot else { return }
        let checkpoint = try checkpoint.open(communicator)
        switch format {
        case .onnx: try writeONNX(checkpoint, to: output ?? "model.onnx")
        case .pytorch: try writePyTorch(checkpoint, to: output ?? "model-pytorch")
        }
      }
      return .success
    }
  }

  private func writeONNX(_ checkpoint: Checkpoint, to path: String) throws {
    let configuration = try checkpoint.configuration()
    let model = try ONNXModel(
      checkpoint.model(), checkpoint.signature(),
      metadata: [
        ("model", "\(configuration["model.kind"])"), ("step", "\(checkpoint.step)"),
        ("configuration", configuration.json.text),
      ])
    try model.write(to: path)
    printLine("wrote  \(path)  \(grouped(model.byteCount)) bytes, step \(grouped(checkpoint.step))")
  }

  private func writePyTorch(_ checkpoint: Checkpoint, to folder: String) throws {
    let configuration = try checkpoint.configuration()
    let model = try checkpoint.model()
    let program = try PyTorchModel(
      model, checkpoint.signature(),
      source: "Model '\(configuration["model.kind"])' after step \(checkpoint.step)")
    let fileSystem = FileSystem()
    try fileSystem.makeDirectories(folder)
    let weights = SafetensorsWriter(weightTensors(of: model), metadata: ["format": "pt"])
    try fileSystem.replaceFile(folder.appendingPath(PyTorchModel.weightsName)) {
      try weights.write(to: $0)
    }
    try fileSystem.replaceFile(folder.appendingPath(PyTorchModel.fileName), with: program.text)
    let tokenizer = BytePairTokenizer.fileName
    if checkpoint.fileNames.contains(tokenizer) {
      let content = try checkpoint.content(of: tokenizer)
      try fileSystem.replaceFile(folder.appendingPath(tokenizer)) { file in
        try content.withUnsafeBytes(file.write)
      }
    }
    printLine("wrote  \(folder)  step \(grouped(checkpoint.step))")
  }
}
