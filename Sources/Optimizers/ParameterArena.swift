import CKernels
public import NeuralNetworks
public import TensorCore

/// Where an arena and its optimizer keep their numbers.
package protocol ArenaMemory: AnyObject {
  /// Memory of zeros for what every process of a machine has the same of: values, and what the
  /// optimizer remembers.
  func allocateCommon(byteCount: Int) -> Storage
  /// Memory of zeros for what this process has of its own: gradients.
  func allocateOwn(byteCount: Int) -> Storage
  /// Whether the values of this process's parameters go into the common memory, and not another's.
  var takesOverValues: Bool { get }
}

/// The memory of a process that shares nothing.
private final class PrivateMemory: ArenaMemory {
  let takesOverValues = true

  func allocateCommon(byteCount: Int) -> Storage { allocateOwn(byteCount: byteCount) }

  func allocateOwn(byteCount: Int) -> Storage {
    let storage = Storage(byteCount: byteCount)
    storage.pointer.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    return storage
  }
}

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
    package func showGradient() { parameter.grad = parameter.gradientView }

    /// Brings a gradient that lies elsewhere to its place.
    fileprivate func collectGradient() {
      guard let gradient = parameter.grad, let slot = parameter.gradientView, gradient !== slot
      else { return }
      slot.assign(gradient)
      showGradient()
    }
  }

  /// The parameters in the order of their places.
  public let entries: [Entry]
  /// The length of the flat buffers in elements, gaps included.
  public let count: Int
  private let valueStorage: Storage
  private let gradientStorage: Storage
  private let memory: any ArenaMemory

  /// Moves the parameters of `module`, which must be float32, into a new arena.
  public convenience init(_ module: some Module) {
    self.init(module.namedParameters())
  }

  /// Moves named float32 parameters into a new arena, the last one first.
  public convenience init(_ parameters: [(name: String, parameter: Parameter)]) {
    self.init(parameters, memory: PrivateMemory())
  }

  /// Moves parameters into an arena in the given memory.
  package init(
    _ parameters: [(name: String, parameter: Parameter)], memory: any ArenaMemory
  ) {
    self.memory = memory
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
    valueStorage = memory.allocateCommon(byteCount: end * MemoryLayout<Float>.stride)
    gradientStorage = memory.allocateOwn(byteCount: end * MemoryLayout<Float>.stride)
    for entry in entries {
      entry.parameter.move(
        to: valueStorage, offset: entry.range.lowerBound, copiesElements: memory.takesOverValues)
      entry.parameter.gradientView = Tensor(
        shape: entry.parameter.shape, storage: gradientStorage, offset: entry.range.lowerBound,
        dataType: .float32)
    }
  }

  /// The values of all parameters.
  public var values: UnsafeMutableBufferPointer<Float> { buffer(valueStorage) }
  /// The gradients of all parameters.
  ///
  /// Parameters that have had none since `zeroGrad()` hold leftovers until
  /// `zeroFillMissingGradients()`.
  public var gradients: UnsafeMutableBufferPointer<Float> { buffer(gradientStorage) }

  private func buffer(_ storage: Storage) -> UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(
      start: storage.pointer.assumingMemoryBound(to: Float.self), count: count)
  }

  /// Whether no value is NaN or infinite.
  package var hasFiniteValues: Bool { ck_all_finite(ck_f32, values.baseAddress!, count) }

  /// Forgets all gradients.
  ///
  /// Costs nothing: the next backward overwrites them.
  public func zeroGrad() {
    for entry in entries { entry.parameter.grad = nil }
  }

  /// Brings gradients that lie elsewhere to their places: those that were assigned to `grad`, or
  /// left there by a backward with `createGraph`.
  package func collectGradients() {
    for entry in entries { entry.collectGradient() }
  }

  /// Brings the gradients of some entries to their places, and writes zeros where a parameter has
  /// none, so that the memory can be added to other ranks'.
  package func zeroFillMissingGradients(of entries: Range<Int>) {
    for entry in self.entries[entries] {
      entry.collectGradient()
      if entry.parameter.grad == nil { gradients.extracting(entry.range).update(repeating: 0) }
    }
  }

  /// Writes zeros where a parameter has no gradient.
  public func zeroFillMissingGradients() { zeroFillMissingGradients(of: entries.indices) }

  /// The elements over which squares are added up before anything else; the norm of gradients does
  /// not depend on how blocks fall on threads and processes.
  package static let normBlock = 16384

  /// The sum of the squares of the gradients in each of the given blocks.
  package func squareSums(ofBlocks blocks: Range<Int>) -> [Double] {
    blocks.map { block in
      let start = block * ParameterArena.normBlock
      return ck_sum_squares(
        ck_f32, gradients.baseAddress! + start, min(ParameterArena.normBlock, count - start))
    }
  }

  /// The number of blocks of `normBlock` elements, the last of which may be short.
  package var normBlockCount: Int {
    (count + ParameterArena.normBlock - 1) / ParameterArena.normBlock
  }

  /// The Euclidean norm of all gradients together.
  public func gradientNorm() -> Double {
    zeroFillMissingGradients()
    return squareSums(ofBlocks: 0..<normBlockCount).reduce(0, +).squareRoot()
  }

  /// Scales all gradients so that their norm is at most `maximum`, and returns the norm before;
  /// PyTorch's `clip_grad_norm_`.
  ///
  /// The factor is `maximum / (norm + 1e-6)` where that is below 1.
  @discardableResult
  public func clipGradients(toNorm maximum: Double) -> Double {
    let norm = gradientNorm()
    scaleGradients(toNorm: maximum, from: norm, in: 0..<count)
    return norm
  }

  /// The clipping of `clipGradients(toNorm:)` for some elements, the norm of all being known.
  package func scaleGradients(toNorm maximum: Double, from norm: Double, in elements: Range<Int>) {
    let factor = maximum / (norm + 1e-6)
    guard factor < 1, !elements.isEmpty else { return }
    let start = gradients.baseAddress! + elements.lowerBound
    ck_affine(ck_f32, start, start, elements.count, factor, 0)
  }

  /// Memory of zeros for what an optimizer remembers of each element.
  func allocateState() -> Storage {
    memory.allocateCommon(byteCount: count * MemoryLayout<Float>.stride)
  }

  /// Neighbouring entries that an optimizer updates alike.
  struct Run<State> {
    var entries: Range<Int>
    var elements: Range<Int>
    let state: State
  }

  /// The longest runs of neighbouring entries that have a gradient and are in the same state: what
  /// an optimizer does in one pass.
  func runs<State: Equatable>(of state: (Int) -> State) -> [Run<State>] {
    var runs: [Run<State>] = []
    for (index, entry) in entries.enumerated() where entry.parameter.grad != nil {
      let state = state(index)
      if let last = runs.last, last.entries.upperBound == index, last.state == state {
        runs[runs.count - 1].entries = last.entries.lowerBound..<index + 1
        runs[runs.count - 1].elements = last.elements.lowerBound..<entry.range.upperBound
      } else {
        runs.append(Run(entries: index..<index + 1, elements: entry.range, state: state))
      }
    }
    return runs
  }

  /// Tells the autograd that the values have been written to behind its back.
  package func markValuesChanged() { valueStorage.version += 1 }
}

extension Array {
  /// Calls `body` for the elements that each of these runs has in `part`.
  func forEachElements<State>(
    of part: Range<Int>, _ body: (Range<Int>, State) -> Void
  ) where Element == ParameterArena.Run<State> {
    // The first run that ends behind the part's start.
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].elements.upperBound > part.lowerBound {
        high = middle
      } else {
        low = middle + 1
      }
    }
    while low < count, self[low].elements.lowerBound < part.upperBound {
      body(self[low].elements.clamped(to: part), self[low].state)
      low += 1
    }
  }
}
