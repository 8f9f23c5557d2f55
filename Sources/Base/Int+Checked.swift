// Arithmetic on numbers that come from files and options.

extension Int {
  /// The sum; nil on overflow.
  package func adding(_ other: Int) -> Int? {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? nil : sum
  }

  /// The product; nil on overflow.
  package func multiplied(by other: Int) -> Int? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }
}

extension [Int] {
  /// The elements of an array of this shape; nil for a negative size, and on overflow.
  package var elementCount: Int? { byteCount(elementBytes: 1) }

  /// The bytes of an array of this shape; nil for a negative size, and on overflow.
  ///
  /// A size of 0 does not hide an overflow of the others, because strides are products too.
  package func byteCount(elementBytes: Int) -> Int? {
    var count = elementBytes
    for size in self where size != 0 {
      guard size > 0, let product = count.multiplied(by: size) else { return nil }
      count = product
    }
    return contains(0) ? 0 : count
  }
}
