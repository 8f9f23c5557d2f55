import Base

/// The values that a setting takes.
public enum SettingType: Sendable, Equatable {
  /// True or false.
  case boolean
  /// An integer within bounds.
  case integer(SettingBounds)
  /// A finite number within bounds.
  case number(SettingBounds)
  /// Any text without a zero byte.
  case text
  /// The name of a file or folder, without its path.
  case fileName
  /// One of several words.
  case word([String])
  /// A list of integers, each within bounds.
  case integers(SettingBounds)
  /// A list of finite numbers, each within bounds.
  case numbers(SettingBounds)
  /// A list of texts without a zero byte.
  case texts

  /// The type's name.
  public var name: String {
    switch self {
    case .boolean: "boolean"
    case .integer: "integer"
    case .number: "number"
    case .text, .fileName: "text"
    case .word: "word"
    case .integers: "list of integers"
    case .numbers: "list of numbers"
    case .texts: "list of texts"
    }
  }

  /// Whether a value is of this type and within its bounds.
  public func accepts(_ value: SettingValue) -> Bool {
    switch (self, value) {
    case (.boolean, .boolean): true
    case (.integer(let bounds), .integer(let value)): bounds.contains(Double(value))
    case (.number(let bounds), .number(let value)): bounds.contains(value) && value.isFinite
    case (.text, .text(let text)): !text.unicodeScalars.contains("\0")
    case (.fileName, .text(let text)): text.isPlainFileName
    case (.word(let words), .text(let word)): words.contains(word)
    case (.integers(let bounds), .integers(let values)):
      values.allSatisfy { bounds.contains(Double($0)) }
    case (.numbers(let bounds), .numbers(let values)):
      values.allSatisfy { bounds.contains($0) && $0.isFinite }
    case (.texts, .texts(let texts)): !texts.contains { $0.unicodeScalars.contains("\0") }
    default: false
    }
  }
}

/// The smallest and the largest value that a setting takes.
public struct SettingBounds: Sendable, Equatable {
  /// The smallest value; nil for none.
  public var minimum: Double?
  /// The largest value; nil for none.
  public var maximum: Double?
  /// Whether values must be less than `maximum`.
  public var excludesMaximum = false

  /// No bounds.
  public init() {}

  func contains(_ value: Double) -> Bool {
    value >= minimum ?? -.infinity
      && (excludesMaximum ? value < maximum ?? .infinity : value <= maximum ?? .infinity)
  }
}

/// A range that bounds a setting: `0...`, `1...1024` or `0..<1`.
public protocol SettingRange<Bound> {
  /// The type of the bounds.
  associatedtype Bound: Comparable
  /// The smallest value.
  var smallest: Bound { get }
  /// The bound above; nil for none.
  var largest: Bound? { get }
  /// Whether values must be less than `largest`.
  var excludesLargest: Bool { get }
}

extension PartialRangeFrom: SettingRange {
  /// The lower bound.
  public var smallest: Bound { lowerBound }
  /// None.
  public var largest: Bound? { nil }
  /// False.
  public var excludesLargest: Bool { false }
}

extension ClosedRange: SettingRange {
  /// The lower bound.
  public var smallest: Bound { lowerBound }
  /// The upper bound.
  public var largest: Bound? { upperBound }
  /// False.
  public var excludesLargest: Bool { false }
}

extension Range: SettingRange {
  /// The lower bound.
  public var smallest: Bound { lowerBound }
  /// The upper bound.
  public var largest: Bound? { upperBound }
  /// True.
  public var excludesLargest: Bool { true }
}

/// What is declared about a setting: its name, meaning, type, default and policies.
public struct SettingDeclaration: Sendable, Equatable {
  /// The name of the property.
  public internal(set) var name = ""
  /// What the setting does, in one line.
  public var help: String
  /// The unit of a quantity.
  public var unit: String?
  /// The values that it takes.
  public var type: SettingType
  /// Whether it may be left unset, as `null`.
  public var isOptional: Bool
  /// The value that it has unless another is given.
  public var defaultValue: SettingValue
  /// A value that means the same as `null`: how files said "not set" before they could.
  public var unsetValue: SettingValue?
  /// Whether a run that is resumed may have another value than the run that saved the checkpoint.
  public var mayChangeOnResume: Bool
  /// Whether each rank may have a value of its own.
  public var isPerRank: Bool
  /// Names that it had before.
  public var oldNames: [String]

  /// The allowed values in words.
  public var allowed: String {
    let values =
      switch type {
      case .boolean: "true, false"
      case .integer(let bounds): "an integer" + SettingDeclaration.words(bounds)
      case .number(let bounds): "a number" + SettingDeclaration.words(bounds, isInteger: false)
      case .text: "any text"
      case .fileName: "letters, digits, '.', '_' and '-', not beginning with '.'"
      case .word(let words): words.joined(separator: ", ")
      case .integers(let bounds): "a list like [128, 64], each" + SettingDeclaration.words(bounds)
      case .numbers(let bounds):
        "a list like [0.5, 2], each" + SettingDeclaration.words(bounds, isInteger: false)
      case .texts: "a list of texts like [one, two]"
      }
    return isOptional ? values + ", or null" : values
  }

  private static func words(_ bounds: SettingBounds, isInteger: Bool = true) -> String {
    func number(_ value: Double) -> String { isInteger ? String(Int(value)) : "\(value)" }
    guard let minimum = bounds.minimum else { return "" }
    guard let maximum = bounds.maximum else { return " of at least \(number(minimum))" }
    return bounds.excludesMaximum
      ? " of at least \(number(minimum)) and below \(number(maximum))"
      : " from \(number(minimum)) to \(number(maximum))"
  }

  /// Whether a value is allowed.
  public func accepts(_ value: SettingValue) -> Bool {
    value == .null ? isOptional : type.accepts(value)
  }

  /// A value as it is kept: `null` for `unsetValue`, a number for an integer where one is needed;
  /// nil if it is not allowed.
  public func accepted(_ value: SettingValue) -> SettingValue? {
    let value = type.converted(value)
    if let unsetValue, value == type.converted(unsetValue) { return .null }
    return accepts(value) ? value : nil
  }
}

extension SettingType {
  /// A number for an integer where one is needed, other values as they are.
  public func converted(_ value: SettingValue) -> SettingValue {
    switch (self, value) {
    case (.number, .integer(let integer)): .number(Double(integer))
    case (.numbers, .integers(let integers)): .numbers(integers.map(Double.init))
    case (.texts, .integers(let integers)) where integers.isEmpty: .texts([])
    default: value
    }
  }
}
