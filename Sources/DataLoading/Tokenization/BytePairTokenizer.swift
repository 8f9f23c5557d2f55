/// A byte-level byte-pair encoding, as GPT-2 and most models after it use: text is split into words,
/// and in each word the pair of tokens that was learned first is merged until no pair is left.
///
/// Tokens equal those of Hugging Face's `tokenizers` for the same files. Any text can be encoded, and
/// decodes to itself.
///
/// Reference: Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019, section 2.2, for bytes.
public final class BytePairTokenizer: Sendable {
  /// A token that is found in a text as it stands, before the text is split into words.
  public struct AddedToken: Sendable, Equatable {
    /// Its text.
    public let content: String
    /// Its number.
    public let id: Int32
    /// Whether it marks something, such as the end of a text, and is no text itself.
    public let isSpecial: Bool
    /// Whether it is looked for after the tokens that are not.
    let isNormalized: Bool
  }

  /// Two tokens that become one; those that come first are merged first.
  struct Merge: Sendable {
    let left: Int32
    let right: Int32
    let result: Int32
  }

  /// What a tokenizer consists of, as its file says it.
  struct Parts: Sendable {
    /// The bytes of each token; nil where a number has no token.
    var tokens: [[UInt8]?]
    var merges: [Merge]
    var added: [AddedToken] = []
    var pattern = SplitPattern.gpt2
    /// Whether a space is put before a text that does not begin with one.
    var addsPrefixSpace = false
    /// Whether a word that is a token is taken whole.
    var ignoresMerges = false
    /// What a byte without a token becomes.
    var unknown: Int32?
    /// Tokens whose name in a file is not made of their bytes.
    var literals: [Int32: String] = [:]
  }

  /// The number of tokens: one more than the largest.
  public let vocabularySize: Int
  /// The token at the end of a document; nil if there is none.
  public let endOfText: Int32?
  /// The tokens that are found before a text is split into words.
  public var addedTokens: [AddedToken] { parts.added }
  /// The tokenizer in Hugging Face's format `tokenizer.json`.
  public let json: String

  let parts: Parts
  let mergeTable: PairTable
  let byteTokens: [Int32]  // of each byte, or -1
  let wholeWords: [[UInt8]: Int32]  // where merges are ignored
  let plainMatcher: AddedTokenMatcher
  let normalizedMatcher: AddedTokenMatcher

  init(_ parts: Parts) {
    self.parts = parts
    vocabularySize = parts.tokens.count
    let names = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>"]
    endOfText =
      names.lazy.compactMap { name in
        parts.added.first { $0.isSpecial && $0.content == name }?.id
      }.first
    mergeTable = PairTable(capacity: parts.merges.count)
    for (rank, merge) in parts.merges.enumerated() {
      mergeTable.set(merge.left, merge.right, (Int32(rank), merge.result))
    }
    let added = Set(parts.added.map(\.id))
    var byteTokens = [Int32](repeating: parts.unknown ?? -1, count: 256)
    var words: [[UInt8]: Int32] = [:]
    for (id, bytes) in parts.tokens.enumerated() {
      // What is not in the vocabulary itself, or has no bytes of its own, is no word.
      guard let bytes, !added.contains(Int32(id)), parts.literals[Int32(id)] == nil else {
        continue
      }
      if bytes.count == 1 { byteTokens[Int(bytes[0])] = Int32(id) }
      if parts.ignoresMerges { words[bytes] = Int32(id) }
    }
    self.byteTokens = byteTokens
    wholeWords = words
    plainMatcher = AddedTokenMatcher(parts.added.filter { !$0.isNormalized })
    normalizedMatcher = AddedTokenMatcher(parts.added.filter(\.isNormalized))
    json = BytePairTokenizer.json(of: parts)
  }

  /// The tokens of a text.
  ///
  /// Throws a `DataError` for a byte that has no token; tokenizers that were trained by Lockstep have
  /// all bytes.
  public func encode(_ text: String) throws -> [Int32] {
    var tokens: [Int32] = []
    let encoder = BytePairEncoder(self)
    try text.withUTF8Bytes { try encoder.encode($0) { tokens.append($0) } }
    return tokens
  }

  /// The text of tokens; bytes that are no UTF-8 become U+FFFD.
  public func decode(_ tokens: some Sequence<Int32>) -> String {
    String(decoding: tokens.flatMap { bytes(of: $0) }, as: UTF8.self)
  }

  /// The bytes of a token; none if its number has no token.
  public func bytes(of token: Int32) -> [UInt8] {
    precondition(
      parts.tokens.indices.contains(Int(token)),
      "BytePairTokenizer: token \(token), there are \(vocabularySize)")
    return parts.tokens[Int(token)] ?? []
  }

  /// How many bytes of text each token stands for; none for special tokens.
  var byteCounts: [Int] {
    var counts = parts.tokens.map { $0?.count ?? 0 }
    for token in parts.added where token.isSpecial { counts[Int(token.id)] = 0 }
    return counts
  }

  /// Whether a text may be cut where a space or a line break follows a letter or a number, and its
  /// parts encoded one by one.
  package var allowsParts: Bool {
    func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\n") }
    return parts.pattern != .none && !parts.addsPrefixSpace
      && !parts.added.contains { $0.content.utf8.dropFirst().contains(where: isBlank) }
  }
}

extension BytePairTokenizer: Equatable {
  /// Whether two tokenizers give the same tokens.
  public static func == (a: BytePairTokenizer, b: BytePairTokenizer) -> Bool {
    a === b || a.json == b.json
  }
}

/// Finds added tokens in a text: the first, and of those that begin there the longest.
struct AddedTokenMatcher: Sendable {
  private struct Candidate: Sendable {
    let bytes: [UInt8]
    let id: Int32
  }

  private var candidates: [[Candidate]] = []  // by the first byte, the longest first
  let isEmpty: Bool

  init(_ tokens: [BytePairTokenizer.AddedToken]) {
    isEmpty = tokens.isEmpty
    guard !isEmpty else { return }
    candidates = Array(repeating: [], count: 256)
    for token in tokens.sorted(by: { $0.content.utf8.count > $1.content.utf8.count }) {
      let bytes = Array(token.content.utf8)
      candidates[Int(bytes[0])].append(Candidate(bytes: bytes, id: token.id))
    }
  }

  /// The first token at a byte or after it.
  func next(in text: UTF8Bytes, from start: Int) -> (range: Range<Int>, id: Int32)? {
    var i = start
    while i < text.count {
      for candidate in candidates[Int(text[i])] where candidate.bytes.count <= text.count - i {
        if candidate.bytes.elementsEqual(text[i..<i + candidate.bytes.count]) {
          return (i..<i + candidate.bytes.count, candidate.id)
        }
      }
      i += 1
    }
    return nil
  }
}
