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

  /// The phases of an algorithm; nil for one without a plan, or where messages of one round between two ranks
  /// arrive in several.
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
    func ownPhases(_ rank: Int) -> [Phase] { rounds(of: rank).map { Self.phase($0, count) } }
    // Ranks of which at least two differ in all algorithms whose ranks differ.
    let samples = Set([0, 1, nodes / 2, nodes - 1]).sorted().map { ($0, ownPhases($0)) }
    if samples.allSatisfy({ Self.areAlike($0.1, samples[0].1) }) {
      (phases, isSymmetric) = (samples[0].1, true)
      return
    }
    isSymmetric = false
    let groups =
      [0]
      + zip(samples, samples.dropFirst()).flatMap {
        Self.starts(between: $0, and: $1, ownPhases)
      }
    guard
      let found = Self.phases(groups, nodes, count, rounds)
        ?? Self.phases(Array(0..<nodes), nodes, count, rounds)
    else { return nil }
    phases = found
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

  /// The ranks up to the second one at which a group of ranks that are alike begins; between two ranks that
  /// are alike all are.
  private static func starts(
    between first: (rank: Int, phases: [Phase]), and second: (rank: Int, phases: [Phase]),
    _ phases: (Int) -> [Phase]
  ) -> [Int] {
    if areAlike(first.phases, second.phases) { return [] }
    if second.rank == first.rank + 1 { return [second.rank] }
    let middle = (first.rank + second.rank) / 2
    let between = (rank: middle, phases: phases(middle))
    return starts(between: first, and: between, phases)
      + starts(between: between, and: second, phases)
  }

  /// The phases of ranks that do not all do the same: a message belongs to the earliest phase in which
  /// both of its ranks can take part.
  ///
  /// The first rank of each group stands for all of it: thousands of ranks have millions of messages.
  ///
  /// - Parameters:
  ///   - groups: The first ranks of groups of ranks that are alike.
  ///   - nodes: The number of ranks.
  ///   - count: The elements of the buffer.
  ///   - rounds: The rounds of a rank.
  /// - Returns: Nil if the ranks of a group differ, or the first ones do not tell in which round of its target
  ///   a message arrives.
  private static func phases(
    _ groups: [Int], _ nodes: Int, _ count: Int, _ rounds: (Int) -> [AllReduceRound]
  ) -> [Phase]? {
    struct Route: Hashable { let source, target: Int }
    /// What one rank of a group sends to another group, or receives from it, in one round.
    struct Part {
      let round: Int
      var messages: Int
      var share: Double
    }
    let plans = groups.map(rounds)
    let sizes = zip(groups.dropFirst() + [nodes], groups).map { $0 - $1 }
    let groupOfRank = sizes.enumerated().flatMap { Array(repeating: $0, count: $1) }
    var sends: [Route: [Part]] = [:]
    var receives: [Route: [Part]] = [:]
    for (group, rounds) in plans.enumerated() {
      for (index, round) in rounds.enumerated() {
        func note(_ transfer: AllReduceRound.Transfer, _ parts: inout [Part]) {
          let share = Double(transfer.elements.count) / Double(count)
          if let last = parts.indices.last, parts[last].round == index {
            parts[last].messages += 1
            parts[last].share += share
          } else {
            parts.append(Part(round: index, messages: 1, share: share))
          }
        }
        for transfer in round.sends {
          let route = Route(source: group, target: groupOfRank[transfer.peer])
          note(transfer, &sends[route, default: []])
        }
        for transfer in round.receives {
          let route = Route(source: groupOfRank[transfer.peer], target: group)
          note(transfer, &receives[route, default: []])
        }
      }
    }
    // What is sent in the i-th round of a route arrives in the i-th round in which its target receives.
    var links: [(route: Route, sent: Part, received: Part)] = []
    for (route, parts) in sends {
      guard let arriving = receives[route], arriving.count == parts.count,
        zip(parts, arriving).allSatisfy({
          $0.messages * sizes[route.source] == $1.messages * sizes[route.target]
        })
      else { return nil }
      links += zip(parts, arriving).map { (route, $0, $1) }
    }
    /// For each group, the phase in which each of its rounds can begin.
    var starts = plans.map { Array(repeating: 0, count: $0.count + 1) }
    func phase(_ link: (route: Route, sent: Part, received: Part)) -> Int {
      max(
        starts[link.route.source][link.sent.round], starts[link.route.target][link.received.round])
    }
    links.sort { ($0.sent.round, $0.received.round) < ($1.sent.round, $1.received.round) }
    var hasChanged = true
    while hasChanged {
      hasChanged = false
      for link in links {
        let end = phase(link) + 1
        for (group, round) in [
          (link.route.source, link.sent.round), (link.route.target, link.received.round),
        ] {
          for later in round + 1..<starts[group].count {
            let earliest = end + later - round - 1
            // Those after it are late enough too.
            guard starts[group][later] < earliest else { break }
            starts[group][later] = earliest
            hasChanged = true
          }
        }
      }
    }
    struct Node {
      var messages = 0
      var sent = 0.0
      var received = 0.0
      var added = 0.0
    }
    var loads = Array(
      repeating: Array(repeating: Node(), count: groups.count),
      count: starts.map { $0.last! }.max()!)
    for link in links {
      let phase = phase(link)
      let (source, target) = (link.route.source, link.route.target)
      loads[phase][source].messages += link.sent.messages
      loads[phase][source].sent += link.sent.share
      loads[phase][target].received += link.received.share
      if plans[target][link.received.round].adds {
        loads[phase][target].added += link.received.share
      }
    }
    return loads.map { loads in
      Phase(
        messages: loads.map(\.messages).max()!,
        share: loads.map { max($0.sent, $0.received) }.max()!, added: loads.map(\.added).max()!)
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
