/// A block of memory that tensors look into: 64-byte aligned, shared by a tensor and its views.
package final class Storage {
  /// The first byte.
  package let pointer: UnsafeMutableRawPointer
  /// The size in bytes that was asked for.
  package let byteCount: Int
  /// Counts the writes since creation, so that backward can tell whether a saved value still holds.
  package var version = 0
  /// What keeps the memory alive when it does not come from the allocator.
  private let owner: AnyObject?

  /// Takes uninitialized memory from the caching allocator.
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
}
