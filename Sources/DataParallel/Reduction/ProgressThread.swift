import Base
import Foundation
import Synchronization

/// A thread that advances inter-node all-reduces while the rank's thread computes.
///
/// It sleeps most of the time.
package final class ProgressThread: Sendable {
  /// The least and the most microseconds between two looks at the network.
  ///
  /// Each look costs a rank that computes a context switch, so looks become rarer while nothing
  /// happens, as far as the system's network buffers allow.
  private static let pauses = 100...1000

  /// The microseconds of a pause, the first one or the one after another.
  package static func pause(after last: Int?, hasMoved: Bool) -> Int {
    guard let last, !hasMoved else { return pauses.lowerBound }
    return min(2 * last, pauses.upperBound)
  }

  private let isStopped = Atomic(false)
  private let isWaitedFor = Atomic(false)
  private let steps = DispatchSemaphore(value: 0)

  /// Starts the thread.
  init(_ reduction: InterNodeReduction) {
    let thread = Thread { [self] in
      while true {
        steps.wait()
        if isStopped.load(ordering: .acquiring) { return }
        advance(reduction)
      }
    }
    thread.name = "progress"
    thread.start()
  }

  private func advance(_ reduction: InterNodeReduction) {
    reduction.beginStep()
    isWaitedFor.store(false, ordering: .relaxed)
    var pause = ProgressThread.pause(after: nil, hasMoved: false)
    var backoff = Backoff()
    while true {
      let hasMoved = reduction.advance()
      if reduction.isStepFinished || isStopped.load(ordering: .acquiring) { return }
      if hasMoved { backoff.reset() }
      pause = ProgressThread.pause(after: pause, hasMoved: hasMoved)
      // A rank that computes an update does not wait.
      if reduction.awaitsUpdate {
        usleep(UInt32(Self.pauses.lowerBound))
      } else if isWaitedFor.load(ordering: .relaxed) {
        backoff.pause()
      } else {
        usleep(UInt32(pause))
      }
    }
  }

  /// Begins a step: advances its all-reduces until all are finished.
  func beginStep() { steps.signal() }

  /// Stops sleeping, because the rank has nothing left to do but to wait.
  func hurry() { isWaitedFor.store(true, ordering: .relaxed) }

  /// Ends the thread.
  func stop() {
    isStopped.store(true, ordering: .releasing)
    steps.signal()
  }
}
