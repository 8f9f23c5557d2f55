/// The ranks of one node, which share its memory.
///
/// Both functions are collective over the ranks of the node; other nodes do not take part.
public protocol NodeCommunicator: AnyObject {
  /// The number of this rank among the ranks of its node, from zero; its local rank.
  var rank: Int { get }
  /// The number of ranks on this node.
  var size: Int { get }

  /// Allocates memory that all ranks of the node can read and write: one segment for each rank, of
  /// the size that this rank asked for.
  ///
  /// Sizes may differ between ranks. If it fails on one rank, it throws on all ranks of the node.
  func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory

  /// Returns when every rank of the node has called it.
  func barrier()
}
