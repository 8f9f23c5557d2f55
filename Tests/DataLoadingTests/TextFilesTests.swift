import Base
import DataLoading
import Foundation
import Settings
import Testing

/// Texts of several files, JSON Lines, and token files that are mapped.
@Suite("Text files")
struct TextFilesTests {
  private func tokens(_ dataset: any Dataset) throws -> [Int32] {
    try Contents(dataset).tokens.flatMap { $0 }
  }

  /// The tokens of all documents, as the training set of blocks of one.
  private func documents(
    _ files: [String: [UInt8]], path: String = "",
    _ configure: (inout TextSource) -> Void = { _ in }
  ) throws -> (String, [Int32]) {
    try withFolder(files) { folder in
      var source = TextSource(path: path.isEmpty ? folder : folder + "/" + path)
      source.blockSize = 1
      source.validation = 0
      configure(&source)
      let data = try source.open()
      let all = try tokens(data.train) + [Contents(data.train).labels.last ?? -1]
      return (try #require(data.preparation.tokenizer).decode(all), all)
    }
  }

  private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test("The texts of a folder come in the order of their names, joined by a line break")
  func folder() throws {
    let files = [
      "b.txt": bytes("second"), "a.txt": bytes("first"), "c.jsonl": bytes("{\"text\":\"third\"}\n"),
      "notes.md": bytes("no"), ".hidden.txt": bytes("no"),
    ]
    #expect(try documents(files).0 == "first\nsecond\nthird")
    #expect(try documents(files, path: "*.txt").0 == "first\nsecond")
    #expect(try documents(files, path: "a.txt").0 == "first")
  }

  @Test("JSON Lines: each line is a document, and another key may have the text")
  func jsonLines() throws {
    let lines = #"""
      {"text": "one\n\u00e9", "id": 1}

      {"id": [2, {"text": "no"}], "text": "two 😀"}
      """#
    #expect(try documents(["a.jsonl": bytes(lines)]).0 == "one\né\ntwo 😀")
    #expect(
      try documents(
        ["a.jsonl": gzip(bytes(#"{"body":"x","text":"y"}"# + "\r\n{\"body\":\"zw\"}"))],
        path: "a.jsonl"
      ) {
        $0.textField = "body"
      }.0 == "x\nzw")
  }

  @Test(
    "A line that is no JSON object, or has no text, is an error with file and line",
    arguments: [
      (#"{"text": "torn"#, "line 2 is not a JSON object: '{\"text\": \"torn'"),
      ("[1]", "line 2 is not a JSON object"),
      (#"{"txt": "a", "id": 1}"#, "line 2 has no text in 'text': its keys are 'id', 'txt'"),
      (#"{"text": 5}"#, "line 2 has no text in 'text'"), ("\u{0}", "line 2 is not a JSON object"),
    ])
  func badLines(line: String, expected: String) {
    let content = bytes("{\"text\": \"good\"}\n" + line + "\n{\"text\": \"good\"}\n")
    let error = #expect(throws: DataError.self) { _ = try documents(["a.jsonl": content]) }
    #expect(error?.message.contains("a.jsonl: " + expected) == true, "\(error?.message ?? "")")
  }

  @Test("JSON Lines that are not UTF-8 are an error")
  func badBytes() {
    let content = bytes("{\"text\": \"a") + [0xFF] + bytes("\"}\n")
    let error = #expect(throws: DataError.self) { _ = try documents(["a.jsonl": content]) }
    #expect(
      error?.message.contains("a.jsonl: byte 11 is 255, which is not UTF-8 there (line 1)") == true)
  }

  @Test("What is not UTF-8 is named by byte and line, also far into a file")
  func invalidPlace() {
    let line = bytes("some words of a line\n")
    let content = [UInt8]((0..<300_000).flatMap { _ in line }) + [0x80] + line
    let error = #expect(throws: DataError.self) { _ = try documents(["a.txt": content]) }
    #expect(
      error?.message.contains("a.txt: byte 6300000 is 128, which is not UTF-8 there (line 300001)")
        == true)
  }

  // MARK: Tokenizers

  private static let goldens = Bundle.module.url(forResource: "Goldens", withExtension: nil)!.path

  @Test("A tokenizer encodes each document, and its end")
  func tokenizer() throws {
    let path = Self.goldens + "/gpt2.json"
    let tokenizer = try BytePairTokenizer(path: path)
    let end = try #require(tokenizer.endOfText)
    let (_, found) = try documents(["a.txt": bytes("the ranks"), "b.txt": bytes(" it's\n")]) {
      $0.tokenizer = path
    }
    let expected = try tokenizer.encode("the ranks") + [end] + tokenizer.encode(" it's\n") + [end]
    #expect(found == expected)
  }

  @Test("A text that is read in parts has the tokens of the whole", arguments: ["gpt2", "llama3"])
  func parts(name: String) throws {
    let path = "\(Self.goldens)/\(name).json"
    let corpus = try String(contentsOfFile: Self.goldens + "/corpus.txt", encoding: .utf8)
    let text = String(repeating: corpus, count: 500)  // more than one part
    #expect(text.utf8.count > 1 << 22)
    let tokenizer = try BytePairTokenizer(path: path)
    let (_, found) = try documents(["a.txt": bytes(text)]) { $0.tokenizer = path }
    #expect(try found == tokenizer.encode(text) + [#require(tokenizer.endOfText)])
  }

  @Test("A tokenizer that does not exist, and a vocabulary that is too small, are refused")
  func refusedTokenizers() throws {
    func refusal(_ configure: (inout TextSource) -> Void) -> SettingError? {
      #expect(throws: SettingError.self) { _ = try documents(["a.txt": [65, 66, 67]], configure) }
    }
    let missing = refusal { $0.tokenizer = "/nowhere/tokenizer.json" }
    #expect(missing?.setting == "tokenizer" && missing?.exitStatus == .inputMissing)
    let size = try BytePairTokenizer(path: Self.goldens + "/gpt2.json").vocabularySize
    let small = refusal {
      $0.tokenizer = Self.goldens + "/gpt2.json"
      $0.classes = size - 1
    }
    #expect(small?.description.contains("the tokenizer has \(size) tokens") == true)
    #expect(refusal { $0.tokenizer = "" }?.setting == "tokenizer")
  }

  // MARK: Token files

  private func header(_ magic: UInt32, _ version: UInt32, _ count: UInt32) -> [UInt8] {
    DataLoadingTests.bytes([magic, version, count], bigEndian: false)
      + [UInt8](repeating: 0, count: 1024 - 12)
  }

  private func opened(
    _ files: [String: [UInt8]], _ configure: (inout TextSource) -> Void = { _ in }
  ) throws -> (any Dataset, size: InputKind) {
    try withFolder(files) { folder in
      var source = TextSource(path: folder)
      source.blockSize = 1
      source.validation = 0
      configure(&source)
      let data = try source.open()
      return (data.train, data.train.inputKind)
    }
  }

  @Test("llm.c's files have 16 or 32 bits by their header")
  func llmC() throws {
    let short = DataLoadingTests.bytes([UInt16](0..<9), bigEndian: false)
    let (first, kind) = try opened(["train.bin": header(20_240_520, 1, 9) + short])
    #expect(try tokens(first) == Array(0..<8) && kind == .tokens(count: 9))
    let long = DataLoadingTests.bytes([UInt32(128_000), 3, 70_000], bigEndian: false)
    let (second, wide) = try opened(["train.bin": header(20_240_801, 7, 3) + long])
    #expect(try tokens(second) == [128_000, 3] && wide == .tokens(count: 128_001))
  }

  @Test("nanoGPT's files have 32 bits where the vocabulary needs them")
  func wideTokens() throws {
    let long = DataLoadingTests.bytes([UInt32(128_000), 3, 70_000], bigEndian: false)
    let (data, _) = try opened(["train.bin": long]) { $0.classes = 128_256 }
    #expect(try tokens(data) == [128_000, 3])
  }

  @Test("Headers of llm.c that are wrong are errors")
  func wrongHeaders() {
    func message(_ content: [UInt8]) -> String {
      #expect(throws: DataError.self) { _ = try opened(["train.bin": content]) }?.message ?? ""
    }
    let tokens = [UInt8](repeating: 1, count: 20)
    #expect(message(header(20_240_520, 2, 10) + tokens).contains("version 2; with magic number"))
    #expect(message(header(20_240_801, 1, 5) + tokens).contains("it must be 7"))
    #expect(message(header(20_240_520, 1, 11) + tokens).contains("declares 11 tokens of 2 bytes"))
    #expect(message(header(20_240_520, 1, .max) + tokens).contains("declares 4294967295 tokens"))
    #expect(message(Array(header(20_240_520, 1, 0)[..<500])).contains("inside llm.c's header"))
    #expect(message(header(20_240_522, 1, 10) + tokens).contains("multiple-choice"))
  }

  @Test("The tokenizer beside token files belongs to them")
  func besideTokens() throws {
    let json = try Array(Data(contentsOf: URL(filePath: Self.goldens + "/gpt2.json")))
    let size = try UInt16(BytePairTokenizer(json: json, name: "").vocabularySize)
    let good = DataLoadingTests.bytes([UInt16](size - 10..<size), bigEndian: false)
    let (_, kind) = try opened(["train.bin": good, "tokenizer.json": json])
    #expect(kind == .tokens(count: Int(size)))
    let (_, padded) = try opened(["train.bin": good, "tokenizer.json": json]) { $0.classes = 1024 }
    #expect(padded == .tokens(count: 1024))
    let bad = DataLoadingTests.bytes([UInt16](size - 9...size), bigEndian: false)
    let error = #expect(throws: DataError.self) {
      _ = try opened(["train.bin": bad, "tokenizer.json": json])
    }
    #expect(error?.message.contains("token \(size) at byte 18 is out of range") == true)
  }

  @Test("A large file is opened by samples of it, and its tokens are checked when they are read")
  func largeFile() throws {
    try withFolder { folder in
      // 80 MiB of zeros, which take no room on the disk.
      let path = folder + "/train.bin"
      let count = 40 << 20
      _ = FileManager.default.createFile(atPath: path, contents: nil)
      let file = try #require(FileHandle(forUpdatingAtPath: path))
      try file.truncate(atOffset: UInt64(2 * count))
      func open() throws -> any Dataset {
        var source = TextSource(path: folder)
        (source.blockSize, source.validation, source.classes) = (4, 0, 100)
        return try source.open().train
      }
      let zeros = try open().fingerprint
      #expect(try open().fingerprint == zeros)
      // A token in the last block counts.
      try file.seek(toOffset: UInt64(2 * count - 6))
      try file.write(contentsOf: Data([7, 0]))
      let changed = try open()
      #expect(changed.fingerprint != zeros)
      try file.seek(toOffset: 2 * 1_000_001)
      try file.write(contentsOf: Data([200, 0]))
      var batches = SequentialBatches(changed, batchSize: 4, limit: nil)
      let error = #expect(throws: DataError.self) {
        while let batch = try batches.next(), batch.index < 300_000 {}
      }
      #expect(error?.message.contains("token 200 at byte 2000002 is out of range") == true)
    }
  }
}
