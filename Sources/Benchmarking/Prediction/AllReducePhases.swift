package import Collectives

/// What an all-reduce algorithm costs on some nodes: phases one after the other, in each of which nodes
/// exchange a part of the buffer.
///
/// They are taken from the algorithm's own rounds, so a new algorithm needs no second description.
package struct AllReducePhases: Sendable, Equatable {
  /// Exchanges that take place at the same time.
  package struct Phase: Sendable, Equatable {
    /// The rounds one after the other of which it consists.
    package var rounds = 1
    /// The most messages that a rank sends.
    package var messages: Int
    /// The most that a node sends or receives, whichever is more, as a share of the buffer.
    package var share: Double
    /// The most that a rank adds up, as a share of the buffer.
    package var added: Double

    package init(rounds: Int = 1, messages: Int, share: Double, added: Double) {
      (self.rounds, self.messages, self.share, self.added) = (rounds, messages, share, added)
    }
  }

  /// The phases.
  package let phases: [Phase]
  /// Whether all ranks do the same in each of their rounds, each of which is then a phase.
  package let isSymmetric: Bool

  /// The phases of an algorithm; nil for one without a plan.
  package init?(_ algorithm: InterNodeAllReduce, nodes: Int) {
    guard let plan = algorithm.plan else { return nil }
    guard nodes > 1 else {
      (phases, isSymmetric) = ([], true)
      return
    }
    // Long enough that it does not matter where parts are rounded to whole elements.
    let count = nodes << 20
    func rounds(of rank: Int) -> [AllReduceRound] {
      let plan = plan(rank, nodes, count)
      return plan.reduceScatter + plan.allGather
    }
    // Ranks of which at least two differ in all algorithms whose ranks differ.
    let samples = Set([0, 1, nodes / 2, nodes - 1]).map { rank in
      rounds(of: rank).map { Self.phase($0, count) }
    }
    if samples.allSatisfy({ Self.areAlike($0, samples[0]) }) {
      (phases, isSymmetric) = (samples[0], true)
    } else {
      phases = Self.phases((0..<nodes).map(rounds), count)
      isSymmetric = false
    }
  }

  private init(_ phases: [Phase], isSymmetric: Bool) {
    (self.phases, self.isSymmetric) = (phases, isSymmetric)
  }

  private static func share(_ transfers: [AllReduceRound.Transfer], _ count: Int) -> Double {
    Double(transfers.reduce(0) { $0 + $1.elements.count }) / Double(count)
  }

  /// The phase in which all ranks do what one rank does in a round.
  private static func phase(_ round: AllReduceRound, _ count: Int) -> Phase {
    let (sent, received) = (share(round.sends, count), share(round.receives, count))
    return Phase(
      messages: round.sends.count, share: max(sent, received), added: round.adds ? received : 0)
  }

  private static func areAlike(_ first: [Phase], _ second: [Phase]) -> Bool {
    first.count == second.count
      && zip(first, second).allSatisfy {
        $0.messages == $1.messages && abs($0.share - $1.share) < 1e-4
          && abs($0.added - $1.added) < 1e-4
      }
  }

  /// The phases of ranks that do not all do the same: a message belongs to the earliest phase in which
  /// both of its ranks can take part.
  private static func phases(_ plans: [[AllReduceRound]], _ count: Int) -> [Phase] {
    struct Route: Hashable { let source, target: Int }
    // The i-th message from one rank to another is the i-th that the other receives from it.
    var sends: [Route: [Int]] = [:]
    var receives: [Route: [Int]] = [:]
    for (rank, rounds) in plans.enumerated() {
      for (index, round) in rounds.enumerated() {
        for transfer in round.sends {
          sends[Route(source: rank, target: transfer.peer), default: []].append(index)
        }
        for transfer in round.receives {
          receives[Route(source: transfer.peer, target: rank), default: []].append(index)
        }
      }
    }
    /// For each rank, the phase in which each of its rounds can begin.
    var starts = plans.map { Array(repeating: 0, count: $0.count + 1) }
    func phase(_ route: Route, _ index: Int) -> Int {
      max(starts[route.source][sends[route]![index]], starts[route.target][receives[route]![index]])
    }
    var hasChanged = true
    while hasChanged {
      hasChanged = false
      for (route, rounds) in sends {
        for index in rounds.indices {
          let end = phase(route, index) + 1
          for (rank, round) in [
            (route.source, rounds[index]), (route.target, receives[route]![index]),
          ] {
            for later in round + 1..<starts[rank].count
            where starts[rank][later] < end + later - round - 1 {
              starts[rank][later] = end + later - round - 1
              hasChanged = true
            }
          }
        }
      }
    }
    let phaseCount = starts.map { $0.last! }.max()!
    struct Node {
      var messages = 0
      var sent = 0.0
      var received = 0.0
      var added = 0.0
    }
    var nodes = Array(
      repeating: Array(repeating: Node(), count: plans.count), count: phaseCount)
    for (route, rounds) in sends {
      for (index, round) in rounds.enumerated() {
        let phase = phase(route, index)
        let transfer = plans[route.source][round].sends.first { $0.peer == route.target }!
        let share = share([transfer], count)
        nodes[phase][route.source].messages += 1
        nodes[phase][route.source].sent += share
        nodes[phase][route.target].received += share
        if plans[route.target][receives[route]![index]].adds {
          nodes[phase][route.target].added += share
        }
      }
    }
    return nodes.map { nodes in
      Phase(
        messages: nodes.map(\.messages).max()!,
        share: nodes.map { max($0.sent, $0.received) }.max()!, added: nodes.map(\.added).max()!)
    }
  }

  /// The same, with neighbouring phases put together where there are more than `limit`: as fast for one
  /// bucket, and quicker to simulate.
  package func merged(to limit: Int) -> AllReducePhases {
    guard phases.count > limit else { return self }
    let merged = (0..<limit).map { index in
      let group = phases[phases.count * index / limit..<phases.count * (index + 1) / limit]
      return group.dropFirst().reduce(group.first!) { sum, phase in
        Phase(
          rounds: sum.rounds + phase.rounds, messages: sum.messages + phase.messages,
          share: sum.share + phase.share, added: sum.added + phase.added)
      }
    }
    return AllReducePhases(merged, isSymmetric: false)
  }
}
