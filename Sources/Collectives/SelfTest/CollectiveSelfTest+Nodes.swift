// What a communicator promises on a node and between nodes.

extension CollectiveSelfTest {
  static func checkNumbering(_ communicator: any Communicator) -> [String] {
    let (node, acrossNodes) = (communicator.node, communicator.acrossNodes)
    let topology = communicator.topology
    var failures: [String] = []
    func expect(_ name: String, _ found: Int, _ expected: Int) {
      if found != expected { failures.append("\(name) is \(found) instead of \(expected)") }
    }
    let ranks = communicator.allGather(String(communicator.rank))
    if ranks != (0..<communicator.worldSize).map(String.init) {
      failures.append("the ranks are \(ranks)")
    }
    let nodes = communicator.allGather("\(topology.nodes)")
    if Set(nodes).count > 1 { failures.append("ranks see different nodes: \(nodes)") }
    if topology.nodes.joined().sorted() != Array(0..<communicator.worldSize) {
      failures.append("the nodes have the ranks \(topology.nodes)")
    }
    let counterparts = topology.nodes.filter { $0.count > topology.localRank }
    expect("topology.rank", topology.rank, communicator.rank)
    expect("the rank on its node", topology.nodes[topology.nodeIndex][node.rank], communicator.rank)
    expect("node.size", node.size, topology.localSize)
    expect("acrossNodes.size", acrossNodes.size, counterparts.count)
    expect(
      "the rank across nodes", counterparts[acrossNodes.rank][topology.localRank],
      communicator.rank)
    return failures
  }

  static func checkNodeBarrier(_ communicator: any Communicator) -> [String] {
    let largestNode = communicator.topology.nodes.map(\.count).max()!
    return (0..<largestNode).flatMap { late in
      checkBarrier(communicator, isLate: communicator.node.rank == late) {
        communicator.node.barrier()
      }
    }
  }

  static func checkSharedMemory(_ communicator: any Communicator) -> [String] {
    // Sizes that differ, one of them zero.
    func size(_ localRank: Int) -> Int { localRank * 5000 }
    let node = communicator.node
    let ranks = communicator.topology.nodes[communicator.topology.nodeIndex]
    let memory: SharedMemory
    let counter: SharedCounter
    do {
      memory = try node.allocateShared(byteCount: size(node.rank))
      counter = try SharedCounter(node)
    } catch {
      return [error.description]
    }
    var failures: [String] = []
    for (local, segment) in memory.segments.enumerated() {
      if segment.count != size(local) || segment.contains(where: { $0 != 0 }) {
        failures.append("segment \(local) has \(segment.count) bytes, or not all are zero")
      }
    }
    if counter.minimum != 0 { failures.append("a counter starts at \(counter.minimum)") }
    node.barrier()
    for i in memory.segments[node.rank].indices {
      memory.segments[node.rank][i] = UInt8(truncatingIfNeeded: i + communicator.rank)
    }
    counter.set(node.rank + 5)
    node.barrier()
    for (rank, segment) in zip(ranks, memory.segments) {
      if let wrong = segment.indices.first(where: {
        segment[$0] != UInt8(truncatingIfNeeded: $0 + rank)
      }) {
        failures.append("byte \(wrong) of rank \(rank)'s segment is \(segment[wrong])")
      }
    }
    if counter.minimum != 5 { failures.append("the smallest counter is \(counter.minimum)") }
    node.barrier()
    return failures
  }

