/// What this program is called by those who compare ranks and read checkpoints.
public enum Version {
  /// The version, after Semantic Versioning.
  public static let current = "0.1.0"
}
