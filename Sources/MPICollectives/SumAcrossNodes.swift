import COpenMPI
import Collectives

/// A sum over the ranks of a communicator, made by recursive halving and doubling (Rabenseifner,
/// 2004) in messages that travel while somebody advances it.
///
/// With a power of two of ranks, neighbours exchange and add halves first, then pairs of neighbours
/// quarters, and so on, until each rank has the sum of its part; then the parts travel back the
/// same way. Every element is added up on one rank, so all ranks get the same bits, and always as
/// ((r0 + r1) + (r2 + r3)) + ... Each rank sends and receives 2 (N - 1) / N times the buffer.
///
/// With another number the ranks beyond the largest power of two first hand their buffer to one
/// below, and receive the sum from it at the end.
///
/// Open MPI's own `MPI_Iallreduce` sends several times as much when it works in place.
final class SumAcrossNodes: PendingReduction {
  /// One exchange with one other rank.
  private struct Round {
    let peer: Int
    var sends = 0..<0
    var receives = 0..<0
    /// Whether what comes in is added to what is there, or replaces it.
    var adds = false
  }

  private let buffer: UnsafeMutableBufferPointer<Float>
  private let communicator: MPI_Comm
  private let rounds: [Round]
  private let tag: Int32
  private let incoming: UnsafeMutableBufferPointer<Float>
  private var requests = [cmpi_request_null(), cmpi_request_null()]
  private var current = -1

  /// - Parameters:
  ///   - buffer: The terms of this rank, at last the sums.
  ///   - communicator: The ranks.
  ///   - number: The same on all ranks, and another for each sum that is under way.
  init(_ buffer: UnsafeMutableBufferPointer<Float>, _ communicator: MPI_Comm, number: Int32) {
    self.buffer = buffer
    self.communicator = communicator
    var (rank, size): (Int32, Int32) = (0, 0)
    MPI_Comm_rank(communicator, &rank)
    MPI_Comm_size(communicator, &size)
    rounds = SumAcrossNodes.rounds(rank: Int(rank), size: Int(size), count: buffer.count)
    // Messages between two ranks keep their order, so one tag serves all rounds; those up to 32767
    // always exist.
    tag = number % 32768
    let largest = rounds.map { $0.adds ? $0.receives.count : 0 }.max() ?? 0
    incoming = .allocate(capacity: largest)
    startNextRound()
  }

  deinit {
    incoming.deallocate()
  }

  private static func rounds(rank: Int, size: Int, count: Int) -> [Round] {
    var core = 1
    while core * 2 <= size { core *= 2 }
    let all = 0..<count
    if rank >= core {
      return [Round(peer: rank - core, sends: all), Round(peer: rank - core, receives: all)]
    }
    var halvings: [Round] = []
    var doublings: [Round] = []
    var own = all
    var distance = 1
    while distance < core {
      let middle = own.lowerBound + own.count / 2
      let (lower, upper) = (own.lowerBound..<middle, middle..<own.upperBound)
      let keepsLower = rank & distance == 0
      let (kept, given) = keepsLower ? (lower, upper) : (upper, lower)
      halvings.append(Round(peer: rank ^ distance, sends: given, receives: kept, adds: true))
      doublings.append(Round(peer: rank ^ distance, sends: kept, receives: given))
      own = kept
      distance *= 2
    }
    let rounds = halvings + doublings.reversed()
    guard rank + core < size else { return rounds }
    return [Round(peer: rank + core, receives: all, adds: true)] + rounds
      + [Round(peer: rank + core, sends: all)]
  }

  func advance() -> Bool {
    while current < rounds.count {
      var isDone: Int32 = 0
      check(
        MPI_Testall(Int32(requests.count), &requests, &isDone, cmpi_statuses_ignore()),
        "MPI_Testall")
      if isDone == 0 { return false }
      let round = rounds[current]
      if round.adds {
        // a + b has the bits of b + a, so it does not matter which of the two adds. The loop stands
        // here, and not `accumulate`, which is generic and slow outside of its own module.
        let own = UnsafeMutableBufferPointer(rebasing: buffer[round.receives])
        for i in own.indices { own[i] += incoming[i] }
      }
      startNextRound()
    }
    return true
  }

  private func startNextRound() {
    current += 1
    guard current < rounds.count else { return }
    let round = rounds[current]
    let target =
      round.adds ? incoming.baseAddress : buffer.baseAddress.map { $0 + round.receives.lowerBound }
    check(
      MPI_Irecv(
        target, Int32(round.receives.count), cmpi_float(), Int32(round.peer), tag, communicator,
        &requests[0]),
      "MPI_Irecv of \(round.receives.count) values from \(round.peer)")
    check(
      MPI_Isend(
        buffer.baseAddress.map { $0 + round.sends.lowerBound }, Int32(round.sends.count),
        cmpi_float(), Int32(round.peer), tag, communicator, &requests[1]),
      "MPI_Isend of \(round.sends.count) values to \(round.peer)")
  }
}
