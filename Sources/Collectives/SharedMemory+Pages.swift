#if canImport(Glibc)
  import Glibc
#endif

extension SharedMemory {
  /// Gives the whole pages of some shared bytes back to the system, for all ranks of the node: they read
  /// as zeros, and take memory again where they are written.
  package static func releasePages(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let first = bytes.baseAddress else { return }
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let start = (UInt(bitPattern: first) + page - 1) / page * page
    let end = (UInt(bitPattern: first) + UInt(bytes.count)) / page * page
    guard start < end else { return }
    let pages = UnsafeMutableRawPointer(bitPattern: start)
    // The memory of threads is no file, from which pages could be removed.
    if madvise(pages, Int(end - start), MADV_REMOVE) != 0 {
      _ = madvise(pages, Int(end - start), MADV_DONTNEED)
    }
  }

  /// Asks the system for small pages, of which it takes only those that are used.
  package static func avoidHugePages(_ bytes: UnsafeMutableRawBufferPointer) {
    guard let first = bytes.baseAddress else { return }
    let page = UInt(sysconf(Int32(_SC_PAGESIZE)))
    let start = UInt(bitPattern: first) / page * page
    let count = Int(UInt(bitPattern: first) + UInt(bytes.count) - start)
    // Fails where the system has no huge pages.
    _ = madvise(UnsafeMutableRawPointer(bitPattern: start), count, MADV_NOHUGEPAGE)
  }
}
