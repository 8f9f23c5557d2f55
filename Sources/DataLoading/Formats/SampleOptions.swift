// What several formats of samples have in common: options, and how samples become data sets.
import Base
import Foundation
public import Settings

/// What is done with the inputs.
public enum InputNormalization: String, CaseIterable, SettingRepresentable {
  /// Nothing.
  case none
  /// All inputs together get mean 0 and standard deviation 1 over the training set.
  case standardize
  /// Each element of an input gets mean 0 and standard deviation 1 over the training set.
  case standardizeFeatures
  /// Each channel, along the first axis of an input, gets mean 0 and standard deviation 1 over the
  /// training set.
  case standardizeChannels
  /// Each channel is standardized by the mean and standard deviation of ImageNet's images.
  case imagenet
}

/// What the targets of a file are.
public enum TargetType: String, CaseIterable, SettingRepresentable {
  /// Texts and whole numbers of which there are few are classes, other numbers values.
  case auto
  /// Labels: texts or whole numbers.
  case classes
  /// Numbers to predict.
  case values
}

extension Setting<String?> {
  /// The path of a source, which each rank may have elsewhere.
  static func path(_ help: String) -> Setting {
    Setting(wrappedValue: nil, help, unset: "", mayChangeOnResume: true, perRank: true)
  }
}

extension Setting<Int?> {
  static var classes: Setting {
    Setting(
      wrappedValue: nil, "number of classes; null infers it as the largest label + 1",
      in: 1...(1 << 20), unset: 0)
  }
}

extension Setting<InputNormalization> {
  static var normalize: Setting { normalization(.none) }

  /// The same for tables, whose columns have different units.
  static var normalizeFeatures: Setting { normalization(.standardizeFeatures) }

  private static func normalization(_ standard: InputNormalization) -> Setting {
    Setting(
      wrappedValue: standard,
      "normalization of inputs to mean 0 and standard deviation 1: over all, per feature, per channel; imagenet is by those of ImageNet"
    )
  }
}

extension Setting<TargetType> {
  static var target: Setting {
    Setting(
      wrappedValue: .auto,
      "whether targets are classes or values to predict; auto: texts and few whole numbers are classes"
    )
  }
}

extension Setting<Bool> {
  static var standardizeTargets: Setting {
    Setting(
      wrappedValue: true,
      "train on values to predict with mean 0 and standard deviation 1; predictions have their own unit"
    )
  }
}

/// The path of an option with the home folder in place of `~`.
func expanded(_ path: String?) -> String {
  NSString(string: path ?? "").expandingTildeInPath
}

/// Throws unless a path is given.
func requirePath(_ path: String?, _ expected: String) throws(SettingError) {
  guard path?.isEmpty ?? true else { return }
  throw SettingError("path", "is not set; expected \(expected)")
}

/// The error of a path where nothing is, or a folder without the files of a format.
func missingPath(_ path: String, _ expected: String) -> SettingError {
  let problem =
    isFolder(path) ? "does not have the files of this format" : "no such file or directory"
  return SettingError(
    "path", "is '\(path)': \(problem); expected \(expected)", exitStatus: .inputMissing)
}

func isFolder(_ path: String) -> Bool {
  var isFolder = ObjCBool(false)
  return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
}

/// The files of a data set that have been read.
struct SampleFiles {
  var train: Samples
  var validation: Samples?
  var test: Samples?

  /// All files, that of training first.
  var all: [Samples] { [train] + [validation, test].compactMap { $0 } }
}

/// How samples become data sets.
struct SampleOptions {
  var splits = SplitOptions()
  /// The classes that labels stand for, where the format says it.
  var knownClasses: Classes?
  /// The number of classes, if it was declared.
  var classes: Int?
  var target = TargetType.auto
  var normalize = InputNormalization.none
  var standardizeTargets = true
  /// What changes while training, where samples are images.
  var augmentation = Augmentation()
  /// Whether inputs are images as files have them, so that the model can be applied to image files.
  var areImages = false
}

