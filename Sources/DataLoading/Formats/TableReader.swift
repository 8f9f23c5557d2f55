import Base
import Foundation
import Settings

/// Reads the rows of a table, and finds out which columns have numbers and which have categories.
struct TableReader {
  /// The most categories of a column that is not listed in `categoricalColumns`.
  private static let mostCategories = 100
  /// The most categories of a column that is.
  private static let mostDeclaredCategories = 100_000

  /// A column of inputs while rows are read.
  struct Feature {
    let name: String?
    let position: Int
    /// Whether it was declared to have categories.
    let isDeclared: Bool
    /// The categories with their codes, in the order in which they come; nil for numbers.
    var codes: [String: Int]?
    /// Whether it is known to have numbers.
    var hasNumbers = false
    /// Whether a row has no value.
    var hasMissing = false
    /// What a schema says.
    var known: TableSchema.Column?

    var label: String { name.map { "column '\($0)'" } ?? "column \(position + 1)" }
  }

  private(set) var parser: CSVParser
  let options: CSVSource
  private(set) var features: [Feature] = []
  private(set) var values: [Float] = []  // NaN where one is missing, codes of categories
  private var numbers: [Double] = []  // of the target
  private var texts: [String] = []  // of the target, if it has texts
  private(set) var rowNumbers: [Int] = []

  init(_ parser: CSVParser, _ options: CSVSource) {
    (self.parser, self.options) = (parser, options)
  }

  mutating func read(schema: TableSchema?, hasTarget: Bool) throws -> Table {
    let (columnCount, header) = try start()
    var target: Int?
    if let schema {
      try use(schema, columnCount: columnCount, header: header, hasTarget: hasTarget)
      if hasTarget { target = try targetColumn(of: columnCount, header) }
    } else {
      target = try findFeatures(columnCount, header)
    }
    var roles = [Int?](repeating: nil, count: columnCount)  // the feature of each column
    for (index, feature) in features.enumerated() { roles[feature.position] = index }
    try readRows(roles, target: target)
    guard !rowNumbers.isEmpty else {
      throw DataError(.malformed, "\(parser.name): no samples")
    }
    let found = try schema ?? makeSchema(columnCount)
    return Table(
      inputs: try inputs(found),
      targets: Targets(
        name: parser.name, target == nil ? .integers([]) : targetElements, rows: rowNumbers),
      schema: found)
  }

  // MARK: Columns

  /// Counts the columns of the first row, and skips it if it is a header.
  ///
  /// It is one if all its fields are texts, or a field of it is a text where the second row has a
  /// number.
  private mutating func start() throws -> (columnCount: Int, header: [String]?) {
    let first = parser.mark
    guard let fields = try parser.row() else {
      throw DataError(.malformed, "\(parser.name): no samples: the file is empty")
    }
    let second = parser.mark
    var isHeader = options.header == .yes
    if options.header == .auto {
      func isText(_ field: Range<Int>) -> Bool {
        // `0x10` and `inf` are refused, not taken for names.
        parser.number(field) == nil && !parser.isMissing(field)
          && Double(parser.text(field)) == nil
      }
      let isText = fields.map(isText)
      let next = try parser.row() ?? []
      isHeader =
        isText.allSatisfy { $0 }
        || zip(isText, next).contains { $0 && parser.number($1) != nil }
    }
    guard isHeader else {
      parser.rewind(to: first)
      return (fields.count, nil)
    }
    parser.rewind(to: second)
    return (fields.count, fields.map(parser.text))
  }

  /// The column that a setting names: by its name in the header, or by its number from 1.
  private func column(
    _ wanted: String, setting: String, of count: Int, _ header: [String]?
  ) throws(SettingError) -> Int {
    if let index = header?.firstIndex(of: wanted) { return index }
    if let number = Int(wanted), (1...count).contains(number) { return number - 1 }
    let known = header.map { "the header has \($0.prefix(20).joined(separator: ", "))" }
    throw SettingError(
      setting,
      "is '\(wanted)', which is not a column of \(parser.name): \(known ?? "there is no header"), and "
        + "numbers are 1...\(count)")
  }

  private func targetColumn(of count: Int, _ header: [String]?) throws(SettingError) -> Int {
    guard let wanted = options.labelColumn else { return count - 1 }
    return try column(wanted, setting: "labelColumn", of: count, header)
  }

