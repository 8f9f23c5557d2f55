import Collectives
import Testing

@Suite("WireFormat")
struct WireFormatTests {
  private static let algorithms = InterNodeAllReduce.all.filter { $0.plan != nil }

  /// A number of a rank, which needs more bits than bfloat16 has.
  private static func value(_ rank: Int, _ i: Int) -> Float {
    Float((rank * 1_000_003 + i * 7919) % 10_007) * 1.1e-4 - 0.5
  }

  private static func rounded(_ x: Float) -> Float {
    let bits = x.bitPattern
    return Float(bitPattern: (bits &+ 0x7fff &+ (bits >> 16 & 1)) & 0xffff_0000)
  }

  /// The sum of numbers in pairs, pairs of pairs and so on, as a binary counter counts.
  private static func sum(_ terms: [Float]) -> Float {
    var waiting: [(Float, Int)] = []
    for term in terms {
      waiting.append((term, 1))
      while waiting.count > 1, waiting[waiting.count - 2].1 == waiting[waiting.count - 1].1 {
        let last = waiting.removeLast()
        waiting[waiting.count - 1].0 += last.0
        waiting[waiting.count - 1].1 *= 2
      }
    }
    return waiting.reversed().dropFirst().reduce(waiting.last!.0) { $1.0 + $0 }
  }

  /// What each rank has after `body` did something to a buffer.
  private func run(
    _ ranks: Int, count: Int, value: @escaping @Sendable (_ rank: Int, _ i: Int) -> Float,
    _ body:
      @escaping @Sendable (UnsafeMutableBufferPointer<Float>, any InterNodeCommunicator) -> Void
  ) throws -> [[Float]] {
    try withRanks(ranks, ranksPerNode: 1) { communicator in
      let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      defer { buffer.deallocate() }
      for i in 0..<count { buffer[i] = value(communicator.rank, i) }
      body(buffer, communicator.acrossNodes)
      return Array(buffer)
    }
  }

  private func sums(
    _ algorithm: InterNodeAllReduce, ranks: Int, count: Int, _ wire: WireFormat = .bfloat16,
    value: @escaping @Sendable (Int, Int) -> Float = value
  ) throws -> [[Float]] {
    try run(ranks, count: count, value: value) { buffer, ranks in
      let pending = ranks.startAllReduce(buffer, using: algorithm, wire: wire)
      while !pending.advance() {}
    }
  }

  @Test(
    "all ranks have the same sums, close to those of float32", arguments: algorithms.indices, 1...9)
  func equalSums(index: Int, ranks: Int) throws {
    let algorithm = Self.algorithms[index]
    for count in [0, 1, 1000] {
      let found = try sums(algorithm, ranks: ranks, count: count)
      let exact = try sums(algorithm, ranks: ranks, count: count, .float32)[0]
      #expect(found.allSatisfy { $0 == found[0] }, "\(algorithm.name)")
      for (sum, exact) in zip(found[0], exact) {
        // A round of a ring each rounds what came so far.
        #expect(abs(sum - exact) <= Float(ranks) * 0x1p-8 * Float(ranks), "\(algorithm.name)")
        #expect(sum == Self.rounded(sum))
      }
    }
  }

  @Test("the direct exchange rounds each rank's numbers once, and their sum once", arguments: 2...6)
  func direct(ranks: Int) throws {
    let count = 301
    let expected = (0..<count).map { i in
      Self.rounded(Self.sum((0..<ranks).map { Self.rounded(Self.value($0, i)) }))
    }
    #expect(try sums(.direct, ranks: ranks, count: count)[0] == expected)
  }

  @Test(
    "parts of whole units have the bits of the all-reduce, in either format",
    arguments: [2, 3, 4, 7, 8], WireFormat.allCases)
  func units(ranks: Int, wire: WireFormat) throws {
    for algorithm in Self.algorithms where algorithm.addsPairwise {
      for (count, unit) in [(1000, 64), (130, 64), (10, 64)] {
        let expected = try sums(algorithm, ranks: ranks, count: count, wire)
        let found = try run(ranks, count: count, value: Self.value) { buffer, ranks in
          let half = ranks.startReduceScatter(
            buffer, using: algorithm, wire: wire, inUnitsOf: unit)
          while !half.advance() {}
          let owned = ranks.owned(of: count, using: algorithm, inUnitsOf: unit, rank: ranks.rank)
          #expect(owned.lowerBound == count || owned.lowerBound.isMultiple(of: unit))
          for i in 0..<count where !owned.contains(i) { buffer[i] = .nan }
          let rest = ranks.startAllGather(buffer, using: algorithm, inUnitsOf: unit)
          while !rest.advance() {}
        }
        #expect(found == expected, "\(algorithm.name), \(count) elements")
      }
    }
  }

  @Test("values that are not finite arrive as such")
  func nonFinite() throws {
    for algorithm in Self.algorithms {
      let found = try sums(algorithm, ranks: 3, count: 30) { rank, i in
        [[.infinity, .nan, -.infinity][i % 3], 1, 2][rank]
      }
      for sums in found {
        for (i, sum) in sums.enumerated() {
          let isRight = i % 3 == 0 ? sum == .infinity : i % 3 == 1 ? sum.isNaN : sum == -.infinity
          #expect(isRight, "\(algorithm.name): \(sum)")
        }
      }
    }
  }

  @Test("a residual carries what rounding took away to the next sums", arguments: [2, 3, 4, 8])
  func residuals(ranks: Int) throws {
    for algorithm in Self.algorithms {
      let (count, steps) = (100, 200)
      /// The mean of the sums of equal numbers in many steps.
      func mean(keepsResidual: Bool) throws -> [Float] {
        try withRanks(ranks, ranksPerNode: 1) { communicator in
          let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
          let residual = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
          residual.initialize(repeating: 0)
          defer {
            buffer.deallocate()
            residual.deallocate()
          }
          var total = [Float](repeating: 0, count: count)
          for _ in 0..<steps {
            for i in 0..<count { buffer[i] = Self.value(communicator.rank, i) }
            let pending = communicator.acrossNodes.startAllReduce(
              buffer, using: algorithm, wire: .bfloat16, residual: keepsResidual ? residual : nil)
            while !pending.advance() {}
            for i in 0..<count { total[i] += buffer[i] }
          }
          return total.map { $0 / Float(steps) }
        }[0]
      }
      let exact = (0..<count).map { i in
        (0..<ranks).reduce(Float(0)) { $0 + Self.value($1, i) }
      }
      func error(_ found: [Float]) -> Float { zip(found, exact).map { abs($0 - $1) }.max()! }
      let (kept, dropped) = (
        error(try mean(keepsResidual: true)), error(try mean(keepsResidual: false))
      )
      #expect(kept < dropped / 20, "\(algorithm.name): \(kept), without \(dropped)")
    }
  }

  @Test("messages have half the bytes")
  func volume() throws {
    for algorithm in Self.algorithms {
      let bytes = try [WireFormat.float32, .bfloat16].map { wire in
        try withRanks(4, ranksPerNode: 1) { communicator in
          let counter = CountingCommunicator(communicator.acrossNodes)
          let buffer = UnsafeMutableBufferPointer<Float>.allocate(capacity: 840)
          buffer.initialize(repeating: 1)
          defer { buffer.deallocate() }
          let pending = counter.startAllReduce(buffer, using: algorithm, wire: wire)
          while !pending.advance() {}
          return counter.sentBytes
        }
      }
      #expect(bytes[1].map { 2 * $0 } == bytes[0], "\(algorithm.name)")
    }
  }
}
