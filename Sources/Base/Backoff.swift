#if canImport(Glibc)
  import Glibc
#endif

/// The pauses between looks at something that another thread, process or computer will bring.
///
/// At first it only yields the core, so that a short wait ends at once. A long one sleeps in between: the
/// system needs cores too to receive what is waited for.
package struct Backoff {
  /// The looks before it sleeps, some tens of microseconds together.
  private static let looksBeforeSleep = 64
  /// The microseconds of a sleep, to which the system adds about 50.
  private static let sleep: UInt32 = 20
  private var looks = 0

  /// Begins a wait.
  package init() {}

  /// Pauses after a look that found nothing.
  package mutating func pause() {
    looks += 1
    if looks < Backoff.looksBeforeSleep { sched_yield() } else { usleep(Backoff.sleep) }
  }

  /// Begins again, because something has come.
  package mutating func reset() { looks = 0 }
}
