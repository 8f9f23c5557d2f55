// The files of a byte-pair tokenizer: Hugging Face's tokenizer.json, which is also written, and GPT-2's
// vocab.json with merges.txt.
import Base
import Foundation

extension BytePairTokenizer {
  /// The name of Hugging Face's file.
  public static let fileName = "tokenizer.json"
  /// What a path may name.
  static let expected =
    "Hugging Face's tokenizer.json, or a folder with it or with GPT-2's vocab.json and merges.txt"
  /// The largest number of a token that is believed.
  private static let largestToken = (1 << 20) - 1

  /// Reads `tokenizer.json`, or a folder with it or with `vocab.json` and `merges.txt`.
  ///
  /// Throws a `DataError` that names what is missing, wrong or not supported.
  public convenience init(path: String) throws {
    guard isFolder(path) else {
      try self.init(json: ByteReader(path: path).remainingBytes(), name: path)
      return
    }
    let file = path + "/" + BytePairTokenizer.fileName
    let (vocabulary, merges) = (path + "/vocab.json", path + "/merges.txt")
    if FileManager.default.fileExists(atPath: file) {
      try self.init(json: ByteReader(path: file).remainingBytes(), name: file)
    } else if FileManager.default.fileExists(atPath: vocabulary),
      FileManager.default.fileExists(atPath: merges)
    {
      try self.init(
        vocabulary: ByteReader(path: vocabulary), merges: ByteReader(path: merges))
    } else {
      throw DataError(
        .missing, "\(path): has no tokenizer; expected \(BytePairTokenizer.expected)")
    }
  }

