// The calls by which a run reaches the disk. Every call that changes the disk or reads a file first
// passes one hook, so that a test can make any single one of them fail.
public import Base
import CZlib
package import Foundation

/// A call to the operating system that failed on a file or directory.
public struct FileSystemError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// What was being done.
  public enum Action: String, Sendable {
    case makeDirectory = "create directory"
    case create = "create"
    case read = "read"
    case write = "write"
    case synchronize = "write to the disk"
    case rename = "rename"
    case remove = "remove"
  }

  /// What was being done.
  public let action: Action
  /// The file or directory.
  public let path: String
  /// The system's error number.
  public let code: Int32

  /// Describes a failed call by what it did, where, and the system's error number.
  public init(_ action: Action, _ path: String, code: Int32) {
    self.action = action
    self.path = path
    self.code = code
  }

  /// Whether the disk, the quota or the permitted file size is exhausted.
  public var isOutOfSpace: Bool { [ENOSPC, EDQUOT, EFBIG].contains(code) }

  /// Whether this process may not change the file or directory, or nobody may.
  package var isRefused: Bool { [EACCES, EPERM, EROFS].contains(code) }

  /// Whether a read failed because of what lies at the path (nothing, a directory, a symbolic link,
  /// too large a file), and not because reading itself failed.
  package var showsDamage: Bool {
    action == .read && [ENOENT, ENOTDIR, EISDIR, ELOOP, EINVAL, ENXIO, EFBIG].contains(code)
  }

  /// The failed action, the path and the system's reason.
  public var description: String {
    "cannot \(action.rawValue) '\(path)': \(String(cString: strerror(code)))"
  }

  /// Missing input, an output that cannot be created, or a failed transfer.
  public var exitStatus: ExitStatus {
    switch action {
    case .read: code == ENOENT ? .inputMissing : .inputOutput
    case .makeDirectory, .create:
      [EACCES, EPERM, EROFS, ENOTDIR, ENOENT, EEXIST, EISDIR].contains(code)
        ? .cannotCreate : .inputOutput
    case .write, .synchronize, .rename, .remove: .inputOutput
    }
  }
}

/// What is free on a disk.
public struct FreeSpace: Sendable, Equatable {
  /// The bytes that can still be written.
  public let bytes: Int
  /// Whether files can still be created.
  public let hasInodes: Bool

  package init(bytes: Int, hasInodes: Bool) {
    (self.bytes, self.hasInodes) = (bytes, hasInodes)
  }
}

