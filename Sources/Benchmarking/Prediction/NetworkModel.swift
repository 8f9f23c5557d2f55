import Base
package import Collectives
import DataParallel
import Foundation
import Synchronization

/// What messages between nodes take: the time of a message, and the rate of a node, which sends and
/// receives at the same time.
package struct NetworkModel: Equatable, Sendable {
  /// The seconds from the start of a short message to its arrival.
  package var latency: Double
  /// The bytes per second that a node sends, and receives at the same time.
  package var bandwidth: Double
  /// The seconds that each further message takes of a rank which sends several at once.
  package var perMessage: Double
  /// What computation and messages take from each other while both are under way; nil is nothing.
  package var contention: Contention?

  /// How fast a node sends and computes while it does both: less than each alone where the threads that
  /// communicate, and the system's network code, have no cores of their own.
  package struct Contention: Equatable, Sendable {
    /// The bytes per second that a node sends, and receives at the same time.
    package var bandwidth: Double
    /// How much is computed in a second, as a share of what is computed without messages.
    package var computeSpeed: Double

    package init(bandwidth: Double, computeSpeed: Double) {
      (self.bandwidth, self.computeSpeed) = (bandwidth, computeSpeed)
    }
  }

  package init(
    latency: Double, bandwidth: Double, perMessage: Double = 0, contention: Contention? = nil
  ) {
    (self.latency, self.bandwidth, self.perMessage) = (latency, bandwidth, perMessage)
    self.contention = contention
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

  /// Measures the network between the nodes of this run, at first while no rank computes, then while all
  /// do.
  ///
  /// Collective: all ranks call it, on two nodes or more. The latency is half of a short message there and
  /// back. For the bandwidth all nodes send and receive several messages at once, as buckets do.
  ///
  /// - Parameters:
  ///   - duration: About how long to measure.
  ///   - communicator: The ranks.
  ///   - compute: The computation of a step.
  package static func measure(
    seconds duration: Double, _ communicator: any Communicator, compute: () throws -> Void
  ) throws -> NetworkModel {
    var network = withoutComputation(seconds: duration * 0.6, communicator)
    network.contention = try contention(
      seconds: duration * 0.4, communicator, network, compute: compute)
    return network
  }

  /// Measures the network while no rank computes.
  private static func withoutComputation(
    seconds duration: Double, _ communicator: any Communicator
  ) -> NetworkModel {
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

// MARK: - Messages and computation at the same time

extension NetworkModel {
  /// Measures computation, then the same with messages under way; nil where no other thread may
  /// communicate.
  ///
  /// Collective: all ranks call it.
  private static func contention(
    seconds duration: Double, _ communicator: any Communicator, _ network: NetworkModel,
    compute: () throws -> Void
  ) throws -> Contention? {
    let peers = communicator.acrossNodes
    let isPossible = peers.canProgressOnAnyThread ? 1.0 : 0
    guard communicator.allReduce(isPossible, .min) > 0 else { return nil }
    /// The seconds of some computations on the slowest rank.
    func seconds(_ repetitions: Int) throws -> Double {
      communicator.barrier()
      let clock = Stopwatch()
      for _ in 0..<repetitions { try compute() }
      return communicator.allReduce(clock.elapsed, .max)
    }
    _ = try seconds(1)
    let once = max(try seconds(1), 1e-6)
    // Long enough for many messages.
    let repetitions = Int((min(max(duration / 8, 0.05), 0.5) / once).rounded(.up))
    var speeds: [Double] = []
    var rates: [Double] = []
    for _ in 0..<3 {
      let alone = try seconds(repetitions)
      let traffic = peers.size > 1 ? Traffic(peers) : nil
      let both = try seconds(repetitions)
      let sent = traffic?.bytesSent ?? 0
      // All have computed until here.
      traffic?.stop()
      communicator.barrier()
      let node =
        communicator.allReduce(Double(sent), .sum) / Double(communicator.topology.nodeCount)
      speeds.append(min(1, alone / both))
      rates.append(min(network.bandwidth, node / both))
    }
    guard rates.quantile(0.5) > 0 else { return nil }
    return Contention(bandwidth: rates.quantile(0.5), computeSpeed: speeds.quantile(0.5))
  }
}

/// Messages that a thread sends to the next node, and receives from the one before, until stopped.
///
/// It looks at them as often as the thread of the all-reduces.
private final class Traffic: Sendable {
  /// The messages that are under way in each direction.
  private static let window = 8
  private static let messageBytes = 1 << 18
  private let messagesSent = Atomic(0)
  private let isStopped = Atomic(false)
  private let end = DispatchSemaphore(value: 0)

  /// Starts the thread; nobody else uses `peers` until it was stopped.
  init(_ peers: any InterNodeCommunicator) {
    nonisolated(unsafe) let peers = peers
    let thread = Thread { [self] in
      exchange(peers)
      end.signal()
    }
    thread.name = "traffic"
    thread.start()
  }

  /// What was sent until now.
  var bytesSent: Int { messagesSent.load(ordering: .relaxed) * Self.messageBytes }

  /// Stops when all that is under way has arrived.
  func stop() {
    isStopped.store(true, ordering: .relaxed)
    end.wait()
  }

  /// A message in memory of its own, which says in its first byte whether it is one of the last: as many as
  /// are under way.
  private struct Slot {
    let memory: UnsafeMutableRawBufferPointer
    var message: any PendingMessage
  }

  private func exchange(_ peers: any InterNodeCommunicator) {
    let tag = peers.nextTag()
    let (next, previous) = (
      (peers.rank + 1) % peers.size, (peers.rank + peers.size - 1) % peers.size
    )
    var isLast = false
    func send(_ memory: UnsafeMutableRawBufferPointer) -> Slot {
      isLast = isLast || isStopped.load(ordering: .relaxed)
      memory[0] = isLast ? 1 : 0
      return Slot(
        memory: memory, message: peers.startSend(.init(memory), to: next, tag: tag))
    }
    func receive(_ memory: UnsafeMutableRawBufferPointer) -> Slot {
      Slot(memory: memory, message: peers.startReceive(memory, from: previous, tag: tag))
    }
    func memory() -> [UnsafeMutableRawBufferPointer] {
      (0..<Self.window).map { _ in
        let memory = UnsafeMutableRawBufferPointer.allocate(
          byteCount: Self.messageBytes, alignment: 64)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        return memory
      }
    }
    let (outgoing, incoming) = (memory(), memory())
    defer { (outgoing + incoming).forEach { $0.deallocate() } }
    // In the order of their start, in which they arrive.
    var receives = incoming.map(receive)
    var sends = outgoing.map(send)
    var pause: Int?
    while !receives.isEmpty || !sends.isEmpty {
      var hasMoved = false
      while let first = receives.first, first.message.test() {
        hasMoved = true
        receives.removeFirst()
        if first.memory[0] == 0 { receives.append(receive(first.memory)) }
      }
      while let first = sends.first, first.message.test() {
        hasMoved = true
        sends.removeFirst()
        messagesSent.add(1, ordering: .relaxed)
        if first.memory[0] == 0 { sends.append(send(first.memory)) }
      }
      pause = ProgressThread.pause(after: pause, hasMoved: hasMoved)
      usleep(UInt32(pause!))
    }
  }
}
