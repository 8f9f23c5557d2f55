// A file of many decoded images, which is mapped into memory.
//
// All numbers are little-endian and unsigned. From first to last byte:
//
//     64 bytes  header: "LSIMAGES", the version 1 and the channels (1 or 3) as 32 bits, then zeros
//     pixels    of each image, row by row, the channels of a pixel side by side, a byte each
//     index     24 bytes for each image: offset in the file (64 bits), width, height, label and
//               CRC-32 of the pixels (32 bits each)
//     names     JSON: the classes, how many images each part has, the shorter side of each image
//     40 bytes  footer: number of images, length of the names (64 bits each), CRC-32 of index and
//               names, and of the footer up to here (32 bits each), then 8 zeros and "LSIMAGES"
//
// Images of the part for training come first, then validation, then test.
import Base
import CZlib
import Foundation

/// What a file of packed images says about itself.
package struct PackedImagesHeader: Codable, Sendable, Equatable {
  /// The names of the classes.
  package var classes: [String]
  /// The number of images for training.
  package var training: Int
  /// The number of images for validation.
  package var validation: Int
  /// The number of images for testing.
  package var test: Int
  /// The shorter side of an image in pixels, if all were resized to it; nil if they just cover
  /// `height` by `width`.
  package var resize: Int?
  /// The height that images cover.
  package var height: Int
  /// The width that images cover.
  package var width: Int
}

private let magic = Array("LSIMAGES".utf8)
private let headerSize = 64
private let entrySize = 24
private let footerSize = 40

/// Whether a file begins as one of packed images.
func isPackedImages(_ path: String) -> Bool {
  guard let file = FileHandle(forReadingAtPath: path) else { return false }
  defer { try? file.close() }
  return (try? file.read(upToCount: magic.count)).map { Array($0) == magic } ?? false
}

/// Images in a file that is mapped into memory.
struct PackedImages: ImageStore {
  let header: PackedImagesHeader
  let channels: Int
  let count: Int
  let fingerprint: UInt64
  let largestValue: Float = 1
  private let file: MappedFile
  private let indexStart: Int
  private let allLabels: [Int32]

  /// Maps a file, and checks all of it but the pixels, whose checksums are checked when they are read.
  init(path: String) throws {
    file = try MappedFile(path)
    func damaged(_ what: String) -> DataError {
      DataError(.malformed, "\(path): \(what): pack the images again")
    }
    let bytes = file.bytes
    guard bytes.count >= headerSize + footerSize, bytes.starts(with: magic) else {
      throw damaged("not a file of packed images")
    }
    let version = file.number(8, 4)
    guard version == 1 else { throw damaged("version \(version) is unknown, 1 is read") }
    channels = file.number(12, 4)
    guard channels == 1 || channels == 3 else { throw damaged("images of \(channels) channels") }
    let footer = bytes.count - footerSize
    guard bytes[(bytes.count - magic.count)...].elementsEqual(magic),
      file.checksum(footer..<footer + 20) == file.number(footer + 20, 4)
    else { throw damaged("it ends too early, or its end is damaged") }
    let (images, namesLength) = (file.number(footer, 8), file.number(footer + 8, 8))
    let room = footer - headerSize
    guard images > 0, images <= room / entrySize, namesLength <= room - images * entrySize else {
      throw damaged("it declares \(images) images, for which it is too short")
    }
    let names = footer - namesLength
    indexStart = names - images * entrySize
    guard file.checksum(indexStart..<footer) == file.number(footer + 16, 4) else {
      throw damaged("its index is damaged")
    }
    self.count = images
    do {
      header = try JSON.decode(PackedImagesHeader.self, from: Array(bytes[names..<footer]))
    } catch { throw damaged("its names are damaged (\(error))") }
    let count = images
    let parts = [header.training, header.validation, header.test]
    guard parts.allSatisfy({ (0...count).contains($0) }), parts.reduce(0, +) == count,
      header.training > 0, header.height > 0, header.width > 0
    else { throw damaged("its parts have \(parts) of \(count) images") }
    var labels: [Int32] = []
    labels.reserveCapacity(count)
    for index in 0..<count {
      let entry = indexStart + index * entrySize
      let (offset, width) = (file.number(entry, 8), file.number(entry + 8, 4))
      let (height, label) = (file.number(entry + 12, 4), file.number(entry + 16, 4))
      // Sides that are larger would overflow when multiplied.
      guard (1...ImageDecoder.mostPixels).contains(width),
        (1...ImageDecoder.mostPixels).contains(height), label < header.classes.count,
        offset >= headerSize,
        width * height <= ImageDecoder.mostPixels, offset <= indexStart,
        width * height * channels <= indexStart - offset
      else { throw damaged("the entry of image \(index) is impossible") }
      labels.append(Int32(label))
    }
    allLabels = labels
    var hash = Fingerprint()
    hash.combine([channels, count, file.number(footer + 16, 4)])
    fingerprint = hash.value
  }

