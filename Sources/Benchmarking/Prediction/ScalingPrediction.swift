package import Collectives

/// The predicted steps of a workload on some numbers of nodes, with every algorithm and bucket size.
package struct ScalingPrediction {
  /// Whether ranks add samples, or share those of one batch.
  package enum Scaling: String, Sendable, CaseIterable {
    case weak, strong
  }

  /// What one can choose.
  package struct Choice: Equatable, Sendable {
    /// The algorithm of the all-reduces between nodes.
    package var algorithm: String
    /// The size of a bucket; 0 makes one of all gradients.
    package var bucketMegabytes: Double

    package init(algorithm: String, bucketMegabytes: Double) {
      (self.algorithm, self.bucketMegabytes) = (algorithm, bucketMegabytes)
    }

    var bucketBytes: Int { Int(bucketMegabytes * Double(1 << 20)) }
  }

  /// A predicted step.
  package struct Step: Equatable, Sendable {
    /// With what.
    package let choice: Choice
    /// Its seconds.
    package let seconds: Double
    /// Those in which ranks wait for all-reduces.
    package let exposed: Double
  }

  /// The steps on a number of nodes.
  package struct Point: Sendable {
    package let scaling: Scaling
    package let nodes, ranks: Int
    /// The most samples of a rank.
    package let batch: Int
    /// The samples of all ranks.
    package let globalBatch: Int
    /// The seconds of the forward and backward pass.
    package let compute: Double
    /// The step as it is configured, and the best one.
    package let configured, best: Step
    /// All that were tried.
    package let steps: [Step]
    /// The seconds of the same step on one node, all of whose ranks compute.
    fileprivate let oneNode: Double

    /// The samples per second of a step over those that as many single nodes would compute.
    package func efficiency(_ step: Step) -> Double {
      scaling == .weak ? oneNode / step.seconds : oneNode / (Double(nodes) * step.seconds)
    }

    /// The samples per second on one node.
    package var oneNodeRate: Double {
      Double(scaling == .weak ? globalBatch / nodes : globalBatch) / oneNode
    }
  }

  /// What was measured of the workload.
  package let profile: ScalingProfile
  /// The network between nodes.
  package let network: NetworkModel
  /// The ranks of each node.
  package let ranksPerNode: Int
  /// Whether ranks take as long as measured steps, or all the median.
  package let varies: Bool
  /// What is configured; `auto` is the fastest of the algorithms that a run with `auto` times.
  package let configured: Choice
  /// Weak scaling, then strong scaling, each in the order of nodes.
  package private(set) var points: [Point] = []

  /// The bucket sizes that are tried, in megabytes.
  package static let bucketSizes = [0.25, 0.5, 1, 2, 4, 8, 16, 32]

  /// Predicts steps.
  ///
  /// - Parameters:
  ///   - profile: What was measured of the workload.
  ///   - network: The network between nodes.
  ///   - nodes: The numbers of nodes.
  ///   - ranksPerNode: The ranks of each node.
  ///   - scalings: Weak or strong scaling, or both; the latter has no more ranks than samples.
  ///   - configured: What is configured: one of the algorithms, which has a plan, or `auto`.
  ///   - varies: Whether ranks take as long as measured steps, or all the median.
  ///   - algorithms: The algorithms that are tried, as far as they have a plan.
  package init(
    _ profile: ScalingProfile, _ network: NetworkModel, nodes: [Int], ranksPerNode: Int = 1,
    scalings: [Scaling] = Scaling.allCases, configured: Choice, varies: Bool = true,
    algorithms: [InterNodeAllReduce] = InterNodeAllReduce.all
  ) {
    (self.profile, self.network, self.ranksPerNode) = (profile, network, ranksPerNode)
    (self.varies, self.configured) = (varies, configured)
    let costs = nodes.map { nodes in
      algorithms.compactMap { algorithm in
        AllReducePhases(algorithm, nodes: nodes).map {
          (algorithm: algorithm.name, phases: $0.merged(to: 64))
        }
      }
    }
    for scaling in scalings {
      for (nodes, costs) in zip(nodes, costs) where fits(scaling, nodes) {
        points.append(predict(scaling, nodes, costs))
      }
    }
  }

  /// Whether there are samples for all ranks.
  private func fits(_ scaling: Scaling, _ nodes: Int) -> Bool {
    scaling == .weak || nodes * ranksPerNode <= profile.timelines[0].batch
  }

  private func predict(
    _ scaling: Scaling, _ nodes: Int, _ costs: [(algorithm: String, phases: AllReducePhases)]
  ) -> Point {
    let (batch, ranks) = (profile.timelines[0].batch, nodes * ranksPerNode)
    func share(_ ranks: Int) -> Int {
      scaling == .weak ? batch : (batch + ranks - 1) / ranks
    }
    var choices = Self.bucketSizes
    if !choices.contains(configured.bucketMegabytes) { choices.append(configured.bucketMegabytes) }
    var steps: [Step] = []
    for (algorithm, phases) in costs {
      for megabytes in choices {
        let choice = Choice(algorithm: algorithm, bucketMegabytes: megabytes)
        let queue = queue(batch: share(ranks), nodes: nodes, phases, choice)
        steps.append(Step(choice: choice, seconds: queue.step, exposed: queue.exposed))
      }
    }
    let allowed =
      self.configured.algorithm == "auto"
      ? InterNodeAllReduce.all(withSameBitsFor: nodes).map(\.name).filter { $0 != "two-level" }
      : [self.configured.algorithm]
    let configured = steps.filter {
      $0.choice.bucketMegabytes == self.configured.bucketMegabytes
        && allowed.contains($0.choice.algorithm)
    }.min { $0.seconds < $1.seconds }!
    let fastest = steps.min { $0.seconds < $1.seconds }!
    let oneNode = queue(
      batch: share(ranksPerNode), nodes: 1, AllReducePhases(.standard, nodes: 1)!,
      Choice(algorithm: "", bucketMegabytes: 0))
    return Point(
      scaling: scaling, nodes: nodes, ranks: ranks, batch: share(ranks),
      globalBatch: scaling == .weak ? batch * ranks : batch,
      compute: compute(share(ranks), ranks), configured: configured,
      // What makes no difference is not better.
      best: fastest.seconds < 0.995 * configured.seconds ? fastest : configured, steps: steps,
      oneNode: oneNode.step)
  }

  /// The seconds of the forward and backward pass of some ranks.
  private func compute(_ batch: Int, _ ranks: Int) -> Double {
    profile.timeline(batch: batch).computeSeconds(ranks: ranks, varies: varies)
  }

  /// The simulation of a step.
  ///
  /// - Parameters:
  ///   - batch: The samples of a rank.
  ///   - nodes: The number of nodes.
  ///   - phases: Those of the algorithm on these nodes.
  ///   - choice: The size of buckets.
  package func queue(batch: Int, nodes: Int, _ phases: AllReducePhases, _ choice: Choice)
    -> BucketQueue
  {
    let compute = compute(batch, nodes * ranksPerNode)
    return BucketQueue(
      buckets(batch, compute, choice), compute: compute,
      agreement: agreement(profile.timeline(batch: batch), nodes: nodes), phases: phases,
      network, sumSeconds: sumSeconds)
  }

  /// The buckets of a point as it is configured.
  func buckets(of point: Point) -> [BucketQueue.Bucket] {
    buckets(point.batch, point.compute, point.configured.choice)
  }

  private func buckets(_ batch: Int, _ compute: Double, _ choice: Choice) -> [BucketQueue.Bucket] {
    profile.timeline(batch: batch).buckets(
      bytes: choice.bucketBytes, ranksPerNode: ranksPerNode, compute: compute,
      sumRate: profile.sumRate)
  }

  /// The seconds in which a node adds up a byte that it received: a sum reads two numbers and writes one,
  /// and each of the node's ranks adds up its chunk.
  var sumSeconds: Double { 3 / profile.sumRate / Double(ranksPerNode) }

  /// The seconds in which all ranks agree on the update and merge running statistics.
  private func agreement(_ timeline: StepTimeline, nodes: Int) -> Double {
    let losses = nodes * ranksPerNode * MemoryLayout<Double>.stride
    return network.smallAllReduce(bytes: timeline.agreementBytes + losses, nodes: nodes)
      + network.smallAllReduce(bytes: timeline.statisticsBytes, nodes: nodes)
  }
}
