import Foundation
public import Settings

extension Setting<[String]> {
  static var augment: Setting {
    Setting(
      wrappedValue: [],
      "random changes of training images: flip, crop PADDING, resizedCrop AREA, colorJitter STRENGTH, mixup ALPHA, cutmix ALPHA"
    )
  }
}

extension Setting<[Int]?> {
  static var inputShape: Setting {
    Setting(
      wrappedValue: nil, "shape of a sample, as [1, 28, 28]; null is that of the file",
      in: 1...(1 << 20), unset: [])
  }
}

/// JPEG and PNG files in a folder for each class, or a file of packed images.
///
/// The folder has the folders `train`, `validation` (or `val`, `valid`) and `test`, each with a folder
/// for each class; or the folders of the classes themselves. Without those for validation and testing,
/// `validation` and `test` say which samples are held out.
public struct ImagesSource: DataSource, SplitSource {
  /// The folder or the file of packed images; a leading `~` is the home folder.
  @Setting(
    shared: .path(
      "folder with train, validation and test, or with a folder for each class; or a packed file"))
  public var path: String?
  /// Height and width of an input, or one number for both.
  @Setting("height and width of an input, as [224, 224]; one number is both", in: 1...8_192)
  public var imageSize = [224]
  /// The shorter side of an image after resizing, of which the center is taken.
  @Setting(
    "shorter side of an image after resizing, of which the center is taken; null just covers the input",
    in: 1...16_384, unit: "pixels")
  public var resize: Int? = nil
  /// 1 for grey, 3 for red, green and blue.
  @Setting("channels of an input: 3 for colors, 1 for grey", in: 1...3) public var channels = 3
  /// The samples for validation: a number, or a fraction below 1.
  @Setting(shared: .validation) public var validation: Double?
  /// The samples for testing: a number, or a fraction below 1.
  @Setting(shared: .test) public var test: Double?
  /// How samples for validation and testing are chosen.
  @Setting(shared: .split) public var split: SplitMethod?
  /// The random seed of the split.
  @Setting(shared: .splitSeed) public var splitSeed: Int
  /// Random changes of training images.
  @Setting(shared: .augment) public var augment: [String]
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization
  /// The threads that read images; nil is as many as a rank computes with.
  @Setting(
    "threads of a rank that read images; null is as many as it computes with", in: 1...1_024,
    mayChangeOnResume: true, perRank: true)
  public var decodeThreads: Int? = nil

  private static let expected = "a folder with a folder for each class, or a file of packed images"

  /// A source without a path.
  public init() {}

  /// A folder or a file of packed images.
  public init(path: String) { self.path = path }

  /// Throws when there is no path, or a value is impossible.
  public func check() throws(SettingError) {
    try requirePath(path, ImagesSource.expected)
    guard (1...2).contains(imageSize.count) else {
      throw SettingError("imageSize", "is \(imageSize); expected one number or [height, width]")
    }
    guard channels != 2 else { throw SettingError("channels", "is 2; expected 1 or 3") }
    if let resize, resize < imageSize.max()! {
      throw SettingError(
        "resize", "is \(resize), but 'imageSize' is \(imageSize): it must not be smaller")
    }
    if normalize == .standardizeFeatures {
      throw SettingError(
        "normalize",
        "is standardizeFeatures, which is not for images of this kind: use standardizeChannels")
    }
    if normalize == .imagenet && channels != 3 {
      throw SettingError("normalize", "is imagenet, which needs 3 channels; 'channels' is 1")
    }
    _ = try Augmentation(augment)
  }

  /// How images become inputs.
  package var imagePreparation: ImagePreparation {
    ImagePreparation(
      channels: channels, height: imageSize.first!, width: imageSize.last!, resize: resize)
  }

  /// Finds the images.
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    try read(preparation, threads: 1)
  }

  /// Finds the images; `threads` is the number of threads that read them unless `decodeThreads` says it.
  public func read(_ given: SamplePreparation?, threads: Int) throws -> DataSplits {
    let images = given?.images ?? imagePreparation
    let files = try ImageFiles(
      expanded(path), images, Augmentation(augment), classes: given?.classes?.names,
      expected: ImagesSource.expected)
    var parts = try files.divided(splitOptions)
    parts.train.threads = decodeThreads ?? threads
    parts.validation.threads = parts.train.threads
    parts.test.threads = parts.train.threads
    var preparation = SamplePreparation(classes: Classes(names: files.classNames), images: images)
    preparation.standardization =
      try given.map(\.standardization) ?? standardization(of: parts.train)
    func prepared(_ dataset: ImageDataset) -> ImageDataset {
      preparation.standardization.map(dataset.standardized) ?? dataset
    }
    return DataSplits(
      train: prepared(parts.train), validation: prepared(parts.validation),
      test: prepared(parts.test), preparation: preparation)
  }

  private func standardization(of train: ImageDataset) throws -> Standardization? {
    switch normalize {
    case .none, .standardizeFeatures: nil
    case .imagenet: .imageNet
    case .standardize: try Standardization(ofImages: train, groups: 1)
    case .standardizeChannels: try Standardization(ofImages: train, groups: channels)
    }
  }
}

