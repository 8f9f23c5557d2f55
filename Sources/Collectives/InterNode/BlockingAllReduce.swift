extension InterNodeAllReduce {
  /// `MPI_Allreduce`: the library's own algorithm for the size of the buffer.
  ///
  /// The thread that advances it waits inside MPI, and takes the time of a core while it does, until all
  /// ranks have come to the same buffer. How it adds is the library's choice.
  public static let mpi = InterNodeAllReduce(name: "mpi", addsPairwise: false, blocks: true) {
    buffer, ranks, tag in
    BlockingAllReduce(buffer, ranks, tag)
  }
}

/// An all-reduce that is done at the first look after it.
private final class BlockingAllReduce: PendingReduction {
  private let buffer: UnsafeMutableBufferPointer<Float>
  private let ranks: any InterNodeCommunicator
  private let tag: Int
  private var isDone = false

  init(_ buffer: UnsafeMutableBufferPointer<Float>, _ ranks: any InterNodeCommunicator, _ tag: Int)
  {
    (self.buffer, self.ranks, self.tag) = (buffer, ranks, tag)
  }

  /// Waits for the other ranks; those who advance several advance them in the order of their start.
  func advance() -> Bool {
    if !isDone { ranks.allReduce(buffer, tag: tag) }
    isDone = true
    return true
  }
}
