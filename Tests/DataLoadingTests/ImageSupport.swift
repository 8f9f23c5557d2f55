// Image files and archives that tests make themselves.

import CTurboJPEG
import CZlib
import DataLoading
import Foundation
import Testing

/// A PNG file; `rows` has the bytes of all rows, each of `rowBytes`.
func png(
  width: UInt32, height: UInt32, bits: UInt8 = 8, colorType: UInt8, rowBytes: Int, _ rows: [UInt8]
) -> [UInt8] {
  func chunk(_ type: String, _ content: [UInt8]) -> [UInt8] {
    let body = Array(type.utf8) + content
    let length = bytes([UInt32(content.count)], bigEndian: true)
    return length + body + bytes([UInt32(crc32_z(0, body, body.count))], bigEndian: true)
  }
  var filtered: [UInt8] = []
  for start in stride(from: 0, to: rows.count, by: rowBytes) {
    filtered += [0] + rows[start..<start + rowBytes]
  }
  var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
  file += chunk("IHDR", bytes([width, height], bigEndian: true) + [bits, colorType, 0, 0, 0])
  file += chunk("IDAT", deflated(filtered, window: 15))
  return file + chunk("IEND", [])
}

/// A PNG of grey pixels.
func greyPNG(_ width: Int, _ pixels: [UInt8]) -> [UInt8] {
  png(
    width: UInt32(width), height: UInt32(pixels.count / width), colorType: 0, rowBytes: width,
    pixels)
}

/// A JPEG of RGB pixels.
func jpeg(_ width: Int, _ height: Int, _ pixels: [UInt8], quality: Int = 95) -> [UInt8] {
  let compressor = tjInitCompress()
  defer { tjDestroy(compressor) }
  var memory: UnsafeMutablePointer<UInt8>?
  var size: UInt = 0
  let code = tjCompress2(
    compressor, pixels, CInt(width), 0, CInt(height), CInt(TJPF_RGB.rawValue), &memory, &size,
    CInt(TJSAMP_444.rawValue), CInt(quality), 0)
  precondition(code == 0)
  defer { tjFree(memory) }
  return Array(UnsafeBufferPointer(start: memory, count: Int(size)))
}

/// RGB pixels that change slowly.
func smoothPixels(_ width: Int, _ height: Int) -> [UInt8] {
  var pixels: [UInt8] = []
  for y in 0..<height {
    for x in 0..<width {
      pixels.append(UInt8(x * 255 / width))
      pixels.append(UInt8(y * 255 / height))
      pixels.append(UInt8((x + y) * 255 / (width + height)))
    }
  }
  return pixels
}

/// A ZIP archive, each file stored or deflated.
func zip(_ files: [(name: String, content: [UInt8])], deflates: Bool) -> [UInt8] {
  var archive: [UInt8] = []
  var directory: [UInt8] = []
  func little(_ values: [UInt16]) -> [UInt8] { bytes(values, bigEndian: false) }
  func little(_ values: [UInt32]) -> [UInt8] { bytes(values, bigEndian: false) }
  for (name, content) in files {
    let stored = deflates ? deflated(content, window: -15) : content
    let sizes = little([
      UInt32(crc32_z(0, content, content.count)), UInt32(stored.count), UInt32(content.count),
    ])
    let method: UInt16 = deflates ? 8 : 0
    let start = UInt32(archive.count)
    let length = UInt16(name.utf8.count)
    archive += [0x50, 0x4B, 3, 4]
    archive += little([20, 0, method, 0, 0] as [UInt16])
    archive += sizes
    archive += little([length, 0] as [UInt16])
    archive += name.utf8
    archive += stored
    directory += [0x50, 0x4B, 1, 2]
    directory += little([20, 20, 0, method, 0, 0] as [UInt16])
    directory += sizes
    directory += little([length, 0, 0, 0, 0, 0, 0] as [UInt16])
    directory += little([start] as [UInt32])
    directory += name.utf8
  }
  let count = UInt16(files.count)
  var end: [UInt8] = [0x50, 0x4B, 5, 6]
  end += little([0, 0, count, count] as [UInt16])
  end += little([UInt32(directory.count), UInt32(archive.count)] as [UInt32])
  end += little([0] as [UInt16])
  return archive + directory + end
}

/// Calls `body` with a new folder that holds these files, also in folders of their own.
func withTree<R>(_ files: [String: [UInt8]], _ body: (String) throws -> R) throws -> R {
  try withFolder { folder in
    for (name, bytes) in files {
      let file = URL(fileURLWithPath: folder + "/" + name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(bytes).write(to: file)
    }
    return try body(folder)
  }
}

/// Opens images in a folder with these files; nothing is held out unless `configure` says so.
func openImages(
  _ files: [String: [UInt8]], _ configure: (inout ImagesSource) -> Void = { _ in },
  seed: UInt64 = 0, threads: Int = 1
) throws -> (data: DataSplits, train: Contents) {
  try withTree(files) { folder in
    var source = ImagesSource(path: folder)
    source.imageSize = [2, 3]
    source.channels = 1
    configure(&source)
    let data = try source.open(seed: seed, threads: threads)
    return (data, try Contents(data.train))
  }
}

/// What training reads of a dataset in an epoch, in order.
func trainingContents(_ dataset: any Dataset, epoch: Int, batch: Int = 64) throws -> Contents {
  let sampler = GlobalBatchSampler(count: dataset.count, globalBatch: batch, shuffle: false)
  let loader = DataLoader(
    dataset, sampler: sampler, startingAt: epoch * sampler.batchesPerEpoch)
  var contents = Contents()
  for _ in 0..<sampler.batchesPerEpoch { contents.append(try loader.next()) }
  return contents
}
