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
