import Foundation

/// The layouts of token files: nanoGPT's, which has nothing but the tokens, and llm.c's with a header.
package enum TokenFileLayout: String, CaseIterable, Sendable {
  case nanoGPT = "nanogpt"
  case llmC = "llmc"

  /// The bytes of llm.c's header: 256 numbers of 32 bits, of which three are used.
  static let headerSize = 1024

  /// llm.c's magic number and version for tokens of a width (`dev/data/data_common.py` of
  /// karpathy/llm.c): GPT-2's 16 bits, or Llama 3's 32.
  static func llmCNumbers(width: Int) -> (magic: UInt32, version: UInt32) {
    width == 2 ? (20_240_520, 1) : (20_240_801, 7)
  }

  /// The magic number of llm.c's files of multiple-choice questions.
  static let questionsMagic: UInt32 = 20_240_522
  /// The most tokens that llm.c's header can count.
  static let mostTokens = Int(Int32.max)

  /// The bytes of a token where a vocabulary has this many.
  package static func width(vocabularySize: Int) -> Int { vocabularySize <= 1 << 16 ? 2 : 4 }

  /// What stands before the tokens; nil if there are more than the header can count.
  package func header(count: Int, width: Int) -> [UInt8]? {
    guard self == .llmC else { return [] }
    guard count <= TokenFileLayout.mostTokens else { return nil }
    let (magic, version) = TokenFileLayout.llmCNumbers(width: width)
    var header = [magic, version, UInt32(count)].flatMap { number in
      withUnsafeBytes(of: number.littleEndian, Array.init)
    }
    header += [UInt8](repeating: 0, count: TokenFileLayout.headerSize - header.count)
    return header
  }
}

/// A file of tokens, mapped into memory: nanoGPT's or llm.c's.
struct TokenFile {
  let name: String
  let tokens: TokenStorage

  /// Maps a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - vocabularySize: The number of tokens, if it is known: more than 65,536 need 32 bits each,
  ///     which nanoGPT's files do not say themselves.
  init(path: String, vocabularySize: Int?) throws {
    name = path
    // Two tokens could look like the beginning of a gzip file.
    let reader = try ByteReader(path: path, inflates: false)
    let size = reader.byteCount
    func malformed(_ what: String) -> DataError { reader.malformed(what) }
    let head = try reader.bytes(upTo: 12)
    let numbers = head.withUnsafeBytes { bytes in
      (0..<head.count / 4).map {
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))
      }
    }
    let magic = numbers.first
    for width in [2, 4] where magic == TokenFileLayout.llmCNumbers(width: width).magic {
      let (_, expected) = TokenFileLayout.llmCNumbers(width: width)
      guard numbers.count == 3, size >= TokenFileLayout.headerSize else {
        throw malformed(
          "ends inside llm.c's header of \(TokenFileLayout.headerSize) bytes: get the file again")
      }
      guard numbers[1] == expected else {
        throw malformed(
          "llm.c's header has version \(numbers[1]); with magic number \(magic!) it must be \(expected)"
        )
      }
      let found = size - TokenFileLayout.headerSize
      guard found == Int(numbers[2]) * width else {
        throw malformed(
          "llm.c's header declares \(numbers[2]) tokens of \(width) bytes, but \(found) bytes follow: "
            + "get the file again")
      }
      tokens = try TokenStorage(
        mapping: path, byteCount: size, header: TokenFileLayout.headerSize, width: width)
      return
    }
    guard magic != TokenFileLayout.questionsMagic else {
      throw malformed("has llm.c's multiple-choice questions, which cannot be trained on")
    }
    let width = TokenFileLayout.width(vocabularySize: vocabularySize ?? 0)
    guard size.isMultiple(of: width) else {
      throw malformed(
        "ends in the middle of a token at byte \(size): tokens are \(8 * width)-bit numbers")
    }
    tokens = try TokenStorage(mapping: path, byteCount: size, header: 0, width: width)
  }

  /// Throws unless all tokens are in the vocabulary; of a large file each token is checked when it is
  /// read.
  func check(vocabularySize: Int) throws {
    guard tokens.count * tokens.width <= TokenDataset.fullyReadLimit,
      let place = tokens.firstIndex(in: 0..<tokens.count, notBelow: vocabularySize)
    else { return }
    throw TokenDataset.outOfRange(tokens, place, vocabularySize, name)
  }
}
