/// Encodes texts with a tokenizer, and remembers the tokens of words that it has seen.
///
/// One thread uses it at a time.
final class BytePairEncoder {
  private let tokenizer: BytePairTokenizer
  private var words = WordTable()
  /// Where the tokens of each word begin in `wordTokens`, and where those of the last end.
  private var starts = [0]
  private var wordTokens: [Int32] = []

  // Room for the tokens of one word.
  private var symbols: [Int32] = []
  private var ranks: [Int32] = []

  /// The bytes of the words that are remembered at most; a text in a natural language has fewer.
  private static let cacheLimit = 1 << 24
  /// The longest word that is remembered, in bytes.
  private static let longestCachedWord = 64

  init(_ tokenizer: BytePairTokenizer) { self.tokenizer = tokenizer }

  /// Calls a closure with each token of a text.
  ///
  /// Throws a `DataError` for a byte that has no token.
  func encode(_ text: UTF8Bytes, _ body: (Int32) -> Void) throws {
    try split(text, by: tokenizer.plainMatcher, body) { part in
      try split(part, by: tokenizer.normalizedMatcher, body) { try encodePlain($0, body) }
    }
  }

  /// Calls `body` with each added token, and `rest` with the texts between them.
  private func split(
    _ text: UTF8Bytes, by matcher: AddedTokenMatcher, _ body: (Int32) -> Void,
    rest: (UTF8Bytes) throws -> Void
  ) throws {
    var start = 0
    if !matcher.isEmpty {
      while let (range, id) = matcher.next(in: text, from: start) {
        if range.lowerBound > start { try rest(text.extracting(start..<range.lowerBound)) }
        body(id)
        start = range.upperBound
      }
    }
    if start < text.count { try rest(text.extracting(start..<text.count)) }
  }

  /// Encodes a text without added tokens.
  private func encodePlain(_ text: UTF8Bytes, _ body: (Int32) -> Void) throws {
    if tokenizer.parts.addsPrefixSpace, text[0] != UInt8(ascii: " ") {
      let spaced = [UInt8(ascii: " ")] + text
      try spaced.withUnsafeBufferPointer { try encodeWords($0, body) }
    } else {
      try encodeWords(text, body)
    }
  }

  private func encodeWords(_ text: UTF8Bytes, _ body: (Int32) -> Void) throws {
    try tokenizer.parts.pattern.forEachWord(in: text) { range in
      let word = UTF8Bytes(rebasing: text[range])
      guard word.count <= BytePairEncoder.longestCachedWord else {
        try merge(word)
        symbols.forEach(body)
        return
      }
      let (index, isNew) = words.insert(word)
      if isNew {
        try merge(word)
        wordTokens += symbols
        starts.append(wordTokens.count)
      }
      for i in starts[index]..<starts[index + 1] { body(wordTokens[i]) }
      if words.byteCount > BytePairEncoder.cacheLimit { forget() }
    }
  }

  private func forget() {
    words.removeAll()
    starts = [0]
    wordTokens.removeAll(keepingCapacity: true)
  }

  /// Sets `symbols` to the tokens of a word.
  private func merge(_ word: UTF8Bytes) throws {
    symbols.removeAll(keepingCapacity: true)
    if tokenizer.parts.ignoresMerges, let whole = tokenizer.wholeWords[Array(word)] {
      symbols.append(whole)
      return
    }
    for byte in word {
      let token = tokenizer.byteTokens[Int(byte)]
      guard token >= 0 else {
        forget()
        throw DataError(
          .malformed,
          "the tokenizer has no token for byte \(byte), which '\(String(decoding: word, as: UTF8.self).prefix(40))'"
            + " contains: use another tokenizer, or train one with --tokenizer train")
      }
      symbols.append(token)
    }
    if symbols.count <= 64 { mergeByScanning() } else { mergeByQueue() }
  }

  /// Merges the pair that was learned first, and of equal ones the leftmost, until there is none.
  private func mergeByScanning() {
    guard symbols.count > 1 else { return }
    let table = tokenizer.mergeTable
    ranks.removeAll(keepingCapacity: true)
    for i in 0..<symbols.count - 1 {
      ranks.append(table.value(symbols[i], symbols[i + 1])?.0 ?? .max)
    }
    while true {
      var best = -1
      var bestRank = Int32.max
      for i in ranks.indices where ranks[i] < bestRank { (best, bestRank) = (i, ranks[i]) }
      if best < 0 { return }
      symbols[best] = table.value(symbols[best], symbols[best + 1])!.1
      symbols.remove(at: best + 1)
      ranks.remove(at: best)
      if best > 0 { ranks[best - 1] = table.value(symbols[best - 1], symbols[best])?.0 ?? .max }
      if best < ranks.count {
        ranks[best] = table.value(symbols[best], symbols[best + 1])?.0 ?? .max
      }
    }
  }

  /// The same for long words, in n log n steps: the next pair comes from a queue.
  private func mergeByQueue() {
    let table = tokenizer.mergeTable
    let count = symbols.count
    var next = Array(1...count)  // `count` after the last
    var previous = Array(-1..<count - 1)
    var isRemoved = [Bool](repeating: false, count: count)
    var queue = BinaryHeap<UInt64>()
    func enqueue(_ i: Int) {
      guard next[i] < count, let (rank, _) = table.value(symbols[i], symbols[next[i]]) else {
        return
      }
      queue.push(UInt64(rank) << 32 | UInt64(i))
    }
    for i in 0..<count { enqueue(i) }
    while let least = queue.pop() {
      let (rank, i) = (Int32(least >> 32), Int(least & 0xFFFF_FFFF))
      guard !isRemoved[i], next[i] < count,
        let (current, result) = table.value(symbols[i], symbols[next[i]]), current == rank
      else { continue }
      let right = next[i]
      symbols[i] = result
      isRemoved[right] = true
      next[i] = next[right]
      if next[i] < count { previous[next[i]] = i }
      if previous[i] >= 0 { enqueue(previous[i]) }
      enqueue(i)
    }
    var kept = 0
    for i in 0..<count where !isRemoved[i] {
      symbols[kept] = symbols[i]
      kept += 1
    }
    symbols.removeLast(count - kept)
  }
}

/// A queue whose least element comes first.
struct BinaryHeap<Element: Comparable> {
  private var elements: [Element] = []

  /// Adds an element.
  mutating func push(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard elements[child] < elements[parent] else { break }
      elements.swapAt(child, parent)
      child = parent
    }
  }

  /// Removes the least element and returns it; nil if there is none.
  mutating func pop() -> Element? {
    guard let least = elements.first else { return nil }
    let last = elements.removeLast()
    guard !elements.isEmpty else { return least }
    elements[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < elements.count else { break }
      if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
      guard elements[child] < elements[parent] else { break }
      elements.swapAt(child, parent)
      parent = child
    }
    return least
  }
}
