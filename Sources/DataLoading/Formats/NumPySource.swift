import Foundation
public import Settings

/// NumPy's `.npy` files, inputs beside targets: a folder with `train-inputs.npy`,
/// `train-targets.npy` and possibly the same with `test`, or with `inputs.npy` and `targets.npy`; or
/// the path of a file of inputs, such as `my-inputs.npy` beside `my-targets.npy`.
///
/// Without test files, `testCount` samples at the end are for testing.
public struct NumPySource: DataSource {
  /// The folder, or the file of inputs; a leading `~` is the home folder.
  @Setting(
    shared: .path(
      "folder with train-inputs.npy, train-targets.npy and possibly test-..., or with inputs.npy, targets.npy"
    ))
  public var path: String?
  /// The number of test samples.
  @Setting(shared: .testCount) public var testCount: Int?
  /// The number of classes; nil infers it.
  @Setting(shared: .classes) public var classes: Int?
  /// Whether targets are classes or values.
  @Setting(shared: .target) public var target: TargetType
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization

  private static let expected = "a folder with train-inputs.npy or inputs.npy"

  /// A source without a path.
  public init() {}

  /// A folder, or a file of inputs.
  public init(path: String) { self.path = path }

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, NumPySource.expected)
    if target == .values, let classes {
      throw SettingError("classes", "is \(classes), but 'target' is values, which have no classes")
    }
  }

  /// Reads the pairs of files.
  public func read() throws -> DataSplits {
    let path = expanded(path)
    let (train, test) = try isFolder(path) ? readFolder(path) : (readFile(path), nil)
    return try DataSplits(
      train: train, test: test, testCount: testCount, classes: classes, normalize: normalize)
  }

  private func readFolder(_ folder: String) throws -> (train: Samples, test: Samples?) {
    func pair(_ prefix: String) throws -> Samples? {
      try NumPyFile.samples(
        inputs: "\(folder)/\(prefix)inputs.npy", targets: "\(folder)/\(prefix)targets.npy",
        isClasses: isClasses)
    }
    if let train = try pair("train-") { return (train, try pair("test-")) }
    guard let all = try pair("") else { throw missingPath(folder, NumPySource.expected) }
    return (all, nil)
  }

  private func readFile(_ path: String) throws -> Samples {
    let file = URL(fileURLWithPath: path)
    let name = file.lastPathComponent
    guard let inputs = name.range(of: "inputs", options: .backwards) else {
      throw SettingError(
        "path", "is '\(path)', neither a folder nor named like inputs.npy, beside targets.npy")
    }
    let targets = file.deletingLastPathComponent()
      .appendingPathComponent(name.replacingCharacters(in: inputs, with: "targets"))
    let all = try NumPyFile.samples(inputs: path, targets: targets.path, isClasses: isClasses)
    guard let all else { throw missingPath(path, NumPySource.expected) }
    return all
  }

  /// Whether targets of a type are classes.
  private func isClasses(_ type: NumericArray.ElementType) -> Bool {
    switch target {
    case .auto: classes != nil || !type.isFloatingPoint
    case .classes: true
    case .values: false
    }
  }
}

extension DataFormat {
  /// NumPy arrays.
  static let npy = DataFormat("npy", NumPySource())
}
