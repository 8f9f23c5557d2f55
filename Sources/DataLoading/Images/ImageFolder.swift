import Foundation

/// Image files in a folder for each class.
///
/// Names are kept in one buffer: a million files need little more memory than the bytes of their names.
struct ImageFolder: ImageStore {
  /// The names of the class folders, sorted by their bytes, as Python sorts them.
  let classNames: [String]
  let fingerprint: UInt64
  let largestValue: Float = 1
  private let root: String
  private let names: FileNames
  private let classes: [Int32]

  /// Finds the images of a folder with a folder for each class; files in folders below that belong to
  /// the class, too.
  ///
  /// Hidden files and those of other types, such as texts, are left out.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - classNames: The classes, if they are known: there may be no other folders, and folders may
  ///     be missing. nil takes the names of the folders, each of which must have an image.
  init(path root: String, classNames known: [String]? = nil) throws {
    self.root = root
    let folders = try ImageFolder.classFolders(in: root)
    if let known {
      if let other = folders.first(where: { !known.contains($0) }) {
        throw DataError(
          .malformed,
          "\(root): '\(other)' is none of the \(known.count) classes of the training images "
            + "(\(ImageFolder.list(known))): rename or remove this folder")
      }
      classNames = known
    } else {
      guard !folders.isEmpty else {
        throw DataError(
          .missing,
          "\(root): has no folders; expected a folder for each class, with its images in it")
      }
      classNames = folders
    }
    var names = FileNames()
    var classes: [Int32] = []
    var sizes: [Int64] = []
    for (label, name) in classNames.enumerated() where known == nil || folders.contains(name) {
      let found = try FileNames.images(in: "\(root)/\(name)")
      guard known != nil || found.names.count > 0 else {
        throw DataError(
          .malformed,
          "\(root)/\(name): no JPEG or PNG files in the folder of this class: add some, or remove it"
        )
      }
      names.append(found.names)
      sizes += found.sizes
      classes += repeatElement(Int32(label), count: found.names.count)
    }
    self.names = names
    self.classes = classes
    var hash = Fingerprint()
    hash.combine(Array(classNames.joined(separator: "\0").utf8))
    hash.combine(names.bytes)
    hash.combine(classes)
    hash.combine(sizes)
    fingerprint = hash.value
  }

  var count: Int { classes.count }
  var labels: [Int32]? { classes }
  var targetKind: TargetKind { .classes(count: classNames.count) }

  /// The path of an image.
  func path(_ index: Int) -> String {
    "\(root)/\(classNames[Int(classes[index])])/\(names[index])"
  }

  func draw(
    _ index: Int, _ preparation: ImagePreparation, into planes: UnsafeMutablePointer<Float>,
    _ worker: ImageWorker, window: (ImageSize) -> ImageWindow
  ) throws {
    let path = path(index)
    try worker.draw(
      worker.bytes(ofFile: path), name: path, preparation, into: planes, window: window)
  }

  func readTarget(_ index: Int, row: Int, into buffers: SampleBuffers) {
    buffers.labels[row] = classes[index]
  }

  /// The names of the folders in a folder, sorted; throws where an image lies beside them.
  private static func classFolders(in root: String) throws -> [String] {
    var folders: [[UInt8]] = []
    try forEachEntry(of: root) { name, isFolder, _ in
      if isFolder {
        folders.append(Array(name))
      } else if ImageFileType(name) != nil {
        throw DataError(
          .malformed,
          "\(root)/\(String(decoding: name, as: UTF8.self)): an image outside of the class folders: "
            + "move it into the folder of its class")
      }
    }
    return folders.sorted { $0.lexicographicallyPrecedes($1) }
      .map { String(decoding: $0, as: UTF8.self) }
  }

  /// The first of some names.
  private static func list(_ names: [String]) -> String {
    names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
  }
}

/// A type of image files by the end of the name.
enum ImageFileType {
  /// JPEG or PNG; the content says which.
  case readable
  /// An image of a type that is not read.
  case other

  init?(_ name: some BidirectionalCollection<UInt8>) {
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")),
      name.distance(from: dot, to: name.endIndex) <= 6
    else { return nil }
    switch String(decoding: name[name.index(after: dot)...], as: UTF8.self).lowercased() {
    case "jpg", "jpeg", "jpe", "jfif", "png": self = .readable
    case "gif", "bmp", "webp", "tif", "tiff", "heic", "heif", "avif", "jp2", "ppm", "pgm", "svg":
      self = .other
    default: return nil
    }
  }
}

