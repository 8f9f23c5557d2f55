import Foundation
import TensorCore
import Testing

// Random programs of views, in-place changes and other operations, run with tensors and with a model
// that cannot go wrong in the same way: memory cells that hold a value and its derivatives by all
// elements of the leaves.

/// Cells of memory that tensors and their views share.
private final class Cells {
  var values: [Double]
  /// The number of changes in the graph.
  var graphVersion = 0
  /// Whether a pullback needs the values, so that a change would stop backward.
  var isSaved = false

  init(_ values: [Double]) { self.values = values }
}

/// What a tensor and the views of it know of the derivatives of its cells; a detached tensor starts anew.
private final class History {
  var tangents: [[Double]]
  var requiresGrad: Bool

  init(_ tangents: [[Double]], requiresGrad: Bool) {
    (self.tangents, self.requiresGrad) = (tangents, requiresGrad)
  }
}

/// A tensor, and which cells it shows.
private struct Variable {
  let tensor: Tensor
  let cells: Cells
  let history: History
  /// The cell of each element, in row-major order.
  let places: [Int]
  var isView = false
  /// For a view that was taken in `withoutGrad`, the version of the cells at that time.
  var unrecordedVersion: Int?
  /// Whether the original of such a view requires gradients.
  var isUnrecordedViewOfGraph = false

  var shape: TensorShape { tensor.shape }
  var values: [Double] { places.map { cells.values[$0] } }
  var requiresGrad: Bool { unrecordedVersion == nil && history.requiresGrad }
  func tangents(_ count: Int) -> [[Double]] {
    requiresGrad
      ? places.map { history.tangents[$0] }
      : places.map { _ in [Double](repeating: 0, count: count) }
  }
  /// Whether it shows new elements without their history.
  var isStale: Bool { unrecordedVersion.map { $0 != cells.graphVersion } ?? false }
  var repeatsElements: Bool { Set(places).count < places.count }
}

/// SplitMix64.
private struct Generator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

private struct Program {
  private var random: Generator
  private let leaves: [Tensor]
  private var variables: [Variable]
  private let directions: Int
  private(set) var log: [String] = []
  private(set) var changes = 0
  private(set) var refusals = 0

  init(seed: UInt64) {
    random = Generator(state: seed)
    let shapes: [TensorShape] = [[2, 3], [3, 2], [4]]
    let directions = shapes.reduce(0) { $0 + $1.elementCount }
    self.directions = directions
    var (leaves, first) = ([Tensor](), 0)
    var variables: [Variable] = []
    for shape in shapes {
      var values: [Double] = []
      for _ in 0..<shape.elementCount { values.append(.random(in: -1...1, using: &random)) }
      let leaf = Tensor.of(values, shape: shape)
      leaf.requiresGrad = true
      leaves.append(leaf)
      let start = first
      let tangents = values.indices.map { index in
        (0..<directions).map { $0 == start + index ? 1.0 : 0 }
      }
      first += shape.elementCount
      variables.append(
        Variable(
          tensor: leaf, cells: Cells(values), history: History(tangents, requiresGrad: true),
          places: Array(values.indices)))
    }
    (self.leaves, self.variables) = (leaves, variables)
    for shape in shapes {
      var values: [Double] = []
      for _ in 0..<shape.elementCount { values.append(.random(in: -1...1, using: &random)) }
      add("constant", Tensor.of(values, shape: shape), values, zeros(values.count))
    }
  }

  private func zeros(_ count: Int) -> [[Double]] {
    [[Double]](repeating: [Double](repeating: 0, count: directions), count: count)
  }

  /// Adds a fresh tensor.
  private mutating func add(
    _ name: String, _ tensor: Tensor, _ values: [Double], _ tangents: [[Double]]
  ) {
    log.append("\(variables.count) = \(name) \(tensor.shape)")
    variables.append(
      Variable(
        tensor: tensor, cells: Cells(values),
        history: History(tangents, requiresGrad: tensor.requiresGrad),
        places: Array(values.indices)))
  }

  private mutating func pick() -> Int { Int.random(in: variables.indices, using: &random) }

  mutating func step() {
    let isRecording = Int.random(in: 0..<5, using: &random) > 0
    if isRecording { return act(true) }
    log.append("withoutGrad:")
    withoutGrad { act(false) }
  }

  private mutating func act(_ isRecording: Bool) {
    let index = pick()
    let x = variables[index]
    if isRecording && x.isStale { return refusals += 1 }
    switch Int.random(in: 0..<10, using: &random) {
    case 0...3: takeView(index, isRecording)
    case 4, 5: compute(index, isRecording)
    default: change(index, isRecording)
    }
  }

  // MARK: Views

