/// A block of memory, 64-byte aligned, that a tensor shares with its views.
package final class Storage {
  /// The first byte.
  package let pointer: UnsafeMutableRawPointer
  /// The requested size in bytes.
  package let byteCount: Int
  /// The number of in-place changes; backward uses it to detect that a saved value was overwritten.
  package var version = 0
  /// The number of in-place changes that were recorded in the graph; a view that was taken before one
  /// of them has the history of the old elements.
  var graphVersion = 0
  /// Keeps memory alive that does not come from the allocator.
  private let owner: AnyObject?

  /// Allocates uninitialized memory.
  package init(byteCount: Int) {
    self.byteCount = byteCount
    pointer = Allocator.allocate(byteCount)
    owner = nil
  }

  /// Wraps memory that `owner` keeps alive.
  package init(_ pointer: UnsafeMutableRawPointer, byteCount: Int, owner: AnyObject) {
    self.byteCount = byteCount
    self.pointer = pointer
    self.owner = owner
  }

  deinit {
    if owner == nil { Allocator.free(pointer, byteCount) }
  }
  /// Returns memory that no storage uses to the system, as far as it consists of huge pages.
  package static func returnFreePages() { Allocator.returnFreePages() }
}
