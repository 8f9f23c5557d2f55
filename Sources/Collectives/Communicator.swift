/// The ranks of a run, and what they do together.
///
/// Every function here except `abort` is collective: all ranks call the same functions in the same
/// order with the same counts. A rank that calls something else makes the others wait.
public protocol Communicator: AnyObject {
  /// The number of this process, from zero.
  var rank: Int { get }
  /// The number of ranks in the run.
  var worldSize: Int { get }
  /// Which ranks run on which node.
  var topology: Topology { get }
  /// The ranks of this rank's node.
  var node: any NodeCommunicator { get }
  /// The ranks that have this rank's local rank, one on each node.
  var acrossNodes: any InterNodeCommunicator { get }

  /// Replaces each element by its reduction over the ranks.
  ///
  /// The result has the same bits on every rank and every time.
  func allReduce(_ buffer: UnsafeMutableBufferPointer<Float>, _ operation: ReductionOperation)

  /// Replaces each element by its reduction over the ranks.
  ///
  /// The result has the same bits on every rank and every time.
  func allReduce(_ buffer: UnsafeMutableBufferPointer<Double>, _ operation: ReductionOperation)

  /// Copies the bytes of rank `root` to every rank.
  func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int)

  /// Returns the bytes of every rank, in rank order; the lengths may differ.
  func allGather(_ bytes: [UInt8]) -> [[UInt8]]

  /// Returns when every rank has called it.
  func barrier()

  /// Ends every rank of the run at once, with an exit code.
  func abort(exitCode: Int32) -> Never

  /// Ends communication; returns when every rank has called it.
  ///
  /// Call it before the process exits, whatever its exit code, if all ranks exit together. Nothing
  /// may be called afterwards.
  func finalize()
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

  /// Returns rank `root`'s value.
  public func broadcast<Value: BitwiseCopyable>(_ value: Value, root: Int = 0) -> Value {
    var value = value
    withUnsafeMutableBytes(of: &value) { broadcast($0, root: root) }
    return value
  }

  /// Returns rank `root`'s array; the arrays of the other ranks are ignored.
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

  /// Returns rank `root`'s string; the strings of the other ranks are ignored.
  public func broadcast(_ string: String, root: Int = 0) -> String {
    String(decoding: broadcast(Array(string.utf8), root: root), as: UTF8.self)
  }

  /// Returns the elements of all ranks, in rank order; the counts may differ.
  public func gather<Element: BitwiseCopyable>(_ elements: [Element]) -> [Element] {
    allGather(elements.withUnsafeBytes { Array($0) }).flatMap { bytes in
      bytes.withUnsafeBytes { bytes in
        stride(from: 0, to: bytes.count, by: MemoryLayout<Element>.stride).map {
          bytes.loadUnaligned(fromByteOffset: $0, as: Element.self)
        }
      }
    }
  }

  /// Returns the strings of every rank, in rank order.
  public func allGather(_ string: String) -> [String] {
    allGather(Array(string.utf8)).map { String(decoding: $0, as: UTF8.self) }
  }
}
