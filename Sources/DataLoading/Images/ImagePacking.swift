import Foundation
import Settings

extension ImagesSource {
  /// Writes the images of a folder, resized as this source does before it cuts them, into one file.
  ///
  /// Training from the file has the same inputs as from the folder, but for `resizedCrop`, which then
  /// cuts a part of the resized image.
  ///
  /// - Parameters:
  ///   - threads: How many threads decode.
  ///   - write: Appends bytes to the file.
  ///   - progress: Is told how many of all images have been written.
  package func pack(
    threads: Int, write: @escaping (UnsafeRawBufferPointer) throws -> Void,
    progress: (_ done: Int, _ all: Int) -> Void
  ) throws -> PackedImagesHeader {
    try validate()
    let path = expanded(path)
    guard isFolder(path) else { throw missingPath(path, "a folder of images") }
    let folders = try ImageFiles.folders(path, classes: nil)
    let parts = [folders.train, folders.validation, folders.test].compactMap { $0 }
    let all = parts.reduce(0) { $0 + $1.count }
    let preparation = imagePreparation
    var writer = try PackedImagesWriter(channels: channels, write: write)
    var done = 0
    let chunk = 16 * threads
    for part in parts {
      for first in stride(from: 0, to: part.count, by: chunk) {
        let images = try part.resized(
          first..<min(first + chunk, part.count), preparation, threads: threads)
        for (index, image) in images.enumerated() {
          try writer.append(image, label: part.labels![first + index])
        }
        done += images.count
        progress(done, all)
      }
    }
    let header = PackedImagesHeader(
      classes: folders.train.classNames, training: folders.train.count,
      validation: folders.validation?.count ?? 0, test: folders.test?.count ?? 0, resize: resize,
      height: preparation.height, width: preparation.width)
    try writer.finish(header)
    return header
  }
}

extension ImageFolder {
  /// Some images, resized but not cut.
  fileprivate func resized(
    _ range: Range<Int>, _ preparation: ImagePreparation, threads: Int
  ) throws -> [DecodedImage] {
    // Each thread writes elements of its own.
    nonisolated(unsafe) let images = UnsafeMutableBufferPointer<DecodedImage?>.allocate(
      capacity: range.count)
    images.initialize(repeating: nil)
    defer {
      images.deinitialize()
      images.deallocate()
    }
    let pool = WorkerPool()
    try concurrently(range.count, threads: threads) { k in
      try pool.withWorker { worker in
        let path = path(range.lowerBound + k)
        images[k] = try worker.resized(worker.bytes(ofFile: path), name: path, preparation)
      }
    }
    return images.map { $0! }
  }
}
