/// The version of this program, compared between ranks and recorded in checkpoints.
package enum Version {
  /// The version, after Semantic Versioning.
  package static let current = "0.1.0"
}
