import Base
import Settings
import Yams

// Why a value is refused, for the message that says so.

extension ConfigurationKey {
  /// The reason why a value of another type, or out of bounds, is refused, and what may be meant.
  func refusal(of node: Node) -> String {
    switch declaration.type {
    case .integer, .number: node.scalar.map(numberRefusal) ?? ""
    case .integers, .numbers: listRefusal(node)
    case .boolean: node.scalar.map(booleanRefusal) ?? ""
    case .word(let words): node.scalar.flatMap { suggestion($0.string, among: words) } ?? ""
    case .text, .fileName, .texts: ""
    }
  }

  private var isInteger: Bool {
    switch declaration.type {
    case .integer, .integers: true
    default: false
    }
  }

  private func numberRefusal(_ scalar: Node.Scalar) -> String {
    let text = scalar.string
    if scalar.style != .plain {
      return text.isEmpty ? "" : ", which quotes make a text"
    }
    if text.wholeMatch(of: /-?(0|[1-9][0-9]*)/) != nil {
      return ", which is out of range"
    }
    if text.wholeMatch(of: /[-+]?0[0-9xXoObB].*|[-+]?[0-9]+_[0-9_]+|[0-9]+:[0-9:]+/) != nil {
      return ", whose meaning differs between readers of YAML"
    }
    if text.wholeMatch(of: /[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?/) != nil {
      return isInteger ? ", which is not written as an integer" : ", which is out of range"
    }
    if text.wholeMatch(of: /[-+]?\.?(inf|infinity|nan)/.ignoresCase()) != nil {
      return ", which is not a finite number"
    }
    if text.wholeMatch(of: /[-+]?[0-9]+,[0-9]+/) != nil {
      return ", which needs a point instead of the comma"
    }
    return ""
  }

  private func listRefusal(_ node: Node) -> String {
    guard case .sequence(let nodes) = node else {
      return node.scalar.map(numberRefusal) ?? ""
    }
    for element in nodes {
      let accepted =
        isInteger
        ? element.plainText.flatMap(Int.init(strict:)).map { SettingValue.integers([$0]) }
        : element.plainText.flatMap(Double.init(strict:)).map { SettingValue.numbers([$0]) }
      if let accepted, declaration.accepted(accepted) != nil { continue }
      return ", of which \(element.summary) is wrong" + (element.scalar.map(numberRefusal) ?? "")
    }
    return ""
  }

  private func booleanRefusal(_ scalar: Node.Scalar) -> String {
    let text = scalar.string.lowercased()
    for (word, others) in [
      ("true", ["true", "yes", "on", "1"]), ("false", ["false", "no", "off", "0"]),
    ] where others.contains(text) {
      return "; write \(word)" + (scalar.style == .plain ? "" : " without quotes")
    }
    return ""
  }

  /// The word that may be meant: another tool's for the same, or one that is spelled alike.
  private func suggestion(_ text: String, among words: [String]) -> String? {
    if let word = OtherNames.word(text, for: path), words.contains(word) {
      return " (did you mean '\(word)'?)"
    }
    return nearestWord(to: text, among: words).map { " (did you mean '\($0)'?)" }
  }
}
