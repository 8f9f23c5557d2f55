import Base
public import Checkpointing
import Collectives
import DataLoading
import DataParallel
import Foundation
import NeuralNetworks
import Optimizers
import TensorCore

// The files in a checkpoint of a training run: model.safetensors, optimizer.safetensors, state.json,
// config.json, signature.json, with a moving average of the weights ema.safetensors, and of a model with a
// byte-pair tokenizer tokenizer.json.

extension Checkpoint {
  static let modelFile = "model.safetensors"
  /// The moving average of the weights, where there is one.
  static let averageFile = "ema.safetensors"
  static let optimizerFile = "optimizer.safetensors"
  static let stateFile = "state.json"
  static let signatureFile = "signature.json"
  static let tokenizerFile = BytePairTokenizer.fileName
  /// The file of the configuration that it was trained with.
  package static let configurationFile = "config.json"

  /// The model's inputs and outputs.
  public func signature() throws -> ModelSignature {
    try ModelSignature(self)
  }

  /// The fingerprints of the data that it was trained on, by name; nil in checkpoints of earlier
  /// versions.
  package func dataFingerprints() throws -> [String: String]? {
    try TrainingState(self).data.map(TrainingTask.currentInvariants)
  }

  /// The file of the model's weights.
  public func weights() throws -> SafetensorsFile { try tensors(Checkpoint.modelFile) }

  /// The file of the weights that training evaluated: the moving average if there is one, else the model's.
  public func evaluatedWeights() throws -> SafetensorsFile {
    try tensors(
      fileNames.contains(Checkpoint.averageFile) ? Checkpoint.averageFile : Checkpoint.modelFile)
  }
}

extension SafetensorsFile {
  /// The weights at a path: those that a run's newest checkpoint, or a checkpoint, was evaluated with, or a
  /// safetensors file.
  public static func weights(at path: String) throws -> SafetensorsFile {
    let path = NSString(string: path).expandingTildeInPath
    var isDirectory = ObjCBool(false)
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory),
      isDirectory.boolValue
    else { return try SafetensorsFile(path: path) }
    return try Run.findCheckpoint(at: path).evaluatedWeights()
  }
}

extension Trainer {
  /// The files of a checkpoint of the current state.
  func checkpointFiles() -> [CheckpointFile] {
    state.data = task.invariants
    state.stepCounts = parallel.optimizer.stateCounters
    var files: [CheckpointFile] = [
      .tensors(Checkpoint.modelFile, weightTensors(of: model), metadata: ["format": "pt"]),
      .tensors(Checkpoint.optimizerFile, optimizerTensors()),
      .text(Checkpoint.stateFile, JSON.text(state) + "\n"),
      .text(Checkpoint.signatureFile, task.signature.json + "\n"),
    ]
    if case .bytePairs(let tokenizer) = task.signature.preparation.tokenizer {
      files.append(.text(Checkpoint.tokenizerFile, tokenizer.json))
    }
    if parallel.hasAverages {
      files.append(
        parallel.withAverages {
          .tensors(Checkpoint.averageFile, weightTensors(of: model), metadata: ["format": "pt"])
        })
    }
    if let configurationFile {
      files.append(.text(Checkpoint.configurationFile, configurationFile))
    }
    return files
  }

  /// The bytes of a checkpoint of the current state.
  package var checkpointByteCount: Int { checkpointFiles().reduce(0) { $0 + $1.byteCount } }

  /// The optimizer's state: `momentum_buffer.1.weight` and so on.
  private func optimizerTensors() -> [SafetensorsTensor] {
    let optimizer = parallel.optimizer
    return optimizer.stateBuffers.flatMap { name, values in
      parallel.arena.entries.map { entry in
        SafetensorsTensor(
          name: "\(name).\(entry.name)",
          dataType: values.dataType == .float64 ? .float64 : .float32,
          shape: entry.parameter.shape.array
        ) { write in
          try withExtendedLifetime(optimizer) {
            try write(UnsafeRawBufferPointer(values[entry.range].bytes))
          }
        }
      }
    }
  }

  /// Loads the checkpoint to resume from, rank zero's, on all ranks.
  ///
  /// Only rank zero reads files. Throws on every rank when it cannot.
  public func restore(from checkpoint: Checkpoint?) throws {
    try communicator.collectiveTry {
      if communicator.isRoot { try read(checkpoint!) }
    }
    parallel.shareRootState()
    state = try JSON.decode(from: communicator.broadcast(JSON.text(state)).utf8)
    parallel.stepCount = state.step
  }

  private func read(_ checkpoint: Checkpoint) throws {
    let statePath = try checkpoint.path(of: Checkpoint.stateFile)
    let restored = try TrainingState(checkpoint)
    guard restored.stepCounts.count == parallel.arena.entries.count,
      restored.step == checkpoint.step
    else {
      throw CheckpointError.damaged(path: statePath, reason: "it belongs to another model or step")
    }
    try loadWeights(of: model, from: checkpoint.weights())
    try parallel.restoreAverages {
      try loadWeights(of: model, from: checkpoint.tensors(Checkpoint.averageFile))
    }
    let memory = try checkpoint.tensors(Checkpoint.optimizerFile)
    for (name, values) in parallel.optimizer.stateBuffers {
      for entry in parallel.arena.entries {
        let name = "\(name).\(entry.name)"
        guard let saved = memory[name], saved.shape == entry.parameter.shape.array else {
          throw CheckpointError.damaged(
            path: memory.path, reason: "'\(name)' of shape \(entry.parameter.shape) is missing")
        }
        let target = values[entry.range]
        if target.dataType == .float64 {
          _ = target.doubles.update(fromContentsOf: try memory.doubles(of: saved))
        } else {
          _ = target.floats.update(fromContentsOf: try memory.floats(of: saved))
        }
      }
    }
    state = restored
    parallel.optimizer.restore(stateCounters: restored.stepCounts)
  }
}
