// What a communicator promises, as checks that run on any of them, on a cluster too.
import Base
import Foundation

/// Checks that the collectives of a communicator give what they promise.
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
  public static let all: [Check] = [
    Check(description: "ranks are numbered within the run and within the machine") {
      checkNumbering($0)
    },
    Check(description: "sums, maxima and minima of floats are exact for exact values") {
      checkExactReductions($0, of: Float.self) { $0.allReduce($1, $2) }
    },
    Check(description: "sums, maxima and minima of doubles are exact for exact values") {
      checkExactReductions($0, of: Double.self) { $0.allReduce($1, $2) }
    },
    Check(description: "sums across machines are exact for exact values, several at a time") {
      checkSumsAcrossNodes($0)
    },
    Check(description: "ranks of a machine see each other's shared memory") {
      checkSharedMemory($0)
    },
    Check(description: "reduced values have the same bits on all ranks, and when repeated") {
      checkEqualBits($0)
    },
    Check(description: "not-a-number stays one, and zeros keep an order") {
      checkSpecialValues($0)
    },
    Check(description: "every rank can broadcast") { checkBroadcast($0) },
    Check(description: "gathered lengths may differ") { checkAllGather($0) },
    Check(description: "no rank leaves a barrier before the last has come") { checkBarrier($0) },
    Check(description: "all ranks throw what one rank throws") { checkAgreeing($0) },
    Check(description: "ranks that hold different values find out") { checkAgreement($0) },
  ]

  static let sizes = [0, 1, 7, 1000, 100_003]

  private static func checkNumbering(_ communicator: any Communicator) -> [String] {
    let numbers = [
      communicator.rank, communicator.worldSize, communicator.localRank, communicator.localSize,
      communicator.nodeLeader,
    ]
    let all = communicator.allGather(numbers.map(String.init).joined(separator: " "))
      .map { $0.split(separator: " ").compactMap { Int($0) } }
    let neighbours = all.indices.filter { all[$0][4] == communicator.nodeLeader }
    return all.indices.filter { rank in
      all[rank][0] != rank || all[rank][1] != all.count
    }.map { "rank \($0) says \(all[$0])" }
      + (neighbours.enumerated().filter { all[$0.element][2] != $0.offset }.map {
        "rank \($0.element) has local rank \(all[$0.element][2]) instead of \($0.offset)"
      })
      + (neighbours.count == communicator.localSize && neighbours[0] == communicator.nodeLeader
        ? [] : ["the ranks \(neighbours) are on one machine, \(communicator.localSize) expected"])
  }

  /// Two sums at a time, of small whole numbers, where every machine has as many ranks.
  private static func checkSumsAcrossNodes(_ communicator: any Communicator) -> [String] {
    let placement = communicator.findPlacement()
    guard communicator.allReduce(placement.isEven ? 1 : 0, .min) == 1 else { return [] }
    func value(_ node: Int, _ i: Int) -> Float {
      Float((i * 7 + node * 13 + placement.localRank) % 101 - 50)
    }
    var failures: [String] = []
    for size in sizes {
      let buffers = (0..<2).map { part in
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: size)
        for i in 0..<size { buffer[i] = value(placement.nodeIndex, i + part) }
        return buffer
      }
      defer { buffers.forEach { $0.deallocate() } }
      var pending = buffers.map { communicator.startSumAcrossNodes($0) }
      while !pending.isEmpty { pending.removeAll { $0.advance() } }
      for (part, buffer) in buffers.enumerated() {
        let wrong = buffer.indices.first { i in
          buffer[i] != (0..<placement.nodeCount).reduce(0) { $0 + value($1, i + part) }
        }
        if let wrong { failures.append("element \(wrong) of \(size) is \(buffer[wrong])") }
      }
    }
    return failures
  }

  private static func checkSharedMemory(_ communicator: any Communicator) -> [String] {
    // Sizes that differ, one of them none.
    func size(_ localRank: Int) -> Int { localRank * 5000 }
    let memory: SharedMemory
    do {
      memory = try communicator.allocateShared(byteCount: size(communicator.localRank))
    } catch {
      return [error.description]
    }
    var failures: [String] = []
    for (local, segment) in memory.segments.enumerated() {
      if segment.count != size(local) || segment.contains(where: { $0 != 0 }) {
        failures.append("segment \(local) has \(segment.count) bytes, or not all are zero")
      }
    }
    communicator.nodeBarrier()
    for i in memory.segments[communicator.localRank].indices {
      memory.segments[communicator.localRank][i] = UInt8(truncatingIfNeeded: i + communicator.rank)
    }
    communicator.nodeBarrier()
    for (local, segment) in memory.segments.enumerated() {
      let rank = communicator.nodeLeader + local
      // Ranks of a machine follow each other unless the launcher deals them out.
      if communicator.nodeLeader + communicator.localRank == communicator.rank,
        let wrong = segment.indices.first(where: {
          segment[$0] != UInt8(truncatingIfNeeded: $0 + rank)
        })
      {
        failures.append("byte \(wrong) of segment \(local) is \(segment[wrong])")
      }
    }
    communicator.nodeBarrier()
    return failures
  }

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
      var digests: [String] = []
      for _ in 0..<2 {
        var floats = (0..<size).map { inexact(communicator.rank, $0) }
        var doubles = floats.map { Double($0) / 3 }
        floats.withUnsafeMutableBufferPointer { communicator.allReduce($0, .sum) }
        doubles.withUnsafeMutableBufferPointer { communicator.allReduce($0, .sum) }
        let bits = floats.map { UInt64($0.bitPattern) } + doubles.map(\.bitPattern)
        digests += communicator.allGather(String(digest(bits)))
      }
      if Set(digests).count > 1 { failures.append("sums of \(size) values differ: \(digests)") }
    }
    return failures
  }

  /// A value whose sums round, of a size that changes from element to element.
  private static func inexact(_ rank: Int, _ i: Int) -> Float {
    var bits = UInt64(rank * 1_000_003 + i) &* 0x9E37_79B9_7F4A_7C15
    bits ^= bits >> 29
    return Float(bits % 1_000_003) * 1.1e-6 * Float(1 << (bits % 20)) - 3
  }

  /// The FNV-1a hash over whole words.
  private static func digest(_ words: [UInt64]) -> UInt64 {
    words.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ $1) &* 0x100_0000_01B3 }
  }

  private static func checkSpecialValues(_ communicator: any Communicator) -> [String] {
    let isLast = communicator.rank == communicator.worldSize - 1
    let own = [isLast ? .nan : 1, communicator.isRoot ? 0.0 : -0.0, isLast ? -.infinity : 2]
    var failures: [String] = []
    for operation in ReductionOperation.allCases {
      let result = communicator.allReduce(own, operation)
      let bits = communicator.allGather("\(result.map(\.bitPattern))")
      if !result[0].isNaN { failures.append("\(operation) lost a not-a-number") }
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
          failures.append("\(size) floats from rank \(root) came wrong")
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

  /// Compares clocks, which only ranks of one machine share.
  private static func checkBarrier(_ communicator: any Communicator) -> [String] {
    var failures: [String] = []
    for late in 0..<communicator.worldSize {
      if communicator.rank == late { Thread.sleep(forTimeInterval: 0.01) }
      let came = DispatchTime.now().uptimeNanoseconds
      communicator.barrier()
      let left = DispatchTime.now().uptimeNanoseconds
      let times = communicator.allGather("\(communicator.nodeLeader) \(came)")
        .map { $0.split(separator: " ").compactMap { UInt64($0) } }
      let lastCame = times.filter { $0[0] == communicator.nodeLeader }.map { $0[1] }.max() ?? 0
      if left < lastCame {
        failures.append("left \(lastCame - left) ns before the last of its machine came")
      }
    }
    return failures
  }

  private static func checkAgreeing(_ communicator: any Communicator) -> [String] {
    struct Complaint: ExitStatusProviding, CustomStringConvertible {
      let description: String
      let exitStatus = ExitStatus.badData
    }
    var failures: [String] = []
    for lowest in 0..<communicator.worldSize {
      do {
        try communicator.agreeing {
          if communicator.rank >= lowest { throw Complaint(description: "no \(communicator.rank)") }
        }
        failures.append("rank \(lowest) threw, this one did not")
      } catch let failure as CollectiveFailure {
        let found = (failure.rank, failure.message, failure.exitStatus, failure.worldSize)
        if found != (lowest, "no \(lowest)", .badData, communicator.worldSize) {
          failures.append("rank \(lowest) threw, this one got \(found)")
        }
      } catch {
        failures.append("an error of another type: \(error)")
      }
    }
    let value = try? communicator.agreeing { communicator.rank }
    if value != communicator.rank { failures.append("no rank threw, but the value is lost") }
    return failures
  }

  private static func checkAgreement(_ communicator: any Communicator) -> [String] {
    var failures: [String] = []
    do {
      try AgreementCheck.run(["seed": "1", "": "empty name", "data": ""], on: communicator)
      try AgreementCheck.run([:], on: communicator)
    } catch {
      failures.append("equal values are said to differ: \(error)")
    }
    let seed = communicator.rank == communicator.worldSize - 1 ? "2" : "1"
    let isFound: Bool
    do {
      try AgreementCheck.run(["seed": seed], on: communicator)
      isFound = false
    } catch {
      isFound = true
    }
    if isFound != (communicator.worldSize > 1) {
      failures.append("a different value was not found")
    }
    return failures
  }
}
