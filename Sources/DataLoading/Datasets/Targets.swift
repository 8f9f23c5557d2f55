// Targets of files, and how they become labels or values.
import Settings

/// The targets of a file, before it is known whether they are classes or values.
struct Targets: Sendable {
  enum Elements: Sendable {
    case integers([Int])
    case reals([Float])
    case texts([String])

    var count: Int {
      switch self {
      case .integers(let values): values.count
      case .reals(let values): values.count
      case .texts(let values): values.count
      }
    }
  }

  /// The file's name.
  let name: String
  let elements: Elements
  /// The shape of one sample's targets; empty for one number.
  let shape: [Int]
  /// The row of each sample in the file, where that is a table.
  var rows: [Int]?

  init(name: String, _ elements: Elements, shape: [Int] = [], rows: [Int]? = nil) {
    (self.name, self.elements, self.shape, self.rows) = (name, elements, shape, rows)
  }

  /// The targets of an array, a sample along the first axis.
  init(_ array: NumericArray) throws {
    name = array.name
    shape = Array(array.shape.dropFirst())
    elements =
      array.type.isFloatingPoint ? .reals(try array.floats()) : .integers(try array.integers())
  }

  var count: Int { elements.count / max(shape.reduce(1, *), 1) }

  func place(_ index: Int) -> String {
    rows.map { "row \($0[index])" } ?? "sample \(index) (counted from 0)"
  }

  /// The numbers as integers, if all of them are whole.
  var integers: [Int]? {
    switch elements {
    case .integers(let values): values
    case .texts: nil
    case .reals(let values):
      values.allSatisfy { Int(exactly: $0) != nil } ? values.map { Int($0) } : nil
    }
  }
}

/// What the targets of a data set are.
enum TargetCoding {
  case classes(Classes)
  /// Values of this shape for a sample.
  case values(shape: [Int])

  /// The most classes that are accepted without `classes` being set.
  private static let mostClasses = 100_000

  /// Decides what the targets of files are; the first file is that of training.
  ///
  /// - Parameters:
  ///   - files: The targets of all files.
  ///   - type: What they are, or `auto`.
  ///   - declared: The number of classes; nil infers it.
  init(_ files: [Targets], _ type: TargetType, declared: Int?) throws {
    let train = files[0]
    let isClasses =
      switch type {
      case .classes: true
      case .values: false
      case .auto: declared != nil || TargetCoding.looksLikeClasses(train)
      }
    guard isClasses else {
      if case .texts(let texts) = train.elements {
        throw DataError(
          .malformed,
          "\(train.name): the target of \(train.place(0)) is '\(texts[0].prefix(40))', which is no number: set "
            + "'target' to classes, or correct it")
      }
      self = .values(shape: train.shape.isEmpty ? [1] : train.shape)
      return
    }
    for file in files where !file.shape.isEmpty {
      throw DataError(
        .malformed,
        "\(file.name): labels have one axis, these have shape \([file.count] + file.shape): set 'target' to "
          + "values to predict them all")
    }
    self = .classes(try TargetCoding.classes(of: files, declared: declared))
  }

  /// Whether targets are rather labels than values: texts, or whole numbers of which there are few.
  ///
  /// Up to 20 different numbers are labels. So are up to 1,000 that count from 0 or 1 without a gap, if
  /// each stands for 20 samples on average; other whole numbers are quantities, such as prices.
  private static func looksLikeClasses(_ targets: Targets) -> Bool {
    if case .texts = targets.elements { return true }
    guard targets.shape.isEmpty, let integers = targets.integers else { return false }
    var distinct: Set<Int> = []
    for value in integers {
      distinct.insert(value)
      if distinct.count > 1_000 { return false }
    }
    if distinct.count <= 20 { return true }
    let (smallest, largest) = (distinct.min()!, distinct.max()!)
    return [0, 1].contains(smallest) && largest - smallest + 1 == distinct.count
      && integers.count >= 20 * distinct.count
  }

