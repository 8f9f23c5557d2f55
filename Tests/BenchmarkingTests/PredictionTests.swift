import Benchmarking
import Collectives
import Foundation
import TensorCore
import Testing

private func isClose(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * abs(b) + 1e-9 }

@Suite("Phases of all-reduces")
struct AllReducePhasesTests {
  @Test("a ring has 2 (N - 1) rounds in which each node sends 1 / N", arguments: [2, 3, 8, 1000])
  func ring(nodes: Int) throws {
    let phases = try #require(AllReducePhases(.ring, nodes: nodes))
    #expect(phases.isSymmetric)
    #expect(phases.phases.count == 2 * (nodes - 1))
    #expect(phases.phases.allSatisfy { isClose($0.share, 1 / Double(nodes)) && $0.messages == 1 })
    #expect(isClose(phases.phases.reduce(0) { $0 + $1.added }, Double(nodes - 1) / Double(nodes)))
  }

  @Test("recursive halving and doubling has 2 log2(N) rounds of a half, a quarter, ...")
  func halving() throws {
    let phases = try #require(AllReducePhases(.recursiveHalvingDoubling, nodes: 8))
    #expect(phases.isSymmetric)
    #expect(phases.phases.map(\.share) == [0.5, 0.25, 0.125, 0.125, 0.25, 0.5])
    #expect(phases.phases.map(\.added) == [0.5, 0.25, 0.125, 0, 0, 0])
  }

  @Test("with another number of nodes more of the buffer travels")
  func fold() throws {
    for (nodes, shares) in [3: [1, 1], 6: [0.5, 1, 1, 0.5]] {
      let phases = try #require(AllReducePhases(.recursiveHalvingDoubling, nodes: nodes))
      #expect(!phases.isSymmetric)
      #expect(phases.phases.map(\.share) == shares, "\(nodes) nodes")
    }
  }

