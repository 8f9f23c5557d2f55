import CKernels
public import Base
public import Collectives
import Optimizers

/// Weights that changed between two updates although nothing updated them.
public struct WeightsChanged: AgreedError, ExitStatusProviding, Equatable,
  CustomStringConvertible
{
  /// The number of updates made when it was noticed.
  public let step: Int
  /// The rank that updates these weights.
  public let rank: Int
  /// The host name of its node.
  public let host: String
  /// The parameters among which the change is.
  public let parameters: String

  /// What happened and what helps.
  public var description: String {
    """
    after step \(step) the weights of \(parameters) in the memory of rank \(rank) on \(host) are not those that its \
    last update wrote; they were not saved, and earlier checkpoints are untouched. Unless the program changed \
    weights outside of changeParameters, suspect the memory or processor of that node, and resume without it
    """
  }

  /// The exit code 82.
  public var exitStatus: ExitStatus { .replicasDiverged }
}

/// Notices bits of the weights that flip between two updates, also where all ranks share one copy:
/// sums of the blocks that this rank updates, taken right after a block's update and compared right
/// before the next one, when the block is in the cache.
///
/// Only the weights of every sixteenth step are watched: the second pass over memory takes about as
/// long as the update itself, and in each step that would be several percent of it.
final class WeightChecksums {
  /// The steps between two whose weights are watched.
  private static let interval = 16
  /// The elements that were found to have changed, the first time.
  private(set) var changed: Range<Int>?
  private let arena: ParameterArena
  private var blocks: [(elements: Range<Int>, sum: UInt64)] = []
  private var next = 0
  private var compares = false
  private var records = false
  /// The arena's version after the last update: with another one, the program has changed weights.
  private var version: Int?

  init(_ arena: ParameterArena) {
    self.arena = arena
  }

  /// Begins an update.
  func begin(step: Int) {
    compares = isCurrent && !blocks.isEmpty
    records = step.isMultiple(of: WeightChecksums.interval)
    if !compares { blocks = [] }
    next = 0
  }

  /// Whether the open update must be made block by block, in `during`.
  var isWatching: Bool { compares || records }

  /// Runs `update`, which writes the weights of a block; the blocks of each update are the same.
  func during(_ elements: Range<Int>, _ update: () -> Void) {
    if compares { compare(blocks[next]) }
    next += 1
    update()
    guard records else { return }
    if compares {
      blocks[next - 1].sum = sum(elements)
    } else {
      blocks.append((elements, sum(elements)))
    }
  }

  /// Ends an update.
  func end() {
    if records { version = arena.valuesVersion } else { blocks = [] }
  }

  /// Compares all blocks.
  func compareAll() {
    if isCurrent { blocks.forEach(compare) }
  }

  private var isCurrent: Bool { version == arena.valuesVersion }

  private func compare(_ block: (elements: Range<Int>, sum: UInt64)) {
    if changed == nil, sum(block.elements) != block.sum { changed = block.elements }
  }

  private func sum(_ elements: Range<Int>) -> UInt64 {
    ck_checksum(
      arena.values.baseAddress! + elements.lowerBound,
      elements.count * MemoryLayout<Float>.stride)
  }
}

extension DataParallel {
  /// Throws `WeightsChanged` on all ranks if weights were found on any that no update has written.
  ///
  /// Collective.
  func requireUnchangedWeights() throws {
    let changed = weightChecksums.changed
    let lowest = communicator.allReduce(
      changed == nil ? .infinity : Double(communicator.rank), .min)
    guard lowest < .infinity else { return }
    let names = arena.entries.filter { entry in changed.map(entry.range.overlaps) ?? false }
      .map { "'\($0.name)'" }
    let root = Int(lowest)
    throw WeightsChanged(
      step: stepCount, rank: root, host: communicator.broadcast(hostName(), root: root),
      parameters: communicator.broadcast(names.joined(separator: ", "), root: root))
  }
}
