import CKernels
import Collectives
import Optimizers
import TensorCore

/// The inter-node all-reduces of fixed slices that the ranks do not share evenly.
///
/// The slices of a node are several blocks of the fixed tree, whose sums must not be added to each
/// other before their neighbours on other nodes. So each node owns a part of the elements: the others
/// send it their blocks' sums of its part, it completes the tree, and sends the sums to all.
///
/// Of N nodes, one with K blocks sends (K + 1) (N - 1) / N times the elements; K is at most twice the
/// binary logarithm of the number of slices.
final class BlockExchange {
  /// The blocks of each node.
  fileprivate let blocks: [[Range<Int>]]
  fileprivate let node: NodeBlocks
  /// The sums of this node's blocks from those of its ranks, and that of all from those of the nodes.
  fileprivate let nodeSums: [BlockSum]
  fileprivate let wholeSum: BlockSum
  /// This rank's gradients, where sums of all slices go.
  fileprivate let target: ArenaBuffer
  fileprivate let ranks: any InterNodeCommunicator
  /// Memory for what is sent and received, kept for the next all-reduce.
  fileprivate var spare: [UnsafeMutableRawBufferPointer] = []

  init(
    _ slices: BatchSlices, _ node: NodeBlocks, to target: ArenaBuffer,
    _ ranks: any InterNodeCommunicator
  ) {
    self.node = node
    self.target = target
    self.ranks = ranks
    blocks = slices.ofNode.map(BatchSlices.blocks)
    nodeSums = blocks[ranks.rank].map { BlockSum($0, from: node.blocks) }
    wholeSum = BlockSum(0..<slices.count, from: blocks.flatMap { $0 })
  }

  deinit { spare.forEach { $0.deallocate() } }

  /// Starts to replace this rank's gradients in a chunk by the sums over all slices.
  func start(_ chunk: Range<Int>) -> any PendingReduction {
    BlockExchangeUnderWay(self, chunk)
  }
}

/// A `BlockExchange` of one chunk.
private final class BlockExchangeUnderWay: PendingReduction {
  private let exchange: BlockExchange
  private let chunk: Range<Int>
  private let tag: Int
  /// First the sums of this node's blocks, part after part; then those of the other nodes' blocks in
  /// this node's part.
  private let memory: UnsafeMutableRawBufferPointer
  /// The first sum of each block of each node in this node's part.
  private var addends: [UnsafeRawPointer] = []
  private var messages: [any PendingMessage] = []
  private var isSummed = false

  init(_ exchange: BlockExchange, _ chunk: Range<Int>) {
    self.exchange = exchange
    self.chunk = chunk
    let ranks = exchange.ranks
    tag = ranks.nextTag()
    let size = exchange.target.dataType.byteCount
    let ownBlocks = exchange.blocks[ranks.rank].count
    let ownPart = chunk.part(ranks.rank, of: ranks.size)
    let received = exchange.blocks.reduce(-ownBlocks) { $0 + $1.count } * ownPart.count
    let byteCount = (ownBlocks * chunk.count + received) * size
    if let index = exchange.spare.firstIndex(where: { $0.count >= byteCount }) {
      memory = exchange.spare.remove(at: index)
    } else {
      memory = .allocate(byteCount: byteCount, alignment: 64)
    }

    var free = memory.baseAddress!
    /// Memory for the sums of some blocks in a part.
    func take(_ part: Range<Int>, blocks: Int) -> UnsafeMutableRawBufferPointer {
      defer { free += part.count * blocks * size }
      return UnsafeMutableRawBufferPointer(start: free, count: part.count * blocks * size)
    }
    let outgoing = (0..<ranks.size).map { peer in
      let part = chunk.part(peer, of: ranks.size)
      let sums = take(part, blocks: ownBlocks)
      for (block, sum) in exchange.nodeSums.enumerated() {
        sum.write(
          exchange.target.kernelType, to: sums.baseAddress! + block * part.count * size,
          from: exchange.node.addends(at: part.lowerBound), count: part.count)
      }
      return sums
    }
    for peer in 0..<ranks.size {
      let blocks = exchange.blocks[peer].count
      let sums = peer == ranks.rank ? outgoing[peer] : take(ownPart, blocks: blocks)
      addends += (0..<blocks).map {
        UnsafeRawPointer(sums.baseAddress! + $0 * ownPart.count * size)
      }
      if peer != ranks.rank { receive(sums, from: peer) }
    }
    for peer in others { send(outgoing[peer], to: peer) }
  }

  deinit { exchange.spare.append(memory) }

  /// The other nodes, beginning with another one on each node.
  private var others: [Int] {
    let ranks = exchange.ranks
    return (1..<max(ranks.size, 1)).map { (ranks.rank + $0) % ranks.size }
  }

  private func receive(_ bytes: UnsafeMutableRawBufferPointer, from peer: Int) {
    guard !bytes.isEmpty else { return }
    messages.append(exchange.ranks.startReceive(bytes, from: peer, tag: tag))
  }

  private func send(_ bytes: UnsafeMutableRawBufferPointer, to peer: Int) {
    guard !bytes.isEmpty else { return }
    messages.append(
      exchange.ranks.startSend(UnsafeRawBufferPointer(bytes), to: peer, tag: tag))
  }

  func advance() -> Bool {
    messages.removeAll { $0.test() }
    guard messages.isEmpty else { return false }
    if isSummed { return true }
    isSummed = true
    let ranks = exchange.ranks
    func sums(ofPart rank: Int) -> UnsafeMutableRawBufferPointer {
      exchange.target[chunk.part(rank, of: ranks.size)].bytes
    }
    let own = chunk.part(ranks.rank, of: ranks.size)
    exchange.wholeSum.write(
      exchange.target.kernelType, to: exchange.target.pointer(at: own.lowerBound), from: addends,
      count: own.count)
    for peer in others { receive(sums(ofPart: peer), from: peer) }
    for peer in others { send(sums(ofPart: ranks.rank), to: peer) }
    return messages.isEmpty
  }
}

extension Range<Int> {
  /// One of several parts of about the same length.
  fileprivate func part(_ index: Int, of parts: Int) -> Range<Int> {
    lowerBound + count * index / parts..<lowerBound + count * (index + 1) / parts
  }
}
