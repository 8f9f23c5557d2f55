import CKernels
public import NeuralNetworks
public import TensorCore

/// All parameters of a model in one buffer and all their gradients in another.
///
/// The parameters are moved into the arena and their `grad` is made to appear in it, so that the
/// optimizer, clipping, broadcast, checkpoints and the reduction over ranks are passes over flat
/// memory, and what is communicated need not be copied.
///
/// The order is the reverse of declaration: backward finishes the last layers first, so gradients
/// become final from the front of the buffer to its end. Every parameter starts at a multiple of 64
/// bytes; the gaps stay zero.
public final class ParameterArena {
  /// A parameter and its place.
  public struct Entry {
    /// The name, as in the state dictionary.
    public let name: String
    /// The parameter; its memory is in the arena.
    public let parameter: Parameter
    /// Its elements in the flat buffers.
    public let range: Range<Int>

    /// Makes what lies in the gradient buffer this parameter's `grad`.
    package func showGradient() { parameter.grad = parameter.gradientSlot }
  }

  /// The parameters in the order of their places.
  public let entries: [Entry]
  /// The length of the flat buffers in elements, gaps included.
  public let count: Int
  private let valueStorage: Storage
  private let gradientStorage: Storage

  /// Moves the parameters of `module`, which must be float32, into a new arena.
  public convenience init(_ module: some Module) {
    self.init(module.namedParameters())
  }

  /// Moves named float32 parameters into a new arena, the last one first.
  public init(_ parameters: [(name: String, parameter: Parameter)]) {
    let alignment = 64 / MemoryLayout<Float>.stride
    var entries: [Entry] = []
    var end = 0
    for (name, parameter) in parameters.reversed() {
      require(
        parameter.dataType == .float32,
        "ParameterArena: \(name) is \(parameter.dataType); only float32 is trained in an arena")
      entries.append(Entry(name: name, parameter: parameter, range: end..<end + parameter.count))
      end = (end + parameter.count + alignment - 1) / alignment * alignment
    }
    self.entries = entries
    count = end
    valueStorage = Storage(byteCount: end * MemoryLayout<Float>.stride)
    gradientStorage = Storage(byteCount: end * MemoryLayout<Float>.stride)
    values.update(repeating: 0)
    gradients.update(repeating: 0)
    for entry in entries {
      entry.parameter.move(to: valueStorage, offset: entry.range.lowerBound)
      entry.parameter.gradientSlot = Tensor(
        shape: entry.parameter.shape, storage: gradientStorage, offset: entry.range.lowerBound,
        dataType: .float32)
    }
  }

  /// The values of all parameters.
  public var values: UnsafeMutableBufferPointer<Float> { buffer(valueStorage) }
  /// The gradients of all parameters.
  ///
  /// Parameters that have had none since `zeroGrad()` hold leftovers until
  /// `zeroMissingGradients()`.
  public var gradients: UnsafeMutableBufferPointer<Float> { buffer(gradientStorage) }

  private func buffer(_ storage: Storage) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(
      start: storage.pointer.assumingMemoryBound(to: Float.self), count: count)
  }

  /// Forgets all gradients.
  ///
  /// Costs nothing: the next backward overwrites them.
  public func zeroGrad() {
    for entry in entries { entry.parameter.grad = nil }
  }

  /// Brings gradients that lie elsewhere to their places: those that were assigned to `grad`, or
  /// left there by a backward with `createGraph`.
  package func collectGradients() {
    for entry in entries {
      guard let gradient = entry.parameter.grad, let slot = entry.parameter.gradientSlot,
        gradient !== slot
      else { continue }
      slot.assign(gradient)
      entry.showGradient()
    }
  }

  /// Writes zeros where a parameter has no gradient, so that the whole buffer can be added to other
  /// ranks'.
  public func zeroMissingGradients() {
    collectGradients()
    for entry in entries where entry.parameter.grad == nil {
      gradients.extracting(entry.range).update(repeating: 0)
    }
  }

  /// The Euclidean norm of all gradients together.
  public func gradientNorm() -> Double {
    zeroMissingGradients()
    return ck_sum_squares_f32(gradients.baseAddress, count).squareRoot()
  }

  /// Scales all gradients so that their norm is at most `maximum`, and returns the norm before;
  /// PyTorch's `clip_grad_norm_`.
  ///
  /// The factor is `maximum / (norm + 1e-6)` where that is below 1.
  @discardableResult
  public func clipGradients(toNorm maximum: Double) -> Double {
    let norm = gradientNorm()
    let factor = Float(maximum / (norm + 1e-6))
    if factor < 1 {
      ck_affine_f32(gradients.baseAddress, gradients.baseAddress, count, factor, 0)
    }
    return norm
  }

  /// Calls `body` for each longest run of neighbouring entries that have a gradient and are in the
  /// same state, with the indices of the entries, their elements and the state: what an optimizer
  /// does in one pass.
  func forEachRun<State: Equatable>(
    of state: (Int) -> State, _ body: (Range<Int>, Range<Int>, State) -> Void
  ) {
    func hasGradient(_ index: Int) -> Bool { entries[index].parameter.grad != nil }
    var next = 0
    while next < entries.count {
      let first = next
      next += 1
      guard hasGradient(first) else { continue }
      let common = state(first)
      while next < entries.count, hasGradient(next), state(next) == common { next += 1 }
      body(
        first..<next, entries[first].range.lowerBound..<entries[next - 1].range.upperBound, common)
    }
  }

  /// Tells the autograd that the values have been written to behind its back.
  package func markValuesChanged() { valueStorage.version += 1 }
}
