import CKernels
public import Collectives

/// Times the sum of a buffer over all ranks: as training makes it, and as MPI does.
public final class SumBenchmark {
  private let communicator: any Communicator
  private let memory: SharedMemory
  private let part: Range<Int>
  private let sumsAcrossNodes: Bool
  private let plain: UnsafeMutableBufferPointer<Float>

  /// A buffer of so many elements on every rank.
  ///
  /// Collective: all ranks call it.
  public init(elements: Int, _ communicator: any Communicator) throws {
    self.communicator = communicator
    memory = try communicator.allocateShared(byteCount: elements * MemoryLayout<Float>.stride)
    let placement = communicator.findPlacement()
    // Whole cache lines, so that no two ranks write to the same one.
    let lines = (elements + 15) / 16
    let ranks = placement.smallestLocalSize
    func bound(_ rank: Int) -> Int { min(lines * min(rank, ranks) / ranks * 16, elements) }
    part = bound(placement.localRank)..<bound(placement.localRank + 1)
    sumsAcrossNodes = placement.nodeCount > 1
    plain = .allocate(capacity: elements)
    plain.initialize(repeating: 1)
    memory.segments[placement.localRank].initializeMemory(as: Float.self, repeating: 1)
    communicator.barrier()
  }

  deinit { plain.deallocate() }

  /// Adds up what lies in shared memory; each rank its part, which all can read then.
  public func sumShared() {
    communicator.nodeBarrier()
    let own = memory.segments[communicator.localRank].bindMemory(to: Float.self).extracting(part)
    let terms = memory.segments.map {
      UnsafeRawPointer($0.baseAddress! + part.lowerBound * MemoryLayout<Float>.stride)
    }
    if let sums = own.baseAddress { ck_sum_tree(ck_f32, sums, terms, terms.count, part.count) }
    if sumsAcrossNodes && !part.isEmpty {
      let sum = communicator.startSumAcrossNodes(own)
      while !sum.advance() {}
    }
    communicator.nodeBarrier()
  }

  /// Adds up a buffer of each rank by messages, in place.
  public func sumByMessages() { communicator.allReduce(plain, .sum) }

  /// The median of the seconds that `body` takes, the same number of times on every rank.
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
