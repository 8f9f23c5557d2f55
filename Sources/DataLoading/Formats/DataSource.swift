public import Settings

/// Files of samples, or the samples in the program, with the options of their format.
///
///     var source = CSVSource(path: "samples.csv")
///     source.testCount = 500
///     let data = try source.open()
public protocol DataSource: SettingsGroup {
  /// Reads the samples; `open` has checked the options.
  func read() throws -> DataSplits
}

extension DataSource {
  /// Reads training and test set, and says how their inputs were normalized, if they were.
  ///
  /// Throws a `SettingError` for a wrong option, among them a `path` where nothing is, and a
  /// `DataError` for a file that is not what it should be.
  public func open() throws -> DataSplits {
    try validate()
    return try read()
  }
}

/// Training and test samples, and what is needed to use a model on others.
public struct DataSplits: Sendable {
  /// The samples to train on.
  public let train: any Dataset
  /// The samples to test on; may be empty.
  public let test: any Dataset
  /// How inputs were normalized, if they were.
  public let standardization: Standardization?
  /// The characters that tokens stand for; nil unless the samples are text.
  public let codec: CharacterCodec?

  /// Training and test samples, and how they were read.
  public init(
    train: any Dataset, test: any Dataset, standardization: Standardization? = nil,
    codec: CharacterCodec? = nil
  ) {
    (self.train, self.test) = (train, test)
    (self.standardization, self.codec) = (standardization, codec)
  }
}

/// A data format that a configuration can name.
public struct DataFormat: NamedEntry {
  /// All formats that can be named.
  public static let all: [DataFormat] = [.csv, .npy, .libsvm, .idx, .cifar10, .text, .digits]

  /// The name.
  public let name: String
  /// A source of this format with its default options.
  public let source: any DataSource
  /// Whether samples are tokens of a text, and not numbers.
  public let isText: Bool

  /// The options with their defaults.
  public var settings: any SettingsGroup { source }

  /// A format of a name.
  public init(_ name: String, _ source: some DataSource, isText: Bool = false) {
    self.name = name
    self.source = source
    self.isText = isText
  }

  /// Reads the data of a source; `options` has the type of `source`.
  public func open(_ options: any SettingsGroup) throws -> DataSplits {
    try (options as! any DataSource).open()
  }
}

/// Which data is used.
public struct DataChoice: SettingsGroup {
  /// The name of a `DataFormat`.
  @Setting("format of the data", type: .word(DataFormat.all.names)) public var kind = "digits"

  /// The embedded digits.
  public init() {}
}
