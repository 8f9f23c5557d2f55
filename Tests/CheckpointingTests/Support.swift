import Base
import Checkpointing
import Foundation
import Synchronization
import TestSupport
import Testing

/// Counts the calls to the disk and makes one of them, and if wanted all later ones, fail.
final class FaultPlan: Sendable {
  enum Effect {
    /// The process ends at the call, as by `kill -9`: nothing after it happens either.
    case crash
    /// Only this call fails, and the process lives on.
    case fail(Int32)
  }

  struct State {
    var calls = 0
    var fired = false
    var unsynced: Set<UInt64> = []
    var synchronized: [String] = []
  }

  let state = Mutex(State())
  let call: Int
  let effect: Effect
  let action: FileSystemError.Action?

  init(call: Int, _ effect: Effect, only action: FileSystemError.Action? = nil) {
    self.call = call
    self.effect = effect
    self.action = action
  }

  var hasFired: Bool { state.withLock { $0.fired } }

  var fileSystem: FileSystem {
    FileSystem { [self] action, path in
      try state.withLock { state in
        if self.action == nil || self.action == action { state.calls += 1 }
        switch effect {
        case .crash where state.calls >= call:
          state.fired = true
          throw FileSystemError(action, path, code: EIO)
        case .fail(let code) where state.calls == call && !state.fired:
          state.fired = true
          throw FileSystemError(action, path, code: code)
        default: break
        }
        var information = stat()
        guard stat(path, &information) == 0 else { return }
        if action == .write { state.unsynced.insert(UInt64(information.st_ino)) }
        if action == .synchronize {
          state.unsynced.remove(UInt64(information.st_ino))
          state.synchronized.append(path)
        }
      }
    }
  }

  /// Empties the files whose content was never synced, as a power failure may.
  func losePower(under directory: String) throws {
    let unsynced = state.withLock { $0.unsynced }
    let names = FileManager.default.enumerator(atPath: directory)
    while let name = names?.nextObject() as? String {
      let path = directory + "/" + name
      var information = stat()
      guard stat(path, &information) == 0, unsynced.contains(UInt64(information.st_ino)) else {
        continue
      }
      truncate(path, 0)
    }
  }
}

/// Files whose content tells the step.
func files(_ step: Int) -> [CheckpointFile] {
  [
    .tensors(
      "model.safetensors",
      [
        SafetensorsTensor(name: "weight", shape: [4], floats: [Float(step), 1, 2, 3]),
        SafetensorsTensor(name: "bias", shape: [1], floats: [Float(step)]),
      ]),
    .text("state.json", "{\"step\":\(step)}"),
  ]
}

/// The checkpoint holds the files of a step.
func expectContent(_ checkpoint: Checkpoint, step: Int) throws {
  #expect(checkpoint.step == step)
  let model = try checkpoint.tensors("model.safetensors")
  #expect(try model.floats(of: try #require(model["weight"])) == [Float(step), 1, 2, 3])
  #expect(try checkpoint.decode([String: Int].self, from: "state.json") == ["step": step])
}
