import Base
import Collectives

extension AllReduceChoice {
  /// The only one of some algorithms, or the fastest on buffers such as a run has.
  ///
  /// Collective: all ranks come to the same choice.
  ///
  /// - Parameters:
  ///   - algorithms: The algorithms; at least one.
  ///   - chunks: What this rank sums between nodes at a time.
  ///   - communicator: All ranks.
  init(
    among algorithms: [InterNodeAllReduce], chunks: [Range<Int>], _ communicator: any Communicator
  ) {
    self =
      algorithms.count == 1
      ? AllReduceChoice(algorithms[0])
      : AllReduceTuning(algorithms, chunks: chunks, communicator).choose()
  }
}

/// Times algorithms of all-reduces between nodes.
///
/// Collective: all ranks do the same, and come to the same result.
private struct AllReduceTuning {
  /// About the seconds that all takes.
  private static let budget = 0.5
  /// The most buffers that are summed at a time, as a step sums several buckets.
  private static let mostBuffers = 4
  private static let mostRepetitions = 5
  /// The elements of a buffer with which the network is tried out first.
  private static let probeCount = 1 << 14

  private let candidates: [InterNodeAllReduce]
  private let communicator: any Communicator
  /// The elements of each of this rank's chunks that has any.
  private let chunks: [Int]

  /// - Parameters:
  ///   - candidates: The algorithms; at least one.
  ///   - chunks: What this rank sums between nodes in a step.
  ///   - communicator: All ranks.
  init(
    _ candidates: [InterNodeAllReduce], chunks: [Range<Int>], _ communicator: any Communicator
  ) {
    self.candidates = candidates
    self.communicator = communicator
    self.chunks = chunks.map(\.count).filter { $0 > 0 }
  }

  /// Times all candidates and chooses one.
  func choose() -> AllReduceChoice {
    var clock = Stopwatch()
    var elapsed = 0.0
    // Of the sizes of chunks, that of most: the middle one.
    let count = chunks.sorted().dropFirst(chunks.count / 2).first ?? 0
    let largestCount = largest(Double(count))
    let share = AllReduceTuning.budget / Double(candidates.count * 4)
    let secondsPerElement = probe(min(count, AllReduceTuning.probeCount))
    // A slow network is timed with less than a chunk, a fast one with several.
    let scale = min(1, share / max(secondsPerElement * largestCount, 1e-9))
    let elements = min(count, max(Int(Double(count) * scale), 1))
    let fits = share / max(secondsPerElement * largestCount * scale, 1e-9)
    let buffers = min(AllReduceTuning.mostBuffers, max(1, Int(fits)))

    var seconds = candidates.map { _ in [Double]() }
    repeat {
      for (index, candidate) in candidates.enumerated() {
        let time = time(candidate, buffers: min(buffers, chunks.count), of: elements)
        seconds[index].append(time / Double(buffers))
      }
      elapsed += clock.lap()
    } while seconds[0].count <= AllReduceTuning.mostRepetitions
      && largest(elapsed) < AllReduceTuning.budget
    // The first time establishes connections.
    let medians = seconds.map { times in
      let measured = times.count > 1 ? times.dropFirst().sorted() : times
      return measured[measured.count / 2]
    }
    let agreed = communicator.allReduce(medians, .max)
    return AllReduceChoice(
      timings: zip(candidates, agreed).map { .init(algorithm: $0, seconds: $1) },
      bytes: Int(largest(Double(elements))) * MemoryLayout<Float>.stride)
  }

  /// The seconds for an element, by the first candidate, on a buffer of moderate size.
  private func probe(_ count: Int) -> Double {
    _ = time(candidates[0], buffers: min(1, chunks.count), of: count)
    let seconds = time(candidates[0], buffers: min(1, chunks.count), of: count)
    return largest(count > 0 ? seconds / Double(count) : 0)
  }

  /// The seconds that this rank takes to sum some buffers at a time.
  private func time(_ algorithm: InterNodeAllReduce, buffers count: Int, of elements: Int) -> Double
  {
    let buffers = (0..<count).map { _ in
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: elements)
      buffer.initialize(repeating: 0)
      return buffer
    }
    defer { buffers.forEach { $0.deallocate() } }
    communicator.barrier()
    var clock = Stopwatch()
    var pending = buffers.map {
      communicator.acrossNodes.startAllReduce($0, using: algorithm)
    }
    var backoff = Backoff()
    while true {
      pending.removeAll { $0.advance() }
      if pending.isEmpty { break }
      backoff.pause()
    }
    Activity.advance()
    return clock.lap()
  }

  private func largest(_ value: Double) -> Double { communicator.allReduce(value, .max) }
}
