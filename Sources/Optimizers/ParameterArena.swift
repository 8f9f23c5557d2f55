import CKernels
public import NeuralNetworks
public import TensorCore

/// Provides the memory of an arena and of its optimizer.
package protocol ArenaMemory: AnyObject {
  /// Allocates zeros that all processes of a node have in common: for values and optimizer state.
  func allocateCommon(byteCount: Int) -> Storage
  /// Allocates zeros that each process has for itself: for gradients.
  func allocateOwn(byteCount: Int) -> Storage
  /// Whether this process copies the values of its parameters into the common memory.
  var takesOverValues: Bool { get }
}

/// The memory of a process that shares none.
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
/// The parameters are moved into the arena, and backward writes their `grad` there. The optimizer,
/// clipping, broadcast, checkpoints and the reduction over ranks are then passes over flat memory, and
/// nothing is copied to be communicated.
///
/// The order is the reverse of declaration: backward finishes the last layers first, so gradients
/// become final from the front of the buffer to its end. Every parameter starts at a multiple of 64
/// bytes; the gaps stay zero.
public final class ParameterArena {
  /// A parameter and its elements in the arena.
  public struct Entry {
    /// The name, as in the state dictionary.
    public let name: String
    /// The parameter, whose memory is in the arena.
    public let parameter: Parameter
    /// Its elements in the flat buffers.
    public let range: Range<Int>

    /// Sets `grad` of this parameter to its elements of the gradient buffer.
    package func showGradient() { parameter.grad = parameter.gradientView }

    /// Copies a gradient that lies elsewhere into the gradient buffer.
    fileprivate func collectGradient() {
      guard let gradient = parameter.grad, let slot = parameter.gradientView, gradient !== slot
      else { return }
      slot.assign(gradient)
      showGradient()
    }
  }

  /// The parameters, in the order of their elements.
  public let entries: [Entry]
  /// The length of the flat buffers in elements, including gaps.
  public let count: Int
  /// The type of all parameters: float32 or float64.
  public let dataType: DataType
  private let valueStorage: Storage
  private let gradientStorage: Storage
  private let memory: any ArenaMemory
  /// The factors of the learning rate of consecutive elements; empty where all are 1.
  var rateRuns: [(elements: Range<Int>, factor: Double)] = []
  /// For each entry, the factor of the weight decay, or nil where the optimizer decides; empty where it
  /// decides everywhere.
  var weightDecayFactors: [Double?] = []

  /// Moves the parameters of `module` that are not frozen, all float32 or all float64, into a new arena.
  public convenience init(_ module: some Module) {
    self.init(module.trainedParameters())
  }

  /// Moves named parameters, all float32 or all float64, into a new arena, the last one first.
  public convenience init(_ parameters: [(name: String, parameter: Parameter)]) {
    self.init(parameters, memory: PrivateMemory())
  }

  /// Moves parameters into an arena in the given memory.
  package init(
    _ parameters: [(name: String, parameter: Parameter)], memory: any ArenaMemory
  ) {
    self.memory = memory
    let type = parameters.first?.parameter.dataType ?? .float32
    let alignment = 64 / type.byteCount
    var entries: [Entry] = []
    var end = 0
    for (name, parameter) in parameters.reversed() {
      require(
        parameter.dataType == .float32 || parameter.dataType == .float64,
        "ParameterArena: \(name) is \(parameter.dataType); only float32 and float64 are trained in an arena"
      )
      require(
        parameter.dataType == type,
        "ParameterArena: \(name) is \(parameter.dataType), and other parameters are \(type); an arena has one type"
      )
      entries.append(Entry(name: name, parameter: parameter, range: end..<end + parameter.count))
      end = (end + parameter.count + alignment - 1) / alignment * alignment
    }
    self.entries = entries
    count = end
    dataType = type
    valueStorage = memory.allocateCommon(byteCount: end * type.byteCount)
    gradientStorage = memory.allocateOwn(byteCount: end * type.byteCount)
    for entry in entries {
      entry.parameter.move(
        to: valueStorage, offset: entry.range.lowerBound, copiesElements: memory.takesOverValues)
      entry.parameter.gradientView = Tensor(
        shape: entry.parameter.shape, storage: gradientStorage, offset: entry.range.lowerBound,
        dataType: type)
    }
    // The parameters have left theirs.
    Storage.returnFreePages()
  }

  /// The values of all parameters.
  public var valueBuffer: ArenaBuffer { buffer(valueStorage) }
  /// The gradients of all parameters.
  ///
  /// The elements of a parameter without `grad` are undefined until `zeroFillMissingGradients()`.
  public var gradientBuffer: ArenaBuffer { buffer(gradientStorage) }
  /// The values of all parameters, which must be float32; `valueBuffer` has those of either type.
  public var values: UnsafeMutableBufferPointer<Float> { valueBuffer.floats }
  /// The gradients of all parameters, which must be float32; `gradientBuffer` has those of either type.
  public var gradients: UnsafeMutableBufferPointer<Float> { gradientBuffer.floats }

  /// A storage with a number for each element.
  package func buffer(_ storage: Storage) -> ArenaBuffer {
    ArenaBuffer(storage.pointer, count: count, dataType)
  }

  private var kernelType: ck_type { valueBuffer.kernelType }

