import Base
import Foundation

/// The values of one key in a sweep.
public struct SweepAxis: Sendable, Equatable {
  /// What a key takes.
  public enum Values: Sendable, Equatable {
    /// One after another.
    case list([String])
    /// Any number between two, for random search.
    case range(Double, Double, isWhole: Bool)
  }

  /// The key, as "optimizer.learningRate".
  public let key: String
  /// Its values.
  public let values: Values

  /// Reads `key=a,b,c` or `key=low..high`.
  ///
  /// Commas within brackets or quotes belong to a value: `model.hidden=[64],[128,64]` has two.
  ///
  /// Throws an error of the option.
  public init(_ option: String) throws(ConfigurationError) {
    guard let equals = option.firstIndex(of: "="), equals > option.startIndex else {
      throw ConfigurationError("--set '\(option)': write key=value, or key=a,b,c")
    }
    key = String(option[..<equals])
    let text = String(option[option.index(after: equals)...])
    if let range = SweepAxis.range(text) {
      values = range
      return
    }
    let list = SweepAxis.split(text)
    guard list.allSatisfy({ !$0.isEmpty }) else {
      throw ConfigurationError("--set '\(option)': a value between commas is empty")
    }
    guard Set(list).count == list.count else {
      throw ConfigurationError("--set '\(option)': a value is there twice")
    }
    values = .list(list)
  }

  /// Whether it has one value, which all variants share.
  public var isFixed: Bool {
    if case .list(let list) = values { list.count == 1 } else { false }
  }

  private static func range(_ text: String) -> Values? {
    guard let dots = text.firstRange(of: ".."), let low = Double(text[..<dots.lowerBound]),
      let high = Double(text[dots.upperBound...]), low < high, low.isFinite, high.isFinite
    else { return nil }
    let isWhole = [text[..<dots.lowerBound], text[dots.upperBound...]].allSatisfy {
      Int($0) != nil
    }
    return .range(low, high, isWhole: isWhole)
  }

  private static func split(_ text: String) -> [String] {
    var parts = [""]
    var depth = 0
    var quote: Character?
    for character in text {
      switch character {
      case _ where quote != nil: if character == quote { quote = nil }
      case "\"", "'": quote = character
      case "[", "{": depth += 1
      case "]", "}": depth -= 1
      case "," where depth == 0:
        parts.append("")
        continue
      default: break
      }
      parts[parts.count - 1].append(character)
    }
    return parts.map { $0.trimmingCharacters(in: .whitespaces) }
  }

  /// A value drawn with a number of 0..<1: of a range, evenly, or evenly in the logarithm where it spans a
  /// factor of ten or more.
  func draw(_ uniform: Double) -> String {
    switch values {
    case .list(let list): return list[Int(uniform * Double(list.count))]
    case .range(let low, let high, let isWhole):
      let isLogarithmic = low > 0 && high / low >= 10
      if isWhole {
        let value =
          isLogarithmic
          ? low * pow((high + 1) / low, uniform) : low + uniform * (high + 1 - low)
        return String(Int(min(value, high)))
      }
      let value = isLogarithmic ? low * pow(high / low, uniform) : low + uniform * (high - low)
      // Four digits are enough to tell variants apart, and can be read.
      return String(format: "%.4g", value)
    }
  }
}

/// Which variants of a configuration a sweep trains.
public struct SweepPlan: Sendable, Equatable {
  /// The most variants of a sweep.
  private static let limit = 10_000

  /// The keys that vary.
  public let keys: [String]
  /// The settings of each variant: the values of the keys.
  public let variants: [[String]]

  /// All combinations of the values, the last key changing first.
  ///
  /// Throws an error of the options if a key has a range, or there are too many.
  public init(grid axes: [SweepAxis]) throws(ConfigurationError) {
    var variants: [[String]] = [[]]
    for axis in axes {
      guard case .list(let list) = axis.values else {
        throw ConfigurationError(
          "--set \(axis.key): a range needs random search, as in --random 20")
      }
      variants = variants.flatMap { variant in list.map { variant + [$0] } }
      guard variants.count <= SweepPlan.limit else {
        throw ConfigurationError(
          "the sweep has more than \(grouped(SweepPlan.limit)) variants: use --random N")
      }
    }
    (keys, self.variants) = (axes.map(\.key), variants)
  }

  /// Distinct variants whose values are drawn at random, the same for the same seed; fewer than `count` where
  /// the values have fewer combinations.
  public init(random axes: [SweepAxis], count: Int, seed: UInt64) {
    var state = seed
    /// SplitMix64 (Steele, Lea and Flood 2014).
    func uniform() -> Double {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return Double((z ^ (z >> 31)) >> 11) * 0x1p-53
    }
    var variants: [[String]] = []
    var seen: Set<[String]> = []
    for _ in 0..<100 * count where variants.count < count {
      let variant = axes.map { $0.draw(uniform()) }
      if seen.insert(variant).inserted { variants.append(variant) }
    }
    (keys, self.variants) = (axes.map(\.key), variants)
  }

  /// The `--set` options of a variant.
  public func overrides(_ variant: [String]) -> [String] {
    zip(keys, variant).map { "\($0)=\($1)" }
  }

  /// The rounds of successive halving (Jamieson and Talwalkar 2016) with a factor of 3: in each, how many
  /// variants are trained, and to which part of their steps.
  public static func rounds(variants: Int) -> [(count: Int, fraction: Double)] {
    var rounds: [(count: Int, fraction: Double)] = [(variants, 1)]
    while rounds.last!.count > 1 {
      rounds = rounds.map { ($0.count, $0.fraction / 3) } + [((rounds.last!.count + 2) / 3, 1)]
    }
    return rounds
  }
}
