import Base
package import Collectives
import Foundation

/// What messages between nodes take: the time of a message, and the rate of a node, which sends and
/// receives at the same time.
package struct NetworkModel: Codable, Equatable, Sendable {
  /// The seconds from the start of a short message to its arrival.
  package var latency: Double
  /// The bytes per second that a node sends, and receives at the same time.
  package var bandwidth: Double
  /// The seconds that each further message takes of a rank which sends several at once.
  package var perMessage: Double

  package init(latency: Double, bandwidth: Double, perMessage: Double = 0) {
    (self.latency, self.bandwidth, self.perMessage) = (latency, bandwidth, perMessage)
  }

  enum CodingKeys: String, CodingKey {
    case latency = "latency_s"
    case bandwidth = "bytes_per_s"
    case perMessage = "per_message_s"
  }

  /// The seconds of an all-reduce of a few bytes over all nodes, as MPI makes it: by recursive doubling,
  /// and from 8 KB on by recursive halving and doubling.
  package func smallAllReduce(bytes: Int, nodes: Int) -> Double {
    guard nodes > 1, bytes > 0 else { return 0 }
    let rounds = log2(Double(nodes)).rounded(.up)
    let time = Double(bytes) / bandwidth
    return bytes < 8192
      ? rounds * (latency + time)
      : 2 * rounds * latency + 2 * time * Double(nodes - 1) / Double(nodes)
  }

  /// Measures the network between the nodes of this run, while no rank computes.
  ///
  /// Collective: all ranks call it, on two nodes or more. The latency is half of a short message there and
  /// back. For the bandwidth all nodes send and receive several messages at once, as buckets do.
  ///
  /// - Parameter duration: About how long to measure.
  package static func measure(seconds duration: Double, _ communicator: any Communicator)
    -> NetworkModel
  {
    let peers = communicator.acrossNodes
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 23, alignment: 64)
    defer { buffer.deallocate() }
    buffer.initializeMemory(as: UInt8.self, repeating: 0)
    let half = buffer.count / 2
    let messageBytes = 1 << 18
    let outgoing = UnsafeRawBufferPointer(rebasing: buffer[..<half])
    let incoming = UnsafeMutableRawBufferPointer(rebasing: buffer[half...])
    func wait(_ messages: [any PendingMessage]) {
      for message in messages {
        while !message.test() { sched_yield() }
      }
    }
    /// The median seconds of an operation, the largest of all ranks.
    func median(_ share: Double, _ body: () -> Void) -> Double {
      func once() -> Double {
        communicator.barrier()
        let clock = Stopwatch()
        body()
        return communicator.allReduce(clock.elapsed, .max)
      }
      _ = once()
      let first = max(once(), 1e-6)
      return (0..<max(7, min(500, Int(duration * share / first)))).map { _ in once() }
        .quantile(0.5)
    }
    /// Every node sends to the next one and receives from the one before.
    func exchange() {
      guard peers.size > 1 else { return }
      let tag = peers.nextTag()
      let (next, previous) = (
        (peers.rank + 1) % peers.size, (peers.rank + peers.size - 1) % peers.size
      )
      let parts = stride(from: 0, to: half, by: messageBytes).map { $0..<$0 + messageBytes }
      wait(
        parts.map { peers.startReceive(.init(rebasing: incoming[$0]), from: previous, tag: tag) }
          + parts.map { peers.startSend(.init(rebasing: outgoing[$0]), to: next, tag: tag) })
    }
    /// The first node sends to the second one, which answers when it has received all.
    func roundTrip(messages: Int) {
      let tag = peers.nextTag()
      guard communicator.topology.localRank == 0, peers.rank < 2 else { return }
      let other = 1 - peers.rank
      func send(_ count: Int) {
        wait(
          (0..<count).map { _ in
            peers.startSend(.init(rebasing: outgoing[..<8]), to: other, tag: tag)
          })
      }
      func receive(_ count: Int) {
        wait(
          (0..<count).map {
            peers.startReceive(
              .init(rebasing: incoming[8 * $0..<8 * $0 + 8]), from: other, tag: tag)
          })
      }
      if peers.rank == 0 {
        send(messages)
        receive(1)
      } else {
        receive(messages)
        send(1)
      }
    }
    let short = median(0.2) { roundTrip(messages: 1) }
    let burst = median(0.2) { roundTrip(messages: 65) }
    let long = median(0.6, exchange)
    return NetworkModel(
      latency: short / 2,
      bandwidth: Double(communicator.topology.smallestLocalSize * half)
        / max(long - short / 2, 1e-9),
      perMessage: max(0, (burst - short) / 64))
  }
}
