public import Settings

/// The name of a run.
public struct RunName: SettingsGroup {
  /// The name of the directory with the runs of this kind.
  @Setting("name of the run's directory", type: .fileName, mayChangeOnResume: true, perRank: true)
  public var name = "digits-mlp"

  /// The name of the default configuration.
  public init() {}
}

/// What a run records, and where.
public struct LoggingOptions: SettingsGroup {
  /// The steps between two records in metrics.jsonl; nil records none.
  @Setting(
    "steps between two records in metrics.jsonl; null is none", in: 1..., unit: "steps", unset: 0,
    mayChangeOnResume: true, perRank: true)
  public var everySteps: Int? = 1
  /// The directory in which runs create theirs.
  @Setting("directory in which runs create theirs", mayChangeOnResume: true, perRank: true)
  public var directory = "runs"
  /// Whether the run's directory gets an event file for TensorBoard.
  @Setting(
    "whether the run's directory gets an event file for TensorBoard, with metrics, distributions of weights and gradients, and a picture of the first training samples",
    mayChangeOnResume: true, perRank: true)
  public var tensorboard = false

  /// The defaults.
  public init() {}
}

/// How many threads a rank uses.
public struct ThreadOptions: SettingsGroup {
  /// The threads of each rank; nil divides the node's cores among its ranks.
  @Setting(
    "threads of each rank; null divides the node's cores among its ranks", in: 1...1024,
    unit: "threads", unset: 0, mayChangeOnResume: true, perRank: true)
  public var threadsPerRank: Int? = nil

  /// As many as there are cores.
  public init() {}
}
