import Configuration

/// A condition on runs: `status=done`, `model.kind!=mlp`, `optimizer.learningRate<0.1`.
package struct RunFilter: Sendable, Equatable {
  private enum Comparison: String, CaseIterable {
    // Longer signs first: they begin with shorter ones.
    case notEqual = "!="
    case atMost = "<="
    case atLeast = ">="
    case equal = "="
    case less = "<"
    case more = ">"
  }

  private let name: String
  private let comparison: Comparison
  private let value: RunValue

  /// Reads a condition; nil if it has no sign of comparison, or its name is no column and no key.
  package init?(_ text: String) {
    guard let place = text.firstIndex(where: { "!<>=".contains($0) }),
      let comparison = Comparison.allCases.first(where: { text[place...].hasPrefix($0.rawValue) })
    else { return nil }
    name = text[..<place].trimmingSpaces
    self.comparison = comparison
    let value = text[place...].dropFirst(comparison.rawValue.count).trimmingSpaces
    self.value = Double(value).map(RunValue.number) ?? .text(value)
    guard RunFilter.isName(name) else { return nil }
  }

  /// Whether runs can be filtered and sorted by a name: that of a column, or of a key.
  package static func isName(_ name: String) -> Bool {
    RunSummary.Column(rawValue: name) != nil || ConfigurationKey.all.contains { $0.path == name }
  }

  /// Whether a run fulfils the condition; a run without the value fulfils only `!=`.
  package func accepts(_ run: RunSummary) -> Bool {
    guard let found = run.value(name) else { return comparison == .notEqual }
    return switch comparison {
    case .equal: found == value
    case .notEqual: found != value
    case .less: isComparable(found) && found < value
    case .more: isComparable(found) && value < found
    case .atMost: isComparable(found) && !(value < found)
    case .atLeast: isComparable(found) && !(found < value)
    }
  }

  private func isComparable(_ found: RunValue) -> Bool {
    switch (found, value) {
    case (.number(let found), .number(let value)): !found.isNaN && !value.isNaN
    case (.text, .text): true
    default: false
    }
  }
}

extension Substring {
  /// The text without spaces around it.
  fileprivate var trimmingSpaces: String {
    let start = drop { $0 == " " }
    return String(
      start[..<(start.lastIndex { $0 != " " }.map { start.index(after: $0) } ?? start.startIndex)])
  }
}
