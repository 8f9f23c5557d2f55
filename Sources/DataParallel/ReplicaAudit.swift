public import Base
import CKernels
public import Collectives

/// Weights that must be the same on all ranks, but are not.
public struct ReplicasDiverged: AgreedError, ExitStatusProviding, Equatable,
  CustomStringConvertible
{
  /// The number of updates made.
  public let step: Int
  /// The lowest rank that differs from most.
  public let rank: Int
  /// The host name of its node.
  public let host: String
  /// The first parameter or buffer in which it differs.
  public let parameter: String

  /// What happened and what helps.
  public var description: String {
    """
    after step \(step) rank \(rank) on \(host) has other values in '\(parameter)' than most ranks; earlier \
    checkpoints are untouched. Unless the program changed the weights on some ranks only, suspect the memory or \
    processor of that node, and resume from a checkpoint without it
    """
  }

  /// The exit code 82.
  public var exitStatus: ExitStatus { .replicasDiverged }
}

/// Compares the weights of all ranks.
enum ReplicaAudit {
  /// Throws on every rank if the bits of any of the named values are not the same on all ranks.
  static func run(
    _ values: [(name: String, values: UnsafeBufferPointer<Float>)], step: Int,
    _ communicator: any Communicator
  ) throws(ReplicasDiverged) {
    let hashes = values.map {
      ck_hash(UnsafeRawPointer($0.values.baseAddress), $0.values.count * 4)
    }
    func gather(_ hashes: [UInt64]) -> [[UInt64]] {
      communicator.allGather(hashes.withUnsafeBytes { Array($0) }).map { bytes in
        bytes.withUnsafeBytes { raw in
          (0..<hashes.count).map { raw.loadUnaligned(fromByteOffset: $0 * 8, as: UInt64.self) }
        }
      }
    }
    let summary = hashes.withUnsafeBytes { ck_hash($0.baseAddress, $0.count) }
    if Set(gather([summary])).count == 1 { return }
    let all = gather(hashes)
    let hosts = communicator.allGather(hostName())
    for (index, named) in values.enumerated() {
      let ranks = Dictionary(grouping: all.indices) { all[$0][index] }
      guard ranks.count > 1 else { continue }
      // If no state is more common than the others, rank zero's is taken for right.
      let common = ranks.values.max { ($0.count, -$0[0]) < ($1.count, -$1[0]) }!
      let other = all.indices.first { !common.contains($0) }!
      throw ReplicasDiverged(step: step, rank: other, host: hosts[other], parameter: named.name)
    }
  }
}
