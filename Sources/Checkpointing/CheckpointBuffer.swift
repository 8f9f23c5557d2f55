package import Base
import Foundation

/// A copy of a checkpoint's file that changed in memory before it was written.
package struct CheckpointCopyChanged: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// The name of the file.
  package let file: String

  package init(file: String) { self.file = file }

  package var description: String {
    "the copy of '\(file)' in memory changed before it was written, so it was not saved; earlier "
      + "checkpoints are untouched. Suspect the memory or processor of this computer"
  }

  package var exitStatus: ExitStatus { .replicasDiverged }
}

/// Memory into which the files of a checkpoint are copied, so that they can be written while the
/// training continues.
///
/// It is as large as the largest checkpoint so far, and is used again: only the first copy pays for
/// new pages. A bit that flips in the copy is noticed when the copy is written.
package final class CheckpointBuffer {
  /// How much of a file is handed over at once: what the processor's cache holds, for a file's
  /// checksum is computed right after it is written.
  private static let pieceByteCount = 1 << 20
  private static let partByteCount = 1 << 16
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
      var sum = ByteSum()
      try file.forEachPiece { piece in
        precondition(
          offset + piece.count - start <= file.byteCount,
          "checkpoint: '\(file.name)' hands over more than its \(file.byteCount) bytes")
        // In parts, which are in the cache when they are copied.
        for begin in stride(from: 0, to: piece.count, by: Self.partByteCount) {
          let part = piece[begin..<min(begin + Self.partByteCount, piece.count)]
          sum.add(UnsafeRawBufferPointer(rebasing: part))
          UnsafeMutableRawBufferPointer(rebasing: memory[offset..<offset + part.count])
            .copyMemory(from: UnsafeRawBufferPointer(rebasing: part))
          offset += part.count
        }
      }
      let range = start..<offset
      return CheckpointFile(name: file.name, byteCount: range.count) { [self, sum] body in
        var written = ByteSum()
        for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.pieceByteCount) {
          let piece = UnsafeRawBufferPointer(
            rebasing: memory[start..<min(start + Self.pieceByteCount, range.upperBound)])
          written.add(piece)
          try body(piece)
        }
        guard written == sum else { throw CheckpointCopyChanged(file: file.name) }
      }
    }
  }
}

/// The sum of the 32-bit words of bytes that come in pieces, modulo 2^32: no single bit can flip without
/// changing it.
struct ByteSum: Equatable {
  private var total: UInt32 = 0
  /// The bytes of the last word that have come.
  private var phase = 0

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var position = 0
    func addByte() {
      total &+= UInt32(bytes[position]) << UInt32(8 * phase)
      phase = (phase + 1) % 4
      position += 1
    }
    while phase > 0, position < bytes.count { addByte() }
    let words = (bytes.count - position) / 4
    for word in 0..<words {
      let offset = position + 4 * word
      total &+= bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self).littleEndian
    }
    position += 4 * words
    while position < bytes.count { addByte() }
  }
}