  @Test("thousands of nodes that are no power of two have the phases of few, found as fast")
  func manyNodes() throws {
    // 2,048 nodes halve; 952 send each of them its part, and receive the sums, in the middle.
    let clock = ContinuousClock()
    var found: AllReducePhases?
    let time = clock.measure {
      found = AllReducePhases(.recursiveHalvingDoubling, nodes: 3000)
    }
    let phases = try #require(found)
    #expect(!phases.isSymmetric)
    let halves = (1...10).map { 1 / Double(1 << $0) }
    let expected = halves + [1, 1] + halves.reversed()
    #expect(
      phases.phases.count == expected.count
        && zip(phases.phases, expected).allSatisfy { isClose($0.share, $1) })
    #expect(phases.phases.map(\.messages).max() == 2048)
    // One by one they take some minutes in a debug build.
    #expect(time < .seconds(60))
  }

  @Test("ranks that are alike stand for each other, and give what all of them give")
  func groups() throws {
    for nodes in [3, 5, 6, 7, 11, 23, 37] {
      let algorithm = InterNodeAllReduce.recursiveHalvingDoubling
      let plan = try #require(algorithm.plan)
      // The same with the ranks in an order in which few neighbours are alike.
      let step = try #require((nodes / 2 + 1..<nodes).first { gcd($0, nodes) == 1 })
      let number = (0..<nodes).map { $0 * step % nodes }
      let rank = (0..<nodes).map { new in number.firstIndex(of: new)! }
      let shuffled = InterNodeAllReduce(name: "shuffled", addsPairwise: false) { new, size, count in
        var plan = plan(rank[new], size, count)
        func rename(_ rounds: inout [AllReduceRound]) {
          for index in rounds.indices {
            for i in rounds[index].sends.indices {
              rounds[index].sends[i].peer = number[rounds[index].sends[i].peer]
            }
            for i in rounds[index].receives.indices {
              rounds[index].receives[i].peer = number[rounds[index].receives[i].peer]
            }
          }
        }
        rename(&plan.reduceScatter)
        rename(&plan.allGather)
        return plan
      }
      let one = try #require(AllReducePhases(shuffled, nodes: nodes))
      #expect(!one.isSymmetric)
      let expected = one.phases
      let found = try #require(AllReducePhases(algorithm, nodes: nodes)).phases
      #expect(found.count == expected.count, "\(nodes) nodes")
      for (a, b) in zip(found, expected) {
        #expect(a.messages == b.messages && a.rounds == b.rounds, "\(nodes) nodes")
        #expect(abs(a.share - b.share) < 1e-5 && abs(a.added - b.added) < 1e-5, "\(nodes) nodes")
      }
    }
  }

  private func gcd(_ a: Int, _ b: Int) -> Int { b == 0 ? a : gcd(b, a % b) }

  @Test("a direct exchange has two rounds of N - 1 messages")
  func direct() throws {
    let phases = try #require(AllReducePhases(.direct, nodes: 5))
    #expect(phases.phases.count == 2)
    #expect(phases.phases.allSatisfy { $0.messages == 4 && isClose($0.share, 0.8) })
    #expect(isClose(phases.phases[0].added, 0.8) && phases.phases[1].added == 0)
  }

  @Test("no algorithm sends less than the limit, 2 (N - 1) / N of the buffer")
  func limit() throws {
    for algorithm in InterNodeAllReduce.all where algorithm.plan != nil {
      for nodes in 1...9 {
        let phases = try #require(AllReducePhases(algorithm, nodes: nodes)).phases
        let share = phases.reduce(0) { $0 + $1.share }
        let limit = 2 * Double(nodes - 1) / Double(nodes)
        #expect(share > limit - 1e-4, "\(algorithm.name) on \(nodes) nodes")
        #expect(share < limit + 2.01, "\(algorithm.name) on \(nodes) nodes")
      }
    }
  }

  @Test("ranks that differ only in the middle are told apart, and one slow rank is what counts")
  func different() throws {
    // Pairs exchange the buffer; rank 2 of four sends it a second time.
    let uneven = InterNodeAllReduce(name: "uneven", addsPairwise: false) { rank, _, count in
      let peer = rank ^ 1
      var rounds = [
        AllReduceRound(sends: [.init(peer, 0..<count)], receives: [.init(peer, 0..<count)])
      ]
      if rank == 2 { rounds.append(AllReduceRound(sends: [.init(3, 0..<count)])) }
      if rank == 3 { rounds.append(AllReduceRound(receives: [.init(2, 0..<count)])) }
      return AllReducePlan(reduceScatter: rounds, owned: 0..<count, allGather: [])
    }
    let phases = try #require(AllReducePhases(uneven, nodes: 4))
    #expect(!phases.isSymmetric)
    #expect(phases.phases.map(\.share) == [1, 1])
  }

  @Test("neighbouring phases are put together without losing anything")
  func merged() throws {
    let phases = try #require(AllReducePhases(.ring, nodes: 100))
    let merged = phases.merged(to: 7)
    #expect(merged.phases.count == 7)
    #expect(merged.phases.reduce(0) { $0 + $1.rounds } == 198)
    #expect(isClose(merged.phases.reduce(0) { $0 + $1.share }, 1.98))
    #expect(phases.merged(to: 1000) == phases)
  }

  @Test("an algorithm without a plan has no phases")
  func noPlan() {
    let unknown = InterNodeAllReduce(
      name: "unknown", addsPairwise: false,
      start: { _, _, _ in preconditionFailure("this test starts no all-reduce") })
    #expect(AllReducePhases(unknown, nodes: 4) == nil)
  }
}

@Suite("Queue of buckets")
struct BucketQueueTests {
  private let network = NetworkModel(latency: 1e-3, bandwidth: 1e6)

  private func queue(
    _ buckets: [BucketQueue.Bucket], compute: Double, _ algorithm: InterNodeAllReduce = .ring,
    nodes: Int = 4, over network: NetworkModel? = nil, sumSeconds: Double = 0
  ) throws -> BucketQueue {
    BucketQueue(
      buckets, compute: compute, agreement: 0,
      phases: try #require(AllReducePhases(algorithm, nodes: nodes)), network ?? self.network,
      sumSeconds: sumSeconds)
  }

  @Test("one bucket takes 2 (N - 1) (latency + bytes / (N bandwidth)) with a ring")
  func ring() throws {
    let queue = try queue([.init(bytes: 4e6, final: 1, update: 0.5)], compute: 1)
    #expect(isClose(queue.exposed, 6 * (1e-3 + 1)))
    #expect(isClose(queue.step, 1 + 6 * (1e-3 + 1) + 0.5))
  }

  @Test("and 2 log2(N) latencies with recursive halving and doubling")
  func halving() throws {
    let queue = try queue(
      [.init(bytes: 4e6, final: 1, update: 0)], compute: 1, .recursiveHalvingDoubling)
    #expect(isClose(queue.exposed, 4e-3 + 6))
  }

