/// The ranks of equal local rank, one on each node, and the messages between them.
///
/// Nodes may have different numbers of ranks: a local rank that some nodes do not have is left out
/// for them. All-reduce algorithms between nodes are written against this protocol; see
/// `InterNodeAllReduce`.
public protocol InterNodeCommunicator: AnyObject {
  /// The number of this rank among these ranks, which is the number of its node among theirs.
  var rank: Int { get }
  /// The number of these ranks.
  var size: Int { get }
  /// Whether a thread may start and test messages while another thread uses the communicator.
  var canProgressOnAnyThread: Bool { get }

  /// Returns a tag for the messages of one operation.
  ///
  /// Collective in the sense that the n-th call returns the same tag on all ranks, and another one
  /// than the calls shortly before.
  func nextTag() -> Int

  /// Starts to send bytes to another of these ranks.
  ///
  /// The bytes must not change until the message is complete. Messages between two ranks with the
  /// same tag arrive in the order in which they were sent.
  func startSend(
    _ bytes: UnsafeRawBufferPointer, to peer: Int, tag: Int
  ) -> any PendingMessage

  /// Starts to receive exactly as many bytes as another of these ranks sends with the same tag.
  ///
  /// The buffer must not be used until the message is complete.
  func startReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from peer: Int, tag: Int
  ) -> any PendingMessage

  /// Adds up the buffers of these ranks by the library's own algorithm; waits for all of them.
  ///
  /// Ranks make these calls in the same order. The result has the same bits on all ranks.
  ///
  /// - Parameter tag: One for this operation, where it needs messages.
  func allReduce(_ buffer: UnsafeMutableBufferPointer<Float>, tag: Int)
}

/// A message that was started.
public protocol PendingMessage: AnyObject {
  /// Whether the message is complete; makes progress, but does not wait.
  func test() -> Bool
}

/// A reduction that was started.
public protocol PendingReduction: AnyObject {
  /// Makes what progress is possible without waiting, and returns whether the buffer holds the
  /// reduced values.
  func advance() -> Bool
}

extension InterNodeCommunicator {
  /// Adds up the buffers by the standard algorithm, for communicators that have none of their own.
  public func allReduce(_ buffer: UnsafeMutableBufferPointer<Float>, tag: Int) {
    let sum = InterNodeAllReduce.standard.start(buffer, self, tag)
    while !sum.advance() {}
  }

  /// Starts to add up the buffers of these ranks; the buffer belongs to the reduction until its
  /// `advance()` returns true.
  ///
  /// Ranks start their reductions in the same order with the same counts and algorithms, but each at
  /// its own time. The result has the same bits on all ranks and every time.
  public func startAllReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, using algorithm: InterNodeAllReduce = .standard
  ) -> any PendingReduction {
    algorithm.start(buffer, self, nextTag())
  }

  /// Starts the first half of an all-reduce: afterwards this rank has the sums of the elements that
  /// `owned(of:using:)` says, and the others have unspecified values.
  ///
  /// - Parameter algorithm: One with a plan.
  public func startReduceScatter(
    _ buffer: UnsafeMutableBufferPointer<Float>, using algorithm: InterNodeAllReduce
  ) -> any PendingReduction {
    let plan = plan(of: buffer.count, using: algorithm)
    return RoundsUnderWay(plan.reduceScatter, on: buffer, among: self, tag: nextTag())
  }

  /// Starts the second half of an all-reduce, on any buffers of which each rank has the elements that it
  /// owns: afterwards all ranks have all elements.
  ///
  /// - Parameter algorithm: One with a plan.
  public func startAllGather(
    _ buffer: UnsafeMutableBufferPointer<Float>, using algorithm: InterNodeAllReduce
  ) -> any PendingReduction {
    let plan = plan(of: buffer.count, using: algorithm)
    return RoundsUnderWay(plan.allGather, on: buffer, among: self, tag: nextTag())
  }

  /// The elements of a buffer that this rank owns between the halves of an all-reduce.
  public func owned(of count: Int, using algorithm: InterNodeAllReduce) -> Range<Int> {
    plan(of: count, using: algorithm).owned
  }

  /// What a rank, this one unless another is given, does by an algorithm whose parts are whole units.
  func plan(
    of count: Int, using algorithm: InterNodeAllReduce, inUnitsOf unit: Int = 1, rank: Int? = nil
  ) -> AllReducePlan {
    guard let plan = algorithm.plan else {
      preconditionFailure("InterNodeAllReduce: '\(algorithm.name)' has no plan to divide")
    }
    let units = plan(rank ?? self.rank, size, (count + unit - 1) / unit)
    return unit == 1 ? units : units.ofElements(count, inUnitsOf: unit)
  }
}
