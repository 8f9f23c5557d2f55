import Collectives

/// How inter-node all-reduces make progress during the backward pass.
public enum Overlap: String, Sendable, Codable, CaseIterable {
  /// `sync` on one node, else `thread` where MPI allows it, else `poll`.
  case auto
  /// Not at all: every bucket is all-reduced after the backward pass.
  case sync
  /// The rank's own thread advances them whenever a parameter's gradient is final.
  case poll
  /// A progress thread advances them.
  case thread

  /// The mode for a run.
  ///
  /// On one node there is nothing to overlap: shared memory is summed in place. Between nodes, a
  /// progress thread that mostly sleeps costs less time than it saves, even without a core of its
  /// own.
  func resolved(_ communicator: any Communicator) -> Overlap {
    if communicator.topology.nodeCount == 1 { return .sync }
    switch self {
    case .auto, .thread:
      return communicator.acrossNodes.canProgressOnAnyThread ? .thread : .poll
    case .sync, .poll: return self
    }
  }
}
