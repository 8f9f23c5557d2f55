import Foundation
import Synchronization

/// Calls `body` with each of `0..<count`, on up to `threads` threads of which the caller is one.
///
/// Throws the error of the smallest number that has one; what follows it may not have been called.
func concurrently(
  _ count: Int, threads: Int, _ body: @escaping @Sendable (Int) throws -> Void
) throws {
  let work = ConcurrentWork(count, body)
  let helpers = (1..<max(1, min(threads, count))).map { _ in work.startThread() }
  work.run()
  for helper in helpers { pthread_join(helper, nil) }
  if let failure = work.failure { throw failure }
}

private final class ConcurrentWork: Sendable {
  private let count: Int
  private let body: @Sendable (Int) throws -> Void
  private let next = Atomic(0)
  private let first = Mutex<(index: Int, error: any Error)?>(nil)

  var failure: (any Error)? { first.withLock { $0?.error } }

  init(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) {
    (self.count, self.body) = (count, body)
  }

  func startThread() -> pthread_t {
    var thread = pthread_t()
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<ConcurrentWork>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    precondition(code == 0, "no thread to read with: \(String(cString: strerror(code)))")
    return thread
  }

  func run() {
    while true {
      let index = next.add(1, ordering: .relaxed).oldValue
      // Numbers are taken in order: all before a failed one are done or being done.
      guard index < count, first.withLock({ $0 == nil }) else { return }
      do {
        try body(index)
      } catch {
        first.withLock { if index < $0?.index ?? .max { $0 = (index, error) } }
      }
    }
  }
}
