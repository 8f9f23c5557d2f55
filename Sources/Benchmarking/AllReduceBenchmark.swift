import Base
import CKernels
public import Collectives

#if canImport(Glibc)
  import Glibc
#endif

/// Times the all-reduce of a buffer over all ranks: the way training does it, and MPI's.
public final class AllReduceBenchmark {
  private let communicator: any Communicator
  private let memory: SharedMemory
  /// The elements that this rank sums.
  private let chunk: Range<Int>
  private let messageBuffer: UnsafeMutableBufferPointer<Float>

  /// Creates a buffer of `elements` floats on every rank.
  ///
  /// Collective: all ranks call it. Throws if the ranks of a node cannot share memory.
  public init(elements: Int, _ communicator: any Communicator) throws {
    self.communicator = communicator
    let (topology, node) = (communicator.topology, communicator.node)
    memory = try node.allocateShared(byteCount: elements * MemoryLayout<Float>.stride)
    // Whole cache lines, so that no two ranks write to the same one.
    let lines = (elements + 15) / 16
    let ranks = topology.smallestLocalSize
    func bound(_ rank: Int) -> Int { min(lines * min(rank, ranks) / ranks * 16, elements) }
    chunk = bound(node.rank)..<bound(node.rank + 1)
    // Sums of zeros stay small, however often they are made.
    messageBuffer = .allocate(capacity: elements)
    messageBuffer.initialize(repeating: 0)
    memory.segments[node.rank].initializeMemory(as: Float.self, repeating: 0)
    communicator.barrier()
  }

  deinit { messageBuffer.deallocate() }

  /// Sums the buffers in shared memory, each rank its chunk, and the chunks between nodes by an
  /// algorithm; afterwards every rank can read the sums of all chunks.
  public func reduceInSharedMemory(using algorithm: InterNodeAllReduce = .standard) {
    let node = communicator.node
    node.barrier()
    let sums = memory.segments[node.rank].bindMemory(to: Float.self).extracting(chunk)
    let terms = memory.segments.map {
      UnsafeRawPointer($0.baseAddress! + chunk.lowerBound * MemoryLayout<Float>.stride)
    }
    if let start = sums.baseAddress, terms.count > 1 {
      ck_sum_tree(ck_f32, start, terms, terms.count, chunk.count)
    }
    if communicator.topology.nodeCount > 1 && !chunk.isEmpty {
      let pending = communicator.acrossNodes.startAllReduce(sums, using: algorithm)
      var backoff = Backoff()
      while !pending.advance() { backoff.pause() }
    }
    node.barrier()
  }

  /// Sums a private buffer of each rank by messages, in place.
  public func reduceByMessages() { communicator.allReduce(messageBuffer, .sum) }

  /// The median times of some calls in seconds, each made equally often on every rank for about
  /// `duration`, one after the other in turns.
  public func medianSeconds(about duration: Double, _ calls: [() -> Void]) -> [Double] {
    func time(_ call: () -> Void) -> Double {
      let start = ContinuousClock.now
      call()
      return (ContinuousClock.now - start) / .seconds(1)
    }
    let first = calls.map(time)
    // What is slow is measured less often, but three times.
    let once = communicator.allReduce(max(first.reduce(0, +), 1e-7), .max)
    let repetitions = max(3, min(20_000, Int(duration * Double(calls.count) / once)))
    if repetitions > 3 { for _ in 0..<2 { calls.forEach { _ = time($0) } } }
    var times = calls.map { _ in [Double]() }
    for _ in 0..<repetitions {
      for (index, call) in calls.enumerated() { times[index].append(time(call)) }
    }
    return communicator.allReduce(times.map { $0.sorted()[$0.count / 2] }, .max)
  }
}

extension AllReduceBenchmark {
  /// Measures the bytes per second that a node can send while it receives as many: its ranks send to the
  /// next node and receive from the one before.
  ///
  /// Collective. The best of some exchanges, on the node where it takes longest.
  public static func bandwidth(between communicator: any Communicator) -> Double {
    let ranks = communicator.acrossNodes
    let senders = communicator.topology.smallestLocalSize
    let takesPart = communicator.topology.localRank < senders
    let count = (16 << 20) / senders
    let buffers = (0..<2).map { _ in
      UnsafeMutableRawBufferPointer.allocate(byteCount: takesPart ? count : 0, alignment: 64)
    }
    defer { buffers.forEach { $0.deallocate() } }
    buffers.forEach { $0.initializeMemory(as: UInt8.self, repeating: 0) }
    var best = Double.infinity
    for _ in 0..<4 {
      communicator.barrier()
      let start = ContinuousClock.now
      if takesPart {
        let tag = ranks.nextTag()
        var pending = [
          ranks.startReceive(
            buffers[0], from: (ranks.rank + ranks.size - 1) % ranks.size, tag: tag),
          ranks.startSend(
            UnsafeRawBufferPointer(buffers[1]), to: (ranks.rank + 1) % ranks.size, tag: tag),
        ]
        while !pending.isEmpty {
          pending.removeAll { $0.test() }
          sched_yield()
        }
      }
      let seconds = (ContinuousClock.now - start) / .seconds(1)
      best = min(best, communicator.allReduce(seconds, .max))
    }
    return Double(count * senders) / best
  }

  /// The seconds that no all-reduce of these bytes between nodes can be faster than: each of N nodes must
  /// send and receive 2 (N - 1) / N times the buffer.
  public static func limit(bytes: Int, nodes: Int, bandwidth: Double) -> Double {
    2 * Double(nodes - 1) / Double(nodes) * Double(bytes) / bandwidth
  }
}
