import Collectives
import Foundation
import Testing

/// The simplest algorithm: the first rank receives all buffers, one after the other, and sends the sum
/// to all.
extension InterNodeAllReduce {
  fileprivate static let linear = InterNodeAllReduce(name: "linear", addsPairwise: false) {
    rank, size, count in
    let all = 0..<count
    if rank > 0 {
      return AllReducePlan(
        reduceScatter: [AllReduceRound(sends: [.init(0, all)])], owned: count..<count,
        allGather: [AllReduceRound(receives: [.init(0, all)])])
    }
    let others = 1..<max(size, 1)
    return AllReducePlan(
      reduceScatter: others.map { AllReduceRound(receives: [.init($0, all)], adds: true) },
      owned: all, allGather: others.map { AllReduceRound(sends: [.init($0, all)]) })
  }

  /// An algorithm with a state of its own: all ranks send their buffer to all, and add in rank order.
  fileprivate static let everyoneToEveryone = InterNodeAllReduce(
    name: "everyone to everyone", addsPairwise: false
  ) { buffer, ranks, tag in
    EveryoneToEveryone(buffer, ranks, tag)
  }
}

private final class EveryoneToEveryone: PendingReduction {
  private let buffer: UnsafeMutableBufferPointer<Float>
  private let terms: [UnsafeMutableBufferPointer<Float>]
  private var pending: [any PendingMessage] = []
  private var isAdded = false

  init(_ buffer: UnsafeMutableBufferPointer<Float>, _ ranks: any InterNodeCommunicator, _ tag: Int)
  {
    self.buffer = buffer
    terms = (0..<ranks.size).map { _ in .allocate(capacity: buffer.count) }
    _ = terms[ranks.rank].initialize(from: buffer)
    for peer in 0..<ranks.size where peer != ranks.rank {
      pending.append(
        ranks.startReceive(UnsafeMutableRawBufferPointer(terms[peer]), from: peer, tag: tag))
      pending.append(ranks.startSend(UnsafeRawBufferPointer(buffer), to: peer, tag: tag))
    }
  }

  deinit { terms.forEach { $0.deallocate() } }

  func advance() -> Bool {
    pending.removeAll { $0.test() }
    guard pending.isEmpty, !isAdded else { return isAdded }
    for i in buffer.indices { buffer[i] = terms.reduce(0) { $0 + $1[i] } }
    isAdded = true
    return true
  }
}

@Suite("InterNodeAllReduce")
struct InterNodeAllReduceTests {
  private static let algorithms =
    InterNodeAllReduce.all + [.twoLevel(nodesPerSwitch: 3), .linear, .everyoneToEveryone]

  /// What each rank has of the sums of small whole numbers, several sums at a time.
  private func sums(
    _ algorithm: InterNodeAllReduce, nodes: Int, ranksPerNode: Int, count: Int
  ) throws -> [[[Float]]] {
    try withRanks(nodes * ranksPerNode, ranksPerNode: ranksPerNode) { communicator in
      let buffers = (0..<3).map { sum in
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
        for i in 0..<count { buffer[i] = Float(communicator.rank * 100 + i * 3 + sum) }
        return buffer
      }
      defer { buffers.forEach { $0.deallocate() } }
      var pending = buffers.map {
        communicator.acrossNodes.startAllReduce($0, using: algorithm)
      }
      while !pending.isEmpty { pending.removeAll { $0.advance() } }
      return buffers.map { Array($0) }
    }
  }

  @Test(
    "Each algorithm adds up the buffers of equal local rank on any number of nodes",
    arguments: algorithms.indices, 1...9)
  func exactSums(index: Int, nodes: Int) throws {
    let algorithm = Self.algorithms[index]
    for (ranksPerNode, count) in [(1, 0), (1, 1), (2, 5), (1, 1000)] {
      let found = try sums(
        algorithm, nodes: nodes, ranksPerNode: ranksPerNode, count: count)
      for (rank, sums) in found.enumerated() {
        let counterparts = (0..<nodes).map { $0 * ranksPerNode + rank % ranksPerNode }
        for (sum, values) in sums.enumerated() {
          let expected = (0..<count).map { i in
            counterparts.reduce(Float(0)) { $0 + Float($1 * 100 + i * 3 + sum) }
          }
          #expect(values == expected, "\(algorithm.name), rank \(rank), \(count) elements")
        }
      }
    }
  }

