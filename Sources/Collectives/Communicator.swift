// What a training run asks of the processes that it runs on.

/// How the values of several ranks become one value.
public enum ReductionOperation: Sendable, CaseIterable {
  /// The sum over the ranks.
  case sum
  /// The largest value; not-a-number when any rank holds not-a-number.
  case max
  /// The smallest value; not-a-number when any rank holds not-a-number.
  case min
}

/// A reduction that was started; it may need to be driven to get on.
public protocol PendingReduction: AnyObject {
  /// Does what can be done now, and returns whether the buffer holds the reduced values.
  func advance() -> Bool
}

/// The ranks of a run, and what they do together.
///
/// Every function here except `abort` is collective: all ranks call the same functions in the same
/// order with the same counts. A rank that calls something else makes the others wait.
public protocol Communicator: AnyObject {
  /// The number of this process, from zero.
  var rank: Int { get }
  /// The number of ranks in the run.
  var worldSize: Int { get }
  /// The number of this rank among the ranks of its machine, from zero.
  var localRank: Int { get }
  /// The number of ranks on this machine.
  var localSize: Int { get }
  /// The lowest rank on this machine, which tells one machine from another.
  var nodeLeader: Int { get }
  /// Whether a thread may advance sums across machines while another one uses the communicator.
  var canAdvanceOnAnyThread: Bool { get }

  /// Replaces each element by its reduction over the ranks.
  ///
  /// The result has the same bits on every rank, and again the same bits when repeated.
  func allReduce(_ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation)

  /// Replaces each element by its reduction over the ranks.
  ///
  /// The result has the same bits on every rank, and again the same bits when repeated.
  func allReduce(_ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation)

  /// Starts to add up buffers over the machines, each rank with those of its local rank on the other
  /// machines; the buffer belongs to the sum until that has advanced to its end.
  ///
  /// Ranks start their sums in the same order, but in their own time. The result has the same bits
  /// on every machine. Of a power of two of machines in a row it is ((n0 + n1) + (n2 + n3)) + ...
  /// Every machine needs the same number of ranks, or those without counterparts stay away.
  func startSumAcrossNodes(_ buffer: UnsafeMutableBufferPointer<Float>) -> any PendingReduction

  /// Brings a segment of memory into what the ranks of this machine share.
  ///
  /// The sizes may differ between ranks. Throws on all ranks of the machine when it fails on any.
  func allocateShared(byteCount: Int) throws(SharedMemoryError) -> SharedMemory

  /// Returns when every rank of this machine has come here.
  func nodeBarrier()

  /// Copies the bytes of rank `root` to every rank.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int)

  /// Returns the bytes of every rank, in rank order; the lengths may differ.
  func allGather(_ bytes: [UInt8]) -> [[UInt8]]

  /// Returns when every rank has come here.
  func barrier()

  /// Ends every rank of the run at once, with an exit code.
  func abort(exitCode: Int32) -> Never
}

extension Communicator {
  /// Whether this is rank zero, which prints and saves.
  public var isRoot: Bool { rank == 0 }

  /// Returns the reduction of each element over the ranks.
  public func allReduce(_ values: [Double], _ operation: ReductionOperation) -> [Double] {
    var values = values
    values.withUnsafeMutableBufferPointer { allReduce($0, operation) }
    return values
  }

  /// Returns the reduction of a value over the ranks.
  public func allReduce(_ value: Double, _ operation: ReductionOperation) -> Double {
    allReduce([value], operation)[0]
  }

  /// Returns the value that rank `root` gave.
  public func broadcast<Value: BitwiseCopyable>(_ value: Value, root: Int = 0) -> Value {
    var value = value
    withUnsafeMutableBytes(of: &value) { broadcast($0, root: root) }
    return value
  }

  /// Returns the array that rank `root` gave; what the other ranks give is ignored.
  public func broadcast<Element: BitwiseCopyable>(
    _ values: [Element], root: Int = 0
  ) -> [Element] {
    let count = broadcast(values.count, root: root)
    return [Element](unsafeUninitializedCapacity: count) { buffer, initializedCount in
      if rank == root { _ = buffer.initialize(from: values) }
      let bytes = UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<(count * MemoryLayout<Element>.stride)])
      broadcast(bytes, root: root)
      initializedCount = count
    }
  }

  /// Returns the string that rank `root` gave; what the other ranks give is ignored.
  public func broadcast(_ string: String, root: Int = 0) -> String {
    String(decoding: broadcast(Array(string.utf8), root: root), as: UTF8.self)
  }

  /// Returns the strings of every rank, in rank order.
  public func allGather(_ string: String) -> [String] {
    allGather(Array(string.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }
}

/// A reduction that was already done when it was started.
package final class FinishedReduction: PendingReduction {
  package init() {}
  package func advance() -> Bool { true }
}

extension ReductionOperation {
  /// Combines each element of `destination` with that of `source`.
  package func accumulate<Scalar: BinaryFloatingPoint>(
    _ source: UnsafePointer<Scalar>, into destination: UnsafeMutablePointer<Scalar>, count: Int
  ) {
    switch self {
    case .sum: for i in 0..<count { destination[i] += source[i] }
    case .max: for i in 0..<count { destination[i] = larger(destination[i], source[i]) }
    case .min: for i in 0..<count { destination[i] = -larger(-destination[i], -source[i]) }
    }
  }

  /// The larger of two values, in whichever order they come.
  ///
  /// The maximum of C and of MPI depends on the order when a value is not a number or the two are
  /// zeros of different sign, so that ranks could disagree.
  private func larger<Scalar: BinaryFloatingPoint>(_ a: Scalar, _ b: Scalar) -> Scalar {
    if a.isNaN || b.isNaN { return .nan }
    if a == b { return a.sign == .minus ? b : a }
    return a > b ? a : b
  }
}