  private static func classes(of files: [Targets], declared: Int?) throws -> Classes {
    let isText = files.contains { if case .texts = $0.elements { true } else { false } }
    if isText {
      var names: Set<String> = []
      for file in files { names.formUnion(file.names) }
      let sorted = names.sorted { $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars) }
      if let declared, declared != sorted.count {
        throw SettingError(
          "classes",
          "is \(declared), but \(files[0].name) has \(sorted.count) different labels: remove it")
      }
      try check(sorted.count, files[0])
      return Classes(names: sorted)
    }
    var distinct: Set<Int> = []
    for file in files {
      guard let integers = file.integers else {
        guard case .reals(let values) = file.elements,
          let bad = values.firstIndex(where: { Int(exactly: $0) == nil })
        else { continue }
        throw DataError(
          .malformed,
          "\(file.name): \(file.place(bad)): the label \(values[bad]) is not a whole number: to predict "
            + "numbers, set 'target' to values")
      }
      if let declared {
        if let bad = integers.firstIndex(where: { $0 < 0 || $0 >= declared }) {
          throw DataError(
            .malformed,
            "\(file.name): \(file.place(bad)): the label \(integers[bad]) is out of range: 'classes' is "
              + "\(declared), so labels are 0...\(declared - 1)")
        }
      } else {
        distinct.formUnion(integers)
      }
    }
    if let declared { return Classes(count: declared) }
    try check(distinct.count, files[0])
    let sorted = distinct.sorted()
    return sorted == Array(0..<sorted.count)
      ? Classes(count: sorted.count) : Classes(names: sorted.map(String.init))
  }

  private static func check(_ count: Int, _ file: Targets) throws(DataError) {
    guard count <= mostClasses else {
      throw DataError(
        .malformed,
        "\(file.name): \(count) different labels are suspiciously many: set 'target' to values if they are "
          + "quantities, or 'classes' if they are right")
    }
  }

  /// The targets of a file as labels or values.
  func encode(_ targets: Targets) throws -> InMemoryDataset.Targets {
    switch self {
    case .classes(let classes): return .labels(try labels(targets, classes))
    case .values(let shape):
      guard targets.shape == (shape == [1] ? targets.shape : shape),
        targets.shape.reduce(1, *) == shape.reduce(1, *)
      else {
        throw DataError(
          .malformed,
          "\(targets.name): targets of shape \(targets.shape), but the training file has \(shape)")
      }
      switch targets.elements {
      case .reals(let values): return .values(values)
      case .integers(let values): return .values(values.map { Float($0) })
      case .texts(let texts):
        throw DataError(
          .malformed,
          "\(targets.name): \(targets.place(0)): the target '\(texts.first?.prefix(40) ?? "")' is not a number"
        )
      }
    }
  }

  private func labels(_ targets: Targets, _ classes: Classes) throws -> [Int32] {
    func unknown(_ index: Int, _ label: some CustomStringConvertible) -> DataError {
      let known = (0..<min(classes.count, 12)).map(classes.name).joined(separator: ", ")
      return DataError(
        .malformed,
        "\(targets.name): \(targets.place(index)): the class '\(label)' is unknown; known: \(known)"
          + (classes.count > 12 ? ", ..." : ""))
    }
    // Numbers are the labels themselves where classes are named by words.
    let isNamedByNumbers = classes.names?.contains { Int($0) != nil } ?? false
    guard let names = classes.names, targets.integers == nil || isNamedByNumbers else {
      guard let integers = targets.integers else {
        if case .texts(let texts) = targets.elements { throw unknown(0, texts[0]) }
        throw DataError(.malformed, "\(targets.name): labels are not whole numbers")
      }
      if let bad = integers.firstIndex(where: { $0 < 0 || $0 >= classes.count }) {
        throw unknown(bad, integers[bad])
      }
      return integers.map { Int32($0) }
    }
    let labels = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, Int32($0)) })
    if let integers = targets.integers {
      var known: [Int: Int32] = [:]
      return try integers.enumerated().map { index, value in
        if let label = known[value] { return label }
        guard let label = labels[String(value)] else { throw unknown(index, value) }
        known[value] = label
        return label
      }
    }
    guard case .texts(let texts) = targets.elements else {
      throw DataError(.malformed, "\(targets.name): labels are not whole numbers")
    }
    return try texts.enumerated().map { index, text in
      guard let label = labels[text] else { throw unknown(index, text) }
      return label
    }
  }
}

extension Targets {
  /// The different labels as text.
  fileprivate var names: Set<String> {
    switch elements {
    case .texts(let texts): Set(texts)
    case .integers(let values): Set(Set(values).map(String.init))
    case .reals(let values):
      Set(Set(values).map { value in Int(exactly: value).map(String.init) ?? "\(value)" })
    }
  }
}
