/// Declares a property of a `SettingsGroup` that a configuration can set.
///
///     public struct Options: SettingsGroup {
///       /// The momentum factor.
///       @Setting("momentum factor", in: 0...) public var momentum = 0.9
///       /// The norm to which a longer gradient is scaled down; nil leaves gradients alone.
///       @Setting("largest norm of the gradient", in: 0..., unset: 0) public var clipNorm: Double? = nil
///
///       public init() {}
///     }
///
/// In Swift it is a plain property with value semantics. Its name in a configuration is the
/// property's, its default the initial value.
@propertyWrapper
public struct Setting<Value: SettingRepresentable>: @unchecked Sendable {
  // Sendable because a box that is shared is never written, except by `fill`.
  @usableFromInline final class Box {
    @usableFromInline var value: Value
    @usableFromInline init(_ value: Value) { self.value = value }
  }

  @usableFromInline var box: Box
  let declaration: SettingDeclaration

  // Inlinable, because optimizers read their options in every step.
  /// The value.
  @inlinable public var wrappedValue: Value {
    get { box.value }
    set {
      if isKnownUniquelyReferenced(&box) { box.value = newValue } else { box = Box(newValue) }
    }
  }

  private init(_ value: Value, _ declaration: SettingDeclaration) {
    box = Box(value)
    self.declaration = declaration
  }

  /// Declares a setting: true or false, any text, or one of an enumeration's words.
  ///
  /// - Parameters:
  ///   - wrappedValue: The default.
  ///   - help: What the setting does, in one line.
  ///   - unit: The unit of a quantity.
  ///   - unset: A value that means `null` where older files have it.
  ///   - mayChangeOnResume: Whether a resumed run may have another value.
  ///   - perRank: Whether each rank may have a value of its own.
  ///   - oldNames: Names that the setting had before; they are accepted with a warning.
  public init(
    wrappedValue: Value, _ help: String, unit: String? = nil, unset: SettingValue? = nil,
    mayChangeOnResume: Bool = false, perRank: Bool = false, oldNames: [String] = []
  ) {
    self.init(
      wrappedValue,
      SettingDeclaration(
        help: help, unit: unit, type: Value.settingType, isOptional: Value.isOptional,
        defaultValue: wrappedValue.settingValue, unsetValue: unset,
        mayChangeOnResume: mayChangeOnResume, isPerRank: perRank, oldNames: oldNames))
  }

  /// Declares a setting of bounded numbers, or a list of them.
  ///
  /// - Parameters:
  ///   - range: The values that it takes: `0...`, `1...1024` or `0..<1`.
  public init(
    wrappedValue: Value, _ help: String, in range: some SettingRange<Value.Bound>,
    unit: String? = nil, unset: SettingValue? = nil, mayChangeOnResume: Bool = false,
    perRank: Bool = false, oldNames: [String] = []
  ) where Value: BoundedSetting {
    var bounds = SettingBounds()
    bounds.minimum = number(range.smallest)
    bounds.maximum = range.largest.map(number)
    bounds.excludesMaximum = range.excludesLargest
    self.init(
      wrappedValue: wrappedValue, help, type: Value.settingType.bounded(by: bounds), unit: unit,
      unset: unset, mayChangeOnResume: mayChangeOnResume, perRank: perRank, oldNames: oldNames)
  }

  /// Declares a setting that several groups have, with all that `shared` declares.
  ///
  /// `shared` is a computed static property, so that each property gets a value of its own:
  ///
  ///     extension Setting<Double> {
  ///       static var dropout: Setting { Setting(wrappedValue: 0, "dropout probability", in: 0..<1) }
  ///     }
  public init(shared: Setting) {
    self.init(shared.wrappedValue, shared.declaration)
  }

  /// Declares a setting whose type says more than its Swift type: text that is a file name, or one
  /// of several words.
  ///
  /// - Parameters:
  ///   - type: The values that it takes.
  public init(
    wrappedValue: Value, _ help: String, type: SettingType, unit: String? = nil,
    unset: SettingValue? = nil, mayChangeOnResume: Bool = false, perRank: Bool = false,
    oldNames: [String] = []
  ) {
    var declaration = Setting(
      wrappedValue: wrappedValue, help, unit: unit, unset: unset,
      mayChangeOnResume: mayChangeOnResume, perRank: perRank, oldNames: oldNames
    ).declaration
    declaration.type = type
    self.init(wrappedValue, declaration)
  }
}

/// A bound as a floating-point number.
private func number(_ bound: some Comparable) -> Double {
  if let integer = bound as? Int { return Double(integer) }
  guard let number = bound as? Double else {
    preconditionFailure("Setting: \(bound) is no bound; Int and Double are")
  }
  return number
}

extension SettingType {
  fileprivate func bounded(by bounds: SettingBounds) -> SettingType {
    switch self {
    case .integer: .integer(bounds)
    case .number: .number(bounds)
    case .integers: .integers(bounds)
    case .numbers: .numbers(bounds)
    case .boolean, .text, .texts, .fileName, .word: self
    }
  }
}

extension Setting: Equatable {
  /// Two settings are equal when their values are.
  public static func == (first: Setting, second: Setting) -> Bool {
    first.wrappedValue == second.wrappedValue
  }
}

extension Setting: CustomDebugStringConvertible {
  /// The value alone, so that a group prints like a plain struct.
  public var debugDescription: String { "\(wrappedValue)" }
}

/// A setting of any type, as reflection finds it.
protocol AnySetting {
  var declaration: SettingDeclaration { get }
  var settingValue: SettingValue { get }
  /// Writes to the box itself, which no other setting may share.
  func fill(_ value: SettingValue) -> Bool
}

extension Setting: AnySetting {
  var settingValue: SettingValue { box.value.settingValue }

  func fill(_ value: SettingValue) -> Bool {
    guard let value = Value(settingValue: value) else { return false }
    box.value = value
    return true
  }
}
