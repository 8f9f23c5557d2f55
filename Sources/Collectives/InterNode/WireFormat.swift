public import Settings

/// The type of numbers in messages between nodes.
public enum WireFormat: String, Sendable, Codable, CaseIterable {
  /// Four bytes; nothing is rounded but by the additions.
  case float32
  /// Two bytes, which halves the traffic.
  ///
  /// In each round of additions every rank rounds what it adds, its own too; the sum is made in float32.
  /// The whole sum is rounded before it goes to the other ranks, and its owner takes the rounded one. So
  /// all ranks get the same bits, whichever elements each of them adds up.
  case bfloat16
}

extension WireFormat: SettingRepresentable {}

extension InterNodeCommunicator {
  /// Starts to add up the buffers of these ranks, as the function without `wire` does.
  ///
  /// - Parameters:
  ///   - algorithm: The algorithm; one with a plan for bfloat16.
  ///   - wire: The type of numbers in messages.
  ///   - residual: With bfloat16, what rounding took away from each element of this rank the last time,
  ///     which is added first, and takes away this time; nil drops it.
  public func startAllReduce(
    _ buffer: UnsafeMutableBufferPointer<Float>, using algorithm: InterNodeAllReduce,
    wire: WireFormat, residual: UnsafeMutableBufferPointer<Float>? = nil
  ) -> any PendingReduction {
    guard wire == .bfloat16 else { return startAllReduce(buffer, using: algorithm) }
    let plan = plan(of: buffer.count, using: algorithm)
    return BFloat16Rounds(plan, allGathers: true, on: buffer, residual, among: self, tag: nextTag())
  }

  /// Starts the first half of an all-reduce whose parts are whole units, and one shorter one at the end.
  ///
  /// The sums have the bits of `startAllReduce` with the same `wire`, unless the algorithm adds in an
  /// order that depends on the part, as the ring does, or there is a residual.
  ///
  /// - Parameter unit: The elements of a unit.
  public func startReduceScatter(
    _ buffer: UnsafeMutableBufferPointer<Float>, using algorithm: InterNodeAllReduce,
    wire: WireFormat, residual: UnsafeMutableBufferPointer<Float>? = nil, inUnitsOf unit: Int
  ) -> any PendingReduction {
    let plan = plan(of: buffer.count, using: algorithm, inUnitsOf: unit)
    return wire == .bfloat16
      ? BFloat16Rounds(plan, allGathers: false, on: buffer, residual, among: self, tag: nextTag())
      : RoundsUnderWay(plan.reduceScatter, on: buffer, among: self, tag: nextTag())
  }

  /// Starts the second half of an all-reduce whose parts are whole units; in float32.
  public func startAllGather(
    _ buffer: UnsafeMutableBufferPointer<Float>, using algorithm: InterNodeAllReduce,
    inUnitsOf unit: Int
  ) -> any PendingReduction {
    let plan = plan(of: buffer.count, using: algorithm, inUnitsOf: unit)
    return RoundsUnderWay(plan.allGather, on: buffer, among: self, tag: nextTag())
  }

  /// The elements of a buffer that one of these ranks owns between the halves of an all-reduce whose
  /// parts are whole units.
  public func owned(
    of count: Int, using algorithm: InterNodeAllReduce, inUnitsOf unit: Int, rank: Int
  ) -> Range<Int> {
    plan(of: count, using: algorithm, inUnitsOf: unit, rank: rank).owned
  }
}

extension AllReducePlan {
  /// This plan of units as one of `count` elements.
  func ofElements(_ count: Int, inUnitsOf unit: Int) -> AllReducePlan {
    func elements(_ units: Range<Int>) -> Range<Int> {
      min(units.lowerBound * unit, count)..<min(units.upperBound * unit, count)
    }
    func transfers(_ transfers: [AllReduceRound.Transfer]) -> [AllReduceRound.Transfer] {
      transfers.map { .init($0.peer, elements($0.elements)) }
    }
    func rounds(_ rounds: [AllReduceRound]) -> [AllReduceRound] {
      rounds.map {
        AllReduceRound(
          sends: transfers($0.sends), receives: transfers($0.receives), adds: $0.adds)
      }
    }
    return AllReducePlan(
      reduceScatter: rounds(reduceScatter), owned: elements(owned), allGather: rounds(allGather))
  }
}
