import Foundation

/// Where a run's samples come from: what the `data` section of a configuration says.
///
/// What `path` is depends on the kind; files of idx and csv may also have `.gz` added to their
/// names.
///
/// - `digits`: none. 1,797 digits of 8 x 8 pixels are part of the program; every fifth is for
///   testing.
/// - `idx`: a folder with MNIST's files, `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and
///   the same with `t10k`, also spelled `train-images.idx3-ubyte`. Bytes become 0...1.
/// - `csv`: a file, or a folder with `train.csv` and possibly `test.csv`.
/// - `npy`: a folder with `train-inputs.npy`, `train-targets.npy` and possibly the same with
///   `test`, or with `inputs.npy` and `targets.npy`; or the path of a file of inputs, beside its
///   targets. Numbers are taken as they are.
///
/// - `cifar10`: a folder with those of `data_batch_1.bin` to `data_batch_5.bin` that there are, and
///   possibly `test_batch.bin`, the binary version of CIFAR-10. Bytes become 0...1.
/// - `text`: a file in UTF-8, whose characters are the tokens; or tokens as nanoGPT stores them,
///   16-bit little-endian numbers in a file named `.bin`, or in `train.bin` and possibly `val.bin`
///   of a folder. Samples are blocks of `blockSize` tokens, the targets the tokens that come next:
///   for training at random places, for testing one block after another. Where there is no
///   `val.bin`, the last `testFraction` of the tokens are for testing.
///
/// Where there is no file for testing, `testCount` says how many of the last samples are kept for
/// it. Where there is one, its last `testCount` samples are used, all of them by default. Zero
/// means no testing.
public struct DataSource: Sendable, Equatable {
  /// The format.
  public enum Kind: String, Sendable, CaseIterable, Codable {
    case digits, idx, csv, npy, cifar10, text
  }

  /// How to read the targets.
  public enum Target: String, Sendable, CaseIterable, Codable {
    /// Labels: whole numbers from zero on.
    case classes
    /// Numbers to predict.
    case values
  }

  /// What to do with the inputs.
  public enum Normalization: String, Sendable, CaseIterable, Codable {
    /// Nothing.
    case none
    /// All inputs together get mean zero and deviation one over the training set.
    case standardize
    /// Each element of the input by itself gets mean zero and deviation one over the training set.
    case standardizeFeatures
    /// Each channel, along the first axis of the input, gets mean zero and deviation one over the
    /// training set.
    case standardizeChannels
  }

  /// The format.
  public var kind: Kind
  /// The file or folder; a leading `~` is the home folder.
  public var path: String?
  /// How many of the last samples are for testing.
  public var testCount: Int?
  /// The share of a text's last tokens that are for testing; by default 0.1.
  public var testFraction: Double?
  /// How many tokens a sample of a text has; by default 64.
  public var blockSize: Int?
  /// How many classes, or tokens of token files, there are; by default one more than the largest.
  public var classes: Int?
  /// How to read the targets of csv (by default classes) and npy (by default integers are classes).
  public var target: Target?
  /// The target's column in csv: a name in the header, or a number from one; by default the last.
  public var labelColumn: String?
  /// Whether csv begins with a header; by default it does if its first line has other than numbers.
  public var header: Bool?
  /// The shape of one input in csv, such as `[1, 28, 28]`; by default one axis.
  public var inputShape: [Int]?
  /// What to do with the inputs.
  public var normalize: Normalization = .none

  /// Creates a source with default options.
  public init(_ kind: Kind, path: String? = nil) {
    self.kind = kind
    self.path = path
  }

  /// Reads training and test set, and says how their inputs were normalized, if they were.
  ///
  /// Throws a `DataError` if an option is wrong, a file is missing, or one is not what it should
  /// be.
  public func open() throws -> DataSplits {
    try check()
    if kind == .text {
      let path = NSString(string: path ?? "").expandingTildeInPath
      return try openText(path, isFolder: isFolder(path))
    }
    let (train, test) = try read()
    let groups: Int
    switch normalize {
    case .none: return DataSplits(train: train, test: test)
    case .standardize: groups = 1
    case .standardizeFeatures: groups = train.inputShape.reduce(1, *)
    case .standardizeChannels: groups = train.inputShape[0]
    }
    let standardization = Standardization(of: train, groups: groups)
    return DataSplits(
      train: train.standardized(standardization), test: test.standardized(standardization),
      standardization: standardization)
  }

