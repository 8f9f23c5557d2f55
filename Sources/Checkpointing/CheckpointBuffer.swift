import Base
import Foundation

/// Memory into which the files of a checkpoint are copied, so that they can be written while the
/// training continues.
///
/// It is as large as the largest checkpoint so far, and is used again: only the first copy pays for
/// new pages.
package final class CheckpointBuffer {
  /// How much of a file is handed over at once: what the processor's cache holds, for a file's
  /// checksum is computed right after it is written.
  private static let pieceByteCount = 1 << 20
  private static let hugePageByteCount = 2 << 20

  private var memory = UnsafeMutableRawBufferPointer(start: nil, count: 0)

  package init() {}

  deinit {
    memory.deallocate()
  }

  /// Copies of files, which are valid until the next call.
  package func copy(_ files: [CheckpointFile]) throws -> [CheckpointFile] {
    let byteCount = files.reduce(0) { $0 + $1.byteCount }
    if memory.count < byteCount {
      memory.deallocate()
      memory = .allocate(byteCount: byteCount, alignment: Self.hugePageByteCount)
      // The first copy then waits for few new pages instead of many.
      madvise(memory.baseAddress, byteCount, MADV_HUGEPAGE)
    }
    var offset = 0
    return try files.map { file in
      let start = offset
      try file.forEachPiece { piece in
        precondition(
          offset + piece.count - start <= file.byteCount,
          "checkpoint: '\(file.name)' hands over more than its \(file.byteCount) bytes")
        UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + piece.count])
          .copyMemory(from: piece)
        offset += piece.count
      }
      let range = start..<offset
      return CheckpointFile(name: file.name, byteCount: range.count) { [self] body in
        for piece in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceByteCount) {
          let end = min(piece + Self.pieceByteCount, range.upperBound)
          try body(UnsafeRawBufferPointer(rebasing: memory[piece..<end]))
        }
      }
    }
  }
}
