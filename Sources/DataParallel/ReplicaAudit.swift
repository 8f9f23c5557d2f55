public import Base
import CKernels
public import Collectives

/// Weights that must be the same on all ranks, but are not.
public struct ReplicasDiverged: AgreedError, ExitStatusProviding, Equatable,
  CustomStringConvertible
{
  /// The number of updates made.
  public let step: Int
  /// The lowest rank that differs from most; without a majority, the lowest that differs from rank
  /// zero.
  public let rank: Int
  /// The host name of its node.
  public let host: String
  /// The first parameter or buffer in which it differs.
  public let parameter: String
  /// Whether more than half of the replicas agree, so that the others are the wrong ones.
  public let hasMajority: Bool
  /// The number of replicas: of nodes for parameters, of ranks for buffers.
  public let replicas: Int

  /// What happened and what helps.
  public var description: String {
    let what =
      hasMajority
      ? "after step \(step) rank \(rank) on \(host) has other values in '\(parameter)' than most ranks"
      : "after step \(step) rank 0 and rank \(rank) on \(host) have different values in '\(parameter)'; "
        + "\(replicas == 2 ? "two" : String(replicas)) replicas give no majority, so either may be wrong"
    let suspect = hasMajority ? "that node" : "these nodes"
    return """
      \(what); earlier checkpoints are untouched. Unless the program changed the weights on some ranks only, suspect \
      the memory or processor of \(suspect), and resume from a checkpoint without \(hasMajority ? "it" : "them")
      """
  }

  /// The exit code 82.
  public var exitStatus: ExitStatus { .replicasDiverged }
}

/// Compares the weights of all ranks.
enum ReplicaAudit {
  /// Numbers of which there is a replica on every node, or on every rank.
  struct Values {
    let name: String
    let bytes: UnsafeRawBufferPointer
    let isSharedByNode: Bool
  }

  /// Throws on every rank if the bits of any of the values are not the same in all replicas.
  static func run(
    _ values: [Values], step: Int, _ communicator: any Communicator
  ) throws(ReplicasDiverged) {
    let hashes = values.map {
      Activity.advance()
      return ck_hash($0.bytes.baseAddress, $0.bytes.count)
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
      // The lowest rank of each replica.
      let holders =
        named.isSharedByNode ? communicator.topology.nodes.map { $0[0] } : Array(all.indices)
      let groups = Dictionary(grouping: holders) { all[$0][index] }
      guard groups.count > 1 else { continue }
      let largest = groups.values.max { $0.count < $1.count }!
      let hasMajority = 2 * largest.count > holders.count
      let right = hasMajority ? largest : groups.values.first { $0.contains(holders[0]) }!
      let other = holders.first { !right.contains($0) }!
      throw ReplicasDiverged(
        step: step, rank: other, host: hosts[other], parameter: named.name,
        hasMajority: hasMajority, replicas: holders.count)
    }
  }
}
