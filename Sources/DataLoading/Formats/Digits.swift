import CDigits
public import Settings

/// The 1,797 handwritten digits that are part of the program, 8 by 8 pixels of 0...1.
///
/// Every fifth is for testing. `CDigits/README.md` says where they come from.
public struct DigitsSource: DataSource {
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization

  /// The digits as they are.
  public init() {}

  /// The samples in the program.
  public func read() throws -> DataSplits {
    let bytes = Array(UnsafeBufferPointer(start: cdigits_bytes(), count: cdigits_count()))
    var options = CSVSource()
    options.inputShape = [1, 8, 8]
    options.header = .no
    let reader = try ByteReader(name: "the embedded digits", bytes: bytes)
    let all = try CSV.read(reader, options: options, divisor: 16).dataset(classes: 10)
    return DataSplits(
      train: all.subset((0..<all.count).filter { $0 % 5 != 4 }),
      test: all.subset((0..<all.count).filter { $0 % 5 == 4 }), normalize)
  }
}

extension DataFormat {
  /// The digits in the program.
  static let digits = DataFormat("digits", DigitsSource())
}
