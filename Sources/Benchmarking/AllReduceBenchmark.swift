import CKernels
public import Collectives

/// Times the all-reduce of a buffer over all ranks: the way training does it, and MPI's.
public final class AllReduceBenchmark {
  private let communicator: any Communicator
  private let algorithm: InterNodeAllReduce
  private let memory: SharedMemory
  /// The elements that this rank sums.
  private let chunk: Range<Int>
  private let messageBuffer: UnsafeMutableBufferPointer<Float>

  /// Creates a buffer of `elements` floats on every rank.
  ///
  /// Collective: all ranks call it. Throws if the ranks of a node cannot share memory.
  public init(
    elements: Int, _ communicator: any Communicator, _ algorithm: InterNodeAllReduce = .standard
  ) throws {
    self.communicator = communicator
    self.algorithm = algorithm
    let (topology, node) = (communicator.topology, communicator.node)
    memory = try node.allocateShared(byteCount: elements * MemoryLayout<Float>.stride)
    // Whole cache lines, so that no two ranks write to the same one.
    let lines = (elements + 15) / 16
    let ranks = topology.smallestLocalSize
    func bound(_ rank: Int) -> Int { min(lines * min(rank, ranks) / ranks * 16, elements) }
    chunk = bound(node.rank)..<bound(node.rank + 1)
    messageBuffer = .allocate(capacity: elements)
    messageBuffer.initialize(repeating: 1)
    memory.segments[node.rank].initializeMemory(as: Float.self, repeating: 1)
    communicator.barrier()
  }

  deinit { messageBuffer.deallocate() }

  /// Sums the buffers in shared memory, each rank its chunk, and the chunks between nodes; afterwards
  /// every rank can read the sums of all chunks.
  public func reduceInSharedMemory() {
    let node = communicator.node
    node.barrier()
    let sums = memory.segments[node.rank].bindMemory(to: Float.self).extracting(chunk)
    let terms = memory.segments.map {
      UnsafeRawPointer($0.baseAddress! + chunk.lowerBound * MemoryLayout<Float>.stride)
    }
    if let start = sums.baseAddress { ck_sum_tree(ck_f32, start, terms, terms.count, chunk.count) }
    if communicator.topology.nodeCount > 1 && !chunk.isEmpty {
      let pending = communicator.acrossNodes.startAllReduce(sums, using: algorithm)
      while !pending.advance() {}
    }
    node.barrier()
  }

  /// Sums a private buffer of each rank by messages, in place.
  public func reduceByMessages() { communicator.allReduce(messageBuffer, .sum) }

  /// The median time of `body` in seconds, run equally often on every rank for about `duration`.
  public func medianSeconds(about duration: Double, _ body: () -> Void) -> Double {
    func time() -> Double {
      let start = ContinuousClock.now
      body()
      return (ContinuousClock.now - start) / .seconds(1)
    }
    for _ in 0..<3 { _ = time() }
    let once = communicator.allReduce(max(time(), 1e-7), .max)
    let times = (0..<max(5, min(20_000, Int(duration / once)))).map { _ in time() }
    return communicator.allReduce(times.sorted()[times.count / 2], .max)
  }
}
