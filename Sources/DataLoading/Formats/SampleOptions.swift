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
}

/// What the numbers of a file's targets are.
public enum TargetType: String, CaseIterable, SettingRepresentable {
  /// Integers are classes, other numbers values; in CSV all are classes.
  case auto
  /// Labels: integers from 0.
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
  static var testCount: Setting {
    Setting(
      wrappedValue: nil,
      "number of test samples, taken from the end; null takes all test files there are, 0 is no test",
      in: 0..., unit: "samples", unset: -1)
  }

  static var classes: Setting {
    Setting(
      wrappedValue: nil, "number of classes; null infers it as the largest label + 1",
      in: 1...100_000, unset: 0)
  }
}

extension Setting<InputNormalization> {
  static var normalize: Setting {
    Setting(
      wrappedValue: .none,
      "normalization of inputs to mean 0 and standard deviation 1: over all, per feature, per channel"
    )
  }
}

extension Setting<TargetType> {
  static var target: Setting {
    Setting(wrappedValue: .auto, "whether targets are classes or values to predict")
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

extension DataSplits {
  /// Training samples, and test samples from their own file or from the end of the training file.
  ///
  /// - Parameters:
  ///   - train: The samples of the training file.
  ///   - test: Those of the test file, if there is one.
  ///   - testCount: How many samples are for testing.
  ///   - classes: The number of classes; nil infers it.
  ///   - normalize: What is done with the inputs.
  init(
    train: Samples, test: Samples?, testCount: Int?, classes: Int?, normalize: InputNormalization
  ) throws {
    let classes =
      try classes ?? max(train.classes(declared: nil), test?.classes(declared: nil) ?? 0)
    let all = try train.dataset(classes: classes)
    guard let test else {
      let trainCount = try train.count(keeping: testCount)
      self.init(
        train: all.subset(0..<trainCount), test: all.subset(trainCount..<train.count), normalize)
      return
    }
    guard test.inputShape == train.inputShape, test.valueShape == train.valueShape else {
      throw DataError(
        .malformed,
        "\(test.name): shape \(test.inputShape) with targets of \(test.valueShape ?? []), but "
          + "\(train.name) has \(train.inputShape) with \(train.valueShape ?? [])")
    }
    let testCount = testCount ?? test.count
    guard testCount <= test.count else {
      throw SettingError("testCount", "is \(testCount), but \(test.name) has \(test.count) samples")
    }
    let tests = try test.dataset(classes: classes)
    self.init(
      train: all,
      test: testCount == test.count ? tests : tests.subset(test.count - testCount..<test.count),
      normalize)
  }

  /// Data sets as they were read, which are still to be normalized.
  init(train: InMemoryDataset, test: InMemoryDataset, _ normalize: InputNormalization) {
    let groups: Int
    switch normalize {
    case .none:
      self.init(train: train, test: test)
      return
    case .standardize: groups = 1
    case .standardizeFeatures: groups = train.inputShape.reduce(1, *)
    case .standardizeChannels: groups = train.inputShape[0]
    }
    let standardization = Standardization(of: train, groups: groups)
    self.init(
      train: train.standardized(standardization), test: test.standardized(standardization),
      standardization: standardization)
  }
}

extension Samples {
  /// How many samples remain for training when `testCount` at the end are for testing.
  fileprivate func count(keeping testCount: Int?) throws(SettingError) -> Int {
    guard let testCount else {
      throw SettingError(
        "testCount",
        "is not set, and \(name) has no test file beside it: set how many of its \(count) samples, "
          + "from the end, are for testing (0 for none)")
    }
    guard testCount < count else {
      throw SettingError(
        "testCount", "is \(testCount), which leaves no training sample: \(name) has \(count)")
    }
    return count - testCount
  }

  /// The samples as a data set with labels below `classes`.
  func dataset(classes: Int) throws -> InMemoryDataset {
    if let valueShape {
      return InMemoryDataset(inputs, inputShape, targets, .values(shape: valueShape))
    }
    _ = try self.classes(declared: classes)
    return InMemoryDataset(inputs, inputShape, targets, .classes(count: classes))
  }
}