  var labels: [Int32]? { allLabels }
  var targetKind: TargetKind { .classes(count: header.classes.count) }

  func draw(
    _ index: Int, _ preparation: ImagePreparation, into planes: UnsafeMutablePointer<Float>,
    _ worker: ImageWorker, window: (ImageSize) -> ImageWindow
  ) throws {
    let entry = indexStart + index * entrySize
    let offset = file.number(entry, 8)
    let size = ImageSize(width: file.number(entry + 8, 4), height: file.number(entry + 12, 4))
    let end = offset + size.width * size.height * channels
    guard file.checksum(offset..<end) == file.number(entry + 20, 4) else {
      throw DataError(
        .malformed,
        "\(file.path): image \(index) (counted from 0) is damaged at byte \(offset): pack the images "
          + "again")
    }
    let pixels = file.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self) + offset
    worker.draw(pixels, size, preparation, window(size), into: planes)
  }
}

/// A file mapped into memory.
///
/// Sendable because it is never written.
private final class MappedFile: @unchecked Sendable {
  let path: String
  let bytes: UnsafeRawBufferPointer

  init(_ path: String) throws {
    self.path = path
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    defer { if descriptor >= 0 { close(descriptor) } }
    var status = stat()
    guard descriptor >= 0, fstat(descriptor, &status) == 0 else { throw Self.unreadable(path) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw DataError(.missing, "\(path): not a regular file")
    }
    let count = Int(status.st_size)
    guard count > 0 else { throw DataError(.malformed, "\(path): is empty: pack the images again") }
    guard let memory = mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0), memory != MAP_FAILED
    else { throw Self.unreadable(path) }
    bytes = UnsafeRawBufferPointer(start: memory, count: count)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count) }

  /// The number of `size` bytes at a place; one beyond `Int.max` becomes that.
  func number(_ position: Int, _ size: Int) -> Int {
    if size == 4 {
      return Int(
        UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt32.self)))
    }
    return Int(
      clamping: UInt64(
        littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self)))
  }

  func checksum(_ range: Range<Int>) -> Int {
    Int(PackedImagesWriter.checksum(UnsafeRawBufferPointer(rebasing: bytes[range])))
  }

  private static func unreadable(_ path: String) -> DataError {
    DataError(.missing, "\(path): cannot be read: \(String(cString: strerror(errno)))")
  }
}

/// Writes a file of packed images from first to last byte.
package struct PackedImagesWriter {
  private let channels: Int
  private let write: (UnsafeRawBufferPointer) throws -> Void
  private var index: [UInt8] = []
  private var offset = headerSize

  /// Writes the header.
  ///
  /// - Parameters:
  ///   - channels: 1 or 3.
  ///   - write: Appends bytes to the file.
  init(channels: Int, write: @escaping (UnsafeRawBufferPointer) throws -> Void) throws {
    (self.channels, self.write) = (channels, write)
    var header = magic + bytes(UInt32(1)) + bytes(UInt32(channels))
    header += repeatElement(0, count: headerSize - header.count)
    try header.withUnsafeBytes(write)
  }

  mutating func append(_ image: DecodedImage, label: Int32) throws {
    precondition(image.channels == channels, "PackedImagesWriter: \(image.channels) channels")
    try image.pixels.withUnsafeBytes { pixels in
      try write(pixels)
      index += bytes(UInt64(offset)) + bytes(UInt32(image.size.width))
      index += bytes(UInt32(image.size.height)) + bytes(UInt32(label))
      index += bytes(PackedImagesWriter.checksum(pixels))
    }
    offset += image.pixels.count
  }

  /// Writes index, names and footer.
  func finish(_ header: PackedImagesHeader) throws {
    let names = Array(JSON.text(header).utf8)
    let count = index.count / entrySize
    let end = index + names
    var footer = bytes(UInt64(count)) + bytes(UInt64(names.count))
    footer += end.withUnsafeBytes { bytes(PackedImagesWriter.checksum($0)) }
    footer += footer.withUnsafeBytes { bytes(PackedImagesWriter.checksum($0)) }
    footer += [UInt8](repeating: 0, count: 8) + magic
    try (end + footer).withUnsafeBytes(write)
  }

  fileprivate static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    UInt32(crc32_z(0, bytes.baseAddress?.assumingMemoryBound(to: UInt8.self), bytes.count))
  }

  private func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian, Array.init)
  }
}
