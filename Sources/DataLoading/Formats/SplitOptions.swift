// How samples are divided into those for training, validation and testing.
import Base
public import Settings

/// How the samples for validation and testing are chosen.
public enum SplitMethod: String, CaseIterable, SettingRepresentable {
  /// At random.
  case shuffled
  /// At random, so that each class has the same part in all sets.
  case stratified
  /// From the end: the last ones are for testing, those before them for validation.
  case last
  /// They have files of their own.
  case file
}

extension Setting<Double?> {
  static var validation: Setting {
    Setting(
      wrappedValue: nil,
      "samples for validation: a number, or a fraction below 1; null takes the validation file, or else the test file, or else 0.1",
      in: 0..., unset: -1, oldNames: ["testCount", "testFraction"])
  }

  static var test: Setting {
    Setting(
      wrappedValue: nil,
      "samples for testing: a number, or a fraction below 1; null takes the test file, or else 0",
      in: 0...)
  }
}

extension Setting<SplitMethod?> {
  static var split: Setting {
    Setting(
      wrappedValue: nil,
      "how these samples are chosen; null: file where there is one, else stratified for classes, shuffled for values"
    )
  }
}

extension Setting<Int> {
  static var splitSeed: Setting {
    Setting(wrappedValue: 1, "random seed of the split", in: 0...)
  }
}

/// A source whose samples can be divided.
protocol SplitSource: DataSource {
  var validation: Double? { get }
  var test: Double? { get }
  var split: SplitMethod? { get }
  var splitSeed: Int { get }
}

extension SplitSource {
  var splitOptions: SplitOptions {
    SplitOptions(validation: validation, test: test, method: split, seed: splitSeed)
  }
}

/// How samples are divided.
struct SplitOptions {
  var validation: Double?
  var test: Double?
  var method: SplitMethod?
  var seed = 1

  /// The fraction for validation where neither a file nor an option says something else.
  static let defaultValidation = 0.1

  /// A number of samples, given as such or as a fraction of them.
  static func count(
    _ setting: String, _ value: Double, of total: Int
  ) throws(SettingError) -> Int {
    if value > 0 && value < 1 { return max(1, total - Int(Double(total) * (1 - value))) }
    guard let count = Int(exactly: value) else {
      throw SettingError(
        setting, "is \(value), neither a fraction below 1 nor a whole number of samples")
    }
    return count
  }

  /// Which files become which data sets, and how many samples of the training file the others get.
  struct Plan: Equatable {
    var validationIsTestFile = false
    var validation = 0
    var test = 0
  }

  /// Plans the division of a training file of `total` samples.
  ///
  /// - Parameters:
  ///   - total: The samples of the training file.
  ///   - name: The training file's name.
  ///   - validationFile: The name of the file for validation, if there is one.
  ///   - testFile: The name of the file for testing, if there is one.
  func plan(
    total: Int, of name: String, validationFile: String?, testFile: String?
  ) throws(SettingError) -> Plan {
    if method == .file && validationFile == nil && testFile == nil {
      throw SettingError("split", "is file, but there is no file for validation or testing")
    }
    func refuse(_ setting: String, _ value: Double, _ file: String) -> SettingError {
      SettingError(setting, "is \(number(value)), but \(file) has these samples: remove one")
    }
    var plan = Plan()
    // Without samples there is nothing to divide, and a better error.
    guard total > 0 else { return plan }
    if let validation {
      if let validationFile { throw refuse("validation", validation, validationFile) }
      plan.validation = try SplitOptions.count("validation", validation, of: total)
    } else if validationFile == nil {
      plan.validationIsTestFile = testFile != nil && test == nil
      if testFile == nil && method != .file {
        plan.validation = try SplitOptions.count(
          "validation", SplitOptions.defaultValidation, of: total)
        // A file of one or two samples is no reason to fail.
        if plan.validation >= total { plan.validation = 0 }
      }
    }
    if let test {
      if let testFile { throw refuse("test", test, testFile) }
      plan.test = try SplitOptions.count("test", test, of: total)
    }
    let held = plan.validation.adding(plan.test)
    guard let held, held < total else {
      throw SettingError(
        plan.validation >= plan.test ? "validation" : "test",
        "takes \(plan.validation) samples and 'test' \(plan.test), which leaves none for training: "
          + "\(name) has \(total)")
    }
    return plan
  }

  private func number(_ value: Double) -> String {
    Int(exactly: value).map(String.init) ?? "\(value)"
  }

  /// The samples for training, validation and testing, each in the order of the file.
  ///
  /// - Parameters:
  ///   - plan: How many are for validation and testing.
  ///   - total: The number of samples.
  ///   - labels: The class of each; nil for values.
  func indices(
    _ plan: Plan, total: Int, labels: [Int32]?
  ) throws(SettingError) -> (train: [Int], validation: [Int], test: [Int]) {
    let method = method ?? (labels == nil ? .shuffled : .stratified)
    let held = plan.validation + plan.test
    switch method {
    case .last, .file:
      return (
        Array(0..<total - held), Array(total - held..<total - plan.test),
        Array(total - plan.test..<total)
      )
    case .shuffled: return divided(order(total), plan)
    case .stratified:
      guard let labels else {
        throw SettingError("split", "is stratified, which needs classes; the data has values")
      }
      return stratified(plan, labels)
    }
  }

  private func order(_ total: Int) -> [Int] {
    GlobalBatchSampler(count: total, globalBatch: 1, seed: UInt64(seed)).order(epoch: 0)
  }

  private func divided(
    _ order: [Int], _ plan: Plan
  ) -> (train: [Int], validation: [Int], test: [Int]) {
    let (first, second) = (plan.validation, plan.validation + plan.test)
    return (order[second...].sorted(), order[..<first].sorted(), order[first..<second].sorted())
  }

  /// Gives each class its part of every set; what is left over goes to the classes with the largest
  /// remainders.
  private func stratified(
    _ plan: Plan, _ labels: [Int32]
  ) -> (train: [Int], validation: [Int], test: [Int]) {
    var members: [Int32: [Int]] = [:]
    for index in order(labels.count) { members[labels[index], default: []].append(index) }
    let classes = members.keys.sorted()
    func quotas(_ wanted: Int) -> [Int] {
      let exact = classes.map { Double(wanted) * Double(members[$0]!.count) / Double(labels.count) }
      var counts = exact.map { Int($0) }
      let byRemainder = classes.indices.sorted {
        let (a, b) = (exact[$0] - exact[$0].rounded(.down), exact[$1] - exact[$1].rounded(.down))
        return a == b ? $0 < $1 : a > b
      }
      for index in byRemainder.prefix(wanted - counts.reduce(0, +)) { counts[index] += 1 }
      return counts
    }
    let (validation, test) = (quotas(plan.validation), quotas(plan.test))
    var result: (train: [Int], validation: [Int], test: [Int]) = ([], [], [])
    for (index, label) in classes.enumerated() {
      var rest = members[label]![...]
      result.validation += rest.prefix(validation[index])
      rest = rest.dropFirst(validation[index])
      result.test += rest.prefix(test[index])
      result.train += rest.dropFirst(test[index])
    }
    return (result.train.sorted(), result.validation.sorted(), result.test.sorted())
  }
}
