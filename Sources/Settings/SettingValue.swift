/// The value of a setting, free of the setting's Swift type and of any file format.
public enum SettingValue: Sendable, Equatable {
  /// Not set.
  case null
  /// True or false.
  case boolean(Bool)
  /// An integer.
  case integer(Int)
  /// A floating-point number.
  case number(Double)
  /// Text, or one of several words.
  case text(String)
  /// A list of integers.
  case integers([Int])
  /// A list of floating-point numbers.
  case numbers([Double])
  /// A list of texts.
  case texts([String])
}

// Not by `nil`, which would be taken for no value at all where a value is optional.
extension SettingValue: ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
  ExpressibleByFloatLiteral, ExpressibleByStringLiteral, ExpressibleByArrayLiteral
{
  /// A truth value.
  public init(booleanLiteral value: Bool) { self = .boolean(value) }
  /// An integer.
  public init(integerLiteral value: Int) { self = .integer(value) }
  /// A number.
  public init(floatLiteral value: Double) { self = .number(value) }
  /// Text.
  public init(stringLiteral value: String) { self = .text(value) }
  /// A list of integers.
  public init(arrayLiteral elements: Int...) { self = .integers(elements) }
}

extension SettingValue: CustomStringConvertible {
  /// The value as a person writes it; text is not quoted.
  public var description: String {
    switch self {
    case .null: "null"
    case .boolean(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .number(let value): value.description
    case .text(let text): text
    case .integers(let values): "[" + values.map(String.init).joined(separator: ", ") + "]"
    case .numbers(let values): "[" + values.map(\.description).joined(separator: ", ") + "]"
    case .texts(let texts): "[" + texts.joined(separator: ", ") + "]"
    }
  }
}

/// A Swift type that a setting can have: `Int`, `Double`, `Bool`, `String`, a list of `Int`, `Double`
/// or `String`, a string enumeration, or an optional of one of these.
public protocol SettingRepresentable: Sendable, Equatable {
  /// The type as declared, before its bounds.
  static var settingType: SettingType { get }
  /// Whether `null` is a value: the setting may be left unset.
  static var isOptional: Bool { get }
  /// Reads a value; nil if it is of another type.
  init?(settingValue: SettingValue)
  /// The value without its type.
  var settingValue: SettingValue { get }
}

/// A type of settings whose values can be bounded.
public protocol BoundedSetting: SettingRepresentable {
  /// The type of the bounds.
  associatedtype Bound: Comparable
}

extension SettingRepresentable {
  /// False: the setting always has a value.
  public static var isOptional: Bool { false }
}

extension Bool: SettingRepresentable {
  /// Boolean.
  public static var settingType: SettingType { .boolean }
  /// Reads a truth value.
  public init?(settingValue: SettingValue) {
    guard case .boolean(let value) = settingValue else { return nil }
    self = value
  }
  /// The truth value.
  public var settingValue: SettingValue { .boolean(self) }
}

extension Int: BoundedSetting {
  /// The type of the bounds.
  public typealias Bound = Int
  /// Integer.
  public static var settingType: SettingType { .integer(SettingBounds()) }
  /// Reads an integer.
  public init?(settingValue: SettingValue) {
    guard case .integer(let value) = settingValue else { return nil }
    self = value
  }
  /// The integer.
  public var settingValue: SettingValue { .integer(self) }
}

extension Double: BoundedSetting {
  /// The type of the bounds.
  public typealias Bound = Double
  /// Number.
  public static var settingType: SettingType { .number(SettingBounds()) }
  /// Reads a number; an integer is one too.
  public init?(settingValue: SettingValue) {
    switch settingValue {
    case .number(let value): self = value
    case .integer(let value): self = Double(value)
    default: return nil
    }
  }
  /// The number.
  public var settingValue: SettingValue { .number(self) }
}

extension String: SettingRepresentable {
  /// Text.
  public static var settingType: SettingType { .text }
  /// Reads text.
  public init?(settingValue: SettingValue) {
    guard case .text(let text) = settingValue else { return nil }
    self = text
  }
  /// The text.
  public var settingValue: SettingValue { .text(self) }
}

/// A type whose lists are settings.
public protocol SettingListElement: SettingRepresentable {
  /// The type of a list as declared, before the bounds of its elements.
  static var listType: SettingType { get }
  /// Reads a list; nil if it is of another type.
  static func list(_ value: SettingValue) -> [Self]?
  /// A list without its type.
  static func settingValue(_ list: [Self]) -> SettingValue
}

extension Int: SettingListElement {
  /// List of integers.
  public static var listType: SettingType { .integers(SettingBounds()) }
  /// Reads a list of integers.
  public static func list(_ value: SettingValue) -> [Int]? {
    if case .integers(let values) = value { values } else { nil }
  }
  /// The list.
  public static func settingValue(_ list: [Int]) -> SettingValue { .integers(list) }
}

extension Double: SettingListElement {
  /// List of numbers.
  public static var listType: SettingType { .numbers(SettingBounds()) }
  /// Reads a list of numbers; integers are numbers too.
  public static func list(_ value: SettingValue) -> [Double]? {
    switch value {
    case .numbers(let values): values
    case .integers(let values): values.map(Double.init)
    default: nil
    }
  }
  /// The list.
  public static func settingValue(_ list: [Double]) -> SettingValue { .numbers(list) }
}

extension String: SettingListElement {
  /// List of texts.
  public static var listType: SettingType { .texts }
  /// Reads a list of texts.
  public static func list(_ value: SettingValue) -> [String]? {
    if case .texts(let texts) = value { texts } else { nil }
  }
  /// The list.
  public static func settingValue(_ list: [String]) -> SettingValue { .texts(list) }
}

extension Array: SettingRepresentable where Element: SettingListElement {
  /// A list of the elements' type.
  public static var settingType: SettingType { Element.listType }
  /// Reads a list.
  public init?(settingValue: SettingValue) {
    guard let list = Element.list(settingValue) else { return nil }
    self = list
  }
  /// The list.
  public var settingValue: SettingValue { Element.settingValue(self) }
}

extension Array: BoundedSetting where Element: SettingListElement & BoundedSetting {
  /// The type of the bounds of each element.
  public typealias Bound = Element.Bound
}

extension Optional: SettingRepresentable where Wrapped: SettingRepresentable {
  /// The wrapped type.
  public static var settingType: SettingType { Wrapped.settingType }
  /// True.
  public static var isOptional: Bool { true }
  /// Reads `null` as nil, other values as the wrapped type.
  public init?(settingValue: SettingValue) {
    if settingValue == .null {
      self = .none
    } else if let value = Wrapped(settingValue: settingValue) {
      self = value
    } else {
      return nil
    }
  }
  /// The wrapped value, or `null`.
  public var settingValue: SettingValue { map(\.settingValue) ?? .null }
}

extension Optional: BoundedSetting where Wrapped: BoundedSetting {
  /// The wrapped type's.
  public typealias Bound = Wrapped.Bound
}

extension SettingRepresentable where Self: RawRepresentable<String>, Self: CaseIterable {
  /// One of the enumeration's raw values.
  public static var settingType: SettingType { .word(allCases.map(\.rawValue)) }
  /// Reads a raw value.
  public init?(settingValue: SettingValue) {
    guard case .text(let text) = settingValue else { return nil }
    self.init(rawValue: text)
  }
  /// The raw value.
  public var settingValue: SettingValue { .text(rawValue) }
}