/// Many file names in one buffer.
struct FileNames: Sendable {
  /// The names, each with a zero byte at its end.
  private(set) var bytes: [UInt8] = []
  private var starts: [Int] = []

  var count: Int { starts.count }

  subscript(index: Int) -> String {
    let end = index + 1 < count ? starts[index + 1] : bytes.count
    return String(decoding: bytes[starts[index]..<end - 1], as: UTF8.self)
  }

  mutating func append(_ name: some Collection<UInt8>) {
    starts.append(bytes.count)
    bytes += name
    bytes.append(0)
  }

  mutating func append(_ others: FileNames) {
    starts += others.starts.map { $0 + bytes.count }
    bytes += others.bytes
  }

  /// The image files in a folder and the folders below, sorted, and their sizes in bytes.
  static func images(in folder: String) throws -> (names: FileNames, sizes: [Int64]) {
    var found = FileNames()
    var sizes: [Int64] = []
    try collect(folder, [], &found, &sizes, depth: 0)
    // The rest of a buffer after a name's start begins with the name and a zero byte.
    let order = found.bytes.withUnsafeBufferPointer { bytes in
      let bytes = UnsafeRawPointer(bytes.baseAddress ?? UnsafePointer(bitPattern: 1)!)
        .assumingMemoryBound(to: CChar.self)
      return (0..<found.count).sorted {
        strcmp(bytes + found.starts[$0], bytes + found.starts[$1]) < 0
      }
    }
    var sorted = FileNames()
    sorted.bytes.reserveCapacity(found.bytes.count)
    for index in order {
      let end = index + 1 < found.count ? found.starts[index + 1] : found.bytes.count
      sorted.append(found.bytes[found.starts[index]..<end - 1])
    }
    return (sorted, order.map { sizes[$0] })
  }

  private static func collect(
    _ folder: String, _ prefix: [UInt8], _ found: inout FileNames, _ sizes: inout [Int64],
    depth: Int
  ) throws {
    guard depth < 32 else {
      throw DataError(
        .malformed, "\(folder): folders are nested more than 32 deep: is there a link to itself?")
    }
    try forEachEntry(of: folder) { name, isFolder, size in
      if isFolder {
        let path = "\(folder)/\(String(decoding: name, as: UTF8.self))"
        try collect(path, prefix + name + [UInt8(ascii: "/")], &found, &sizes, depth: depth + 1)
        return
      }
      switch ImageFileType(name) {
      case .readable:
        guard size > 0 else {
          throw DataError(
            .malformed,
            "\(folder)/\(String(decoding: name, as: UTF8.self)): is empty (0 bytes): get the file "
              + "again, or remove it")
        }
        found.append(prefix + name)
        sizes.append(Int64(size))
      case .other:
        throw DataError(
          .malformed,
          "\(folder)/\(String(decoding: name, as: UTF8.self)): images of this type are not read: "
            + "convert it to JPEG or PNG, or remove it")
      case nil: break
      }
    }
  }
}

/// Calls `body` with name, type and size of each entry of a folder that is not hidden; links are
/// followed.
private func forEachEntry(
  of folder: String,
  _ body: (UnsafeBufferPointer<UInt8>, _ isFolder: Bool, _ size: Int) throws -> Void
) throws {
  func unreadable(_ path: String) -> DataError {
    DataError(.missing, "\(path): cannot be read: \(String(cString: strerror(errno)))")
  }
  guard let stream = opendir(folder) else { throw unreadable(folder) }
  defer { closedir(stream) }
  while true {
    errno = 0
    guard let entry = readdir(stream) else {
      if errno != 0 { throw unreadable(folder) }
      return
    }
    try withUnsafePointer(to: &entry.pointee.d_name) { pointer in
      let name = UnsafeRawPointer(pointer).assumingMemoryBound(to: UInt8.self)
      guard name[0] != UInt8(ascii: ".") else { return }
      let bytes = UnsafeBufferPointer(
        start: name, count: strlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self)))
      var status = stat()
      guard
        fstatat(
          dirfd(stream), UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self), &status, 0)
          == 0
      else { throw unreadable("\(folder)/\(String(decoding: bytes, as: UTF8.self))") }
      try body(bytes, status.st_mode & S_IFMT == S_IFDIR, Int(status.st_size))
    }
  }
}
