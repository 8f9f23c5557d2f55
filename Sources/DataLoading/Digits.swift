import CDigits

/// The handwritten digits that come with the program, 8 by 8 pixels of 0...1; see
/// `CDigits/README.md`.
enum Digits {
  static func samples() throws -> Samples {
    let bytes = Array(UnsafeBufferPointer(start: cdigits_bytes(), count: cdigits_count()))
    var options = DataSource(.csv)
    options.inputShape = [1, 8, 8]
    options.header = false
    let reader = try ByteReader(name: "the embedded digits", bytes: bytes)
    return try CSV.read(reader, options: options, divisor: 16)
  }

  /// Training and test set: every fifth sample is for testing.
  static func split(_ all: InMemoryDataset) -> (train: InMemoryDataset, test: InMemoryDataset) {
    (
      all.subset((0..<all.count).filter { $0 % 5 != 4 }),
      all.subset((0..<all.count).filter { $0 % 5 == 4 })
    )
  }
}
