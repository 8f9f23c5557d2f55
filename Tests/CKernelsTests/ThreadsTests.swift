import CKernels
import Dispatch
import Foundation
import Synchronization
import Testing

/// Only this suite changes the number of threads, which is the whole process's.
@Suite("Thread pool", .serialized)
struct ThreadsTests {
  private func withThreads(_ count: Int32, _ body: () -> Void) {
    let before = ck_threads()
    ck_set_threads(count)
    body()
    ck_set_threads(before)
  }

  /// Counts how often each part runs.
  private final class Counts: Sendable {
    let values: Mutex<[Int]>
    init(_ count: Int) { values = Mutex(Array(repeating: 0, count: count)) }
    var all: [Int] { values.withLock { $0 } }
  }

  private func run(_ counts: Counts, _ parts: Int) {
    let context = Unmanaged.passUnretained(counts).toOpaque()
    ck_parallel(
      { context, part in
        guard let context else { return }
        let counts = Unmanaged<Counts>.fromOpaque(context).takeUnretainedValue()
        counts.values.withLock { $0[Int(part)] += 1 }
      }, context, Int32(parts))
  }

  @Test("the number of threads is bounded")
  func bounds() {
    withThreads(0) { #expect(ck_threads() == 1) }
    withThreads(100_000) { #expect(Int(ck_threads()) == CK_MAX_THREADS) }
  }

  @Test("every part runs once", arguments: [1, 2, 3, 8] as [Int32])
  func parts(threads: Int32) {
    withThreads(threads) {
      for parts in [0, 1, 2, 3, 7, 100] {
        let counts = Counts(parts)
        for _ in 0..<100 { run(counts, parts) }
        #expect(counts.all == Array(repeating: 100, count: parts))
      }
    }
  }

  @Test("workers that fell asleep wake up")
  func sleeping() {
    withThreads(3) {
      let counts = Counts(3)
      for _ in 0..<20 {
        run(counts, 3)
        usleep(2000)
      }
      #expect(counts.all == [20, 20, 20])
    }
  }

  @Test("concurrent callers all get their work done")
  func concurrentCallers() {
    withThreads(3) {
      let n = 100_000
      let x = [Float](repeating: 0.5, count: n)
      let wrong = Atomic(0)
      DispatchQueue.concurrentPerform(iterations: 8) { _ in
        for _ in 0..<20 {
          let counts = Counts(5)
          run(counts, 5)
          var y = [Float](repeating: 0, count: n)
          ck_square(ck_f32, &y, x, n)
          if counts.all != [1, 1, 1, 1, 1] || !y.allSatisfy({ $0 == 0.25 }) {
            wrong.add(1, ordering: .relaxed)
          }
        }
      }
      #expect(wrong.load(ordering: .relaxed) == 0)
    }
  }

  @Test("a task may itself call the pool")
  func nesting() {
    withThreads(2) {
      let counts = Counts(4)
      let context = Unmanaged.passUnretained(counts).toOpaque()
      ck_parallel(
        { context, _ in
          ck_parallel(
            { context, part in
              guard let context else { return }
              let counts = Unmanaged<Counts>.fromOpaque(context).takeUnretainedValue()
              counts.values.withLock { $0[Int(part)] += 1 }
            }, context, 4)
        }, context, 3)
      #expect(counts.all == [3, 3, 3, 3])
    }
  }

  @Test("workers treat denormals as their caller does")
  func denormals() {
    withThreads(2) {
      let n = 200_000
      let x = [Float](repeating: .leastNormalMagnitude, count: n)
      let results = Mutex<[Int]>([])
      // In a thread of its own: the setting lasts as long as the thread.
      let thread = Thread {
        var y = [Float](repeating: 7, count: n)
        ck_affine(ck_f32, &y, x, n, 0.5, 0)
        let before = y.filter { $0.bitPattern == 0 }.count
        ck_flush_denormals()
        ck_affine(ck_f32, &y, x, n, 0.5, 0)
        let after = y.filter { $0.bitPattern == 0 }.count
        results.withLock { $0 = [before, after] }
      }
      thread.start()
      while !thread.isFinished { usleep(1000) }
      let flushed = results.withLock { $0 }
      #expect(flushed == [0, n])
    }
  }

  @Test("results do not depend on the number of threads")
  func determinism() {
    let n = 600_000
    var numbers = Numbers(seed: 12)
    let x = numbers.floats(n, in: 0.1...3)
    let labels = numbers.integers(n / 10, in: 0...9)
    func results() -> [[UInt32]] {
      var all: [[UInt32]] = []
      func record(_ count: Int, _ body: (UnsafeMutablePointer<Float>) -> Void) {
        all.append(guarded(count, guard: 7, body).map(\.bitPattern))
      }
      record(n) { ck_exp(ck_f32, $0, x, n) }
      record(n) {
        ck_add(
          ck_f32, $0, x, x,
          [ck_broadcast(rows: n / 10, cols: 10, a_row: 10, a_col: 1, b_row: 0, b_col: 1)])
      }
      record(n) {
        ck_mul(
          ck_f32, $0, x, x,
          [ck_broadcast(rows: 600, cols: 1000, a_row: 1000, a_col: 1, b_row: 1, b_col: 0)])
      }
      record(n) {
        ck_pow(
          ck_f32, $0, x, x, [ck_broadcast(rows: 1, cols: n, a_row: 0, a_col: 1, b_row: 0, b_col: 1)]
        )
      }
      record(n) { ck_copy(ck_f32, $0, x, 600, 1000, 1, 600, 1000, 1) }
      record(1) { ck_sum(ck_f32, $0, x, 1, n, 1) }
      record(3) { ck_sum(ck_f32, $0, x, 1, n / 3, 3) }
      record(100) { ck_sum(ck_f32, $0, x, 1, n / 100, 100) }
      record(1000) { ck_sum(ck_f32, $0, x, 1, n / 1000, 1000) }
      record(1003) { ck_sum(ck_f32, $0, x, 1, n / 1003, 1003) }
      record(600) { ck_max(ck_f32, $0, x, 600, 1000, 1) }
      record(n) { ck_softmax(ck_f32, $0, x, n / 10, 10) }
      record(n) { ck_log_softmax(ck_f32, $0, x, n / 1000, 1000) }
      var saved = [Float](repeating: 0, count: n / 5)
      record(n / 10) { ck_cross_entropy(ck_f32, $0, &saved, x, labels, n / 10, 10, nil) }
      record(n) { ck_normal(ck_f32, $0, n, 1, 2, 3, 0, 1) }
      record(n) { ck_uniform(ck_f32, $0, n, 1, 2, 3, 0, 1) }
      record(n) { ck_dropout(ck_f32, $0, x, n / 100, 100, 0.4, 1, 2, 5) }
      record(n) { w in
        ck_fill(ck_f32, w, n, 1)
        ck_sgd(ck_f32, w, nil, x, n, 0.1, 0, 0, 0.01, false, false, nil)
      }
      let squares = ck_sum_squares(ck_f32, x, n).bitPattern
      all.append([UInt32(truncatingIfNeeded: squares), UInt32(squares >> 32)])
      all.append([ck_all_finite(ck_f32, x, n) ? 1 : 0])
      return all
    }
    var reference: [[UInt32]] = []
    withThreads(1) { reference = results() }
    for threads in [2, 3, 5] as [Int32] {
      withThreads(threads) {
        for (index, result) in results().enumerated() {
          #expect(result == reference[index], "result \(index) with \(threads) threads")
        }
      }
    }
  }
}