  @Test("further messages of a round take their own time")
  func messages() throws {
    let network = NetworkModel(latency: 1e-3, bandwidth: 1e6, perMessage: 1e-2)
    let queue = try queue(
      [.init(bytes: 0, final: 0, update: 0)], compute: 0, .direct, over: network)
    #expect(isClose(queue.step, 2 * (1e-3 + 2e-2)))
  }

  @Test("what has arrived is added up before it is sent on, one bucket after the other")
  func sums() throws {
    // Two buckets arrive at the same time, three quarters of each; a second for a megabyte.
    let bucket = BucketQueue.Bucket(bytes: 1e6, final: 0, update: 0)
    let network = NetworkModel(latency: 0, bandwidth: 1e30)
    let one = try queue([bucket], compute: 0, .direct, over: network, sumSeconds: 1e-6)
    #expect(isClose(one.step, 0.75))
    let two = try queue([bucket, bucket], compute: 0, .direct, over: network, sumSeconds: 1e-6)
    #expect(isClose(two.step, 1.5))
  }

  @Test("all but the last bucket hide behind long computation")
  func hidden() throws {
    let buckets = (1...4).map {
      BucketQueue.Bucket(bytes: 4000, final: 0.25 * Double($0), update: 1e-4)
    }
    let queue = try queue(buckets, compute: 1)
    let last = 6 * (1e-3 + 1e-3)
    // The update of three buckets takes place meanwhile.
    #expect(isClose(queue.exposed, last - 3e-4))
    #expect(isClose(queue.step, 1 + last + 1e-4))
  }

  @Test("buckets that are under way at the same time share the link")
  func sharing() throws {
    let bucket = BucketQueue.Bucket(bytes: 1e6, final: 0, update: 0)
    let network = NetworkModel(latency: 0, bandwidth: 1e6)
    let together = try queue([bucket, bucket], compute: 0, over: network)
    #expect(isClose(together.step, 3))
    // The first has half of the link from 0.5 on: both end when two whole buckets have travelled.
    let later = try queue(
      [bucket, .init(bytes: 1e6, final: 0.5, update: 0)], compute: 0, over: network)
    #expect(isClose(later.step, 3))
    let end = try #require(later.events.first { $0.bucket == 0 && $0.phase == 6 })
    #expect(isClose(end.time, 2.5))
  }

  @Test("messages slow down computation, and computation messages, while both are under way")
  func contention() throws {
    let network = NetworkModel(
      latency: 0, bandwidth: 1e6, contention: .init(bandwidth: 0.5e6, computeSpeed: 0.8))
    // Two nodes exchange half a megabyte twice: 2 s while they compute, in which 1.6 s of 2 are computed.
    let hidden = try queue(
      [.init(bytes: 1e6, final: 0, update: 0)], compute: 2, nodes: 2, over: network)
    #expect(isClose(hidden.step, 2.4))
    #expect(hidden.exposed == 0)
    // Of 1 s of computation 0.2 remain when the second bucket is final after 1 s, and take 0.25 s: in
    // 1.25 s 0.625 MB have arrived, and the rest of 1 MB follows at full speed.
    let both = try queue(
      [.init(bytes: 1e6, final: 0, update: 0), .init(bytes: 0, final: 0.8, update: 0)], compute: 1,
      nodes: 2, over: network)
    #expect(isClose(both.step, 1.25 + 0.375))
    #expect(isClose(both.exposed, 0.375))
  }

  @Test("events are in order, and every bucket goes through all phases")
  func events() throws {
    let buckets = (0..<5).map {
      BucketQueue.Bucket(bytes: 1000 * Double($0 + 1), final: 1e-3 * Double($0), update: 0)
    }
    let events = try queue(buckets, compute: 0.01).events
    #expect(zip(events, events.dropFirst()).allSatisfy { $0.time <= $1.time })
    for bucket in buckets.indices {
      #expect(events.filter { $0.bucket == bucket }.map(\.phase) == Array(0...6))
    }
  }

  @Test("one node waits for nothing")
  func oneNode() throws {
    let queue = try queue([.init(bytes: 1e9, final: 2, update: 1)], compute: 2, nodes: 1)
    #expect(queue.step == 3 && queue.exposed == 0)
  }
}