  @Test(
    "No rank sends or receives more than 2 (N - 1) / N times the buffer",
    arguments: [
      ("recursive-halving-doubling", [2, 4, 8]), ("recursive-multiplying", Array(2...10)),
      ("ring", Array(2...8)), ("direct", Array(2...8)), ("two-level", Array(2...10)),
    ])
  func volume(name: String, sizes: [Int]) throws {
    for size in sizes {
      let counters = try withRanks(size, ranksPerNode: 1) { communicator in
        let counter = CountingCommunicator(communicator.acrossNodes)
        let algorithm = InterNodeAllReduce.all.first { $0.name == name }!
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: 2520)
        buffer.initialize(repeating: 1)
        defer { buffer.deallocate() }
        let pending = counter.startAllReduce(buffer, using: algorithm)
        while !pending.advance() {}
        return [counter.sentBytes, counter.receivedBytes]
      }
      let expected = 2 * 2520 * 4 * (size - 1) / size
      #expect(counters == Array(repeating: [expected, expected], count: size), "\(size) nodes")
    }
  }

  @Test(
    "Recursive halving and doubling on three nodes, and on one more than a power of two, sends at most twice the buffer",
    arguments: [3, 5, 9, 17])
  func foldedVolume(size: Int) {
    let plans = plans(.recursiveHalvingDoubling, size: size, count: 1600)
    for plan in plans {
      let rounds = plan.reduceScatter + plan.allGather
      for transfers in [rounds.flatMap(\.sends), rounds.flatMap(\.receives)] {
        #expect(transfers.reduce(0) { $0 + $1.elements.count } <= 2 * 1600)
      }
    }
  }

  @Test(
    "Recursive multiplying takes as many rounds as the number of nodes has factors, fours first")
  func roundsOfFactors() {
    let rounds = [2: 1, 3: 1, 4: 1, 6: 2, 7: 1, 8: 2, 9: 2, 12: 2, 16: 2, 25: 2, 30: 3, 1000: 5]
    for (size, count) in rounds {
      let plan = InterNodeAllReduce.recursiveMultiplying.plan!(size - 1, size, 1)
      #expect(plan.reduceScatter.count == count && plan.allGather.count == count, "\(size)")
    }
  }

  @Test("Of the two-level all-reduce, only a node's part of the buffer travels between switches")
  func betweenSwitches() {
    for (size, nodesPerSwitch) in [(6, 3), (8, 2), (12, 4), (9, 3)] {
      let plans = plans(.twoLevel(nodesPerSwitch: nodesPerSwitch), size: size, count: 720)
      for (rank, plan) in plans.enumerated() {
        let switches = size / nodesPerSwitch
        let sent = (plan.reduceScatter + plan.allGather).flatMap(\.sends)
          .filter { $0.peer / nodesPerSwitch != rank / nodesPerSwitch }
        #expect(
          sent.reduce(0) { $0 + $1.elements.count }
            == 2 * 720 / nodesPerSwitch * (switches - 1) / switches,
          "\(size) nodes, \(nodesPerSwitch) at a switch")
      }
    }
  }

  /// The plans of all ranks.
  private func plans(
    _ algorithm: InterNodeAllReduce, size: Int, count: Int
  ) -> [AllReducePlan] {
    (0..<size).map { algorithm.plan!($0, size, count) }
  }

  @Test(
    "The owned parts of all ranks make up the buffer, and the halves make an all-reduce",
    arguments: 1...9)
  func halves(size: Int) throws {
    for index in InterNodeAllReduce.all.indices where InterNodeAllReduce.all[index].plan != nil {
      let count = 100
      let found = try withRanks(size, ranksPerNode: 1) { communicator in
        let (ranks, algorithm) = (communicator.acrossNodes, InterNodeAllReduce.all[index])
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
        defer { buffer.deallocate() }
        for i in 0..<count { buffer[i] = Float(communicator.rank * 100 + i) }
        let sums = ranks.startReduceScatter(buffer, using: algorithm)
        while !sums.advance() {}
        let owned = ranks.owned(of: count, using: algorithm)
        let part = Array(buffer[owned])
        for i in 0..<count where !owned.contains(i) { buffer[i] = .nan }
        let whole = ranks.startAllGather(buffer, using: algorithm)
        while !whole.advance() {}
        return (owned, part, Array(buffer))
      }
      let name = InterNodeAllReduce.all[index].name
      let sums = (0..<count).map { i in
        Float((0..<size).reduce(0) { $0 + $1 * 100 + i })
      }
      #expect(found.flatMap { Array($0.0) }.sorted() == Array(0..<count), "\(name)")
      for (owned, part, whole) in found {
        #expect(part == Array(sums[owned]) && whole == sums, "\(name)")
      }
    }
  }

  @Test(
    "Those that auto may take give the same bits, between any number of nodes", arguments: 2...13)
  func sameBits(nodes: Int) throws {
    let results = try InterNodeAllReduce.all(withSameBitsFor: nodes).map { algorithm in
      try withRanks(nodes, ranksPerNode: 1) { communicator in
        let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: 97)
        defer { buffer.deallocate() }
        // Whose sum depends on the order.
        for i in buffer.indices {
          buffer[i] = Float(sin(Double(100 * communicator.rank + i))) * Float(1 << (3 * (i % 7)))
        }
        let sums = communicator.acrossNodes.startAllReduce(buffer, using: algorithm)
        while !sums.advance() {}
        return Array(buffer)
      }
    }
    #expect(results.count >= 2)
    #expect(Set(results.joined()).count == 1)
  }

  @Test("Every algorithm has a name of its own, and the standard one is in the list")
  func names() {
    #expect(Set(InterNodeAllReduce.all.map(\.name)).count == InterNodeAllReduce.all.count)
    #expect(InterNodeAllReduce.all.contains { $0.name == InterNodeAllReduce.standard.name })
  }
}
