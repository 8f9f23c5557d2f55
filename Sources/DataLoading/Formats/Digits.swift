import CDigits
public import Settings

/// The 1,797 handwritten digits that are part of the program, 8 by 8 pixels of 0...1.
///
/// Every fifth is for validation. `CDigits/README.md` says where they come from.
public struct DigitsSource: DataSource {
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization
  /// Random changes of training images.
  @Setting(shared: .augment) public var augment: [String]

  /// The digits as they are.
  public init() {}

  /// Throws when a change of images is unknown.
  public func check() throws(SettingError) { _ = try Augmentation(augment) }

  /// The samples in the program.
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    let bytes = Array(UnsafeBufferPointer(start: cdigits_bytes(), count: cdigits_count()))
    var columns = CSVSource()
    columns.header = .no
    let reader = try ByteReader(name: "the embedded digits", bytes: bytes)
    let table = try Table(reader, options: columns, schema: nil)
    let all = try Samples(
      inputs: table.inputs.map { $0 / 16 }, inputShape: [1, 8, 8], targets: table.targets
    ).dataset(.classes(Classes(count: 10)))
    let options = SampleOptions(
      normalize: normalize, augmentation: try Augmentation(augment), areImages: true)
    var (train, validation): ([Int], [Int]) = ([], [])
    for index in 0..<all.count {
      if index % 5 == 4 { validation.append(index) } else { train.append(index) }
    }
    return try DataSplits(
      train: all.subset(train), validation: all.subset(validation), test: all.subset([]),
      SamplePreparation(classes: Classes(count: 10)), options,
      preparation)
  }
}

extension DataFormat {
  /// The digits in the program.
  static let digits = DataFormat("digits", DigitsSource())
}
