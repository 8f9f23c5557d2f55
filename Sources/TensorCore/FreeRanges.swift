/// Free memory as ranges of addresses, in ascending order; neighbors are joined.
struct FreeRanges: Sendable {
  private(set) var ranges: [Range<UInt>] = []

  /// Takes `size` bytes from the start of the shortest range that has them; nil if none has.
  mutating func take(_ size: Int) -> UInt? {
    var best: Int?
    for (index, range) in ranges.enumerated() where range.count >= size {
      if best == nil || range.count < ranges[best!].count { best = index }
    }
    guard let best else { return nil }
    let range = ranges[best]
    if range.count == size {
      ranges.remove(at: best)
    } else {
      ranges[best] = range.lowerBound + UInt(size)..<range.upperBound
    }
    return range.lowerBound
  }

  /// Adds a range that overlaps none of these.
  mutating func insert(_ range: Range<UInt>) {
    // The first range behind it.
    var (low, high) = (0, ranges.count)
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].lowerBound > range.lowerBound {
        high = middle
      } else {
        low = middle + 1
      }
    }
    let joinsPrevious = low > 0 && ranges[low - 1].upperBound == range.lowerBound
    let joinsNext = low < ranges.count && ranges[low].lowerBound == range.upperBound
    let start = joinsPrevious ? ranges[low - 1].lowerBound : range.lowerBound
    let end = joinsNext ? ranges[low].upperBound : range.upperBound
    ranges.replaceSubrange(
      (joinsPrevious ? low - 1 : low)..<(joinsNext ? low + 1 : low),
      with: CollectionOfOne(start..<end))
  }
}