extension DataSplits {
  /// Data sets of the samples of files: targets become labels or values, samples are divided, inputs
  /// normalized.
  ///
  /// - Parameters:
  ///   - files: The samples.
  ///   - options: How they become data sets.
  ///   - given: How the samples of a trained model were prepared; nil finds it in the files.
  ///   - table: The columns, where samples are the rows of a table.
  init(
    _ files: SampleFiles, _ options: SampleOptions, _ given: SamplePreparation?,
    table: TableSchema? = nil
  ) throws {
    let train = files.train
    let coding: TargetCoding
    if let classes = given?.classes ?? options.knownClasses {
      coding = .classes(classes)
    } else {
      coding = try TargetCoding(
        files.all.map(\.targets), options.target, declared: options.classes)
    }
    for file in files.all where file.inputShape != train.inputShape {
      throw DataError(
        .malformed,
        "\(file.name): samples of shape \(file.inputShape), but those of \(train.name) have "
          + "\(train.inputShape)")
    }
    let plan = try options.splits.plan(
      total: train.count, of: train.name, validationFile: files.validation?.name,
      testFile: files.test?.name)
    let all = try train.dataset(coding)
    let parts = try options.splits.indices(plan, total: all.count, labels: all.labels)
    let isDivided = plan.validation + plan.test > 0
    let training = isDivided ? all.subset(parts.train) : all
    let validationFile = plan.validationIsTestFile ? files.test : files.validation
    let testFile = plan.validationIsTestFile ? nil : files.test
    let validation = try validationFile?.dataset(coding) ?? all.subset(parts.validation)
    let test = try testFile?.dataset(coding) ?? all.subset(parts.test)

    var preparation = SamplePreparation(table: table)
    if case .classes(let classes) = coding { preparation.classes = classes }
    try self.init(
      train: training, validation: validation, test: test, preparation, options, given,
      categoricalInputs: train.categoricalInputs)
  }

  /// Data sets as they were read, which are still to be normalized.
  init(
    train: InMemoryDataset, validation: InMemoryDataset, test: InMemoryDataset,
    _ preparation: SamplePreparation, _ options: SampleOptions, _ given: SamplePreparation?,
    categoricalInputs: Set<Int> = []
  ) throws {
    var preparation = preparation
    preparation.standardization =
      try given.map(\.standardization)
      ?? options.normalize.standardization(of: train, except: categoricalInputs)
    if options.areImages { preparation.images = ImagePreparation(inputShape: train.inputShape) }
    if case .values = train.targetKind {
      preparation.targetStandardization =
        given.map(\.targetStandardization)
        ?? (options.standardizeTargets ? Standardization(ofTargets: train) : nil)
    }
    func prepared(_ dataset: InMemoryDataset) -> InMemoryDataset {
      preparation.standardization.map(dataset.standardized) ?? dataset
    }
    var training: any Dataset = prepared(train)
    if !options.augmentation.isEmpty {
      let images = try ImageDataset(augmenting: train, options.augmentation)
      training = preparation.standardization.map(images.standardized) ?? images
    }
    self.init(
      train: training, validation: prepared(validation), test: prepared(test),
      preparation: preparation)
  }
}

extension InputNormalization {
  /// The normalization of a training set; nil for none.
  func standardization(
    of train: InMemoryDataset, except unchanged: Set<Int> = []
  ) throws(SettingError) -> Standardization? {
    let groups: Int
    switch self {
    case .none: return nil
    case .standardize: groups = 1
    case .standardizeFeatures: groups = train.inputShape.reduce(1, *)
    case .standardizeChannels: groups = train.inputShape[0]
    case .imagenet:
      guard train.inputShape.count == 3, train.inputShape[0] == 3, train.largestValue == 1 else {
        throw SettingError(
          "normalize",
          "is imagenet, which needs images of 3 channels with values of 0...1; samples have shape "
            + "\(train.inputShape)")
      }
      return .imageNet
    }
    return Standardization(of: train, groups: groups).leaving(unchanged)
  }
}