  /// Whether no value is NaN or infinite.
  package var hasFiniteValues: Bool { ck_all_finite(kernelType, valueBuffer.address, count) }

  /// Sets `grad` of all parameters to nil.
  ///
  /// No memory is written: the next backward overwrites it.
  public func zeroGrad() {
    for entry in entries { entry.parameter.grad = nil }
  }

  /// Copies gradients that lie elsewhere into the gradient buffer: those that were assigned to `grad`,
  /// or come from a backward with `createGraph`.
  package func collectGradients() {
    for entry in entries { entry.collectGradient() }
  }

  /// Copies the gradients of some entries into the gradient buffer, and writes zeros for parameters
  /// without one, as far as they are among some elements, so that these can be added to other ranks'.
  package func zeroFillMissingGradients(of entries: Range<Int>, in elements: Range<Int>) {
    for entry in self.entries[entries] {
      entry.collectGradient()
      if entry.parameter.grad == nil {
        gradientBuffer[entry.range.clamped(to: elements)].fill(0)
      }
    }
  }

  /// Writes zeros for parameters without a gradient.
  public func zeroFillMissingGradients() {
    zeroFillMissingGradients(of: entries.indices, in: 0..<count)
  }

  /// The number of elements in a block of the gradient's norm: squares are added up in each block
  /// first, so the norm does not depend on which thread or process computes a block.
  package static let normBlock = 16384

  /// The sum of the squares of the gradients in each of the given blocks.
  package func squareSums(ofBlocks blocks: Range<Int>) -> [Double] {
    blocks.map { block in
      let start = block * ParameterArena.normBlock
      return ck_sum_squares(
        kernelType, gradientBuffer.pointer(at: start),
        min(ParameterArena.normBlock, count - start))
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

  /// Clips some elements as `clipGradients(toNorm:)` does, given the norm of all elements.
  package func scaleGradients(toNorm maximum: Double, from norm: Double, in elements: Range<Int>) {
    let factor = maximum / (norm + 1e-6)
    guard factor < 1, !elements.isEmpty else { return }
    let start = gradientBuffer.pointer(at: elements.lowerBound)
    ck_affine(kernelType, start, start, elements.count, factor, 0)
  }

  /// What notices changes of the values between two updates; nil where nothing does.
  package var checksums: WeightChecksums?

  /// Runs a kernel that updates some values, given their first one and where it adds the sums of their
  /// bits.
  func changeWeights(
    _ elements: Range<Int>,
    _ kernel: (UnsafeMutableRawPointer, UnsafeMutablePointer<ck_bit_sums>?) -> Void
  ) {
    let weights = valueBuffer.pointer(at: elements.lowerBound)
    guard let checksums else { return kernel(weights, nil) }
    var bits = ck_bit_sums()
    kernel(weights, &bits)
    checksums.add(elements, bits)
  }

  /// Allocates zeros for an optimizer's state of each element.
  package func allocateState() -> Storage {
    memory.allocateCommon(byteCount: count * dataType.byteCount)
  }

  /// Lets the parameters have the values in another storage of the arena's layout while `body` runs.
  package func withValues<Result>(
    of storage: Storage, _ body: () throws -> Result
  ) rethrows -> Result {
    func point(at storage: Storage) {
      for entry in entries {
        entry.parameter.move(to: storage, offset: entry.range.lowerBound, copiesElements: false)
      }
    }
    point(at: storage)
    defer { point(at: valueStorage) }
    return try body()
  }

  /// Consecutive entries that an optimizer updates in the same way.
  struct Run<State> {
    var entries: Range<Int>
    var elements: Range<Int>
    let state: State
  }

  /// The longest runs of consecutive entries that have a gradient and equal states: an optimizer
  /// updates each run in one pass.
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

  /// Another number after each change of the values that an operation or `markValuesChanged` records.
  package var valuesVersion: Int { valueStorage.version }

  /// The name of the first parameter in the model that has a value which is NaN or infinite.
  package var firstNonFiniteValues: String? { entries.last { !isFinite(valueBuffer, $0) }?.name }

  /// The first of some entries that has a gradient which is NaN or infinite.
  package func firstNonFiniteGradient(of entries: Range<Int>) -> Int? {
    entries.first { !isFinite(gradientBuffer, self.entries[$0]) }
  }

  private func isFinite(_ buffer: ArenaBuffer, _ entry: Entry) -> Bool {
    ck_all_finite(kernelType, buffer.pointer(at: entry.range.lowerBound), entry.range.count)
  }

  /// Records for autograd that the values were changed other than by an operation.
  package func markValuesChanged() { valueStorage.version += 1 }
}

extension Array {
  /// Calls `body` for the elements of `range` that belong to each of these runs.
  func forEachElements<State>(
    of range: Range<Int>, _ body: (ParameterArena.Run<State>, Range<Int>) -> Void
  ) where Element == ParameterArena.Run<State> {
    // The first run that ends behind the start of the range.
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].elements.upperBound > range.lowerBound {
        high = middle
      } else {
        low = middle + 1
      }
    }
    while low < count, self[low].elements.lowerBound < range.upperBound {
      body(self[low], self[low].elements.clamped(to: range))
      low += 1
    }
  }
}