  /// Decides which columns are inputs; returns that of the target.
  private mutating func findFeatures(_ count: Int, _ header: [String]?) throws -> Int {
    let target = try targetColumn(of: count, header)
    func columns(_ names: [String], _ setting: String) throws -> Set<Int> {
      var found: Set<Int> = []
      for name in names {
        let index = try column(name, setting: setting, of: count, header)
        guard index != target else {
          throw SettingError(setting, "has '\(name)', which is the column of the target")
        }
        found.insert(index)
      }
      return found
    }
    let ignored = try columns(options.ignoreColumns, "ignoreColumns")
    let categorical = try columns(options.categoricalColumns, "categoricalColumns")
    features = (0..<count).filter { $0 != target && !ignored.contains($0) }.map { index in
      Feature(
        name: header?[index], position: index, isDeclared: categorical.contains(index),
        codes: categorical.contains(index) ? [:] : nil)
    }
    guard !features.isEmpty else {
      throw DataError(
        .malformed,
        count == 1
          ? "\(parser.name): row \(parser.line): only one column: at least one input and the target are needed"
          : "\(parser.name): no column of inputs is left: ignore fewer")
    }
    return target
  }

  /// Takes the columns of a schema from this file: by name where it has a header with these names,
  /// else by place.
  private mutating func use(
    _ schema: TableSchema, columnCount: Int, header: [String]?, hasTarget: Bool
  ) throws {
    let names = schema.columns.compactMap(\.name)
    var positions = schema.columns.map(\.position)
    if let header, names.count == schema.columns.count {
      positions = try names.map { name in
        guard let index = header.firstIndex(of: name) else {
          throw DataError(
            .malformed,
            "\(parser.name): the header has no column '\(name)', which the model takes; it has "
              + header.prefix(20).joined(separator: ", "))
        }
        return index
      }
    } else if columnCount == schema.columns.count && !hasTarget {
      positions = Array(0..<columnCount)
    } else if columnCount != schema.columnCount {
      throw DataError(
        .malformed,
        "\(parser.name): \(count(columnCount, "column")); the model takes "
          + (hasTarget
            ? "\(schema.columnCount)"
            : "\(schema.columns.count), without a label, or the \(schema.columnCount) of its training file")
      )
    }
    features = zip(schema.columns, positions).map { column, position in
      Feature(
        name: column.name, position: position, isDeclared: true,
        codes: column.categories.map { categories in
          Dictionary(uniqueKeysWithValues: categories.enumerated().map { ($1, $0) })
        }, known: column)
    }
  }

  // MARK: Rows

  private mutating func readRows(_ roles: [Int?], target: Int?) throws {
    var row = [Float](repeating: 0, count: features.count)
    while parser.startRow() {
      var isDropped = false
      for index in roles.indices {
        let field = try parser.nextField()
        guard field.isLast == (index == roles.count - 1) else {
          throw parser.failure(
            field.isLast
              ? "the row ends after \(index + 1) of \(roles.count) columns"
              : "the row has more columns than the first one, which has \(roles.count)")
        }
        if index == target {
          if isDropped { continue }
          isDropped = try !readTarget(field.text)
        } else if let feature = roles[index] {
          let value = try readValue(field.text, feature)
          row[feature] = value ?? .nan
          if value == nil && options.missing == .drop { isDropped = true }
        }
      }
      if isDropped {
        // A target that was read before the missing value.
        if numbers.count + texts.count > rowNumbers.count {
          if texts.isEmpty { numbers.removeLast() } else { texts.removeLast() }
        }
        continue
      }
      values += row
      rowNumbers.append(parser.line)
    }
  }

