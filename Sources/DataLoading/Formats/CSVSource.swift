public import Settings

/// Comma-separated numbers, a sample in each row: a file, or a folder with `train.csv` and possibly
/// `test.csv`, each of which may also be compressed (`.gz`).
///
/// Without a test file, `testCount` samples at the end are for testing.
public struct CSVSource: DataSource {
  /// Whether the first row names the columns.
  public enum Header: String, CaseIterable, SettingRepresentable {
    /// It does if a field of it is not a number.
    case auto
    case yes, no
  }

  /// The file or folder; a leading `~` is the home folder.
  @Setting(shared: .path("file, or folder with train.csv and possibly test.csv"))
  public var path: String?
  /// The number of test samples.
  @Setting(shared: .testCount) public var testCount: Int?
  /// The number of classes; nil infers it.
  @Setting(shared: .classes) public var classes: Int?
  /// Whether targets are classes (also with `auto`) or values.
  @Setting(shared: .target) public var target: TargetType
  /// The column of the target: a name in the header, or a number from 1; nil is the last.
  @Setting("target column: its name, or its number from 1; null is the last", unset: "")
  public var labelColumn: String? = nil
  /// Whether the first row names the columns.
  @Setting("whether the first row names the columns") public var header = Header.auto
  /// The shape of a sample, such as `[1, 28, 28]`; nil is one axis.
  @Setting("shape of a sample, as [1, 28, 28]; null is one axis", in: 1...(1 << 20), unset: [])
  public var inputShape: [Int]? = nil
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization

  /// A source without a path.
  public init() {}

  /// A file or folder.
  public init(path: String) { self.path = path }

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, "a CSV file, or a folder with train.csv")
    if target == .values, let classes {
      throw SettingError("classes", "is \(classes), but 'target' is values, which have no classes")
    }
  }

  /// Reads the file or files.
  public func read() throws -> DataSplits {
    let path = expanded(path)
    let isFolder = isFolder(path)
    let trainPath = isFolder ? path + "/train.csv" : path
    guard let train = try CSV.samples(path: trainPath, options: self) else {
      throw missingPath(
        trainPath, isFolder ? "this file, or .gz of it" : "a CSV file, or a folder with train.csv")
    }
    return try DataSplits(
      train: train, test: isFolder ? CSV.samples(path: path + "/test.csv", options: self) : nil,
      testCount: testCount, classes: classes, normalize: normalize)
  }
}

extension DataFormat {
  /// CSV.
  static let csv = DataFormat("csv", CSVSource())
}
