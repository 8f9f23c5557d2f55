internal import CKernels

/// How this process uses threads and vector instructions.
public enum Threads {
  /// The number of threads, the caller's included.
  ///
  /// Results do not depend on it, except that matrix products may round differently; within
  /// `withDeterministicPartitioning` not even these do.
  public static var count: Int {
    get { Int(ck_threads()) }
    set { ck_set_threads(Int32(newValue)) }
  }

  /// The instruction set that the kernels use: `avx512`, `avx2` or `plain`.
  public static var instructionSet: String { String(cString: ck_isa()) }

  /// Makes this thread treat denormal numbers as zero; the pool's threads do as their caller does.
  public static func flushDenormals() { ck_flush_denormals() }

  /// Whether work is partitioned in the same way for any number of threads.
  static var isPartitioningDeterministic: Bool {
    ExecutionContext.withCurrent(\.isPartitioningDeterministic)
  }
}

/// Runs `body` with all work partitioned in the same way for any number of threads, so that results
/// have the same bits; matrix products take a little longer.
public func withDeterministicPartitioning<Result>(_ body: () throws -> Result) rethrows -> Result {
  let context = ExecutionContext.withCurrent { $0 }
  let previous = context.isPartitioningDeterministic
  context.isPartitioningDeterministic = true
  defer { context.isPartitioningDeterministic = previous }
  return try body()
}

/// Calls `body(part)` for each part on the kernels' thread pool, and waits.
package func parallel(_ parts: Int, _ body: (Int) -> Void) {
  withoutActuallyEscaping(body) { body in
    var task = body
    withUnsafeMutablePointer(to: &task) { task in
      ck_parallel(
        { context, part in
          context!.assumingMemoryBound(to: ((Int) -> Void).self).pointee(Int(part))
        }, task, Int32(parts))
    }
  }
}