/// The images of a folder or of a packed file, in the parts that it has.
struct ImageFiles {
  let classNames: [String]
  let train: ImageDataset
  let validation: ImageDataset?
  let test: ImageDataset?
  private let path: String

  /// Finds images.
  ///
  /// - Parameters:
  ///   - path: A folder, or a file of packed images.
  ///   - preparation: How images become inputs.
  ///   - augmentation: What changes while training.
  ///   - classes: The names of the classes, if they are known.
  ///   - expected: What should be there, in words.
  init(
    _ path: String, _ preparation: ImagePreparation, _ augmentation: Augmentation,
    classes: [String]?, expected: String
  ) throws {
    self.path = path
    if isFolder(path) {
      let folders = try ImageFiles.folders(path, classes: classes)
      classNames = folders.train.classNames
      train = ImageDataset(folders.train, preparation, augmentation)
      validation = folders.validation.map { ImageDataset($0, preparation) }
      test = folders.test.map { ImageDataset($0, preparation) }
      return
    }
    guard FileManager.default.fileExists(atPath: path) else { throw missingPath(path, expected) }
    guard isPackedImages(path) else {
      throw DataError(.malformed, "\(path): is neither a folder nor a file of packed images")
    }
    let packed = try PackedImages(path: path)
    guard packed.channels == preparation.channels else {
      throw SettingError(
        "channels", "is \(preparation.channels), but the images in \(path) have \(packed.channels)")
    }
    if let classes, classes != packed.header.classes {
      throw DataError(
        .malformed,
        "\(path): its classes (\(packed.header.classes.prefix(5).joined(separator: ", "))) are not "
          + "those of the model (\(classes.prefix(5).joined(separator: ", ")))")
    }
    classNames = packed.header.classes
    let (first, second) = (
      packed.header.training, packed.header.training + packed.header.validation
    )
    let all = ImageDataset(packed, preparation)
    train = ImageDataset(packed, preparation, augmentation).subset(0..<first)
    validation = first == second ? nil : all.subset(first..<second)
    test = second == packed.count ? nil : all.subset(second..<packed.count)
  }

  /// Finds the image files of a folder and its parts.
  static func folders(
    _ path: String, classes: [String]?
  ) throws -> (train: ImageFolder, validation: ImageFolder?, test: ImageFolder?) {
    let parts = parts(of: path)
    let train = try ImageFolder(path: parts.train, classNames: classes)
    func part(_ path: String?) throws -> ImageFolder? {
      try path.map { try ImageFolder(path: $0, classNames: train.classNames) }
    }
    let all = (train, try part(parts.validation), try part(parts.test))
    for (folder, name) in [(all.0, parts.train), (all.1, parts.validation), (all.2, parts.test)] {
      guard folder?.count != 0 else {
        throw DataError(
          .missing,
          "\(name ?? path): no images of the known classes: add some, or remove this folder")
      }
    }
    return all
  }

  /// The folders of the parts: `train` and those beside it, or the folder itself.
  private static func parts(
    of path: String
  ) -> (train: String, validation: String?, test: String?) {
    func folder(_ names: String...) -> String? {
      names.map { "\(path)/\($0)" }.first(where: isFolder)
    }
    let (validation, test) = (folder("validation", "val", "valid"), folder("test"))
    // A folder "train" alone may be a class of vehicles.
    guard let train = folder("train"), validation != nil || test != nil || hasFolders(train) else {
      return (path, nil, nil)
    }
    return (train, validation, test)
  }

  private static func hasFolders(_ path: String) -> Bool {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.contains { !$0.hasPrefix(".") && isFolder("\(path)/\($0)") }
  }

  /// The samples for training, validation and testing.
  func divided(
    _ options: SplitOptions
  ) throws -> (train: ImageDataset, validation: ImageDataset, test: ImageDataset) {
    let plan = try options.plan(
      total: train.count, of: path, validationFile: validation.map { _ in "the folder or file" },
      testFile: test.map { _ in "the folder or file" })
    let parts = try options.indices(plan, total: train.count, labels: train.labels)
    let isDivided = plan.validation + plan.test > 0
    let unchanged = train.unchanged
    return (
      isDivided ? train.subset(parts.train) : train,
      (plan.validationIsTestFile ? test : validation) ?? unchanged.subset(parts.validation),
      (plan.validationIsTestFile ? nil : test) ?? unchanged.subset(parts.test)
    )
  }
}

extension DataFormat {
  /// Image files.
  static let images = DataFormat("images", ImagesSource())
}