@Suite("Timeline of a step")
struct StepTimelineTests {
  private let timeline = StepTimeline(
    batch: 8, gradients: [.init(end: 16384, final: 0.5), .init(end: 65536, final: 1)],
    compute: [1, 2, 3, 4, 5], update: 0.4)

  @Test("a bucket is final when all gradients are of which it has elements")
  func buckets() {
    let buckets = timeline.buckets(bytes: 65536, ranksPerNode: 1, compute: 10, sumRate: 1)
    #expect(buckets.map(\.bytes) == [65536, 65536, 65536, 65536])
    #expect(buckets.map(\.final) == [5, 10, 10, 10])
    #expect(buckets.allSatisfy { isClose($0.update, 0.1) })
    let whole = timeline.buckets(bytes: 0, ranksPerNode: 1, compute: 10, sumRate: 1)
    #expect(whole == [.init(bytes: 262144, final: 10, update: 0.4)])
  }

  @Test("the ranks of a node add up its gradients first, and share the update")
  func ranksPerNode() {
    let buckets = timeline.buckets(bytes: 0, ranksPerNode: 4, compute: 10, sumRate: 1_048_576)
    // Each reads a quarter of four buffers, and writes one.
    #expect(buckets == [.init(bytes: 262144, final: 10.3125, update: 0.1)])
  }

  @Test("the slowest of many ranks takes as long as the longest steps")
  func slowest() {
    #expect(timeline.computeSeconds(ranks: 1, varies: true) == 3)
    #expect(isClose(timeline.computeSeconds(ranks: 2, varies: true), 1 + 4 * 0.5.squareRoot()))
    #expect(timeline.computeSeconds(ranks: 1000, varies: true) > 4.99)
    #expect(timeline.computeSeconds(ranks: 1000, varies: false) == 3)
    // Four ranks were measured at the same time: the slowest of eight is that of two such groups.
    var group = timeline
    group.ranks = 4
    #expect(group.computeSeconds(ranks: 4, varies: true) == 3)
    #expect(
      group.computeSeconds(ranks: 8, varies: true)
        == timeline.computeSeconds(ranks: 2, varies: true))
  }

  @Test("a batch between two that were measured")
  func interpolated() {
    var small = timeline
    (small.batch, small.compute, small.update) = (4, [1, 1, 1, 1, 1], 0.2)
    small.gradients[0].final = 0.7
    let profile = ScalingProfile(workload: "w", sumRate: 1, timelines: [timeline, small])
    #expect(profile.timeline(batch: 8) == timeline)
    #expect(profile.timeline(batch: 4) == small)
    let middle = profile.timeline(batch: 5)
    #expect(middle.batch == 5 && middle.compute == [1, 1.25, 1.5, 1.75, 2])
    #expect(isClose(middle.update, 0.25) && isClose(middle.gradients[0].final, 0.65))
  }

  @Test("measured: gradients become final one after the other, within the compute time")
  func measured() throws {
    let workload = try #require(Workload.all.first { $0.name == "mlp-tiny" })
    let profiles = try withRanks(2) { communicator in
      try ScalingProfile(
        workload, smallerBatches: true, precision: .float32, threads: 1, seconds: 0.05, communicator
      )
    }
    #expect(profiles.map(\.fault) == [nil, nil])
    #expect(profiles[0].timelines.map(\.batch) == [32, 16, 8, 4, 2, 1])
    let timeline = profiles[0].timelines[0]
    #expect(timeline.ranks == 2 && timeline.gradients.count == 4)
    let finals = timeline.gradients.map(\.final)
    #expect(finals.allSatisfy { $0 > 0 && $0 <= 1 })
    // Those of the last layer come first.
    #expect(max(finals[0], finals[1]) < min(finals[2], finals[3]))
    #expect(timeline.compute == timeline.compute.sorted() && timeline.compute[0] > 0)
    #expect(timeline.update > 0 && timeline.agreementBytes == 96 && timeline.statisticsBytes == 0)
  }

  @Test("a profile that no measurement can give is refused")
  func faults() {
    let good = ScalingProfile(workload: "w", sumRate: 1, timelines: [timeline])
    #expect(good.fault == nil)
    func fault(_ change: (inout ScalingProfile) -> Void) -> String? {
      var profile = good
      change(&profile)
      return profile.fault
    }
    #expect(fault { $0.sumRate = 0 } != nil)
    #expect(fault { $0.timelines = [] } != nil)
    #expect(fault { $0.timelines[0].batch = 0 } != nil)
    #expect(fault { $0.timelines.append(timeline) } != nil)
    #expect(fault { $0.timelines[0].gradients = [] } != nil)
    #expect(fault { $0.timelines[0].gradients[1].end = 7 } != nil)
    #expect(fault { $0.timelines[0].gradients[1].final = 1.5 } != nil)
    #expect(fault { $0.timelines[0].compute = [] } != nil)
    #expect(fault { $0.timelines[0].update = -1 } != nil)
    #expect(fault { $0.timelines[0].agreementBytes = -1 } != nil)
  }
}

