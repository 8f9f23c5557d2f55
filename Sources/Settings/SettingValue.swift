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
    }
  }
}

/// A Swift type that a setting can have: `Int`, `Double`, `Bool`, `String`, `[Int]`, a string
/// enumeration, or an optional of one of these.
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

extension [Int]: SettingRepresentable, BoundedSetting {
  /// The type of the bounds of each element.
  public typealias Bound = Int
  /// List of integers.
  public static var settingType: SettingType { .integers(SettingBounds()) }
  /// Reads a list.
  public init?(settingValue: SettingValue) {
    guard case .integers(let values) = settingValue else { return nil }
    self = values
  }
  /// The list.
  public var settingValue: SettingValue { .integers(self) }
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
