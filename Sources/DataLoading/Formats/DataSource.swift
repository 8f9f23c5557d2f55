public import Settings

/// Files of samples, or the samples in the program, with the options of their format.
///
///     var source = CSVSource(path: "samples.csv")
///     source.testCount = 500
///     let data = try source.open()
public protocol DataSource: SettingsGroup {
  /// Reads the samples; `open` has checked the options.
  ///
  /// - Parameter preparation: How the samples of a trained model were prepared, which these must be
  ///   too; nil finds it in the data.
  func read(_ preparation: SamplePreparation?) throws -> DataSplits

  /// The same, where several threads may read; by default one does.
  func read(_ preparation: SamplePreparation?, threads: Int) throws -> DataSplits
}

extension DataSource {
  /// Reads the samples for training, validation and testing, and says how they were prepared.
  ///
  /// Throws a `SettingError` for a wrong option, among them a `path` where nothing is, and a
  /// `DataError` for a file that is not what it should be.
  ///
  /// - Parameters:
  ///   - preparation: How the samples of a trained model were prepared, to evaluate it on these; nil
  ///     finds it in the data.
  ///   - seed: The random seed of changes of images while training.
  ///   - threads: How many threads read samples that are computed, such as images.
  public func open(
    _ preparation: SamplePreparation? = nil, seed: UInt64 = 0, threads: Int = 1
  ) throws -> DataSplits {
    try validate()
    return try read(preparation, threads: threads).augmented(seed: seed)
  }

  /// Reads with one thread.
  public func read(_ preparation: SamplePreparation?, threads: Int) throws -> DataSplits {
    try read(preparation)
  }
}

/// The samples for training, validation and testing, and what is needed to use a model on others.
public struct DataSplits: Sendable {
  /// The samples to train on.
  public let train: any Dataset
  /// The samples that are measured while training; may be empty.
  public let validation: any Dataset
  /// The samples for a last measurement, which training does not see; may be empty.
  public let test: any Dataset
  /// How the samples were prepared.
  public let preparation: SamplePreparation

  /// The samples of a part.
  public subscript(part: DataPart) -> any Dataset {
    switch part {
    case .train: train
    case .validation: validation
    case .test: test
    }
  }

  /// Data sets; those that are not given are empty.
  public init(
    train: any Dataset, validation: (any Dataset)? = nil, test: (any Dataset)? = nil,
    preparation: SamplePreparation = SamplePreparation()
  ) {
    self.train = train
    self.validation = validation ?? NoSamples(like: train)
    self.test = test ?? NoSamples(like: train)
    self.preparation = preparation
  }
}

extension DataSplits {
  /// The same, with changes of images by this seed.
  fileprivate func augmented(seed: UInt64) -> DataSplits {
    guard var images = train as? ImageDataset else { return self }
    images.seed = seed
    return DataSplits(train: images, validation: validation, test: test, preparation: preparation)
  }
}

/// A part of the data.
public enum DataPart: String, Sendable, CaseIterable {
  case train, validation, test
}

/// A data format that a configuration can name.
public struct DataFormat: NamedEntry {
  private static let registry = Registry<DataFormat>([
    .csv, .npy, .images, .idx, .cifar10, .text, .digits,
  ])

  /// All formats that can be named, those of the program last.
  public static var all: [DataFormat] { registry.all }

  /// Adds data of the program, which is then the default of `data.kind`.
  ///
  /// Call it before a configuration is read. Traps for a name that is taken or is no plain word.
  public static func add(_ format: DataFormat) { registry.add(format) }

  /// The data that a configuration has unless it names one.
  static var defaultName: String { registry.ownName ?? "digits" }

  /// The name.
  public let name: String
  /// The options with their defaults.
  public let settings: any SettingsGroup
  /// Whether samples are tokens of a text, and not numbers; nil where only the data tells.
  public let isText: Bool?
  private let openData:
    @Sendable (
      any SettingsGroup, SamplePreparation?, _ seed: UInt64, _ threads: Int
    ) throws -> DataSplits

  /// A format of a name.
  public init(_ name: String, _ source: some DataSource, isText: Bool? = false) {
    self.name = name
    self.isText = isText
    settings = source
    openData = { try ($0 as! any DataSource).open($1, seed: $2, threads: $3) }
  }

  /// Data of a name that has no options.
  public init(_ name: String, open: @escaping @Sendable () throws -> DataSplits) {
    self.name = name
    isText = nil
    settings = NoSettings()
    openData = { _, _, _, _ in try open() }
  }

  /// A source of this format with its default options; traps for data that has none.
  public var source: any DataSource { settings as! any DataSource }

  /// Reads the data; `options` has the type of `settings`, `seed` and `threads` are those of
  /// `DataSource.open`.
  public func open(
    _ options: any SettingsGroup, _ preparation: SamplePreparation? = nil, seed: UInt64 = 0,
    threads: Int = 1
  ) throws -> DataSplits {
    try openData(options, preparation, seed, threads)
  }
}

/// Which data is used.
public struct DataChoice: SettingsGroup {
  /// The name of a `DataFormat`.
  @Setting("format of the data", type: .word(DataFormat.all.names)) public var kind =
    DataFormat.defaultName

  /// The embedded digits, or the program's data.
  public init() {}
}