/// The disk, with durable writes and atomic replacement.
package struct FileSystem: Sendable {
  /// Called before every call that changes the disk or reads a file or directory; what it throws,
  /// the call throws.
  package var willPerform: @Sendable (FileSystemError.Action, String) throws -> Void

  package init(
    willPerform: @escaping @Sendable (FileSystemError.Action, String) throws -> Void = { _, _ in }
  ) {
    self.willPerform = willPerform
  }

  /// Creates a directory and those above it; an existing directory is fine.
  package func makeDirectories(_ path: String) throws {
    if isDirectory(path) { return }
    let parent = path.parentPath
    if !parent.isEmpty { try makeDirectories(parent) }
    do {
      try makeDirectory(path)
    } catch let error as FileSystemError where error.code == EEXIST {
      guard isDirectory(path) else {
        throw FileSystemError(.makeDirectory, path, code: ENOTDIR)
      }
    }
  }

  /// Creates a directory that must not exist yet.
  package func makeDirectory(_ path: String) throws {
    try willPerform(.makeDirectory, path)
    guard mkdir(path, 0o755) == 0 else {
      throw FileSystemError(.makeDirectory, path, code: errno)
    }
  }

  /// Creates a file that must not exist yet.
  package func createFile(_ path: String) throws -> FileWriter {
    try willPerform(.create, path)
    let descriptor = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw FileSystemError(.create, path, code: errno) }
    return FileWriter(path: path, descriptor: descriptor, fileSystem: self)
  }

  /// Makes the entries of a directory durable.
  package func synchronizeDirectory(_ path: String) throws {
    try willPerform(.synchronize, path)
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileSystemError(.synchronize, path, code: errno) }
    defer { close(descriptor) }
    // Some file systems have nothing to do for a directory and say so with EINVAL.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileSystemError(.synchronize, path, code: errno)
    }
  }

  /// Renames atomically within one file system.
  package func rename(_ source: String, to destination: String) throws {
    try willPerform(.rename, destination)
    guard Foundation.rename(source, destination) == 0 else {
      throw FileSystemError(.rename, destination, code: errno)
    }
  }

  /// Removes a file, or a directory with everything in it.
  ///
  /// Symbolic links are not followed. What does not exist is removed already.
  package func remove(_ path: String) throws {
    try willPerform(.remove, path)
    try removeTree(path)
  }

  private func removeTree(_ path: String) throws {
    var information = stat()
    guard lstat(path, &information) == 0 else {
      if errno == ENOENT { return }
      throw FileSystemError(.remove, path, code: errno)
    }
    let isDirectory = information.st_mode & S_IFMT == S_IFDIR
    if isDirectory {
      for name in try names(in: path) { try removeTree(path.appendingPath(name)) }
    }
    guard (isDirectory ? rmdir(path) : unlink(path)) == 0 || errno == ENOENT else {
      throw FileSystemError(.remove, path, code: errno)
    }
  }

  /// Replaces a file's content atomically and durably.
  package func replaceFile(_ path: String, with text: String) throws {
    try replaceFile(path) { try $0.write(text) }
  }

  /// Replaces a file's content, atomically and durably, by what a closure writes.
  package func replaceFile(_ path: String, writing body: (FileWriter) throws -> Void) throws {
    let directory = path.parentPath
    let name = path.dropFirst(directory.count).drop { $0 == "/" }
    let temporary = directory.appendingPath(".\(name).tmp-\(getpid())")
    if exists(temporary) { try remove(temporary) }
    do {
      let writer = try createFile(temporary)
      try body(writer)
      try writer.finish()
      try rename(temporary, to: path)
    } catch {
      try? remove(temporary)
      throw error
    }
    try synchronizeDirectory(directory.isEmpty ? "." : directory)
  }

  /// Checks, by doing it, that files can be written durably in a directory, which it creates.
  package func preflight(_ directory: String) throws {
    try makeDirectories(directory)
    let probe = directory.appendingPath(".preflight-\(getpid())-\(UInt32.random(in: 0 ... .max))")
    do {
      let writer = try createFile(probe)
      try writer.write(String(repeating: "lockstep\n", count: 512))
      try writer.finish()
      try remove(probe)
    } catch {
      try? remove(probe)
      throw error
    }
  }

  /// The names in a directory, sorted; none when there is no such directory.
  package func names(in directory: String) throws -> [String] {
    try willPerform(.read, directory)
    guard let stream = opendir(directory) else {
      if errno == ENOENT { return [] }
      throw FileSystemError(.read, directory, code: errno)
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else { throw FileSystemError(.read, directory, code: errno) }
        break
      }
      let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Whether anything, a dangling symbolic link included, has this path.
  package func exists(_ path: String) -> Bool {
    var information = stat()
    return lstat(path, &information) == 0
  }

  /// Whether the path leads to a directory.
  package func isDirectory(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
  }

  /// Whether the path leads to a directory; an error other than that nothing is there is thrown.
  package func findsDirectory(_ path: String) throws -> Bool {
    try willPerform(.read, path)
    var information = stat()
    guard stat(path, &information) == 0 else {
      if [ENOENT, ENOTDIR, ELOOP].contains(errno) { return false }
      throw FileSystemError(.read, path, code: errno)
    }
    return information.st_mode & S_IFMT == S_IFDIR
  }

  /// What an ordinary user may still write on the disk that holds a path.
  package func freeSpace(at path: String) -> FreeSpace? {
    var information = statvfs()
    guard statvfs(path, &information) == 0 else { return nil }
    let (bytes, overflow) = Int(information.f_bavail)
      .multipliedReportingOverflow(by: Int(information.f_frsize))
    // Some file systems do not count inodes.
    let hasInodes = information.f_files == 0 || information.f_favail > 0
    return overflow ? nil : FreeSpace(bytes: bytes, hasInodes: hasInodes)
  }

  /// The bytes of a file, or of all files in a directory; symbolic links are not followed.
  package func size(of path: String) -> Int {
    var information = stat()
    guard lstat(path, &information) == 0 else { return 0 }
    guard information.st_mode & S_IFMT == S_IFDIR else { return Int(information.st_size) }
    return ((try? names(in: path)) ?? []).reduce(0) { $0 + size(of: path.appendingPath($1)) }
  }

  /// The content of a small text or JSON file; larger ones are refused.
  package func readFile(_ path: String, limit: Int = 1 << 26) throws -> [UInt8] {
    var bytes: [UInt8] = []
    try readChunks(path) { chunk in
      bytes.append(contentsOf: chunk)
      if bytes.count > limit { throw FileSystemError(.read, path, code: EFBIG) }
    }
    return bytes
  }

  /// A file's length and CRC-32.
  package func checksum(_ path: String) throws -> (byteCount: Int, checksum: UInt32) {
    var byteCount = 0
    var checksum: UInt32 = 0
    try readChunks(path) { chunk in
      byteCount += chunk.count
      checksum = crc32(of: chunk, continuing: checksum)
    }
    return (byteCount, checksum)
  }

  /// The content of a regular file, mapped into memory; it must not be shortened meanwhile.
  package func map(_ path: String) throws -> Data {
    try willPerform(.read, path)
    let (descriptor, byteCount) = try openForReading(path)
    defer { close(descriptor) }
    if byteCount == 0 { return Data() }
    let memory = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let memory, memory != MAP_FAILED else {
      throw FileSystemError(.read, path, code: errno)
    }
    return Data(bytesNoCopy: memory, count: byteCount, deallocator: .unmap)
  }

  /// Opens a regular file, and returns its descriptor and its size.
  private func openForReading(_ path: String, flags: CInt = 0) throws -> (CInt, byteCount: Int) {
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags)
    guard descriptor >= 0 else { throw FileSystemError(.read, path, code: errno) }
    var information = stat()
    var code = fstat(descriptor, &information) == 0 ? 0 : errno
    switch information.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: code = EISDIR
    default: code = code == 0 ? EINVAL : code
    }
    guard code == 0 else {
      close(descriptor)
      throw FileSystemError(.read, path, code: code)
    }
    return (descriptor, Int(information.st_size))
  }

  /// Reads a regular file from start to end; a symbolic link is refused, for it may leave its
  /// place.
  private func readChunks(
    _ path: String, _ body: (UnsafeRawBufferPointer) throws -> Void
  ) throws {
    try willPerform(.read, path)
    let descriptor = try openForReading(path, flags: O_NOFOLLOW).0
    defer { close(descriptor) }
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
    defer { chunk.deallocate() }
    while true {
      let count = read(descriptor, chunk.baseAddress, chunk.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw FileSystemError(.read, path, code: errno) }
      if count == 0 { return }
      Activity.advance()
      try body(UnsafeRawBufferPointer(rebasing: chunk[..<count]))
    }
  }
}