@Suite("Measured network")
struct NetworkModelTests {
  @Test("messages between threads take time", arguments: [1, 2])
  func measured(ranksPerNode: Int) throws {
    let networks = try withRanks(2 * ranksPerNode, ranksPerNode: ranksPerNode) { communicator in
      try NetworkModel.measure(seconds: 0.1, communicator) { usleep(2000) }
    }
    #expect(networks.allSatisfy { $0.latency > 0 && $0.bandwidth > 1e5 && $0.perMessage >= 0 })
    for contention in networks.map(\.contention) {
      let contention = try #require(contention)
      #expect(contention.bandwidth > 1e5 && contention.bandwidth <= networks[0].bandwidth)
      // Sleeping needs no core.
      #expect(contention.computeSpeed > 0.1 && contention.computeSpeed <= 1)
    }
  }

  @Test("a small all-reduce takes a latency for each doubling")
  func small() {
    let network = NetworkModel(latency: 1, bandwidth: 1000)
    #expect(network.smallAllReduce(bytes: 1000, nodes: 1) == 0)
    #expect(isClose(network.smallAllReduce(bytes: 1000, nodes: 8), 6))
    #expect(isClose(network.smallAllReduce(bytes: 0, nodes: 8), 0))
    #expect(isClose(network.smallAllReduce(bytes: 10_000, nodes: 8), 6 + 2 * 10 * 7 / 8))
  }
}

@Suite("Prediction")
struct ScalingPredictionTests {
  private let profile = ScalingProfile(
    workload: "mlp", sumRate: 1e30,
    timelines: [
      StepTimeline(
        batch: 32, gradients: (1...8).map { .init(end: $0 << 18, final: 0.6 + 0.05 * Double($0)) },
        compute: [0.032], update: 0.004),
      StepTimeline(
        batch: 1, gradients: (1...8).map { .init(end: $0 << 18, final: 0.6 + 0.05 * Double($0)) },
        compute: [0.001], update: 0.004),
    ])
  private let choice = ScalingPrediction.Choice(algorithm: "ring", bucketMegabytes: 0.5)

  @Test("without cost the efficiency is 1, but for the update of each node in strong scaling")
  func perfect() {
    let network = NetworkModel(latency: 0, bandwidth: 1e30)
    let prediction = ScalingPrediction(
      profile, network, nodes: [1, 2, 32, 64], configured: choice)
    // A batch of 32 is for 32 ranks at most.
    #expect(prediction.points.map(\.nodes) == [1, 2, 32, 64, 1, 2, 32])
    for point in prediction.points {
      let step = (point.scaling == .weak ? 0.032 : 0.032 / Double(point.nodes)) + 0.004
      #expect(isClose(point.configured.seconds, step), "\(point.scaling), \(point.nodes) nodes")
      #expect(point.configured.exposed == 0)
      let perfect = point.scaling == .weak ? 1 : 0.036 / (Double(point.nodes) * step)
      #expect(isClose(point.efficiency(point.configured), perfect))
      // Nothing is better, so what is configured is best.
      #expect(point.best == point.configured)
    }
  }

  @Test("a batch that ranks cannot share evenly is that of the rank with most samples")
  func uneven() {
    let prediction = ScalingPrediction(
      profile, NetworkModel(latency: 0, bandwidth: 1e30), nodes: [3], ranksPerNode: 3,
      scalings: [.strong], configured: choice)
    #expect(prediction.points.map(\.batch) == [4])
    #expect(prediction.points.map(\.ranks) == [9])
    #expect(prediction.points[0].globalBatch == 32)
  }

