/// The buckets of a step and what becomes of them: a simulation of how their all-reduces begin, share a
/// node's link and end, in the order of `InterNodeReduction`, on one node that stands for all.
///
/// A bucket's all-reduce begins when its gradients are final. Those under way share the bandwidth
/// equally, as streams of TCP do, and slow down computation as the network's `contention` says. Latencies do not
/// occupy it; nor do sums and the sending of messages, which are done one after the other. After the backward pass
/// the update goes through the buckets in order, and waits for each.
package struct BucketQueue {
  /// A bucket of the gradients.
  package struct Bucket: Equatable, Sendable {
    /// Its bytes on a node.
    package var bytes: Double
    /// The seconds of computation until its all-reduce can begin.
    package var final: Double
    /// The seconds of its update.
    package var update: Double

    package init(bytes: Double, final: Double, update: Double) {
      (self.bytes, self.final, self.update) = (bytes, final, update)
    }
  }

  /// A bucket begins a phase of its all-reduce, or has ended all.
  package struct Event: Equatable, Sendable {
    /// The seconds from the start of the step.
    package let time: Double
    /// The bucket's number.
    package let bucket: Int
    /// The phase's number; that of no phase after the last one.
    package let phase: Int
  }

  /// The seconds of the step.
  package private(set) var step = 0.0
  /// The seconds of it that the update waits for all-reduces.
  package private(set) var exposed = 0.0
  /// What happened, in order.
  package private(set) var events: [Event] = []

  /// Simulates a step.
  ///
  /// - Parameters:
  ///   - buckets: The buckets in order.
  ///   - compute: The seconds of the forward and backward pass, after which all buckets are final, without
  ///     messages under way.
  ///   - agreement: The seconds that ranks then take to agree on the update.
  ///   - phases: The phases of an all-reduce.
  ///   - network: The network.
  ///   - sumSeconds: The seconds to add up a byte that was received.
  package init(
    _ buckets: [Bucket], compute: Double, agreement: Double, phases: AllReducePhases,
    _ network: NetworkModel, sumSeconds: Double
  ) {
    let (ends, computed) = reduce(buckets, compute, phases.phases, network, sumSeconds)
    var time = computed + agreement
    for (bucket, end) in zip(buckets, ends) {
      exposed += max(0, end - time)
      time = max(time, end) + bucket.update
    }
    step = time
  }

  /// A bucket whose all-reduce is under way.
  private struct UnderWay {
    let bucket: Int
    var phase = -1
    /// When its messages begin to need bandwidth.
    var start = 0.0
    /// The bytes that it still transfers in this phase.
    var bytes = 0.0
  }

  /// Simulates the all-reduces; returns when each ends, and when computation does.
  private mutating func reduce(
    _ buckets: [Bucket], _ compute: Double, _ phases: [AllReducePhases.Phase],
    _ network: NetworkModel, _ sumSeconds: Double
  ) -> (ends: [Double], computed: Double) {
    var ends = buckets.map(\.final)
    var underWay: [UnderWay] = []
    var next = 0
    var time = 0.0
    /// The seconds of computation that are done, and after its end all seconds.
    var done = 0.0
    var end: Double?
    /// When the thread that adds up what arrives, and sends, has nothing left to do.
    var idle = 0.0
    /// Begins a bucket's next phase, which starts with waiting; returns whether there is one.
    func advance(_ item: inout UnderWay) -> Bool {
      // What has arrived is added up before anything else is sent, and each message takes its time.
      let bytes = buckets[item.bucket].bytes
      var work = item.phase < 0 ? 0 : phases[item.phase].added * bytes * sumSeconds
      item.phase += 1
      let phase = item.phase < phases.count ? phases[item.phase] : nil
      if let phase {
        work += Double(max(0, phase.messages - phase.rounds)) * network.perMessage
      }
      if work > 0 { idle = max(idle, time) + work }
      let start = work > 0 ? idle : time
      events.append(Event(time: start, bucket: item.bucket, phase: item.phase))
      guard let phase else {
        ends[item.bucket] = start
        return false
      }
      item.start = start + Double(phase.rounds) * network.latency
      item.bytes = phase.share * bytes
      return true
    }
    while next < buckets.count || !underWay.isEmpty || end == nil {
      let transferring = underWay.count { $0.start <= time }
      let contention = end == nil && transferring > 0 ? network.contention : nil
      let rate = (contention?.bandwidth ?? network.bandwidth) / Double(max(transferring, 1))
      let speed = contention?.computeSpeed ?? 1
      // The next moment at which anything changes: at first what computation brings.
      let goal = min(
        next < buckets.count ? buckets[next].final : .infinity, end == nil ? compute : .infinity)
      let atGoal = time + max(0, goal - done) / speed
      var moment = atGoal
      for item in underWay {
        moment = min(moment, item.start > time ? item.start : time + item.bytes / rate)
      }
      var kept: [UnderWay] = []
      for var item in underWay {
        if item.start <= time {
          // By comparison, not by subtraction: a short time may be lost in a long one.
          let hasArrived = time + item.bytes / rate <= moment
          item.bytes = hasArrived ? 0 : item.bytes - rate * (moment - time)
        }
        kept.append(item)
      }
      done = moment == atGoal ? max(done, goal) : done + (moment - time) * speed
      time = moment
      if end == nil, done >= compute { end = time }
      underWay = []
      for var item in kept {
        // What has less than a byte left differs from what has arrived by rounding.
        if item.start > time || item.bytes > 0.5 || advance(&item) { underWay.append(item) }
      }
      while next < buckets.count, buckets[next].final <= done {
        var item = UnderWay(bucket: next)
        if advance(&item) { underWay.append(item) }
        next += 1
      }
    }
    // A later bucket may end before an earlier one, but is not used before it.
    events.sort { $0.time < $1.time }
    return (ends, end!)
  }
}
