import Foundation

/// A sequence of tokens, in memory or in a file that is mapped into memory: 16 or 32 bits each, in the
/// byte order of a little-endian computer.
///
/// Sendable because nothing is written once it is made. A mapped file must not be shortened meanwhile.
final class TokenStorage: @unchecked Sendable {
  /// The number of tokens.
  let count: Int
  /// The bytes of a token: 2 or 4.
  let width: Int
  /// Whether the tokens are in a mapped file.
  let isMapped: Bool
  private let tokens: UnsafeRawPointer
  private let memory: UnsafeMutableRawBufferPointer

  /// Tokens in memory.
  init<Token: FixedWidthInteger & UnsignedInteger & BitwiseCopyable>(_ tokens: [Token]) {
    width = MemoryLayout<Token>.size
    precondition(width == 2 || width == 4, "TokenStorage: tokens of \(width) bytes")
    count = tokens.count
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: max(1, count * width), alignment: 16)
    tokens.withUnsafeBytes { memory.copyMemory(from: $0) }
    self.memory = memory
    self.tokens = UnsafeRawPointer(memory.baseAddress!)
    isMapped = false
  }

  /// The tokens of a file after its header.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - byteCount: Its size in bytes.
  ///   - header: The bytes of its header.
  ///   - width: The bytes of a token.
  init(mapping path: String, byteCount: Int, header: Int, width: Int) throws {
    (count, self.width) = ((byteCount - header) / width, width)
    isMapped = byteCount > 0
    guard isMapped else {
      memory = .allocate(byteCount: 1, alignment: 16)
      tokens = UnsafeRawPointer(memory.baseAddress!)
      return
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    defer { if descriptor >= 0 { close(descriptor) } }
    guard descriptor >= 0,
      let address = mmap(nil, byteCount, PROT_READ, MAP_SHARED, descriptor, 0),
      address != MAP_FAILED
    else {
      throw DataError(.missing, "\(path): cannot be read: \(String(cString: strerror(errno)))")
    }
    memory = .init(start: address, count: byteCount)
    tokens = UnsafeRawPointer(address + header)
  }

  deinit {
    if isMapped { munmap(memory.baseAddress, memory.count) } else { memory.deallocate() }
  }

  /// The token at a place.
  subscript(index: Int) -> Int {
    precondition(index >= 0 && index < count, "TokenStorage: no token \(index), there are \(count)")
    return width == 2
      ? Int(UInt16(littleEndian: tokens.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)))
      : Int(UInt32(littleEndian: tokens.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)))
  }

  /// Where a token begins in its file.
  func byte(of index: Int) -> Int {
    UnsafeRawPointer(memory.baseAddress!).distance(to: tokens) + index * width
  }

  /// Writes tokens one after another, and returns the largest.
  func copy(_ range: Range<Int>, to destination: UnsafeMutablePointer<Int32>) -> UInt32 {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "TokenStorage: \(range)")
    var largest: UInt32 = 0
    for (k, index) in range.enumerated() {
      let token =
        width == 2
        ? UInt32(tokens.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
        : tokens.loadUnaligned(fromByteOffset: 4 * index, as: UInt32.self)
      largest = max(largest, token)
      destination[k] = Int32(truncatingIfNeeded: token)
    }
    return largest
  }

  /// The largest token of a range; nil if it is empty.
  func largest(in range: Range<Int>) -> Int? {
    func largest<Token: FixedWidthInteger>(_: Token.Type) -> Int {
      var largest: Token = 0
      for index in range {
        largest = max(
          largest, tokens.loadUnaligned(fromByteOffset: index * width, as: Token.self))
      }
      return Int(largest)
    }
    if range.isEmpty { return nil }
    return width == 2 ? largest(UInt16.self) : largest(UInt32.self)
  }

  /// The first place in a range with a token that is not below `count`; nil if there is none.
  func firstIndex(in range: Range<Int>, notBelow count: Int) -> Int? {
    guard let largest = largest(in: range), largest >= count else { return nil }
    return range.first { self[$0] >= count }
  }

  /// The bytes of a range of tokens.
  func withBytes<R>(_ range: Range<Int>, _ body: (UnsafeRawBufferPointer) -> R) -> R {
    body(
      UnsafeRawBufferPointer(start: tokens + range.lowerBound * width, count: range.count * width))
  }
}
