public import Checkpointing
import Collectives
public import DataLoading
import DataParallel
import NeuralNetworks
import Optimizers
import TensorCore

// What a checkpoint of a training run holds: model.safetensors, optimizer.safetensors, state.json,
// config.json and signature.json.

extension Checkpoint {
  static let modelFile = "model.safetensors"
  static let optimizerFile = "optimizer.safetensors"
  static let stateFile = "state.json"
  static let configurationFile = "config.json"
  static let signatureFile = "signature.json"

  /// What the model takes and gives.
  func signature() throws -> ModelSignature {
    try ModelSignature(
      json: json(Checkpoint.signatureFile), path: path(of: Checkpoint.signatureFile))
  }

  /// The trained model.
  func model(_ signature: ModelSignature) throws -> any Layer {
    let model = try ModelRegistry.makeModel(
      configuration().model, inputShape: signature.inputShape, outputs: signature.outputs, seed: 0)
    try loadWeights(of: model, from: weights())
    return model
  }

  /// What the tokens of its model stand for; nil unless it was trained on a text.
  public func characterCodec() throws -> CharacterCodec? { try signature().codec }

  /// The configuration that the checkpoint was trained with.
  public func configuration() throws -> TrainingConfiguration {
    try TrainingConfiguration(
      json: json(Checkpoint.configurationFile), path: path(of: Checkpoint.configurationFile))
  }

  /// The file of the model's weights.
  public func weights() throws -> SafetensorsFile { try tensors(Checkpoint.modelFile) }
}

extension Trainer {
  /// The files of a checkpoint of the present state.
  func checkpointFiles() -> [CheckpointFile] {
    [
      .tensors(Checkpoint.modelFile, weightTensors(of: model), metadata: ["format": "pt"]),
      .tensors(Checkpoint.optimizerFile, optimizerTensors()),
      .text(Checkpoint.stateFile, state.json.text + "\n"),
      .text(Checkpoint.configurationFile, configuration.json.text + "\n"),
      .text(Checkpoint.signatureFile, signature.json.text + "\n"),
    ]
  }

  /// What the optimizer remembers: `momentum_buffer.1.weight` and so on.
  private func optimizerTensors() -> [SafetensorsTensor] {
    let optimizer = parallel.optimizer
    return optimizer.stateBuffers.flatMap { name, values in
      parallel.arena.entries.map { entry in
        SafetensorsTensor(
          name: "\(name).\(entry.name)", dataType: .float32, shape: entry.parameter.shape.array
        ) { write in
          try withExtendedLifetime(optimizer) {
            try write(UnsafeRawBufferPointer(values.extracting(entry.range)))
          }
        }
      }
    }
  }

  /// Takes over rank zero's checkpoint on all ranks.
  ///
  /// Only rank zero reads files. Throws on every rank when it cannot.
  public func restore(from checkpoint: Checkpoint?) throws {
    try communicator.collectiveTry {
      if communicator.isRoot { try read(checkpoint!) }
    }
    parallel.shareRootState()
    state.step = communicator.broadcast(state.step)
    state.epochMetrics.sampleCount = communicator.broadcast(state.epochMetrics.sampleCount)
    state.epochMetrics.lossSum = communicator.broadcast(state.epochMetrics.lossSum)
    state.epochMetrics.correctCount = communicator.broadcast(state.epochMetrics.correctCount)
    state.stepCounts = parallel.optimizer.stateCounters
  }

  private func read(_ checkpoint: Checkpoint) throws {
    let statePath = try checkpoint.path(of: Checkpoint.stateFile)
    let restored = try TrainingState(json: checkpoint.json(Checkpoint.stateFile), path: statePath)
    guard restored.stepCounts.count == parallel.arena.entries.count,
      restored.step == checkpoint.step
    else {
      throw CheckpointError.damaged(path: statePath, reason: "it belongs to another model or step")
    }
    try loadWeights(of: model, from: checkpoint.weights())
    let memory = try checkpoint.tensors(Checkpoint.optimizerFile)
    for (name, values) in parallel.optimizer.stateBuffers {
      for entry in parallel.arena.entries {
        let name = "\(name).\(entry.name)"
        guard let saved = memory[name], saved.shape == entry.parameter.shape.array else {
          throw CheckpointError.damaged(
            path: memory.path, reason: "'\(name)' of shape \(entry.parameter.shape) is missing")
        }
        _ = values.extracting(entry.range).update(fromContentsOf: try memory.floats(of: saved))
      }
    }
    state = restored
    parallel.optimizer.restore(stateCounters: restored.stepCounts)
  }
}
