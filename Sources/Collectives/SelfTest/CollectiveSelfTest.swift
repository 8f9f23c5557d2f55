import Foundation

/// Checks that a communicator keeps its promises, on any conformer and on a cluster too.
///
/// All ranks run the same checks in the same order. A check returns what it found wrong on its rank
/// only after its last collective, so that a failure never leaves the other ranks waiting.
public enum CollectiveSelfTest {
  /// One promise and its check.
  public struct Check: Sendable, CustomStringConvertible {
    /// The promise, in words.
    public let description: String
    /// Returns what is wrong on this rank; nothing when the promise holds.
    public let failures: @Sendable (any Communicator) -> [String]
  }

  /// All checks.
  public static let all =
    [
      Check(description: "ranks are numbered in the run, on each node and across nodes") {
        checkNumbering($0)
      },
      Check(description: "sums, maxima and minima of floats are exact for exact values") {
        checkExactReductions($0, of: Float.self) { $0.allReduce($1, $2) }
      },
      Check(description: "sums, maxima and minima of doubles are exact for exact values") {
        checkExactReductions($0, of: Double.self) { $0.allReduce($1, $2) }
      },
      Check(description: "reduced values have the same bits on all ranks, and when repeated") {
        checkEqualBits($0)
      },
      Check(description: "a NaN stays a NaN, and zeros are ordered by sign") {
        checkSpecialValues($0)
      },
      Check(description: "every rank can broadcast") { checkBroadcast($0) },
      Check(description: "gathered lengths may differ") { checkAllGather($0) },
      Check(description: "no rank leaves a barrier before the last one has entered it") {
        checkBarrier($0)
      },
      Check(description: "no rank leaves its node's barrier before the last one has entered it") {
        checkNodeBarrier($0)
      },
      Check(description: "ranks of a node see each other's shared memory") {
        checkSharedMemory($0)
      },
      Check(description: "messages between nodes arrive in order, each with its tag") {
        checkMessages($0)
      },
    ]
    + InterNodeAllReduce.all.flatMap { algorithm in
      [
        Check(
          description: "all-reduces between nodes by \(algorithm.name) are exact, several at once"
        ) { checkExactSums($0, by: algorithm) },
        Check(
          description: "all-reduces between nodes by \(algorithm.name) give all nodes the same bits"
        ) { checkEqualSums($0, by: algorithm, .float32) },
        Check(
          description:
            "all-reduces between nodes by \(algorithm.name) in bfloat16 are the same on all nodes"
        ) { checkEqualSums($0, by: algorithm, .bfloat16) },
      ]
    } + [
      Check(description: "all ranks throw what one rank throws") { checkCollectiveTry($0) },
      Check(description: "ranks that have different values find out") { checkInvariants($0) },
    ]

  static let sizes = [0, 1, 7, 1000, 100_003]

  /// Small whole numbers, so that no order of summation rounds.
  private static func checkExactReductions<Scalar: BinaryFloatingPoint>(
    _ communicator: any Communicator, of type: Scalar.Type,
    _ reduce: (any Communicator, UnsafeMutableBufferPointer<Scalar>, ReductionOperation) -> Void
  ) -> [String] {
    func value(_ rank: Int, _ i: Int) -> Scalar { Scalar((i * 7 + rank * 13) % 101 - 50) }
    var failures: [String] = []
    for size in sizes {
      for operation in ReductionOperation.allCases {
        var values = (0..<size).map { value(communicator.rank, $0) }
        values.withUnsafeMutableBufferPointer { reduce(communicator, $0, operation) }
        for i in 0..<size {
          let ofRanks = (0..<communicator.worldSize).map { value($0, i) }
          let expected =
            switch operation {
            case .sum: ofRanks.reduce(0, +)
            case .max: ofRanks.max()
            case .min: ofRanks.min()
            }
          if values[i] != expected {
            failures.append(
              "\(operation) of \(size) values: element \(i) is \(values[i]), not \(expected ?? 0)")
            break
          }
        }
      }
    }
    return failures
  }

