import Base

extension CheckpointStore {
  private var bestPath: String { directory.appendingPath("best") }

  /// The step that the file `best` names, if it is that of a checkpoint.
  public func bestStep() throws -> Int? {
    guard fileSystem.exists(bestPath) else { return nil }
    let text = String(decoding: try fileSystem.readFile(bestPath), as: UTF8.self)
    guard let step = CheckpointStore.step(of: String(text.prefix { !$0.isNewline })),
      try fileSystem.findsDirectory(path(step: step))
    else { return nil }
    return step
  }

  /// Opens the run's best checkpoint and verifies it; nil if none is kept.
  public func best() throws -> Checkpoint? {
    try bestStep().map { try checkpoint(step: $0) }
  }

  /// Names the best checkpoint, so that it stays when older ones are removed; nil names none.
  ///
  /// Where there is no checkpoint of that step, because it could not be written, the one before stays the best.
  public func nameBest(step: Int?) throws {
    guard let step else {
      if fileSystem.exists(bestPath) { try fileSystem.remove(bestPath) }
      return
    }
    guard try fileSystem.findsDirectory(path(step: step)), try bestStep() != step else { return }
    try fileSystem.replaceFile(bestPath, with: CheckpointStore.name(step: step) + "\n")
  }
}