  /// Every rank sends three messages to each of its counterparts, two of them with the same tag.
  static func checkMessages(_ communicator: any Communicator) -> [String] {
    let ranks = communicator.acrossNodes
    let (twice, once) = (ranks.nextTag(), ranks.nextTag())
    /// What a rank sends in its first, second and third message to another.
    func values(_ message: Int, from source: Int, to destination: Int, _ size: Int) -> [Float] {
      (0..<size + message).map { Float($0 % 1000 + 10 * source + 100 * destination + message) }
    }
    var failures: [String] = []
    for size in sizes {
      var pending: [any PendingMessage] = []
      var buffers: [(peer: Int, message: Int, values: UnsafeMutableBufferPointer<Float>)] = []
      var sent: [UnsafeMutableBufferPointer<Float>] = []
      for peer in 0..<ranks.size where peer != ranks.rank {
        // The message that is sent last is expected first: its tag tells it from the others.
        for (message, tag) in [(2, once), (0, twice), (1, twice)] {
          let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: size + message)
          buffer.initialize(repeating: -1)
          buffers.append((peer, message, buffer))
          pending.append(
            ranks.startReceive(UnsafeMutableRawBufferPointer(buffer), from: peer, tag: tag))
        }
        for (message, tag) in [(0, twice), (1, twice), (2, once)] {
          let own = values(message, from: ranks.rank, to: peer, size)
          let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: own.count)
          _ = buffer.initialize(from: own)
          sent.append(buffer)
          pending.append(ranks.startSend(UnsafeRawBufferPointer(buffer), to: peer, tag: tag))
        }
      }
      while !pending.isEmpty { pending.removeAll { $0.test() } }
      for (peer, message, buffer) in buffers {
        if Array(buffer) != values(message, from: peer, to: ranks.rank, size) {
          failures.append("message \(message) of \(buffer.count) values from node \(peer) is wrong")
        }
        buffer.deallocate()
      }
      sent.forEach { $0.deallocate() }
    }
    return failures
  }

  /// Two sums at a time, of small whole numbers.
  static func checkExactSums(
    _ communicator: any Communicator, by algorithm: InterNodeAllReduce
  ) -> [String] {
    let ranks = communicator.acrossNodes
    func value(_ rank: Int, _ i: Int) -> Float {
      Float((i * 7 + rank * 13 + communicator.node.rank) % 101 - 50)
    }
    var failures: [String] = []
    for size in sizes {
      let buffers = (0..<2).map { offset in
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: size)
        for i in 0..<size { buffer[i] = value(ranks.rank, i + offset) }
        return buffer
      }
      defer { buffers.forEach { $0.deallocate() } }
      var pending = buffers.map { ranks.startAllReduce($0, using: algorithm) }
      while !pending.isEmpty { pending.removeAll { $0.advance() } }
      for (offset, buffer) in buffers.enumerated() {
        let wrong = buffer.indices.first { i in
          buffer[i] != (0..<ranks.size).reduce(0) { $0 + value($1, i + offset) }
        }
        if let wrong { failures.append("element \(wrong) of \(size) is \(buffer[wrong])") }
      }
    }
    return failures
  }

  static func checkEqualSums(
    _ communicator: any Communicator, by algorithm: InterNodeAllReduce, _ wire: WireFormat
  ) -> [String] {
    guard wire == .float32 || algorithm.plan != nil else { return [] }
    let ranks = communicator.acrossNodes
    let size = 1000
    let sums = (0..<2).map { _ in
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: size)
      defer { buffer.deallocate() }
      for i in 0..<size { buffer[i] = inexact(ranks.rank, i) }
      let pending = ranks.startAllReduce(buffer, using: algorithm, wire: wire)
      while !pending.advance() {}
      return Array(buffer)
    }
    var failures: [String] = []
    if sums[0] != sums[1] { failures.append("a repeated sum differs") }
    // Bits of floats, of ranks with as many counterparts: their terms are the same.
    let bits = "\(ranks.size): \(sums[0].map(\.bitPattern))"
    for other in Set(communicator.allGather(bits)) where other != bits {
      if other.hasPrefix("\(ranks.size): ") { failures.append("nodes have different sums") }
    }
    guard wire == .float32, algorithm.addsPairwise, ranks.size.nonzeroBitCount == 1 else {
      return failures
    }
    let isPairwise = (0..<size).allSatisfy { i in
      var terms = (0..<ranks.size).map { inexact($0, i) }
      while terms.count > 1 {
        terms = stride(from: 0, to: terms.count, by: 2).map { terms[$0] + terms[$0 + 1] }
      }
      return terms[0] == sums[0][i]
    }
    if !isPairwise { failures.append("nodes are not added pairwise") }
    return failures
  }
}