  private mutating func takeView(_ index: Int, _ isRecording: Bool) {
    let x = variables[index]
    // The same view of a tensor of positions shows which cells it has.
    let positions = Tensor.of(x.places.map(Double.init), shape: x.shape)
    let choice = Int.random(in: 0..<7, using: &random)
    let axis = x.shape.count == 0 ? 0 : Int.random(in: 0..<x.shape.count, using: &random)
    let size = x.shape.count == 0 ? 0 : x.shape[axis]
    let start = size == 0 ? 0 : Int.random(in: 0..<size, using: &random)
    let end = Int.random(in: start...size, using: &random)
    let step = Int.random(in: 1...2, using: &random)
    func view(_ t: Tensor) -> Tensor? {
      switch choice {
      case 0 where x.shape.count > 1: t.transposed()
      case 1 where size > 0: t.sliced(start..<end, axis: axis, step: step)
      case 2 where size > 0: t.selected(start, axis: axis)
      case 3 where x.shape.count < 3: t.unsqueezed(axis: axis)
      case 4 where size == 1: t.expanded(to: x.shape.removing(axis).inserting(3, at: axis))
      case 5: t.reshaped(to: [-1])
      case 6: t.detached()
      default: nil
      }
    }
    if choice == 5 && x.tensor.count == 0 { return }
    guard let tensor = view(x.tensor), let cells = withoutGrad({ view(positions) }) else { return }
    log.append("\(variables.count) = view \(choice) of \(index) \(tensor.shape)")
    if choice == 5, tensor.storage !== x.tensor.storage {
      return add("copy of \(index)", tensor, x.values, x.tangents(directions))
    }
    let isDetached = choice == 6
    var result = Variable(
      tensor: tensor, cells: x.cells,
      history: isDetached
        ? History(zeros(x.cells.values.count), requiresGrad: false) : x.history,
      places: cells.doubles().map { Int($0) })
    result.isView = !isDetached
    if !isDetached, !isRecording || x.unrecordedVersion != nil {
      result.unrecordedVersion = x.unrecordedVersion ?? x.cells.graphVersion
      result.isUnrecordedViewOfGraph = x.isUnrecordedViewOfGraph || x.requiresGrad
    }
    variables.append(result)
  }

  // MARK: New tensors

  private mutating func compute(_ index: Int, _ isRecording: Bool) {
    let x = variables[index]
    let (values, tangents) = (x.values, x.tangents(directions))
    let factor = Double.random(in: -1...1, using: &random)
    func combined(
      _ y: Variable, _ a: (Double, Double) -> Double, _ b: (Double, Double) -> Double
    ) -> [[Double]] {
      let others = (y.values, y.tangents(directions))
      return values.indices.map { i in
        (0..<directions).map { d in
          a(values[i], others.0[i]) * tangents[i][d] + b(values[i], others.0[i]) * others.1[i][d]
        }
      }
    }
    switch Int.random(in: 0..<7, using: &random) {
    case 0:
      add(
        "\(factor) * \(index)", x.tensor * factor, values.map { $0 * factor },
        tangents.map { $0.map { $0 * factor } })
    case 1:
      if isRecording && x.requiresGrad { x.cells.isSaved = true }
      add(
        "sin \(index)", x.tensor.sin(), values.map(sin),
        zip(values, tangents).map { value, tangent in tangent.map { $0 * cos(value) } })
    case 2: add("copy \(index)", x.tensor.copy(), values, tangents)
    case 3 where x.shape.count > 0 && x.shape[0] > 0:
      let width = x.places.count / x.shape[0]
      let rows = (0..<3).map { _ in Int.random(in: 0..<x.shape[0], using: &random) }
      let places = rows.flatMap { row in (0..<width).map { row * width + $0 } }
      add(
        "rows of \(index)", x.tensor.indexSelected(Tensor(rows.map { Int32($0) })),
        places.map { values[$0] }, places.map { tangents[$0] })
    case 4 where x.shape.count > 0:
      let sum = x.tensor.sum(axes: [0])
      let width = sum.count
      add(
        "sum \(index)", sum,
        (0..<width).map { c in
          stride(from: c, to: values.count, by: width).reduce(0) { $0 + values[$1] }
        },
        (0..<width).map { c in
          (0..<directions).map { d in
            stride(from: c, to: values.count, by: width).reduce(0) { $0 + tangents[$1][d] }
          }
        })
    default:
      let other = pick()
      let y = variables[other]
      guard y.shape == x.shape else { return }
      if isRecording && y.isStale { return refusals += 1 }
      if Bool.random(using: &random) {
        add(
          "\(index) - \(other)", x.tensor - y.tensor, zip(values, y.values).map { $0 - $1 },
          combined(y, { _, _ in 1 }, { _, _ in -1 }))
      } else if (values + y.values).allSatisfy({ abs($0) < 100 }) {
        if isRecording && x.requiresGrad { y.cells.isSaved = true }
        if isRecording && y.requiresGrad { x.cells.isSaved = true }
        add(
          "\(index) * \(other)", x.tensor * y.tensor, zip(values, y.values).map { $0 * $1 },
          combined(y, { _, b in b }, { a, _ in a }))
      }
    }
  }

  // MARK: In-place changes

