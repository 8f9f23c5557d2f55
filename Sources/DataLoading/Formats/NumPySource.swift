import Foundation
public import Settings

/// NumPy's `.npy` files, inputs beside targets: a folder with `train-inputs.npy`,
/// `train-targets.npy` and possibly the same with `validation` and `test`, or with `inputs.npy` and `targets.npy`; or
/// the path of a file of inputs, such as `my-inputs.npy` beside `my-targets.npy`; or of a `.npz` with
/// both, as `x_train` and `y_train`.
///
/// Without such files, `validation` and `test` say which samples are held out.
public struct NumPySource: DataSource, SplitSource {
  /// The folder, or the file of inputs; a leading `~` is the home folder.
  @Setting(
    shared: .path(
      "folder with train-inputs.npy, train-targets.npy and possibly test-..., or with inputs.npy, targets.npy; or an .npz"
    ))
  public var path: String?
  /// The samples for validation: a number, or a fraction below 1.
  @Setting(shared: .validation) public var validation: Double?
  /// The samples for testing: a number, or a fraction below 1.
  @Setting(shared: .test) public var test: Double?
  /// How samples for validation and testing are chosen.
  @Setting(shared: .split) public var split: SplitMethod?
  /// The random seed of the split.
  @Setting(shared: .splitSeed) public var splitSeed: Int
  /// The number of classes; nil infers it.
  @Setting(shared: .classes) public var classes: Int?
  /// Whether targets are classes or values.
  @Setting(shared: .target) public var target: TargetType
  /// Whether a model trains on standardized values.
  @Setting(shared: .standardizeTargets) public var standardizeTargets: Bool
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization
  /// The shape of a sample; nil is that of the array.
  @Setting(shared: .inputShape) public var inputShape: [Int]?
  /// The order of the axes of images.
  @Setting(
    "order of the axes of images; auto: channels last if 1 or 3 are there; two axes are a grey image"
  )
  public var layout = ImageLayout.auto
  /// Random changes of training images.
  @Setting(shared: .augment) public var augment: [String]

  private static let expected = "a folder with train-inputs.npy or inputs.npy, or an .npz"

  /// A source without a path.
  public init() {}

  /// A folder, or a file of inputs.
  public init(path: String) { self.path = path }

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, NumPySource.expected)
    _ = try Augmentation(augment)
    if let inputShape, layout != .auto {
      throw SettingError(
        "layout", "is \(layout.rawValue), but 'inputShape' \(inputShape) is set: remove one")
    }
    if target == .values, let classes {
      throw SettingError("classes", "is \(classes), but 'target' is values, which have no classes")
    }
  }

  /// Reads the pairs of files.
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    let path = expanded(path)
    return try DataSplits(
      isFolder(path)
        ? readFolder(path)
        : path.hasSuffix(".npz")
          ? NumPyArchive.samples(path: path, layout: layout, inputShape: inputShape)
          : SampleFiles(train: readFile(path)),
      SampleOptions(
        splits: splitOptions, classes: classes, target: target, normalize: normalize,
        standardizeTargets: standardizeTargets, augmentation: Augmentation(augment)), preparation)
  }

  private func readFolder(_ folder: String) throws -> SampleFiles {
    func pair(_ prefix: String) throws -> Samples? {
      try NumPyFile.samples(
        inputs: "\(folder)/\(prefix)inputs.npy", targets: "\(folder)/\(prefix)targets.npy",
        layout: layout, inputShape: inputShape)
    }
    if let train = try pair("train-") {
      return SampleFiles(
        train: train, validation: try pair("validation-"), test: try pair("test-"))
    }
    guard let all = try pair("") else { throw missingPath(folder, NumPySource.expected) }
    return SampleFiles(train: all)
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
    let all = try NumPyFile.samples(
      inputs: path, targets: targets.path, layout: layout, inputShape: inputShape)
    guard let all else { throw missingPath(path, NumPySource.expected) }
    return all
  }
}

extension DataFormat {
  /// NumPy arrays.
  static let npy = DataFormat("npy", NumPySource())
}
