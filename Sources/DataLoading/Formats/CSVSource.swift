import Base
import Foundation
public import Settings

/// A table of numbers and texts, a sample in each row: a file, or a folder with `train.csv` and possibly
/// `validation.csv` and `test.csv`, each of which may also be compressed (`.gz`).
///
/// A column of texts becomes an input for each category, 0 or 1. Without files for validation and
/// testing, `validation` and `test` say which samples are held out.
public struct CSVSource: DataSource, SplitSource {
  /// Whether the first row names the columns.
  public enum Header: String, CaseIterable, SettingRepresentable {
    /// It does if it has texts only, or a text where the second row has a number.
    case auto
    case yes, no
  }

  /// What stands between two fields.
  public enum Separator: String, CaseIterable, SettingRepresentable {
    /// The first of `;`, tab, `|` and `,` that the first two rows have equally often.
    case auto
    case comma, semicolon, tab, bar

    var byte: UInt8? {
      switch self {
      case .auto: nil
      case .comma: UInt8(ascii: ",")
      case .semicolon: UInt8(ascii: ";")
      case .tab: UInt8(ascii: "\t")
      case .bar: UInt8(ascii: "|")
      }
    }
  }

  /// What is done with a missing value: an empty field, `NA`, `NaN`, `null`, `None` or `?`.
  public enum Missing: String, CaseIterable, SettingRepresentable {
    /// The file is refused.
    case error
    /// The row is left out.
    case drop
    /// The column's mean, or its most frequent category, takes its place.
    case mean
    /// The column's median, or its most frequent category, takes its place.
    case median
  }

  /// The file or folder; a leading `~` is the home folder.
  @Setting(
    shared: .path("file, or folder with train.csv and possibly validation.csv and test.csv"))
  public var path: String?
  /// The samples for validation: a number, or a fraction below 1.
  @Setting(shared: .validation) public var validation: Double?
  /// The samples for testing: a number, or a fraction below 1.
  @Setting(shared: .test) public var test: Double?
  /// How samples for validation and testing are chosen.
  @Setting(shared: .split) public var split: SplitMethod?
  /// The random seed of the split.
  @Setting(shared: .splitSeed) public var splitSeed: Int
  /// The number of classes; nil finds the classes in the data.
  @Setting(shared: .classes) public var classes: Int?
  /// Whether targets are classes or values.
  @Setting(shared: .target) public var target: TargetType
  /// The column of the target: a name in the header, or a number from 1; nil is the last.
  @Setting("target column: its name, or its number from 1; null is the last", unset: "")
  public var labelColumn: String? = nil
  /// The columns that are left out, by name or number.
  @Setting("columns that are left out: their names, or their numbers from 1")
  public var ignoreColumns: [String] = []
  /// The columns whose values are categories although they are numbers, or although there are many.
  @Setting(
    "columns whose values are categories though they are numbers, or more than 100 texts: names, or numbers from 1"
  )
  public var categoricalColumns: [String] = []
  /// What is done with missing values.
  @Setting(
    "missing values: refuse them, drop the row, or fill in the column's mean or median (for texts the most frequent)"
  )
  public var missing = Missing.error
  /// What stands between two fields.
  @Setting("what separates fields; auto finds it") public var separator = Separator.auto
  /// Whether the first row names the columns.
  @Setting("whether the first row names the columns") public var header = Header.auto
  /// The shape of a sample, such as `[1, 28, 28]`; nil is one axis.
  @Setting(shared: .inputShape) public var inputShape: [Int]?
  /// Whether a model trains on standardized values.
  @Setting(shared: .standardizeTargets) public var standardizeTargets: Bool
  /// What is done with the inputs; categories stay 0 or 1.
  @Setting(shared: .normalizeFeatures) public var normalize: InputNormalization

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
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    let path = expanded(path)
    let isFolder = isFolder(path)
    let trainPath = isFolder ? path + "/train.csv" : path
    guard let train = try table(trainPath, preparation?.table) else {
      throw missingPath(
        trainPath, isFolder ? "this file, or .gz of it" : "a CSV file, or a folder with train.csv")
    }
    func other(_ name: String) throws -> Samples? {
      guard isFolder else { return nil }
      return try table("\(path)/\(name).csv", train.schema).map { try samples($0) }
    }
    return try DataSplits(
      SampleFiles(train: samples(train), validation: other("validation"), test: other("test")),
      SampleOptions(
        splits: splitOptions, classes: classes, target: target, normalize: normalize,
        standardizeTargets: standardizeTargets), preparation, table: train.schema)
  }

  /// Reads a file, or the same with `.gz` added to its name; nil if there is neither.
  private func table(_ path: String, _ schema: TableSchema?) throws -> Table? {
    let found = [path, path + ".gz"].first { FileManager.default.fileExists(atPath: $0) }
    return try found.map { try Table(ByteReader(path: $0), options: self, schema: schema) }
  }

  /// The rows of a table as samples.
  func samples(_ table: Table) throws -> Samples {
    let shape = inputShape ?? [table.schema.width]
    guard !shape.isEmpty, shape.elementCount == table.schema.width else {
      throw SettingError(
        "inputShape",
        "is \(shape), which does not hold the \(table.schema.width) inputs of a row of "
          + "\(table.targets.name)")
    }
    var samples = Samples(inputs: table.inputs, inputShape: shape, targets: table.targets)
    samples.categoricalInputs = table.schema.categoricalInputs
    return samples
  }
}

extension DataFormat {
  /// CSV.
  static let csv = DataFormat("csv", CSVSource())
}
