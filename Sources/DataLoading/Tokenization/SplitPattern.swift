/// How text is split into words, within which a byte-pair tokenizer merges bytes: the regular
/// expressions of GPT-2 and of later models, written by hand.
public enum SplitPattern: Sendable, Equatable {
  /// Not at all.
  case none
  /// GPT-2's (`encoder.py` of openai/gpt-2, Hugging Face's ByteLevel).
  case gpt2
  /// GPT-4's `cl100k_base` and its descendants, of which Llama 3 takes three digits at a time, and
  /// Qwen 2 one.
  case gpt4(digits: Int)

  /// GPT-2's regular expression.
  static let gpt2Expression =
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#

  /// GPT-4's, as Hugging Face's files of Llama 3 and of Qwen 2 have it.
  static func gpt4Expression(digits: Int) -> String {
    let numbers = digits == 1 ? #"\p{N}"# : #"\p{N}{1,\#(digits)}"#
    return #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + numbers
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }

  /// The pattern of a regular expression; nil if it is none of these.
  init?(expression: String) {
    switch expression {
    case SplitPattern.gpt2Expression: self = .gpt2
    case SplitPattern.gpt4Expression(digits: 1): self = .gpt4(digits: 1)
    case SplitPattern.gpt4Expression(digits: 3): self = .gpt4(digits: 3)
    default: return nil
    }
  }

  /// The regular expression; nil for `none`.
  var expression: String? {
    switch self {
    case .none: nil
    case .gpt2: SplitPattern.gpt2Expression
    case .gpt4(let digits): SplitPattern.gpt4Expression(digits: digits)
    }
  }

  /// Calls a closure with the range of each word in turn; together they are the whole text.
  @inline(__always)
  func forEachWord(in text: UTF8Bytes, _ body: (Range<Int>) throws -> Void) rethrows {
    let classes = CharacterClass.lookup
    var start = 0
    while start < text.count {
      let end: Int
      switch self {
      case .none: end = text.count
      case .gpt2: end = SplitPattern.gpt2Word(in: text, at: start, classes)
      case .gpt4(let digits):
        end = SplitPattern.gpt4Word(in: text, at: start, digits: digits, classes)
      }
      try body(start..<end)
      start = end
    }
  }

  private static let space = CharacterClass.space.rawValue
  private static let letter = CharacterClass.letter.rawValue
  private static let number = CharacterClass.number.rawValue
  private static let other = CharacterClass.other.rawValue

  /// The end of the characters of one class that begin at a byte.
  @inline(__always)
  private static func run(
    of kind: UInt8, in text: UTF8Bytes, from start: Int, _ classes: UnsafePointer<UInt8>
  ) -> Int {
    var end = start
    while end < text.count {
      let (value, width) = text.scalar(at: end)
      guard classes[Int(value)] == kind else { break }
      end += width
    }
    return end
  }

  /// The end of GPT-2's word that begins at a byte.
  private static func gpt2Word(
    in text: UTF8Bytes, at start: Int, _ classes: UnsafePointer<UInt8>
  ) -> Int {
    let first = text[start]
    if first == UInt8(ascii: "'"), let end = contraction(in: text, at: start, anyCase: false) {
      return end
    }
    let (value, width) = text.scalar(at: start)
    if first == UInt8(ascii: " "), start + 1 < text.count {
      let kind = classes[Int(text.scalar(at: start + 1).value)]
      if kind != space { return run(of: kind, in: text, from: start + 1, classes) }
    }
    let kind = classes[Int(value)]
    if kind != space { return run(of: kind, in: text, from: start + width, classes) }
    return spaces(in: text, from: start, classes)
  }

  /// The end of GPT-4's word that begins at a byte.
  private static func gpt4Word(
    in text: UTF8Bytes, at start: Int, digits: Int, _ classes: UnsafePointer<UInt8>
  ) -> Int {
    let first = text[start]
    if first == UInt8(ascii: "'"), let end = contraction(in: text, at: start, anyCase: true) {
      return end
    }
    let (value, width) = text.scalar(at: start)
    let kind = classes[Int(value)]
    let next = start + width
    if kind == letter { return run(of: letter, in: text, from: next, classes) }
    if kind == number {
      var end = next
      for _ in 1..<max(digits, 1) where end < text.count {
        let (value, width) = text.scalar(at: end)
        guard classes[Int(value)] == number else { break }
        end += width
      }
      return end
    }
    let following =
      next < text.count ? classes[Int(text.scalar(at: next).value)] : space
    if !isLineBreak(first), next < text.count, following == letter {
      return run(of: letter, in: text, from: next, classes)
    }
    if kind == other || (first == UInt8(ascii: " ") && following == other && next < text.count) {
      var end = run(of: other, in: text, from: next, classes)
      while end < text.count, isLineBreak(text[end]) { end += 1 }
      return end
    }
    // White space up to its last line break, if it has one.
    var end = start
    var afterBreak: Int?
    while end < text.count {
      let (value, width) = text.scalar(at: end)
      guard classes[Int(value)] == space else { break }
      end += width
      if isLineBreak(text[end - width]) { afterBreak = end }
    }
    return afterBreak ?? spaces(in: text, from: start, classes)
  }

  /// `\s+(?!\S)|\s+`: white space without its last character, which belongs to the next word, unless
  /// it is all there is or ends the text.
  @inline(__always)
  private static func spaces(
    in text: UTF8Bytes, from start: Int, _ classes: UnsafePointer<UInt8>
  ) -> Int {
    var (last, end) = (start, start)
    while end < text.count {
      let (value, width) = text.scalar(at: end)
      guard classes[Int(value)] == space else { break }
      last = end
      end += width
    }
    return end == text.count || last == start ? end : last
  }

  @inline(__always)
  private static func isLineBreak(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }

  /// The end of an English contraction such as `'s` or `'ll`; nil if there is none.
  private static func contraction(in text: UTF8Bytes, at start: Int, anyCase: Bool) -> Int? {
    func letter(_ offset: Int) -> UInt8 {
      guard start + offset < text.count else { return 0 }
      let byte = text[start + offset]
      return anyCase && (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
    }
    switch letter(1) {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case UInt8(ascii: "r") where letter(2) == UInt8(ascii: "e"),
      UInt8(ascii: "v") where letter(2) == UInt8(ascii: "e"),
      UInt8(ascii: "l") where letter(2) == UInt8(ascii: "l"):
      return start + 3
    // The long s (U+017F) is an s when case does not matter.
    case 0xC5 where anyCase && letter(2) == 0xBF: return start + 3
    default: return nil
    }
  }
}