/// A new file being written, which counts and sums what passes.
public final class FileWriter {
  /// The file's path.
  public let path: String
  /// The bytes written so far.
  public private(set) var byteCount = 0
  /// The CRC-32 of the bytes written so far.
  public private(set) var checksum: UInt32 = 0
  private var descriptor: Int32
  private let fileSystem: FileSystem

  fileprivate init(path: String, descriptor: Int32, fileSystem: FileSystem) {
    self.path = path
    self.descriptor = descriptor
    self.fileSystem = fileSystem
  }

  deinit {
    if descriptor >= 0 { close(descriptor) }
  }

  /// Appends bytes.
  public func write(_ bytes: UnsafeRawBufferPointer) throws {
    try fileSystem.willPerform(.write, path)
    try writeAll(bytes, to: descriptor, path: path)
    byteCount += bytes.count
    checksum = crc32(of: bytes, continuing: checksum)
  }

  /// Appends text as UTF-8.
  public func write(_ text: String) throws {
    try Array(text.utf8).withUnsafeBytes { try write($0) }
  }

  /// Makes the content durable and closes the file; after a failure the file must not be used.
  package func finish() throws {
    defer {
      if descriptor >= 0 { close(descriptor) }
      descriptor = -1
    }
    try fileSystem.willPerform(.synchronize, path)
    // Never repeated: after a failed fsync the kernel may have dropped the data and report success.
    guard fsync(descriptor) == 0 else { throw FileSystemError(.synchronize, path, code: errno) }
    let open = descriptor
    descriptor = -1
    guard close(open) == 0 else { throw FileSystemError(.write, path, code: errno) }
  }
}

/// Writes everything, through short writes and interruptions.
package func writeAll(
  _ bytes: UnsafeRawBufferPointer, to descriptor: Int32, path: String
) throws {
  var rest = bytes
  while !rest.isEmpty {
    let count = write(descriptor, rest.baseAddress, min(rest.count, 1 << 26))
    Activity.advance()
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { throw FileSystemError(.write, path, code: count < 0 ? errno : EIO) }
    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
  }
}

/// zlib's CRC-32 of bytes that follow bytes with a known CRC-32.
package func crc32(of bytes: UnsafeRawBufferPointer, continuing checksum: UInt32 = 0) -> UInt32 {
  guard let base = bytes.baseAddress else { return checksum }
  return UInt32(
    truncatingIfNeeded: crc32_z(
      UInt(checksum), base.assumingMemoryBound(to: UInt8.self), bytes.count))
}

extension String {
  /// A path one component longer.
  package func appendingPath(_ component: String) -> String {
    isEmpty || hasSuffix("/") ? self + component : self + "/" + component
  }

  /// A path one component shorter: "" for a name, "/" for what lies there.
  ///
  /// Foundation's `deletingLastPathComponent` traps on names of one character.
  package var parentPath: String {
    var path = self[...]
    while path.count > 1 && path.last == "/" { path.removeLast() }
    guard let slash = path.lastIndex(of: "/") else { return "" }
    path = path[..<slash]
    while path.last == "/" { path.removeLast() }
    return path.isEmpty ? "/" : String(path)
  }

  /// Eight hexadecimal digits.
  package init(hexadecimal value: UInt32) {
    let digits = String(value, radix: 16)
    self = String(repeating: "0", count: 8 - digits.count) + digits
  }
}
