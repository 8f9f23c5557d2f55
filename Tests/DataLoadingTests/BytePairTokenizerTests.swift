import Base
import DataLoading
import Foundation
import Testing

/// Compares with Hugging Face's `tokenizers`; `Goldens/make.py` made the files.
@Suite("BytePairTokenizer")
struct BytePairTokenizerTests {
  private static let goldens =
    Bundle.module.url(forResource: "Goldens", withExtension: nil)!.path
  private static let names = ["gpt2", "llama3", "qwen2", "prefix", "whole"]

  private struct Cases: Decodable {
    let texts: [String]
    let tokens: [String: [[Int32]]]

    init(from decoder: any Decoder) throws {
      let container = try decoder.container(keyedBy: JSONKey.self)
      texts = try container.decode([String].self, forKey: JSONKey("texts"))
      tokens = try Dictionary(
        uniqueKeysWithValues: BytePairTokenizerTests.names.map {
          ($0, try container.decode([[Int32]].self, forKey: JSONKey($0)))
        })
    }
  }

  private static func cases() throws -> Cases {
    try JSON.decode(from: Data(contentsOf: URL(filePath: goldens + "/cases.json")))
  }

  private func expectGoldens(
    _ tokenizer: BytePairTokenizer, _ name: String,
    location: SourceLocation = #_sourceLocation
  ) throws {
    let cases = try Self.cases()
    let expected = try #require(cases.tokens[name])
    for (text, tokens) in zip(cases.texts, expected) {
      let found = try tokenizer.encode(text)
      #expect(found == tokens, "\(text.debugDescription)", sourceLocation: location)
      guard name != "prefix" else { continue }  // It adds spaces.
      let decoded = tokenizer.decode(found)
      #expect(
        decoded.unicodeScalars.elementsEqual(text.unicodeScalars), sourceLocation: location)
    }
  }

  @Test("Tokens of texts that are hard to split are those of Hugging Face", arguments: names)
  func goldens(name: String) throws {
    try expectGoldens(BytePairTokenizer(path: "\(Self.goldens)/\(name).json"), name)
  }

  @Test("What is written reads back to the same tokenizer", arguments: names)
  func writing(name: String) throws {
    let tokenizer = try BytePairTokenizer(path: "\(Self.goldens)/\(name).json")
    let copy = try BytePairTokenizer(json: Array(tokenizer.json.utf8), name: "copy")
    #expect(copy == tokenizer && copy.json == tokenizer.json)
    #expect(copy.vocabularySize == tokenizer.vocabularySize)
    try expectGoldens(copy, name)
  }

  @Test("GPT-2's vocab.json and merges.txt give the same tokens as tokenizer.json")
  func gpt2Files() throws {
    let tokenizer = try BytePairTokenizer(path: Self.goldens + "/gpt2")
    let other = try BytePairTokenizer(path: Self.goldens + "/gpt2.json")
    #expect(tokenizer.vocabularySize == other.vocabularySize && tokenizer.endOfText == 0)
    #expect(tokenizer.addedTokens.map(\.content) == ["<|endoftext|>"])
    try expectGoldens(tokenizer, "gpt2")
  }

  @Test("Training gives Hugging Face's vocabulary and merges")
  func training() throws {
    let text = try String(contentsOfFile: Self.goldens + "/corpus.txt", encoding: .utf8)
    var trainer = BytePairTrainer()
    // A text may come in parts.
    let middle = try #require(text.utf8.count > 100 ? text.range(of: " ranks")?.lowerBound : nil)
    for part in [text[..<middle], text[middle...]] {
      Array(part.utf8).withUnsafeBufferPointer { trainer.add($0) }
    }
    let trained = trainer.tokenizer(vocabularySize: 700)
    #expect(trained == (try BytePairTokenizer(path: Self.goldens + "/gpt2.json")))
    #expect(trained.endOfText == 0 && trained.bytes(of: 0) == Array("<|endoftext|>".utf8))
  }

  @Test("A text with few pairs gives fewer tokens")
  func fewPairs() throws {
    var trainer = BytePairTrainer()
    Array("abab abab".utf8).withUnsafeBufferPointer { trainer.add($0) }
    let tokenizer = trainer.tokenizer(vocabularySize: 1_000)
    #expect(tokenizer.vocabularySize == 257 + 2)  // ab, abab
    #expect(try tokenizer.encode("abab").count == 1)
    var empty = BytePairTrainer()
    [UInt8]().withUnsafeBufferPointer { empty.add($0) }
    #expect(empty.tokenizer(vocabularySize: 300).vocabularySize == 257)
  }

  @Test("A long word without spaces takes n log n steps")
  func longWord() throws {
    let tokenizer = try BytePairTokenizer(path: Self.goldens + "/whole.json")
    let text = String(repeating: "the ranks ", count: 50_000)
    let tokens = try tokenizer.encode(text)
    #expect(tokens.count < text.utf8.count && tokenizer.decode(tokens) == text)
  }

  @Test("Characters come from a stream when they are complete")
  func stream() {
    var stream = UTF8Stream()
    let bytes = Array("aé日🙂b".utf8)
    #expect(bytes.map { stream.append([$0]) }.filter { !$0.isEmpty } == ["a", "é", "日", "🙂", "b"])
    #expect(stream.finish() == "")
    #expect(stream.append([0x61, 0xFF, 0xE2, 0x82, 0x62, 0xF0, 0x9F]) == "a\u{FFFD}\u{FFFD}b")
    #expect(stream.finish() == "\u{FFFD}")
  }

  // MARK: Files that are wrong

  private func message(_ json: String, location: SourceLocation = #_sourceLocation) -> String {
    let error = #expect(throws: DataError.self, sourceLocation: location) {
      _ = try BytePairTokenizer(json: Array(json.utf8), name: "t.json")
    }
    #expect(error?.kind == .malformed, sourceLocation: location)
    return error?.message ?? ""
  }

  private static func file(
    model: String = #""type":"BPE","vocab":{"a":0,"b":1,"ab":2},"merges":["a b"]"#,
    splitting: String = #"{"type":"ByteLevel","add_prefix_space":false}"#, rest: String = ""
  ) -> String {
    "{\"model\":{\(model)},\"pre_tokenizer\":\(splitting)\(rest)}"
  }

  @Test("A small file is read, and a byte without a token is an error that names it")
  func small() throws {
    let tokenizer = try BytePairTokenizer(json: Array(Self.file().utf8), name: "t.json")
    #expect(try tokenizer.encode("abba") == [2, 1, 0])
    let error = #expect(throws: DataError.self) { _ = try tokenizer.encode("abc") }
    #expect(error?.message.contains("no token for byte 99, which 'abc' contains") == true)
    let unknown = Self.file(
      model: #""unk_token":"?","vocab":{"a":0,"b":1,"ab":2,"?":7},"merges":[["a","b"]]"#)
    let other = try BytePairTokenizer(json: Array(unknown.utf8), name: "t.json")
    #expect(try other.encode("abc") == [2, 7] && other.vocabularySize == 8)
  }

  @Test("What is not supported is refused by its name")
  func refusals() {
    #expect(message("[").contains("t.json: is no tokenizer.json: it is not valid JSON"))
    #expect(message("{}").contains("'model' is missing"))
    #expect(message(Self.file(model: #""type":"WordPiece""#)).contains("its model is 'WordPiece'"))
    #expect(
      message(Self.file(model: #""type":"Unigram","vocab":[["a",1.5]]"#)).contains("t.json: "))
    for key in [#""byte_fallback":true"#, #""dropout":0.1"#, #""end_of_word_suffix":"</w>""#] {
      let model = #""type":"BPE","vocab":{"a":0},"merges":[],"# + key
      #expect(message(Self.file(model: model)).contains("'model."))
    }
    #expect(message(Self.file(rest: #","normalizer":{"type":"NFC"}"#)).contains("'NFC'"))
    #expect(message(Self.file(splitting: "null")).contains("pre-tokenizer"))
    #expect(message(Self.file(splitting: #"{"type":"Metaspace"}"#)).contains("'Metaspace'"))
    let split = #"{"type":"Split","pattern":{"Regex":"\\w+"},"behavior":"Isolated","invert":false}"#
    let sequence = #"{"type":"Sequence","pretokenizers":["# + split + #",{"type":"ByteLevel"}]}"#
    #expect(message(Self.file(splitting: sequence)).contains(#"splits text by '\w+'"#))
    let added = #","added_tokens":[{"id":3,"content":"<m>","lstrip":true}]"#
    #expect(message(Self.file(rest: added)).contains("'<m>' has single_word, lstrip or rstrip"))
  }

  @Test("Vocabularies and merges that cannot be are errors")
  func impossible() {
    func model(_ vocabulary: String, _ merges: String) -> String {
      Self.file(model: "\"vocab\":{\(vocabulary)},\"merges\":[\(merges)]")
    }
    #expect(message(model("", "")).contains("the vocabulary is empty"))
    #expect(message(model(#""a":-1"#, "")).contains("numbers outside 0...1048575"))
    #expect(message(model(#""a":1048576"#, "")).contains("numbers outside"))
    #expect(message(model(#""a":0,"b":0"#, "")).contains("two tokens have number 0"))
    #expect(message(model(#""a":0,"b":1"#, #""a b""#)).contains("merge 1: 'ab' is not in the voc"))
    #expect(message(model(#""a":0"#, #""a""#)).contains("merge 1 is not two tokens"))
    #expect(message(model(#""a":1e99"#, "")).contains("t.json: is no tokenizer.json"))
    let added = #","added_tokens":[{"id":99999999999,"content":"x"}]"#
    #expect(message(Self.file(rest: added)).contains("added token 'x' has number 99999999999"))
  }

  @Test("Damaged files are errors and never trap")
  func hostile() throws {
    let good = try Array(Data(contentsOf: URL(filePath: Self.goldens + "/llama3.json")))
    for count in stride(from: 0, to: good.count, by: 997) {
      #expect(throws: DataError.self) {
        _ = try BytePairTokenizer(json: Array(good[..<count]), name: "t.json")
      }
    }
    var state: UInt64 = 5
    for _ in 0..<300 {
      var bad = good
      for _ in 0..<3 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bad[Int(state >> 33) % bad.count] = UInt8(truncatingIfNeeded: state >> 20)
      }
      do {
        _ = try BytePairTokenizer(json: bad, name: "t.json").encode("the ranks' 123 é \u{0}<|im")
      } catch is DataError {}
    }
  }

  @Test("A folder without a tokenizer, and files that do not fit, are errors")
  func folders() throws {
    try withFolder { folder in
      let error = #expect(throws: DataError.self) { _ = try BytePairTokenizer(path: folder) }
      #expect(error?.kind == .missing && error?.message.contains("has no tokenizer") == true)
    }
    let merges = Array("#version: 0.2\na b\nab b\n".utf8)
    try withFolder(["vocab.json": Array(#"{"a":0,"b":1,"ab":2}"#.utf8), "merges.txt": merges]) {
      folder in
      let error = #expect(throws: DataError.self) { _ = try BytePairTokenizer(path: folder) }
      #expect(error?.message.contains("merges.txt: line 3: 'abb' is not in the vocabulary") == true)
    }
  }
}
