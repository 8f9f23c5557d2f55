/// The classes of characters by which text is split into words.
enum CharacterClass: UInt8 {
  /// Neither of the others: punctuation, symbols, marks, unassigned characters.
  case other
  /// `\p{L}`.
  case letter
  /// `\p{N}`.
  case number
  /// `\s`: the characters that have Unicode's property White_Space.
  case space

  /// The version of Unicode whose letters and numbers count, so that text has the same words whatever
  /// Swift's version is: that of Hugging Face's `tokenizers` 0.23.
  private static let version = (major: 16, minor: 0)

  /// The class of each Unicode scalar.
  private static let table: [UInt8] = {
    var table = [UInt8](repeating: other.rawValue, count: 0x11_0000)
    // Beyond these there are only tags, selectors and private characters.
    for value in UInt32(0)..<0x3_4000 {
      guard let properties = Unicode.Scalar(value)?.properties, let age = properties.age,
        age <= version
      else { continue }
      switch properties.generalCategory {
      case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
        table[Int(value)] = letter.rawValue
      case .decimalNumber, .letterNumber, .otherNumber:
        table[Int(value)] = number.rawValue
      default:
        if properties.isWhitespace { table[Int(value)] = space.rawValue }
      }
    }
    return table
  }()

  /// A copy of the table that stays where it is, so that a look-up is one load.
  nonisolated(unsafe) static let lookup: UnsafePointer<UInt8> = {
    let memory = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: table.count)
    _ = memory.initialize(from: table)
    return UnsafePointer(memory.baseAddress!)
  }()
}