  /// Refuses values that make no sense, and options that this kind would ignore.
  private func check() throws {
    func refuse(_ option: String, _ why: String) throws -> Never {
      throw DataError(.configuration, "data.\(option): \(why)")
    }
    let uses: [(option: String, isGiven: Bool, kinds: [Kind])] = [
      ("path", path != nil, [.idx, .csv, .npy, .cifar10, .text]),
      ("testCount", testCount != nil, [.idx, .csv, .npy, .cifar10]),
      ("testFraction", testFraction != nil, [.text]),
      ("blockSize", blockSize != nil, [.text]),
      ("classes", classes != nil, [.idx, .csv, .npy, .text]),
      ("target", target != nil, [.csv, .npy]),
      ("labelColumn", labelColumn != nil, [.csv]),
      ("header", header != nil, [.csv]),
      ("inputShape", inputShape != nil, [.csv]),
      ("normalize", normalize != .none, [.digits, .idx, .csv, .npy, .cifar10]),
    ]
    for use in uses where use.isGiven && !use.kinds.contains(kind) {
      let kinds = use.kinds.map(\.rawValue).joined(separator: ", ")
      try refuse(use.option, "not for kind \(kind.rawValue), only for \(kinds): remove it")
    }
    if kind != .digits, path?.isEmpty ?? true {
      try refuse("path", "kind \(kind.rawValue) needs a file or folder")
    }
    if let testCount, testCount < 0 { try refuse("testCount", "\(testCount) is negative") }
    if let testFraction, !(0..<1).contains(testFraction) {
      try refuse("testFraction", "\(testFraction) is not in 0..<1")
    }
    if let blockSize, blockSize < 1 { try refuse("blockSize", "\(blockSize) is not positive") }
    if let classes, classes < 1 { try refuse("classes", "\(classes) is not positive") }
    if classes != nil, target == .values { try refuse("classes", "data.target is values") }
  }

  private func read() throws -> (train: InMemoryDataset, test: InMemoryDataset) {
    let path = NSString(string: path ?? "").expandingTildeInPath
    switch kind {
    case .digits:
      return Digits.split(try dataset(Digits.samples(), classes: 10))
    case .idx:
      guard isFolder(path) else { throw missing(path, "a folder with IDX files") }
      let parts = try ["train", "t10k"].map { try IDX.samples(in: path, part: $0) }
      guard let first = parts[0] ?? parts[1] else {
        throw missing(path, "train-images-idx3-ubyte or t10k-images-idx3-ubyte, or .gz of it")
      }
      return try split(train: first, test: parts[0] == nil ? nil : parts[1])
    case .csv:
      let isFolder = isFolder(path)
      let trainPath = isFolder ? path + "/train.csv" : path
      guard let train = try CSV.samples(path: trainPath, options: self) else {
        throw missing(trainPath, isFolder ? "this file, or .gz of it," : "a file or folder")
      }
      let test = isFolder ? try CSV.samples(path: path + "/test.csv", options: self) : nil
      return try split(train: train, test: test)
    case .npy:
      return try isFolder(path) ? readNumPyFolder(path) : readNumPyFile(path)
    case .cifar10:
      guard let train = try CIFAR10.trainingSamples(in: path) else {
        throw missing(path, "a folder with data_batch_1.bin")
      }
      return try split(
        train: train, test: CIFAR10.testSamples(in: path), classes: CIFAR10.classes)
    case .text: preconditionFailure("DataSource: a text has tokens")
    }
  }