  /// Reads GPT-2's files; `<|endoftext|>` is a special token if the vocabulary has it.
  private convenience init(vocabulary: ByteReader, merges: ByteReader) throws {
    let words: [String: Int]
    do {
      words = try JSON.decode(from: vocabulary.remainingBytes())
    } catch let error as JSONError {
      throw vocabulary.malformed("is no vocabulary: \(error)")
    }
    var parts = try BytePairTokenizer.parts(vocabulary: words, name: vocabulary.name)
    if let id = words[BytePairTrainer.endOfText] {
      parts.added = [
        AddedToken(
          content: BytePairTrainer.endOfText, id: Int32(id), isSpecial: true, isNormalized: false)
      ]
      parts.literals[Int32(id)] = BytePairTrainer.endOfText
    }
    let text = String(decoding: try merges.remainingBytes(), as: UTF8.self)
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      let line = line.hasSuffix("\r") ? line.dropLast() : line
      if line.isEmpty || (index == 0 && line.hasPrefix("#version")) { continue }
      let pair = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
      guard pair.count == 2 else {
        throw merges.malformed("line \(index + 1) is not two tokens: '\(line.prefix(40))'")
      }
      try parts.merges.append(
        BytePairTokenizer.merge(pair, of: words, place: "\(merges.name): line \(index + 1)"))
    }
    self.init(parts)
  }

  /// Reads the content of a `tokenizer.json`.
  package convenience init(json: [UInt8], name: String) throws {
    let file: TokenizerFile
    do {
      file = try JSON.decode(from: json)
    } catch {
      throw DataError(.malformed, "\(name): is no tokenizer.json: \(error)")
    }
    try self.init(BytePairTokenizer.parts(of: file, name: name))
  }

  private static func parts(of file: TokenizerFile, name: String) throws -> Parts {
    func refuse(_ what: String) -> DataError {
      DataError(
        .malformed,
        "\(name): \(what), which is not supported: byte-level BPE is, as GPT-2 and Llama 3 use it")
    }
    let model = file.model
    guard model.type ?? "BPE" == "BPE", let words = model.vocabulary, let merges = model.merges
    else {
      throw refuse("its model is '\(model.type ?? "without a vocabulary and merges")'")
    }
    for (key, isSet) in [
      ("byte_fallback", model.byteFallback ?? false), ("dropout", model.dropout ?? 0 != 0),
      ("continuing_subword_prefix", model.continuingSubwordPrefix ?? "" != ""),
      ("end_of_word_suffix", model.endOfWordSuffix ?? "" != ""),
    ] where isSet {
      throw refuse("'model.\(key)' is set")
    }
    if let normalizer = file.normalizer {
      throw refuse("it normalizes text by '\(normalizer.type ?? "")'")
    }
    var parts = try parts(vocabulary: words, name: name)
    for (index, pair) in merges.enumerated() {
      parts.merges.append(
        try merge(pair.tokens, of: words, place: "\(name): merge \(index + 1)"))
    }
    (parts.pattern, parts.addsPrefixSpace) = try splitting(file.preTokenizer, refuse)
    parts.ignoresMerges = model.ignoresMerges ?? false
    if let unknown = model.unknownToken, !unknown.isEmpty {
      guard let id = words[unknown] else {
        throw DataError(.malformed, "\(name): 'unk_token' is '\(unknown)', which is no token")
      }
      parts.unknown = Int32(id)
    }
    for token in file.addedTokens ?? [] {
      guard (0...largestToken).contains(token.id), !token.content.isEmpty else {
        throw DataError(
          .malformed, "\(name): added token '\(token.content.prefix(40))' has number \(token.id)")
      }
      guard !(token.isSingleWord ?? false), !(token.stripsLeft ?? false),
        !(token.stripsRight ?? false)
      else {
        throw refuse("added token '\(token.content)' has single_word, lstrip or rstrip")
      }
      let id = Int32(token.id)
      while parts.tokens.count <= token.id { parts.tokens.append(nil) }
      parts.tokens[token.id] = Array(token.content.utf8)
      parts.literals[id] = words[token.content] == token.id ? token.content : nil
      parts.added.removeAll { $0.id == id }
      parts.added.append(
        AddedToken(
          content: token.content, id: id, isSpecial: token.isSpecial ?? false,
          isNormalized: token.isNormalized ?? !(token.isSpecial ?? false)))
    }
    return parts
  }

  /// The tokens of a vocabulary.
  private static func parts(vocabulary words: [String: Int], name: String) throws -> Parts {
    let largest = words.values.max() ?? -1
    guard words.values.min() ?? -1 >= 0, largest <= largestToken else {
      throw DataError(
        .malformed, "\(name): the vocabulary is empty, or has numbers outside 0...\(largestToken)")
    }
    var parts = Parts(tokens: Array(repeating: nil, count: largest + 1), merges: [])
    for (word, id) in words {
      guard parts.tokens[id] == nil else {
        throw DataError(.malformed, "\(name): two tokens have number \(id); one is '\(word)'")
      }
      if let bytes = ByteAlphabet.bytes(of: word) {
        parts.tokens[id] = bytes
      } else {
        parts.tokens[id] = Array(word.utf8)
        parts.literals[Int32(id)] = word
      }
    }
    return parts
  }

  private static func merge(
    _ pair: [String], of words: [String: Int], place: String
  ) throws -> Merge {
    guard pair.count == 2 else { throw DataError(.malformed, "\(place) is not two tokens") }
    func id(_ word: String) throws -> Int32 {
      guard let id = words[word] else {
        throw DataError(
          .malformed,
          "\(place): '\(word.prefix(40))' is not in the vocabulary: the files do not fit")
      }
      return Int32(id)
    }
    return try Merge(left: id(pair[0]), right: id(pair[1]), result: id(pair[0] + pair[1]))
  }

  /// How a pre-tokenizer splits text, and whether it puts a space before it.
  private static func splitting(
    _ step: TokenizerFile.PreTokenizer?, _ refuse: (String) -> DataError
  ) throws -> (SplitPattern, addsPrefixSpace: Bool) {
    let steps = step?.type == "Sequence" ? step?.steps ?? [] : step.map { [$0] } ?? []
    var pattern = SplitPattern.none
    var rest = steps[...]
    if let split = rest.first, split.type == "Split" {
      guard split.behavior == "Isolated", !(split.isInverted ?? false),
        let expression = split.pattern?.expression, let known = SplitPattern(expression: expression)
      else {
        throw refuse(
          "it splits text by '\(split.pattern?.expression ?? split.pattern?.text ?? "")'")
      }
      pattern = known
      rest = rest.dropFirst()
    }
    guard rest.count == 1, let bytes = rest.first, bytes.type == "ByteLevel" else {
      let names = steps.map { $0.type ?? "" }.joined(separator: ", ")
      throw refuse("its pre-tokenizer is '\(names)'")
    }
    let addsPrefixSpace = bytes.addsPrefixSpace ?? true
    let usesExpression = bytes.usesExpression ?? true
    guard pattern == .none || !(addsPrefixSpace || usesExpression) else {
      throw refuse("it splits text twice")
    }
    return (usesExpression ? .gpt2 : pattern, addsPrefixSpace)
  }

  /// The content of a `tokenizer.json`, which Hugging Face's `tokenizers` reads.
  static func json(of parts: Parts) -> String {
    func name(_ id: Int32) -> String {
      parts.literals[id] ?? ByteAlphabet.text(of: parts.tokens[Int(id)] ?? [])
    }
    let bytes: JSONObject = [
      "type": "ByteLevel", "add_prefix_space": parts.addsPrefixSpace, "trim_offsets": true,
      "use_regex": parts.pattern == .gpt2,
    ]
    var splitting = bytes
    if parts.pattern != .gpt2, let expression = parts.pattern.expression {
      let split: JSONObject = [
        "type": "Split", "pattern": ["Regex": expression] as JSONObject, "behavior": "Isolated",
        "invert": false,
      ]
      splitting = ["type": "Sequence", "pretokenizers": [split, bytes]]
    }
    let decoder: JSONObject = [
      "type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true,
    ]
    let none: String? = nil
    let added = parts.added.map { token -> JSONObject in
      [
        "id": Int(token.id), "content": token.content, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": token.isNormalized, "special": token.isSpecial,
      ]
    }
    // An added token has a place in the vocabulary too if its file had it there.
    let addedOnly = Set(parts.added.map(\.id)).subtracting(parts.literals.keys)
    let inVocabulary = parts.tokens.indices.filter {
      parts.tokens[$0] != nil && !addedOnly.contains(Int32($0))
    }
    // Written by hand: there may be a million names, and the encoder takes microseconds for each.
    func quoted(_ id: Int32) -> String {
      guard parts.literals[id] == nil else { return JSON.text(name(id)) }
      let name = name(id)
      guard name.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") })
      else { return "\"\(name)\"" }
      return JSON.text(name)
    }
    let vocabulary = inVocabulary.map { "\(quoted(Int32($0))):\($0)" }.joined(separator: ",")
    let merges = parts.merges.map { merge in
      "\(quoted(merge.left).dropLast()) \(quoted(merge.right).dropFirst())"
    }.joined(separator: ",")
    let model: JSONObject = [
      "type": "BPE", "dropout": none, "unk_token": parts.unknown.map(name),
      "continuing_subword_prefix": none, "end_of_word_suffix": none, "fuse_unk": false,
      "byte_fallback": false, "ignore_merges": parts.ignoresMerges,
    ]
    let file: JSONObject = [
      "version": "1.0", "truncation": none, "padding": none, "added_tokens": added,
      "normalizer": none, "pre_tokenizer": splitting, "post_processor": none, "decoder": decoder,
    ]
    return file.text.dropLast() + ",\"model\":" + model.text.dropLast()
      + ",\"vocab\":{\(vocabulary)},\"merges\":[\(merges)]}}\n"
  }
}
