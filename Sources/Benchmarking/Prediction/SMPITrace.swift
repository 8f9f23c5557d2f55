package import Collectives

/// A predicted step as actions that SimGrid replays (`smpirun -replay`), which knows every message and every
/// link, where the prediction has one node stand for all.
///
/// A trace cannot say "when this message has arrived, send that one, whatever else happens", so each
/// node has two processes: `node`, which computes, and `nodes + node`, which makes the all-reduces in the
/// order of the prediction. Both are on the same host, which needs two cores.
package struct SMPITrace {
  /// The operations per second of a host to which the trace's numbers belong.
  package static let speed = 1e9

  /// The actions of all processes, a line for each.
  package private(set) var text = ""
  private let nodes: Int

  /// The trace of a point of a prediction, as it is configured; nil if the algorithm's ranks do not all do
  /// the same.
  ///
  /// - Parameter algorithm: The configured algorithm.
  package init?(
    _ prediction: ScalingPrediction, _ point: ScalingPrediction.Point,
    _ algorithm: InterNodeAllReduce
  ) {
    nodes = point.nodes
    guard let plan = algorithm.plan, let phases = AllReducePhases(algorithm, nodes: nodes),
      phases.isSymmetric
    else { return nil }
    let buckets = prediction.buckets(of: point)
    let queue = prediction.queue(
      batch: point.batch, nodes: nodes, phases, point.configured.choice)
    let timeline = prediction.profile.timeline(batch: point.batch)
    let counts = buckets.map { Int($0.bytes) / MemoryLayout<Float>.stride }
    for node in 0..<nodes {
      appendComputation(
        node, buckets, point.compute,
        messages: [
          timeline.agreementBytes + point.ranks * MemoryLayout<Double>.stride,
          timeline.statisticsBytes,
        ])
      let rounds = counts.map { count in
        let plan = plan(node, nodes, count)
        return plan.reduceScatter + plan.allGather
      }
      appendReductions(node, rounds, queue.events, prediction.sumSeconds)
    }
  }

  private mutating func append(_ process: Int, _ action: String) {
    text += "\(process) \(action)\n"
  }

  private mutating func appendSeconds(_ process: Int, _ seconds: Double) {
    if seconds > 0 { append(process, "compute \(Int(seconds * Self.speed))") }
  }

  /// The process that computes: it tells the other one which buckets are final, agrees with those of the other
  /// nodes, and updates buckets as they end.
  private mutating func appendComputation(
    _ node: Int, _ buckets: [BucketQueue.Bucket], _ compute: Double, messages: [Int]
  ) {
    append(node, "init")
    var time = 0.0
    for (index, bucket) in buckets.enumerated() {
      appendSeconds(node, bucket.final - time)
      time = max(time, bucket.final)
      append(node, "send \(nodes + node) \(index) 1")
    }
    appendSeconds(node, compute - time)
    for (index, bytes) in messages.enumerated() where bytes > 0 {
      var distance = 1
      // Recursive doubling; with another number of nodes than a power of two, neighbours at these distances.
      while distance < nodes {
        let isPower = nodes & (nodes - 1) == 0
        let target = isPower ? node ^ distance : (node + distance) % nodes
        let source = isPower ? node ^ distance : (node + nodes - distance) % nodes
        let tag = 1_000_000 + index
        append(node, "irecv \(source) \(tag) \(bytes)")
        append(node, "isend \(target) \(tag) \(bytes)")
        append(node, "wait \(source) \(node) \(tag)")
        append(node, "wait \(node) \(target) \(tag)")
        distance *= 2
      }
    }
    for (index, bucket) in buckets.enumerated() {
      append(node, "recv \(nodes + node) \(buckets.count + index) 1")
      appendSeconds(node, bucket.update)
    }
    append(node, "finalize")
  }

  /// The process that makes the all-reduces.
  private mutating func appendReductions(
    _ node: Int, _ all: [[AllReduceRound]], _ events: [BucketQueue.Event], _ sumSeconds: Double
  ) {
    let process = nodes + node
    append(process, "init")
    for event in events {
      let (bucket, phase) = (event.bucket, event.phase)
      let rounds = all[bucket]
      func tag(_ phase: Int) -> Int { bucket * (rounds.count + 1) + phase }
      func transfers(_ transfers: [AllReduceRound.Transfer]) -> [(peer: Int, bytes: Int)] {
        transfers.filter { !$0.elements.isEmpty }.map {
          (nodes + $0.peer, $0.elements.count * MemoryLayout<Float>.stride)
        }
      }
      if phase == 0 {
        append(process, "recv \(node) \(bucket) 1")
      } else {
        let round = rounds[phase - 1]
        for (peer, _) in transfers(round.receives) {
          append(process, "wait \(peer) \(process) \(tag(phase - 1))")
        }
        for (peer, _) in transfers(round.sends) {
          append(process, "wait \(process) \(peer) \(tag(phase - 1))")
        }
        if round.adds {
          let bytes = transfers(round.receives).reduce(0) { $0 + $1.bytes }
          appendSeconds(process, Double(bytes) * sumSeconds)
        }
      }
      guard phase < rounds.count else {
        append(process, "send \(node) \(all.count + bucket) 1")
        continue
      }
      for (peer, bytes) in transfers(rounds[phase].receives) {
        append(process, "irecv \(peer) \(tag(phase)) \(bytes)")
      }
      for (peer, bytes) in transfers(rounds[phase].sends) {
        append(process, "isend \(peer) \(tag(phase)) \(bytes)")
      }
    }
    append(process, "finalize")
  }
}
