import Glibc
import Synchronization

/// The state of a thread: whether operations are recorded, whether layers are in training mode, whether
/// products are computed in bfloat16, where random numbers come from, how work is partitioned.
///
/// Scopes such as `withoutGrad` and `withTraining` change a part of it and restore that part when they
/// end. A thread starts with the initial values below.
final class ExecutionContext {
  /// Whether operations are recorded.
  var isGradientEnabled = true
  /// Whether layers behave as in training.
  var isTraining = true
  /// Whether products are computed in bfloat16.
  var isAutocasting = false
  /// Where random tensors and dropout take their numbers from; at the start a seed that nobody knows.
  var random = RandomSource(seed: .random(in: .min ... .max))
  /// The samples that dropout belongs to in `withTraining`; nil where its numbers come from `random`.
  var dropoutStreams: DropoutStreams?
  /// Whether a checkpointed function is being computed again, in a backward pass.
  var isRecomputing = false
  /// Whether work is partitioned in the same way for any number of threads.
  var isPartitioningDeterministic = false

  /// Where operations note their time; nil if this thread is not profiled.
  var profiler: OperationProfiler?

  /// The number of the newest operation or backward pass.
  var lastSequenceNumber: UInt64 = 0
  /// Operations that wait for their release.
  let releaseQueue = ReleaseQueue()

  /// Calls `body` with the context of this thread.
  ///
  /// The thread keeps the context alive: no reference is counted.
  @inline(__always)
  static func withCurrent<Result>(_ body: (ExecutionContext) -> Result) -> Result {
    guard let pointer = pthread_getspecific(threadKey.load(ordering: .relaxed)) else {
      return body(startThread())
    }
    return Unmanaged<ExecutionContext>.fromOpaque(pointer)._withUnsafeGuaranteedRef(body)
  }

  @inline(never)
  private static func startThread() -> ExecutionContext {
    threadKey.store(newKey, ordering: .relaxed)
    let context = ExecutionContext()
    pthread_setspecific(newKey, Unmanaged.passRetained(context).toOpaque())
    return context
  }

  private static let newKey: pthread_key_t = {
    var key = pthread_key_t()
    let status = pthread_key_create(&key) { context in
      if let context { Unmanaged<ExecutionContext>.fromOpaque(context).release() }
    }
    require(status == 0, "TensorCore: this process has no thread-specific key left")
    return key
  }()
}

/// The key of the threads' contexts.
///
/// Every thread that starts writes the same value. Before that the key is invalid, and
/// `pthread_getspecific` returns nil. A relaxed load is an ordinary one, but no data race.
private let threadKey = Atomic<pthread_key_t>(.max)