  /// A number, the code of a category, or nil for a missing value.
  private mutating func readValue(_ field: Range<Int>, _ index: Int) throws -> Float? {
    if features[index].codes == nil {
      if let value = parser.number(field) {
        features[index].hasNumbers = true
        let float = Float(value)
        guard float.isFinite else {
          throw parser.failure(
            "\(parser.text(field).prefix(40)) is beyond the range of 32-bit floats")
        }
        return float
      }
      if parser.isMissing(field) { return try missing(field, index) }
      try beginCategories(field, index)
    } else if parser.isMissing(field) {
      return try missing(field, index)
    }
    let text = parser.text(field)
    if let code = features[index].codes![text] { return Float(code) }
    if let known = features[index].known {
      let categories = known.categories ?? []
      throw parser.failure(
        "'\(text.prefix(40))' is none of the categories that the model knows of \(features[index].label): "
          + categories.prefix(12).joined(separator: ", ") + (categories.count > 12 ? ", ..." : ""))
    }
    let code = features[index].codes!.count
    let limit = features[index].isDeclared ? Self.mostDeclaredCategories : Self.mostCategories
    guard code < limit else {
      let name = features[index].name ?? String(features[index].position + 1)
      throw parser.failure(
        "\(features[index].label) has more than \(limit) different texts, such as '\(text.prefix(40))': leave it "
          + "out with 'ignoreColumns' [\(name)]"
          + (features[index].isDeclared
            ? "" : ", or make an input of each text with 'categoricalColumns' [\(name)]"))
    }
    features[index].codes![text] = code
    return Float(code)
  }

  /// A missing value, where it is allowed.
  private mutating func missing(_ field: Range<Int>, _ index: Int) throws -> Float? {
    let found = parser.text(field)
    let what = found.isEmpty ? "no value" : "the value is missing ('\(found)')"
    if let known = features[index].known {
      guard known.fill != nil || known.fillCategory != nil || options.missing == .drop else {
        throw parser.failure("\(what), and the training data had none missing in this column")
      }
    } else if options.missing == .error {
      throw parser.failure(
        "\(what): complete it, or set 'missing' to drop such rows or to fill in the mean or median")
    }
    features[index].hasMissing = true
    return nil
  }

  /// Takes a column for one of categories at its first text.
  private mutating func beginCategories(_ field: Range<Int>, _ index: Int) throws {
    let feature = features[index]
    let text = parser.text(field)
    let shown = text.prefix(40)
    if feature.hasNumbers || feature.known != nil || Double(text) != nil || text.hasPrefix("0x") {
      throw parser.failure(
        "'\(shown)' is not a number"
          + (feature.hasNumbers && feature.known == nil
            ? ", as earlier rows have in \(feature.label): correct it, or name the column in 'categoricalColumns'"
            : ""))
    }
    if text.looksLikeDate {
      let name = feature.name ?? String(feature.position + 1)
      throw parser.failure(
        "'\(shown)' looks like a date or time, which no model can take: leave the column out with "
          + "'ignoreColumns' [\(name)], or replace it by numbers, such as the year, the day of the year, and the "
          + "days since a first one")
    }
    features[index].codes = [:]
  }

  /// Reads the target; false if it is missing and its row is to be dropped.
  private mutating func readTarget(_ field: Range<Int>) throws -> Bool {
    if texts.isEmpty, let value = parser.number(field) {
      guard Float(value).isFinite else {
        throw parser.failure(
          "\(parser.text(field).prefix(40)) is beyond the range of 32-bit floats")
      }
      numbers.append(value)
      return true
    }
    if parser.isMissing(field) {
      guard options.missing == .error else { return false }
      throw parser.failure(
        "the row has no target: remove it, or set 'missing' to drop")
    }
    let text = parser.text(field)
    guard options.target != .values, Double(text) == nil || !texts.isEmpty else {
      throw parser.failure("the target '\(text.prefix(40))' is not a number")
    }
    if let number = numbers.first(where: { Int(exactly: $0) == nil }) {
      throw parser.failure(
        "the target '\(text.prefix(40))' is not a number, as those of earlier rows, such as \(number)"
      )
    }
    texts += numbers.map { String(Int($0)) }
    numbers = []
    texts.append(text)
    return true
  }

  private var targetElements: Targets.Elements {
    if !texts.isEmpty { return .texts(texts) }
    let isWhole = numbers.allSatisfy { Int(exactly: $0) != nil }
    return isWhole ? .integers(numbers.map { Int($0) }) : .reals(numbers.map { Float($0) })
  }
}

extension String {
  /// Whether this is a date or a time of day, as 2024-01-31, 31.1.2024, 1/31/24 12:00 or 12:30.
  fileprivate var looksLikeDate: Bool {
    wholeMatch(of: /\d{4}[-\/.]\d{1,2}[-\/.]\d{1,2}([T ].*)?/) != nil
      || wholeMatch(of: /\d{1,2}[-\/.]\d{1,2}[-\/.](\d{2}|\d{4})([T ].*)?/) != nil
      || wholeMatch(of: /\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?/) != nil
  }
}