  private func readNumPyFolder(_ folder: String) throws -> (InMemoryDataset, InMemoryDataset) {
    func pair(_ prefix: String) throws -> Samples? {
      try NumPyFile.samples(
        inputs: "\(folder)/\(prefix)inputs.npy", targets: "\(folder)/\(prefix)targets.npy",
        options: self)
    }
    if let train = try pair("train-") { return try split(train: train, test: pair("test-")) }
    guard let all = try pair("") else { throw missing(folder, "train-inputs.npy or inputs.npy") }
    return try split(train: all, test: nil)
  }

  private func readNumPyFile(_ path: String) throws -> (InMemoryDataset, InMemoryDataset) {
    let file = URL(fileURLWithPath: path)
    let name = file.lastPathComponent
    guard let inputs = name.range(of: "inputs", options: .backwards) else {
      throw DataError(
        .configuration,
        "data.path: '\(path)' is neither a folder nor named like inputs.npy, beside targets.npy")
    }
    let targets = file.deletingLastPathComponent()
      .appendingPathComponent(name.replacingCharacters(in: inputs, with: "targets"))
    let all = try NumPyFile.samples(inputs: path, targets: targets.path, options: self)
    guard let all else { throw missing(path, "a file or folder") }
    return try split(train: all, test: nil)
  }

  /// The test set is that of its own file or the end of the training file.
  private func split(
    train: Samples, test: Samples?, classes: Int? = nil
  ) throws -> (train: InMemoryDataset, test: InMemoryDataset) {
    let classes =
      try classes ?? self.classes
      ?? max(train.classes(declared: nil), test?.classes(declared: nil) ?? 0)
    let all = try dataset(train, classes: classes)
    guard let test else {
      guard let testCount else {
        throw DataError(
          .configuration,
          "data.testCount: \(train.name) has no test set beside it: say how many of the last "
            + "samples to keep for testing (of \(train.count); 0 for none)")
      }
      guard testCount < train.count else {
        throw tooLarge(testCount, "leaves nothing to train on", train)
      }
      let bound = train.count - testCount
      return (all.subset(0..<bound), all.subset(bound..<train.count))
    }
    guard test.inputShape == train.inputShape, test.valueShape == train.valueShape else {
      throw DataError(
        .malformed,
        "\(test.name): shape \(test.inputShape) with targets of \(test.valueShape ?? []), but "
          + "\(train.name) has \(train.inputShape) with \(train.valueShape ?? [])")
    }
    let tests = try dataset(test, classes: classes)
    guard let testCount, testCount != test.count else { return (all, tests) }
    guard testCount < test.count else { throw tooLarge(testCount, "is too many", test) }
    return (all, tests.subset(test.count - testCount..<test.count))
  }

  private func dataset(_ samples: Samples, classes: Int) throws -> InMemoryDataset {
    if let shape = samples.valueShape {
      return InMemoryDataset(
        samples.inputs, samples.inputShape, samples.targets, .values(shape: shape))
    }
    _ = try samples.classes(declared: classes)
    return InMemoryDataset(
      samples.inputs, samples.inputShape, samples.targets, .classes(count: classes))
  }

  private func isFolder(_ path: String) -> Bool {
    var isFolder = ObjCBool(false)
    return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
      && isFolder.boolValue
  }

  private func missing(_ path: String, _ expected: String) -> DataError {
    DataError(.missing, "data.path: '\(path)': there is no such thing; \(expected) is expected")
  }

  private func tooLarge(_ count: Int, _ what: String, _ samples: Samples) -> DataError {
    DataError(
      .configuration, "data.testCount: \(count) \(what): \(samples.name) has \(samples.count)")
  }
}

/// What a source holds: samples to train and to test on, and what is needed to use the model on
/// others.
public struct DataSplits: Sendable {
  /// The samples to train on.
  public let train: any Dataset
  /// The samples to test on; may be empty.
  public let test: any Dataset
  /// How inputs were normalized, if they were.
  public let standardization: Standardization?
  /// What the tokens of a text stand for; nil unless the source is one.
  public let codec: CharacterCodec?

  init(
    train: any Dataset, test: any Dataset, standardization: Standardization? = nil,
    codec: CharacterCodec? = nil
  ) {
    (self.train, self.test) = (train, test)
    (self.standardization, self.codec) = (standardization, codec)
  }
}
