import Base
import DataLoading
import Foundation
import Settings
import Testing

@Suite("Text")
struct TextTests {
  private func opened(
    _ text: [UInt8], _ configure: (inout TextSource) -> Void = { _ in }
  ) throws -> (train: TokenDataset, test: TokenDataset, codec: CharacterCodec?) {
    try withFolder(["input.txt": text]) { folder in
      var source = TextSource(path: folder + "/input.txt")
      configure(&source)
      let data = try source.open()
      return (
        try #require(data.train as? TokenDataset), try #require(data.validation as? TokenDataset),
        data.preparation.tokenizer?.codec
      )
    }
  }

  private func message(
    _ text: [UInt8], _ configure: (inout TextSource) -> Void = { _ in },
    location: SourceLocation = #_sourceLocation
  ) -> String {
    let error = #expect(throws: DataError.self, sourceLocation: location) {
      _ = try opened(text, configure)
    }
    return error?.message ?? ""
  }

  private func refusal(
    _ text: [UInt8], _ configure: (inout TextSource) -> Void = { _ in },
    location: SourceLocation = #_sourceLocation
  ) -> String {
    let error = #expect(throws: SettingError.self, sourceLocation: location) {
      _ = try opened(text, configure)
    }
    return error?.description ?? ""
  }

  private func tokens(_ values: [UInt16]) -> [UInt8] { bytes(values, bigEndian: false) }

  @Test("Characters are Unicode scalars in the order of their values")
  func codec() throws {
    let codec = CharacterCodec(charactersOf: "bänana\r\n".unicodeScalars)
    #expect(codec.alphabet.unicodeScalars.elementsEqual("\n\rabnä".unicodeScalars))
    #expect(try codec.encode("\r\nnä") == [1, 0, 4, 5])
    #expect(codec.decode([1, 0, 4, 5]) == "\r\nnä")
    #expect(CharacterCodec(characters: codec.alphabet.unicodeScalars) == codec)
    let error = #expect(throws: DataError.self) { _ = try codec.encode("nab!") }
    #expect(error?.message.contains("character 4 of the text, \"!\"") == true)
  }

  @Test("Windows anywhere overlap, consecutive ones do not; targets come one later")
  func windows() throws {
    let sequence: [UInt16] = [5, 0, 3, 1, 4, 2, 5, 5]
    let anywhere = TokenDataset(sequence, vocabularySize: 6, blockSize: 3, windows: .anywhere)
    #expect(anywhere.count == 5 && anywhere.drawsPerEpoch == 2)
    #expect(anywhere.inputShape == [3] && anywhere.inputKind == .tokens(count: 6))
    #expect(anywhere.targetKind == .tokens(count: 6, length: 3))
    let all = try Contents(anywhere)
    #expect(all.tokens == [[5, 0, 3], [0, 3, 1], [3, 1, 4], [1, 4, 2], [4, 2, 5]])
    #expect(all.labels == [0, 3, 1, 3, 1, 4, 1, 4, 2, 4, 2, 5, 2, 5, 5])
    #expect(all.inputs.isEmpty && all.values.isEmpty)
    let blocks = TokenDataset(sequence, vocabularySize: 6, blockSize: 3, windows: .consecutive)
    #expect(blocks.count == 2 && blocks.drawsPerEpoch == nil)
    #expect(try Contents(blocks).tokens == [[5, 0, 3], [1, 4, 2]])
    #expect(try Contents(blocks).labels == [0, 3, 1, 4, 2, 5])
    // The window that needs a token after the last one is left out.
    let six = TokenDataset(
      Array(sequence[..<6]), vocabularySize: 6, blockSize: 3, windows: .consecutive)
    #expect(six.count == 1)
  }

  @Test("Random windows are the same from any step on, and on any number of ranks")
  func draws() throws {
    let dataset = TokenDataset(
      (0..<500).map(UInt16.init), vocabularySize: 500, blockSize: 8, windows: .anywhere)
    let sampler = GlobalBatchSampler(for: dataset, globalBatch: 6, seed: 4)
    #expect(sampler.count == 66)  // 62 blocks, made to fill batches
    let whole = DataLoader(dataset, sampler: sampler)
    let batches = try (0..<25).map { _ in try Contents(whole.next()).tokens }
    #expect(Set(batches).count == 25)
    for step in [0, 1, 10, 11, 17] {
      let ranks = (0..<4).map {
        DataLoader(
          dataset, sampler: sampler, partition: BatchPartition(index: $0, of: 4), startingAt: step)
      }
      for later in step..<step + 5 {
        #expect(try ranks.flatMap { try Contents($0.next()).tokens } == batches[later])
      }
    }
  }

  @Test("A text's last tenth is for testing, or another share")
  func splits() throws {
    let text = Array(String(repeating: "abcdefghij", count: 10).utf8)
    let (train, test, codec) = try opened(text) { $0.blockSize = 4 }
    #expect(train.tokenCount == 90 && test.tokenCount == 10)
    #expect(train.count == 86 && test.count == 2)
    #expect(codec?.alphabet == "abcdefghij" && train.vocabularySize == 10)
    #expect(try Contents(test).tokens == [[0, 1, 2, 3], [4, 5, 6, 7]])
    #expect(try Contents(test).labels == [1, 2, 3, 4, 5, 6, 7, 8])
    let half = try opened(text) {
      $0.blockSize = 4
      $0.validation = 0.5
    }
    #expect(half.train.tokenCount == 50 && half.test.tokenCount == 50)
    let none = try opened(text) { $0.validation = 0 }
    #expect(none.train.tokenCount == 100 && none.test.count == 0)
    #expect(none.train.blockSize == 64)
  }

  @Test("Opening again gives the same fingerprint, other splits and block sizes another")
  func fingerprints() throws {
    let text = Array(String(repeating: "some text ", count: 30).utf8)
    let first = try opened(text) { $0.blockSize = 5 }
    #expect(try opened(text) { $0.blockSize = 5 }.train.fingerprint == first.train.fingerprint)
    let other = try opened(text) { $0.blockSize = 6 }
    #expect(
      Set([first.train, first.test, other.train, other.test].map(\.fingerprint)).count == 4)
  }

  @Test("A byte-order mark is left out, and a gzip file inflated")
  func encodings() throws {
    let text = Array("\u{FEFF}héllo wörld 🙂".utf8)
    let (train, _, codec) = try opened(gzip(text)) {
      $0.blockSize = 2
      $0.validation = 0
    }
    #expect(codec?.alphabet == " dhlorwéö🙂")
    #expect(train.tokenCount == 13)
  }

  @Test(
    "What is not UTF-8 is an error with its place",
    arguments: [([0xFF], 3), ([0xC3], 3), ([0xE2, 0x82], 3), ([0xED, 0xA0, 0x80], 3)])
  func invalid(bytes: [UInt8], place: Int) {
    let message = message(Array("aé".utf8) + bytes + Array("z".utf8))
    #expect(message.contains("input.txt: byte \(place) is \(bytes[0])"))
  }

  @Test("Texts and splits shorter than a block are errors")
  func tooShort() {
    #expect(refusal([]).contains("'blockSize' is 64, too long for the 0 training tokens"))
    let text = [UInt8](repeating: 65, count: 100)
    #expect(refusal(text).contains("is 64, too long for the 10 validation or test tokens"))
    #expect(refusal(text) { $0.blockSize = 10 }.contains("test"))
    #expect(refusal(text) { $0.blockSize = 90 }.contains("for the 90 training tokens"))
    #expect(refusal(text) { $0.blockSize = 0 }.contains("'blockSize'"))
    #expect(refusal(text) { $0.validation = 100 }.contains("'validation'"))
    #expect(refusal(text) { $0.classes = 300 }.contains("'classes'"))
  }

  @Test("Token files are 16-bit numbers, split in two files or by share")
  func tokenFiles() throws {
    // The first token's bytes are those that gzip files begin with.
    let train = tokens([0x8B1F, 2, 1, 0, 3, 4]), validation = tokens([50_256, 7, 9])
    let data = try open(TextSource.self, ["train.bin": train, "val.bin": validation]) {
      $0.blockSize = 2
    }
    #expect(data.train.inputKind == .tokens(count: 50_257) && data.train.count == 4)
    #expect(try Contents(data.train).tokens[0] == [0x8B1F, 2])
    #expect(try Contents(data.validation).tokens == [[50_256, 7]])
    #expect(try Contents(data.validation).labels == [7, 9])

    let alone = try open(TextSource.self, ["train.bin": tokens(Array(0..<20))]) {
      $0.blockSize = 1
      $0.validation = 0.25
      $0.classes = 32
    }
    #expect(alone.train.inputKind == .tokens(count: 32) && alone.train.count == 14)
    #expect(alone.validation.count == 4)
  }

  @Test("Token files that are cut off, missing or beyond the declared count are errors")
  func badTokenFiles() throws {
    let good = tokens(Array(0..<200))
    #expect(DataLoadingTests.refusal(TextSource.self, [:])?.exitStatus == .inputMissing)
    let cut = failure(TextSource.self, ["train.bin": Array(good.dropLast())])
    #expect(cut?.message.contains("train.bin: ends in the middle of a token at byte 399") == true)
    let beyond = failure(TextSource.self, ["train.bin": good, "val.bin": good]) { $0.classes = 150 }
    #expect(beyond?.message.contains("token 150 at byte 300") == true)
    for fraction in [0.1, 0.2] {
      let refusal = DataLoadingTests.refusal(
        TextSource.self, ["train.bin": good, "val.bin": good]
      ) { $0.validation = fraction }
      #expect(refusal?.setting == "validation")
    }
  }

  private static let shakespeare = URL(filePath: #filePath)
    .appending(path: "../../../../shared/data/tinyshakespeare/input.txt").standardized.path

  @Test(
    "Shakespeare has 65 characters and 1,003,854 of 1,115,394 tokens to train on",
    .enabled(
      if: FileManager.default.fileExists(atPath: shakespeare), "the data is not beside the package")
  )
  func tinyShakespeare() throws {
    let data = try TextSource(path: Self.shakespeare).open()
    let (train, test) = (
      try #require(data.train as? TokenDataset), try #require(data.validation as? TokenDataset)
    )
    #expect(train.tokenCount == 1_003_854 && test.tokenCount == 111_540)
    #expect(train.count == 1_003_790 && train.drawsPerEpoch == 15_685 && test.count == 1_742)
    let codec = try #require(data.preparation.tokenizer?.codec)
    #expect(
      codec.alphabet
        == "\n !$&',-.3:;?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
    var start = SequentialBatches(train, batchSize: 1)
    let first = try #require(try start.next())
    #expect(first.withTokens { codec.decode($0) }.hasPrefix("First Citizen:\nBefore we proceed"))
  }
}

extension Tokenizer {
  /// The codec of characters.
  fileprivate var codec: CharacterCodec? {
    if case .characters(let codec) = self { codec } else { nil }
  }
}
