import Checkpointing
import DataLoading
import Foundation
import Lockstep

/// Writes tokens into a folder: `train.bin`, `val.bin` and `tokenizer.json`, which replace those that
/// are there when all of them are written.
final class TokenWriter {
  private let folder: String
  private let layout: TokenFileLayout
  private let width: Int
  private let fileSystem = FileSystem()
  /// All tokens without a header, since their number is not known yet.
  private let all: FileWriter
  private var buffer: [UInt8] = []
  private var count = 0
  private var failure: (any Error)?

  private static let bufferSize = 1 << 20

  /// Creates the folder.
  init(folder: String, _ layout: TokenFileLayout, vocabularySize: Int) throws {
    (self.folder, self.layout) = (folder, layout)
    width = TokenFileLayout.width(vocabularySize: vocabularySize)
    try fileSystem.makeDirectories(folder)
    all = try fileSystem.createFile(folder.appendingPath(".tokens-\(getpid()).tmp"))
    buffer.reserveCapacity(TokenWriter.bufferSize + 4)
  }

  deinit { try? fileSystem.remove(all.path) }

  /// Adds a token; an error is thrown at the end.
  func append(_ token: Int32) {
    buffer.append(UInt8(truncatingIfNeeded: token))
    buffer.append(UInt8(truncatingIfNeeded: token >> 8))
    if width == 4 {
      buffer.append(UInt8(truncatingIfNeeded: token >> 16))
      buffer.append(UInt8(truncatingIfNeeded: token >> 24))
    }
    count += 1
    if buffer.count >= TokenWriter.bufferSize { flush() }
  }

  private func flush() {
    guard failure == nil else { return buffer.removeAll(keepingCapacity: true) }
    do {
      try buffer.withUnsafeBytes { try all.write($0) }
    } catch {
      failure = error
    }
    buffer.removeAll(keepingCapacity: true)
  }

  /// Writes the files, and returns the tokens for training and for validation.
  ///
  /// - Parameters:
  ///   - validation: The fraction of the tokens, at the end, for `val.bin`.
  ///   - tokenizer: What made the tokens.
  func finish(validation: Double, _ tokenizer: BytePairTokenizer) throws -> (Int, Int) {
    flush()
    if let failure { throw failure }
    try all.finish()
    // The same share as training takes of a text.
    let trainCount = Int(Double(count) * (1 - validation))
    let tokens = try fileSystem.map(all.path)
    let json = Array(tokenizer.json.utf8)
    var written = [
      try write(BytePairTokenizer.fileName) { write in try json.withUnsafeBytes(write) }
    ]
    for (name, range) in [("val.bin", trainCount..<count), ("train.bin", 0..<trainCount)] {
      if range.isEmpty {
        try fileSystem.remove(folder.appendingPath(name))
        continue
      }
      guard let header = layout.header(count: range.count, width: width) else {
        throw CommandError(
          "\(name) would have \(grouped(range.count)) tokens, more than llm.c's header can count: use "
            + "--layout nanogpt", .badData)
      }
      written.append(
        try write(name) { write in
          try header.withUnsafeBytes(write)
          try tokens.withUnsafeBytes { bytes in
            try write(
              UnsafeRawBufferPointer(
                rebasing: bytes[range.lowerBound * width..<range.upperBound * width]))
          }
        })
    }
    for name in written {
      try fileSystem.rename(temporary(name), to: folder.appendingPath(name))
    }
    try fileSystem.synchronizeDirectory(folder)
    return (trainCount, count - trainCount)
  }

  private func temporary(_ name: String) -> String {
    folder.appendingPath(".\(name)-\(getpid()).tmp")
  }

  /// Writes a file under its temporary name.
  private func write(
    _ name: String, _ body: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws -> String {
    do {
      let file = try fileSystem.createFile(temporary(name))
      try body { try file.write($0) }
      try file.finish()
      return name
    } catch {
      try? fileSystem.remove(temporary(name))
      throw error
    }
  }
}