  private static func checkEqualBits(_ communicator: any Communicator) -> [String] {
    var failures: [String] = []
    for size in sizes {
      /// The bits of a sum of floats and of one of doubles.
      func sums() -> [UInt64] {
        var floats = (0..<size).map { inexact(communicator.rank, $0) }
        var doubles = floats.map { Double($0) / 3 }
        floats.withUnsafeMutableBufferPointer { communicator.allReduce($0, .sum) }
        doubles.withUnsafeMutableBufferPointer { communicator.allReduce($0, .sum) }
        return floats.map { UInt64($0.bitPattern) } + doubles.map(\.bitPattern)
      }
      let first = sums()
      if sums() != first { failures.append("a repeated sum of \(size) values differs") }
      if communicator.broadcast(first) != first {
        failures.append("the sum of \(size) values is not rank 0's")
      }
    }
    return failures
  }

  /// A value whose sums round, of a magnitude that changes from element to element.
  static func inexact(_ rank: Int, _ i: Int) -> Float {
    let mixed = (rank * 1_000_003 + i) % 10_007 * 7919
    return Float(mixed % 1_000_003) * 1.1e-6 * Float(1 << (mixed % 20)) - 3
  }

  private static func checkSpecialValues(_ communicator: any Communicator) -> [String] {
    let isLast = communicator.rank == communicator.worldSize - 1
    let own = [isLast ? .nan : 1, communicator.isRoot ? 0.0 : -0.0, isLast ? -.infinity : 2]
    var failures: [String] = []
    for operation in ReductionOperation.allCases {
      let result = communicator.allReduce(own, operation)
      let bits = communicator.allGather("\(result.map(\.bitPattern))")
      if !result[0].isNaN { failures.append("\(operation) lost a NaN") }
      if operation != .sum && Set(bits).count > 1 {
        failures.append("\(operation) differs between ranks: \(bits)")
      }
      if operation == .max && result[1].sign == .minus { failures.append("max of 0, -0 is -0") }
      if operation == .min && result[2] != -.infinity { failures.append("min lost an infinity") }
    }
    return failures
  }

  private static func checkBroadcast(_ communicator: any Communicator) -> [String] {
    var failures: [String] = []
    for root in 0..<communicator.worldSize {
      for size in sizes {
        let sent = (0..<size).map { Float($0 * 3 + root) }
        let own = communicator.rank == root ? sent : [Float(communicator.rank)]
        if communicator.broadcast(own, root: root) != sent {
          failures.append("\(size) floats from rank \(root) arrived wrong")
        }
      }
      let text = communicator.broadcast("from \(communicator.rank): ü", root: root)
      if text != "from \(root): ü" { failures.append("rank \(root) sent '\(text)'") }
    }
    return failures
  }

  private static func checkAllGather(_ communicator: any Communicator) -> [String] {
    var failures: [String] = []
    for factor in [0, 1, 3, 10_007] {
      func bytes(_ rank: Int) -> [UInt8] {
        (0..<rank * factor).map { UInt8(truncatingIfNeeded: $0 + rank) }
      }
      let gathered = communicator.allGather(bytes(communicator.rank))
      if gathered != (0..<communicator.worldSize).map(bytes) {
        failures.append("gathered lengths \(gathered.map(\.count)) for factor \(factor)")
      }
    }
    return failures
  }

  private static func checkBarrier(_ communicator: any Communicator) -> [String] {
    (0..<communicator.worldSize).flatMap { late in
      checkBarrier(communicator, isLate: communicator.rank == late) { communicator.barrier() }
    }
  }

  /// Checks a barrier that one rank enters late.
  ///
  /// Compares clocks, which only the ranks of one node share.
  static func checkBarrier(
    _ communicator: any Communicator, isLate: Bool, barrier: () -> Void
  ) -> [String] {
    if isLate { Thread.sleep(forTimeInterval: 0.01) }
    let entered = DispatchTime.now().uptimeNanoseconds
    barrier()
    let left = DispatchTime.now().uptimeNanoseconds
    let times = communicator.allGather(String(entered)).compactMap { UInt64($0) }
    let topology = communicator.topology
    let lastEntered = topology.nodes[topology.nodeIndex].map { times[$0] }.max()!
    return left < lastEntered
      ? ["left \(lastEntered - left) ns before the last rank of its node entered"] : []
  }
}
