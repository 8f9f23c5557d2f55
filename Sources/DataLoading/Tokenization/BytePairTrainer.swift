/// Learns a byte-pair encoding from texts: the most frequent pair of tokens becomes a token, again and
/// again, until the vocabulary is large enough.
///
/// The result depends on the words and their counts only. It is that of Hugging Face's `BpeTrainer`:
/// of pairs that are equally frequent, the one with the smaller tokens is merged first. (Where two
/// different merges make the same bytes, which is rare, Hugging Face keeps one token for both, and
/// so does this trainer.)
package struct BytePairTrainer {
  /// The name of the token between documents.
  package static let endOfText = "<|endoftext|>"
  /// A pair that occurs less often becomes no token.
  private static let leastCount = 2

  private var words = WordTable()
  private var counts: [Int] = []

  /// A trainer that has seen no text.
  package init() {}

  /// Counts the words of a text, or of a part of it that begins and ends between words.
  package mutating func add(_ text: UnsafeBufferPointer<UInt8>) {
    SplitPattern.gpt2.forEachWord(in: text) { range in
      let (index, isNew) = words.insert(UTF8Bytes(rebasing: text[range]))
      if isNew { counts.append(1) } else { counts[index] += 1 }
    }
  }

  /// A tokenizer of `vocabularySize` tokens, or fewer if no more pairs occur twice: a special token for
  /// the end of a text, all bytes, then the merged pairs.
  package func tokenizer(vocabularySize: Int) -> BytePairTokenizer {
    precondition(vocabularySize > 256, "BytePairTrainer: a vocabulary of \(vocabularySize)")
    // Bytes are numbered as Hugging Face sorts them: by the characters that stand for them.
    let order = (0...255).map { UInt8($0) }.sorted {
      ByteAlphabet.characters[Int($0)] < ByteAlphabet.characters[Int($1)]
    }
    var tokens: [[UInt8]?] = [Array(BytePairTrainer.endOfText.utf8)] + order.map { [$0] }
    var byteTokens = [Int32](repeating: 0, count: 256)
    for (index, byte) in order.enumerated() { byteTokens[Int(byte)] = Int32(index + 1) }
    var training = Merging(
      words: (0..<words.count).map { index in words[index].map { byteTokens[Int($0)] } },
      counts: counts)
    var idOfBytes: [[UInt8]: Int32] = [:]
    for (id, bytes) in tokens.enumerated() { idOfBytes[bytes!] = Int32(id) }
    var merges: [BytePairTokenizer.Merge] = []
    while tokens.count < vocabularySize,
      let (left, right) = training.mostFrequentPair(leastCount: BytePairTrainer.leastCount)
    {
      let bytes = tokens[Int(left)]! + tokens[Int(right)]!
      let id = idOfBytes[bytes] ?? Int32(tokens.count)
      if Int(id) == tokens.count {
        tokens.append(bytes)
        idOfBytes[bytes] = id
      }
      merges.append(.init(left: left, right: right, result: id))
      training.merge(left, right, into: id)
    }
    return BytePairTokenizer(
      .init(
        tokens: tokens, merges: merges,
        added: [
          .init(content: BytePairTrainer.endOfText, id: 0, isSpecial: true, isNormalized: false)
        ], literals: [0: BytePairTrainer.endOfText]))
  }
}

/// The words as tokens while they are merged, and how often each pair occurs in them.
private struct Merging {
  /// A pair in the queue; the most frequent comes first, then the one with the smaller tokens.
  private struct Entry: Comparable {
    var count: Int
    let left: Int32
    let right: Int32
    /// The words in which it was found.
    let words: Int32

    static func < (a: Entry, b: Entry) -> Bool {
      if a.count != b.count { return a.count > b.count }
      return (a.left, a.right) < (b.left, b.right)
    }

    static func == (a: Entry, b: Entry) -> Bool {
      a.count == b.count && a.left == b.left && a.right == b.right
    }
  }

  private var words: [[Int32]]
  private let counts: [Int]
  /// The number of each pair: its place in `pairCounts`.
  private let pairs = PairTable()
  private var pairCounts: [Int] = []
  private var queue = BinaryHeap<Entry>()
  /// The words of the queue's entries.
  private var places: [[Int32]] = []
  private var chosen: [Int32] = []

  init(words: [[Int32]], counts: [Int]) {
    (self.words, self.counts) = (words, counts)
    var found = FoundPairs()
    for (index, word) in words.enumerated() {
      for i in word.indices.dropLast() {
        add(word[i], word[i + 1], counts[index])
        found.add(word[i], word[i + 1], Int32(index))
      }
    }
    enqueue(found)
  }

  private mutating func add(_ left: Int32, _ right: Int32, _ count: Int) {
    if let (pair, _) = pairs.value(left, right) {
      pairCounts[Int(pair)] += count
    } else {
      pairs.set(left, right, (Int32(pairCounts.count), 0))
      pairCounts.append(count)
    }
  }

  private func count(_ left: Int32, _ right: Int32) -> Int {
    pairCounts[Int(pairs.value(left, right)!.0)]
  }

  private mutating func enqueue(_ found: FoundPairs) {
    for (pair, words) in zip(found.pairs, found.words) {
      let count = count(pair.left, pair.right)
      guard count > 0 else { continue }
      queue.push(
        Entry(count: count, left: pair.left, right: pair.right, words: Int32(places.count)))
      places.append(words)
    }
  }

  /// Takes the most frequent pair from the queue; nil if none occurs often enough.
  mutating func mostFrequentPair(leastCount: Int) -> (left: Int32, right: Int32)? {
    while var entry = queue.pop() {
      let now = count(entry.left, entry.right)
      if now != entry.count {
        // Merges of other pairs have made it less frequent.
        entry.count = now
        if now > 0 { queue.push(entry) }
        continue
      }
      guard now >= leastCount else { return nil }
      chosen = places[Int(entry.words)]
      places[Int(entry.words)] = []
      return (entry.left, entry.right)
    }
    return nil
  }

  /// Merges a pair in all words in which it was found.
  mutating func merge(_ left: Int32, _ right: Int32, into result: Int32) {
    var found = FoundPairs()
    for index in chosen {
      var word = words[Int(index)]
      words[Int(index)] = []
      let count = counts[Int(index)]
      var i = 0
      while i + 1 < word.count {
        if word[i] == left, word[i + 1] == right {
          if i > 0 {
            add(word[i - 1], left, -count)
            add(word[i - 1], result, count)
            found.add(word[i - 1], result, index)
          }
          word[i] = result
          word.remove(at: i + 1)
          if i + 1 < word.count {
            add(right, word[i + 1], -count)
            add(result, word[i + 1], count)
            found.add(result, word[i + 1], index)
          }
        }
        i += 1
      }
      words[Int(index)] = word
    }
    chosen = []
    enqueue(found)
  }
}

/// Pairs in the order in which they were found, with the words that have them, each once.
private struct FoundPairs {
  private(set) var pairs: [(left: Int32, right: Int32)] = []
  private(set) var words: [[Int32]] = []
  private let table = PairTable()

  mutating func add(_ left: Int32, _ right: Int32, _ word: Int32) {
    if let (place, _) = table.value(left, right) {
      if words[Int(place)].last != word { words[Int(place)].append(word) }
    } else {
      table.set(left, right, (Int32(pairs.count), 0))
      pairs.append((left, right))
      words.append([word])
    }
  }
}
