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
// byte-pair tokenizer tokenizer.json. With `localSteps` outer.safetensors, and for the nodes but the first
// optimizer.node-1.safetensors and so on.

extension Checkpoint {
  static let modelFile = "model.safetensors"
  /// The moving average of the weights, where there is one.
  static let averageFile = "ema.safetensors"
  static let optimizerFile = "optimizer.safetensors"
  /// The state of the outer steps, where there are some.
  static let outerFile = "outer.safetensors"
  /// The state of the optimizer of a node, where nodes have states of their own.
  static func optimizerFile(ofNode node: Int) -> String {
    node == 0 ? optimizerFile : "optimizer.node-\(node).safetensors"
  }
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
  ///
  /// - Parameter replicas: The optimizer states of other nodes, where nodes have states of their own.
  func checkpointFiles(replicas: [ReplicaState] = []) -> [CheckpointFile] {
    state.data = task.invariants
    state.replicas = replicas.isEmpty ? nil : replicas.count + 1
    state.stepCounts = parallel.optimizer.stateCounters
    var files: [CheckpointFile] = [
      .tensors(Checkpoint.modelFile, weightTensors(of: model), metadata: ["format": "pt"]),
      .tensors(Checkpoint.optimizerFile, optimizerTensors(parallel.optimizer.stateBuffers)),
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
    if !parallel.outerStateBuffers.isEmpty {
      files.append(.tensors(Checkpoint.outerFile, optimizerTensors(parallel.outerStateBuffers)))
    }
    for (index, replica) in replicas.enumerated() {
      files.append(
        .tensors(
          Checkpoint.optimizerFile(ofNode: index + 1),
          optimizerTensors(replica.buffers, keepingAlive: replica)))
    }
    if let configurationFile {
      files.append(.text(Checkpoint.configurationFile, configurationFile))
    }
    return files
  }

  /// The bytes of a checkpoint of the current state.
  package var checkpointByteCount: Int {
    checkpointFiles().reduce(0) { sum, file in
      sum + file.byteCount * (file.name == Checkpoint.optimizerFile ? parallel.replicaCount : 1)
    }
  }

  /// The state of an optimizer: `momentum_buffer.1.weight` and so on.
  private func optimizerTensors(
    _ buffers: [(name: String, values: ArenaBuffer)], keepingAlive owner: AnyObject? = nil
  ) -> [SafetensorsTensor] {
    let owners = (parallel, owner)
    return buffers.flatMap { name, values in
      parallel.arena.entries.map { entry in
        SafetensorsTensor(
          name: "\(name).\(entry.name)",
          dataType: values.dataType == .float64 ? .float64 : .float32,
          shape: entry.parameter.shape.array
        ) { write in
          try withExtendedLifetime(owners) {
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
    var replicas: [ReplicaState] = []
    try communicator.collectiveTry {
      if communicator.isRoot { replicas = try read(checkpoint!) }
    }
    parallel.shareRootState()
    parallel.restoreReplicaStates(replicas)
    state = try JSON.decode(from: communicator.broadcast(JSON.text(state)).utf8)
    parallel.stepCount = state.step
  }

  /// Reads a checkpoint on rank zero; returns the optimizer states of the other nodes, if nodes have
  /// states of their own and the checkpoint has one for each.
  private func read(_ checkpoint: Checkpoint) throws -> [ReplicaState] {
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
    try read(parallel.optimizer.stateBuffers, from: checkpoint, Checkpoint.optimizerFile)
    if !parallel.outerStateBuffers.isEmpty {
      try read(parallel.outerStateBuffers, from: checkpoint, Checkpoint.outerFile)
    }
    let replicas = try (1..<max(restored.replicas ?? 1, 1)).map { node in
      let replica = ReplicaState(like: parallel.optimizer)
      try read(replica.buffers, from: checkpoint, Checkpoint.optimizerFile(ofNode: node))
      return replica
    }
    state = restored
    parallel.optimizer.restore(stateCounters: restored.stepCounts)
    guard replicas.count + 1 != parallel.replicaCount else { return replicas }
    parallel.averageStates(replicas)
    resumeWarnings = [
      "the checkpoint has optimizer states of \(count(replicas.count + 1, "node")), and this run has "
        + "\(parallel.replicaCount): each continues with their average"
    ]
    return []
  }

  /// Reads the state of an optimizer from a file of a checkpoint.
  private func read(
    _ buffers: [(name: String, values: ArenaBuffer)], from checkpoint: Checkpoint, _ file: String
  ) throws {
    let memory = try checkpoint.tensors(file)
    for (name, values) in buffers {
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
  }
}