  private mutating func change(_ index: Int, _ isRecording: Bool) {
    let x = variables[index]
    let other = pick()
    let y = variables[other]
    guard !x.cells.isSaved, !(isRecording && y.isStale) else { return refusals += 1 }
    // The rows of `y`, if it broadcasts to `x`.
    guard y.places.count > 0, x.shape.suffix(y.shape.count).elementsEqual(y.shape) else { return }
    let type: DataType = [.float64, .float64, .float32, .int32].randomElement(using: &random)!
    let kind = Int.random(in: 0..<4, using: &random)
    let isOfLeaf = leaves.contains { $0.storage === x.tensor.storage } && x.requiresGrad
    let isRecorded =
      isRecording
      && (x.requiresGrad || x.isUnrecordedViewOfGraph
        || (kind < 3 && y.requiresGrad && !(kind == 2 && type == .int32)))
    if x.repeatsElements || (isRecording && isOfLeaf)
      || (isRecorded && x.unrecordedVersion != nil)
    {
      return refusals += 1
    }
    let (old, oldTangents) = (x.values, x.tangents(directions))
    let (new, newTangents) = (y.values, y.tangents(directions))
    let count = new.count
    var (values, tangents) = (old, oldTangents)
    let scale = Double.random(in: -1...1, using: &random)
    switch kind {
    case 0:
      x.tensor.add_(y.tensor, scale: scale)
      for i in old.indices {
        values[i] += scale * new[i % count]
        for d in 0..<directions { tangents[i][d] += scale * newTangents[i % count][d] }
      }
    case 1:
      guard (old + new).allSatisfy({ abs($0) < 100 }) else { return }
      // Backward needs the other factor, which must not be overwritten now or later.
      if isRecording && x.requiresGrad {
        if y.cells === x.cells { return refusals += 1 }
        y.cells.isSaved = true
      }
      x.tensor.mul_(y.tensor)
      for i in old.indices {
        values[i] *= new[i % count]
        for d in 0..<directions {
          tangents[i][d] = oldTangents[i][d] * new[i % count] + old[i] * newTangents[i % count][d]
        }
      }
    case 2:
      x.tensor.copy_(y.tensor.converted(to: type))
      for i in old.indices {
        let value = new[i % count]
        values[i] =
          switch type {
          case .float64: value
          case .float32: Double(Float(value))
          case .int32: value.rounded(.towardZero)
          case .bfloat16, .int64, .bool: fatalError("not drawn")
          }
        tangents[i] = type == .int32 ? zeros(1)[0] : newTangents[i % count]
      }
    default:
      x.tensor.fill_(scale)
      values = values.map { _ in scale }
      tangents = zeros(values.count)
    }
    log.append("\(index) changed by \(kind) with \(other) as \(type)")
    changes += 1
    for (i, place) in x.places.enumerated() {
      x.cells.values[place] = values[i]
      // Outside the graph the elements change and the history stays.
      if isRecorded { x.history.tangents[place] = tangents[i] }
    }
    if isRecorded {
      x.cells.graphVersion += 1
      x.history.requiresGrad = true
    }
  }

  // MARK: Comparison

  /// What is wrong with the values now; nil if nothing is.
  func wrongValue() -> String? {
    for (index, variable) in variables.enumerated() {
      for (found, expected) in zip(variable.tensor.doubles(), variable.values)
      where abs(found - expected) > 1e-9 * max(1, abs(expected)) {
        return "\(index) holds \(found) and not \(expected)"
      }
    }
    return nil
  }

  /// What is wrong with the gradients of a weighted sum of everything; nil if nothing is.
  mutating func wrongGradient() -> String? {
    var expected = [Double](repeating: 0, count: directions)
    var loss = Tensor(0.0 as Double)
    for variable in variables where !variable.isStale && variable.tensor.count > 0 {
      let weight = Double.random(in: -1...1, using: &random)
      loss = loss + (variable.tensor * weight).sum()
      for tangent in variable.tangents(directions) {
        for d in 0..<directions { expected[d] += weight * tangent[d] }
      }
    }
    if loss.requiresGrad { loss.backward() }
    let found = leaves.flatMap { $0.grad?.doubles() ?? [Double](repeating: 0, count: $0.count) }
    let scale = max(1, expected.map(abs).max()!)
    // Some gradients pass through float32.
    for d in 0..<directions where abs(found[d] - expected[d]) > 1e-5 * scale {
      return "the derivative \(d) is \(found[d]) and not \(expected[d])"
    }
    return nil
  }
}

@Suite("Random programs")
struct RandomProgramTests {
  @Test("views and in-place changes give the values and gradients of memory cells")
  func programs() {
    var (changes, refusals) = (0, 0)
    for seed in 0..<600 as Range<UInt64> {
      var program = Program(seed: seed)
      for _ in 0..<40 {
        program.step()
        if let wrong = program.wrongValue() {
          Issue.record("seed \(seed): \(wrong)\n\(program.log.joined(separator: "\n"))")
          return
        }
      }
      if let wrong = program.wrongGradient() {
        Issue.record("seed \(seed): \(wrong)\n\(program.log.joined(separator: "\n"))")
        return
      }
      changes += program.changes
      refusals += program.refusals
    }
    // The programs do what they are for.
    #expect(changes > 1000 && refusals > 100, "\(changes) changes, \(refusals) refusals")
  }
}