  @Test("a slow start of messages favours few of them, and the best step is the shortest")
  func best() throws {
    let prediction = ScalingPrediction(
      profile, NetworkModel(latency: 5e-3, bandwidth: 1e9), nodes: [64], scalings: [.weak],
      configured: choice)
    let point = try #require(prediction.points.first)
    #expect(point.best.seconds == point.steps.map(\.seconds).min())
    #expect(["direct", "recursive-multiplying"].contains(point.best.choice.algorithm))
    let names = InterNodeAllReduce.all.filter { $0.plan != nil }.map(\.name)
    #expect(Set(point.steps.map(\.choice.algorithm)) == Set(names))
    #expect(point.steps.count == names.count * ScalingPrediction.bucketSizes.count)
  }

  @Test("another bucket size than those that are tried is tried as well")
  func ownBucket() throws {
    let own = ScalingPrediction.Choice(algorithm: "ring", bucketMegabytes: 0)
    let prediction = ScalingPrediction(
      profile, NetworkModel(latency: 0, bandwidth: 1e9), nodes: [2], scalings: [.weak],
      configured: own)
    let point = try #require(prediction.points.first)
    #expect(point.configured.choice == own)
    // All gradients at once, while the ranks agree, for which two losses travel, and then alone.
    let bytes = Double(8 << 20)
    #expect(isClose(point.configured.exposed, (bytes - 16) / 1e9))
    #expect(isClose(point.configured.seconds, 0.036 + bytes / 1e9))
  }

  @Test("the ranks of a node share its link")
  func ranksPerNode() throws {
    let network = NetworkModel(latency: 0, bandwidth: 1e8)
    func exposed(_ ranks: Int) throws -> Double {
      let prediction = ScalingPrediction(
        profile, network, nodes: [4], ranksPerNode: ranks, scalings: [.weak], configured: choice)
      return try #require(prediction.points.first).configured.exposed
    }
    // The node sends as much; only the update, which hides some of it, is shorter.
    #expect(abs(try exposed(1) - exposed(4)) < 0.004)
  }
}

@Suite("Trace for SimGrid")
struct SMPITraceTests {
  private func trace(nodes: Int, _ algorithm: InterNodeAllReduce) throws -> SMPITrace? {
    let profile = ScalingProfile(
      workload: "mlp", sumRate: 1e9,
      timelines: [
        StepTimeline(
          batch: 4, gradients: [.init(end: 100_000, final: 0.5), .init(end: 300_000, final: 1)],
          compute: [0.25], update: 0.125, agreementBytes: 96, statisticsBytes: 40)
      ])
    let prediction = ScalingPrediction(
      profile, NetworkModel(latency: 1e-4, bandwidth: 1e8), nodes: [nodes], scalings: [.weak],
      configured: .init(algorithm: algorithm.name, bucketMegabytes: 0.5))
    return SMPITrace(prediction, try #require(prediction.points.first), algorithm)
  }

  @Test("every message that is sent is received and waited for", arguments: [2, 3, 5, 8])
  func messages(nodes: Int) throws {
    for algorithm in [InterNodeAllReduce.ring, .direct, .recursiveHalvingDoubling] {
      guard let trace = try trace(nodes: nodes, algorithm) else {
        #expect(algorithm.name == "recursive-halving-doubling" && ![2, 8].contains(nodes))
        continue
      }
      var sent: [String: Int] = [:]
      var received: [String: Int] = [:]
      var waits: [String: Int] = [:]
      var computed = Array(repeating: 0.0, count: 2 * nodes)
      for line in trace.text.split(separator: "\n") {
        let words = line.split(separator: " ").map(String.init)
        let (process, action) = (words[0], words[1])
        switch action {
        case "isend", "send":
          sent["\(process) \(words[2]) \(words[3]) \(words[4])", default: 0] += 1
        case "irecv", "recv":
          received["\(words[2]) \(process) \(words[3]) \(words[4])", default: 0] += 1
        case "wait": waits["\(words[2]) \(words[3]) \(words[4])", default: 0] += 1
        case "compute": computed[Int(process)!] += Double(words[2])! / SMPITrace.speed
        default: #expect(["init", "finalize"].contains(action))
        }
        if action == "isend" || action == "irecv" {
          let route = action == "isend" ? "\(process) \(words[2])" : "\(words[2]) \(process)"
          waits["\(route) \(words[3])", default: 0] -= 1
        }
      }
      #expect(sent == received && !sent.isEmpty)
      #expect(waits.values.allSatisfy { $0 == 0 } && !waits.isEmpty)
      #expect(computed[..<nodes].allSatisfy { abs($0 - 0.375) < 1e-6 })
    }
  }
}
