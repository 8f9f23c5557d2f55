import CKernels
package import Collectives
import TensorCore

/// What the ranks of this run can do at most, all at the same time: arithmetic per second, bytes of memory
/// per second, and the time of an operation that computes almost nothing.
package final class MachineLimits {
  /// A limit, measured several times: the rate of all ranks together, or the mean of their times.
  package struct Figure: Equatable, Sendable {
    /// The rates per second, or the seconds, in ascending order.
    package let sorted: [Double]
    /// Whether these are seconds, of which fewer are better.
    package let isTime: Bool

    package init(_ values: [Double], isTime: Bool = false) {
      sorted = values.sorted()
      self.isTime = isTime
    }

    package var median: Double { sorted[sorted.count / 2] }
    package var minimum: Double { sorted[0] }
    package var maximum: Double { sorted[sorted.count - 1] }

    /// Whether the best and the median differ by more than 15 %: something else kept the machine busy.
    package var isDisturbed: Bool { isTime ? median > 1.15 * minimum : maximum > 1.15 * median }
  }

  private let communicator: any Communicator
  private let threads: Int
  private let seconds: Double
  /// Elements of each array: more bytes than caches have.
  private let elements: Int
  private let arrays: [UnsafeMutablePointer<Float>]

  /// Prepares to measure with the threads that `Threads.count` tells.
  ///
  /// The functions are collective: all ranks call them in the same order.
  ///
  /// - Parameters:
  ///   - seconds: About how long to measure each limit.
  ///   - megabytes: The size of each of three arrays, which should not fit into the caches.
  ///   - communicator: The ranks.
  package init(seconds: Double, megabytes: Int = 64, _ communicator: any Communicator) {
    (self.seconds, self.communicator) = (seconds, communicator)
    threads = Threads.count
    elements = megabytes << 18
    let count = elements
    arrays = (0..<3).map { _ in
      let array = UnsafeMutablePointer<Float>.allocate(capacity: count)
      array.initialize(repeating: 1, count: count)
      return array
    }
  }

  deinit { for array in arrays { array.deallocate() } }

  /// Floating-point operations per second of multiply-adds in registers, in float32.
  package func multiplyAdd() -> Figure {
    arithmetic {
      var factors: (Float, Float, Float) = (0.5, 1, 0)
      return ck_multiply_add_chains(ck_f32, &factors, 500_000)
    }
  }

  /// Floating-point operations per second of products of bfloat16 in registers, added to float32.
  package func bfloat16() -> Figure {
    arithmetic {
      var terms: [Float] = [0, 0]
      return ck_bfloat16_chains(&terms, 500_000)
    }
  }

  /// The rate of a function that returns its number of operations, on all threads.
  private func arithmetic(_ body: @escaping @Sendable () -> Double) -> Figure {
    let count = threads
    return rate {
      withUnsafeTemporaryAllocation(of: Double.self, capacity: count) { operations in
        nonisolated(unsafe) let operations = operations
        parallel(count) { part in operations[part] = body() }
        return operations.reduce(0, +)
      }
    }
  }

  /// Floating-point operations per second of OpenBLAS's product of two matrices of 1024 x 1024 in float32.
  package func sgemm() -> Figure {
    let size = 1024
    let (a, b, c) = (
      Tensor.ones([size, size]), Tensor.ones([size, size]), Tensor.zeros([size, size])
    )
    return rate {
      BLAS.multiply(into: c, a, b, adds: false)
      return 2 * Double(size * size * size)
    }
  }

  /// Bytes per second, read and written, of a copy.
  package func copy() -> Figure {
    streaming(arrays: 2) { range in
      let (y, x) = (arrays[0] + range.lowerBound, arrays[1] + range.lowerBound)
      ck_copy(ck_f32, y, x, 1, range.count, range.count, 1, range.count, 1)
    }
  }

  /// Bytes per second, read and written, of y = a + s b.
  package func triad() -> Figure {
    streaming(arrays: 3) { range in
      let start = range.lowerBound
      ck_triad(ck_f32, arrays[0] + start, arrays[1] + start, arrays[2] + start, range.count, 0.5)
    }
  }

  /// Bytes per second, read, of the sum of the gradients of a node's ranks as training makes it.
  ///
  /// Each rank adds up its chunk of the memory of all ranks. One rank adds up two arrays.
  /// Throws if the ranks of a node cannot share memory.
  package func sharedSum() throws -> Figure {
    let node = communicator.node
    let memory = try node.allocateShared(byteCount: elements * MemoryLayout<Float>.stride)
    memory.segments[node.rank].initializeMemory(as: Float.self, repeating: 1)
    communicator.barrier()
    var terms = memory.segments.map { $0.baseAddress!.assumingMemoryBound(to: Float.self) }
    if terms.count == 1 { terms.append(arrays[0]) }
    // As the reducer does: a few elements at a time, whose sums stay in the cache.
    let block = min(4096 * threads, elements / node.size)
    let blocks = elements / node.size / block
    defer { withExtendedLifetime(memory) {} }
    return rate {
      for index in 0..<blocks {
        let start = (node.rank * blocks + index) * block
        let sources = terms.map { UnsafeRawPointer($0 + start) }
        ck_sum_tree(ck_f32, arrays[1], sources, sources.count, block)
      }
      return Double(terms.count * blocks * block * MemoryLayout<Float>.stride)
    }
  }

  /// The seconds of our own for each operation that is recorded, forward and backward together: a chain of 200
  /// elementwise operations on four numbers, whose arithmetic takes next to nothing.
  package func operationOverhead() -> Figure {
    let x = Tensor.full([4], 0.5)
    x.requiresGrad = true
    let (factor, term, seed) = (Tensor.full([4], 0.9), Tensor.full([4], 0.1), Tensor.ones([4]))
    let operations = 4 * 50
    let rates = rate {
      var y: Tensor = x
      for _ in 0..<operations / 4 { y = (y * factor + term).relu() - term }
      y.backward(gradient: seed)
      x.grad = nil
      return Double(operations)
    }
    return Figure(rates.sorted.map { Double(communicator.worldSize) / $0 }, isTime: true)
  }

  /// The rate of a pass over arrays, each thread over its range.
  private func streaming(arrays count: Int, _ body: (Range<Int>) -> Void) -> Figure {
    rate {
      parallel(threads) { part in
        body(elements * part / threads..<elements * (part + 1) / threads)
      }
      return Double(count * elements * MemoryLayout<Float>.stride)
    }
  }

  /// Calls `body`, which returns how much it did, several times on all ranks at the same time.
  private func rate(_ body: () -> Double) -> Figure {
    func once() -> Double {
      communicator.barrier()
      let start = ContinuousClock.now
      let work = body()
      return work / max((ContinuousClock.now - start) / .seconds(1), 1e-9)
    }
    _ = once()
    let start = ContinuousClock.now
    _ = once()
    let each = communicator.allReduce(max((ContinuousClock.now - start) / .seconds(1), 1e-6), .max)
    let rates = (0..<max(5, min(1000, Int(seconds / each)))).map { _ in once() }
    return Figure(communicator.allReduce(rates, .sum))
  }
}
