internal import CKernels

// Recurrent layers: all steps are one operation, whose gradient of the weight is one product.

/// The kind of a recurrent layer, with PyTorch's formulas and order of gates.
public enum RecurrentCell: Sendable {
  /// h = tanh(x + W h + b), a plain layer (Elman, 1990).
  case tanh
  /// The same with max(0, x) for tanh.
  case relu
  /// Gates input, forget, cell and output (Hochreiter and Schmidhuber, 1997; Gers et al., 2000).
  case lstm
  /// Gates reset, update and new (Cho et al., 2014).
  case gru

  /// The number of gates, for each of which a weight has a row for each unit.
  public var gates: Int {
    switch self {
    case .tanh, .relu: 1
    case .lstm: 4
    case .gru: 3
    }
  }

  /// The number of states: 2 for an LSTM, whose second one is that of its cells.
  public var states: Int { self == .lstm ? 2 : 1 }

  /// The values of a step that backward needs, in units.
  var savedGates: Int {
    switch self {
    case .tanh, .relu: 0
    case .lstm, .gru: 4
    }
  }
}

extension Tensor {
  /// The states `[states, T, N, units]` of a recurrent layer after each step, from the contributions of its
  /// inputs to the gates, this tensor `[T, N, gates units]`.
  ///
  /// With x of a step and s = W h + b of the state h before it:
  ///
  ///     tanh, relu  h = f(x + s)
  ///     lstm        i, f, o = sigmoid(x + s); g = tanh(x + s); c = f c + i g; h = o tanh(c)
  ///     gru         r, z = sigmoid(x + s); n = tanh(x + r s); h = (1 - z) n + z h
  ///
  /// A sequence shorter than T keeps its state after its end; from the last step to the first, before it. The
  /// gradient is that of these formulas, by backpropagation through time.
  ///
  /// - Parameters:
  ///   - cell: The formulas.
  ///   - weight: The weight of the state, `[gates units, units]`.
  ///   - bias: The bias of the state, `[gates units]`.
  ///   - initial: The states `[N, units]` before the first step: h, and for an LSTM c.
  ///   - lengths: The number of steps of each sequence; all have T if nil.
  ///   - reversed: Whether steps go from the last to the first.
  public final func recurrentStates(
    _ cell: RecurrentCell, weight: Tensor, bias: Tensor? = nil, initial: [Tensor],
    lengths: [Int]? = nil, reversed: Bool = false
  ) -> Tensor {
    checkRecurrent(cell, weight, bias, initial, lengths)
    let operands = [self, weight] + (bias.map { [$0] } ?? []) + initial
    if operands.contains(where: { $0.dataType == .bfloat16 }) {
      return widened.recurrentStates(
        cell, weight: weight.widened, bias: bias?.widened, initial: initial.map(\.widened),
        lengths: lengths, reversed: reversed
      ).converted(to: weight.dataType)
    }
    let shape = shape
    let layer = RecurrentLayer(
      cell, steps: shape[0], rows: shape[1], units: weight.shape[1], lengths: lengths,
      reversed: reversed)
    let y = Tensor(uninitialized: layer.resultShape, dataType)
    let isSaving = isGradientEnabled && operands.contains(where: \.requiresGrad)
    let gates = withoutGrad {
      layer.run(
        y, contiguousUnrecorded().detached(), weight.detached(), bias?.detached(),
        initial.map { $0.contiguousUnrecorded().detached() }, savesGates: isSaving)
    }
    let savedInputs = Saved(self, by: "Recurrent")
    let savedWeight = Saved(weight, by: "Recurrent")
    let savedBias = bias.map { Saved($0, by: "Recurrent") }
    let savedStates = initial.map { Saved($0, by: "Recurrent") }
    let hasBias = bias != nil
    return y.recorded(
      "Recurrent", fromAll: operands,
      withResult: { dy, y in
        let before = savedStates.map { $0() }
        let gradients = fused {
          layer.gradients(dy, y, gates, savedWeight(), before)
        } composed: {
          layer.composedGradients(
            dy, y, savedInputs(), savedWeight(), savedBias.map { $0() }, before)
        }
        let bias = hasBias ? [gradients.state.sum(axes: [0, 1])] : []
        return [gradients.input, gradients.weight] + bias + gradients.initial
      })
  }

  private func checkRecurrent(
    _ cell: RecurrentCell, _ weight: Tensor, _ bias: Tensor?, _ initial: [Tensor], _ lengths: [Int]?
  ) {
    let name: StaticString = "recurrentStates"
    require(
      shape.count == 3 && weight.shape.count == 2 && shape[2] == weight.shape[0]
        && weight.shape[0] == cell.gates * weight.shape[1]
        && (bias == nil || bias!.shape == [shape[2]]),
      "\(name): inputs [T, N, \(cell.gates) units] and a weight [\(cell.gates) units, units] are needed, not \(shape) and \(weight.shape)"
    )
    require(
      initial.count == cell.states
        && initial.allSatisfy { $0.shape == [shape[1], weight.shape[1]] },
      "\(name): \(cell.states) initial states \([shape[1], weight.shape[1]]) are needed, not \(initial.map(\.shape))"
    )
    require(
      lengths == nil
        || lengths!.count == shape[1] && lengths!.allSatisfy { 0...shape[0] ~= $0 },
      "\(name): \(shape[1]) lengths of at most \(shape[0]) are needed, not \(lengths ?? [])")
    requireFloatingPoint(name, self, weight, bias)
    for state in initial { requireFloatingPoint(name, self, state) }
  }
}

/// The gradients of a recurrent layer.
private struct RecurrentGradients {
  /// That of the contributions of the inputs, `[T, N, gates units]`.
  var input: Tensor
  /// That of the contributions of the states, which differs from it in a GRU.
  var state: Tensor
  /// That of the weight of the state.
  var weight: Tensor
  /// Those of the initial states.
  var initial: [Tensor]
}

/// The sizes of a recurrent layer, and the order of its steps.
private struct RecurrentLayer {
  let cell: RecurrentCell
  let steps: Int
  let rows: Int
  let units: Int
  let lengths: Tensor?
  let reversed: Bool

  init(
    _ cell: RecurrentCell, steps: Int, rows: Int, units: Int, lengths: [Int]?, reversed: Bool
  ) {
    (self.cell, self.steps, self.rows, self.units) = (cell, steps, rows, units)
    self.lengths = lengths.map { Tensor($0.map { Int32($0) }) }
    self.reversed = reversed
  }

  var resultShape: TensorShape { [cell.states, steps, rows, units] }
  var width: Int { cell.gates * units }

  /// The steps in the order of computation, each with the one before it.
  var order: [(time: Int, before: Int?)] {
    let times = reversed ? Array((0..<steps).reversed()) : Array(0..<steps)
    return times.indices.map { (times[$0], $0 == 0 ? nil : times[$0 - 1]) }
  }

  /// The part of a contiguous `[..., rows, columns]` at an index, as a matrix outside the graph.
  func matrix(_ x: Tensor, _ index: Int, _ columns: Int) -> Tensor {
    x.view([rows, columns], [columns, 1], x.offset + index * rows * columns, true)
  }

  /// State `part` after the step at `time`, or the initial one.
  func state(_ y: Tensor, _ part: Int, _ time: Int?, _ initial: [Tensor]) -> Tensor {
    time.map { matrix(y, part * steps + $0, units) } ?? initial[part]
  }

  // MARK: Forward

  /// Computes all states, and returns the gates if they are to be saved.
  func run(
    _ y: Tensor, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ initial: [Tensor],
    savesGates: Bool
  ) -> Tensor {
    let type = y.dataType.kernelType
    let s = Tensor(uninitialized: [rows, width], y.dataType)
    // Without backward, each step overwrites the gates of the one before.
    let gates = Tensor(
      uninitialized: [savesGates ? steps : 1, rows, cell.savedGates * units], y.dataType)
    let transposed = weight.transposed()
    let lengths = lengths?.pointer(Int32.self)
    for (time, before) in order {
      let h = state(y, 0, time, initial)
      let hBefore = state(y, 0, before, initial)
      Products.multiply(into: s, hBefore, transposed, adds: false, bias: bias)
      let input = matrix(x, time, width)
      let saved = matrix(gates, savesGates ? time : 0, cell.savedGates * units)
      switch cell {
      case .tanh, .relu:
        ck_rnn_step(
          type, h.bytes, input.bytes, s.bytes, hBefore.bytes, lengths, time, rows, units,
          cell == .relu)
      case .lstm:
        ck_lstm_step(
          type, h.bytes, state(y, 1, time, initial).bytes, saved.bytes, input.bytes, s.bytes,
          hBefore.bytes, state(y, 1, before, initial).bytes, lengths, time, rows, units)
      case .gru:
        ck_gru_step(
          type, h.bytes, saved.bytes, input.bytes, s.bytes, hBefore.bytes, lengths, time, rows,
          units)
      }
    }
    return gates
  }

  // MARK: Backward

  /// The gradients by the fused kernels.
  func gradients(
    _ dy: Tensor, _ y: Tensor, _ gates: Tensor, _ weight: Tensor, _ initial: [Tensor]
  ) -> RecurrentGradients {
    let type = y.dataType.kernelType
    let (dy, y, weight) = (dy.contiguousUnrecorded(), y.detached(), weight.detached())
    let initial = initial.map { $0.contiguousUnrecorded().detached() }
    let dx = Tensor(uninitialized: [steps, rows, width], y.dataType)
    let ds = cell == .gru ? Tensor(uninitialized: dx.shape, y.dataType) : dx
    let carried = (0..<cell.states).map { _ in Tensor.zeros([rows, units], y.dataType) }
    let dh = carried[0]
    let lengths = lengths?.pointer(Int32.self)
    for (time, before) in order.reversed() {
      let hBefore = state(y, 0, before, initial)
      let dInput = matrix(dx, time, width)
      let dyH = matrix(dy, time, units)
      let saved = matrix(gates, time, cell.savedGates * units)
      switch cell {
      case .tanh, .relu:
        ck_rnn_step_backward(
          type, dInput.bytes, dh.bytes, dyH.bytes, state(y, 0, time, initial).bytes, lengths, time,
          rows, units, cell == .relu)
      case .lstm:
        ck_lstm_step_backward(
          type, dInput.bytes, dh.bytes, carried[1].bytes, dyH.bytes,
          matrix(dy, steps + time, units).bytes, saved.bytes, state(y, 1, time, initial).bytes,
          state(y, 1, before, initial).bytes, lengths, time, rows, units)
      case .gru:
        ck_gru_step_backward(
          type, dInput.bytes, matrix(ds, time, width).bytes, dh.bytes, dyH.bytes, saved.bytes,
          hBefore.bytes, lengths, time, rows, units)
      }
      Products.multiply(into: dh, matrix(ds, time, width), weight, adds: true)
    }
    return RecurrentGradients(
      input: dx, state: ds, weight: weightGradient(ds, y, initial[0]), initial: carried)
  }

  /// The sum over the steps of dsᵀ h, where h is the state before a step.
  private func weightGradient(_ ds: Tensor, _ y: Tensor, _ initial: Tensor) -> Tensor {
    let dw = Tensor(uninitialized: [width, units], ds.dataType)
    let first = reversed ? steps - 1 : 0
    Products.multiply(into: dw, matrix(ds, first, width).transposed(), initial, adds: false)
    guard steps > 1 else { return dw }
    // All other steps in one product: the states before them are adjacent.
    func rest(_ x: Tensor, from step: Int, _ columns: Int) -> Tensor {
      x.view(
        [(steps - 1) * rows, columns], [columns, 1], x.offset + step * rows * columns, true)
    }
    let later = rest(ds, from: reversed ? 0 : 1, width)
    Products.multiply(
      into: dw, later.transposed(), rest(y, from: reversed ? 1 : 0, units), adds: true)
    return dw
  }

  /// The same composed of tensor operations, to be differentiated again.
  func composedGradients(
    _ dy: Tensor, _ y: Tensor, _ x: Tensor, _ weight: Tensor, _ bias: Tensor?, _ initial: [Tensor]
  ) -> RecurrentGradients {
    func state(_ part: Int, _ time: Int?) -> Tensor {
      time.map { y.selected(part).selected($0) } ?? initial[part]
    }
    var carried = (0..<cell.states).map { _ in Tensor.zeros([rows, units], dy.dataType) }
    var dx = [Tensor?](repeating: nil, count: steps)
    var ds = dx
    var dw = Tensor.zeros(weight.shape, dy.dataType)
    for (time, before) in order.reversed() {
      let hBefore = state(0, before)
      let total = carried.indices.map { carried[$0] + dy.selected($0).selected(time) }
      let s = hBefore.linear(weight: weight, bias: bias)
      var step = stepGradients(total, x.selected(time), s, time, before, state)
      if let isActive = isActive(time, dy.dataType) {
        step.input = step.input * isActive
        step.state = step.state * isActive
        step.before = zip(step.before, total).map { $0 * isActive + $1 * (1 - isActive) }
      }
      (dx[time], ds[time]) = (step.input, step.state)
      dw = dw + step.state.transposed().matmul(hBefore)
      carried = step.before
      carried[0] = carried[0] + step.state.matmul(weight)
    }
    return RecurrentGradients(
      input: .stacked(dx.map { $0! }), state: .stacked(ds.map { $0! }), weight: dw,
      initial: carried)
  }

  /// 1 for the rows whose sequence has not ended, else 0; nil if all have the same length.
  private func isActive(_ time: Int, _ dataType: DataType) -> Tensor? {
    guard let lengths else { return nil }
    return withoutGrad {
      (lengths .> Double(time)).converted(to: dataType).unsqueezed(axis: 1)
    }
  }

  /// The gradients of one step for the gradients `dy` of its states: of the input's and the state's
  /// contribution to the gates, and of the states before by other ways.
  private func stepGradients(
    _ dy: [Tensor], _ x: Tensor, _ s: Tensor, _ time: Int, _ before: Int?,
    _ state: (Int, Int?) -> Tensor
  ) -> (input: Tensor, state: Tensor, before: [Tensor]) {
    let zeros = Tensor.zeros([rows, units], x.dataType)
    switch cell {
    case .tanh:
      let h = state(0, time)
      let dx = dy[0] * (1 - h * h)
      return (dx, dx, [zeros])
    case .relu:
      let dx = dy[0] * state(0, time).sign()
      return (dx, dx, [zeros])
    case .lstm:
      let parts = (x + s).split(units, axis: 1)
      let (i, f, o) = (parts[0].sigmoid(), parts[1].sigmoid(), parts[3].sigmoid())
      let (g, squashed) = (parts[2].tanh(), state(1, time).tanh())
      let dc = dy[1] + dy[0] * o * (1 - squashed * squashed)
      let dx = Tensor.concatenated(
        [
          dc * g * i * (1 - i), dc * state(1, before) * f * (1 - f), dc * i * (1 - g * g),
          dy[0] * squashed * o * (1 - o),
        ], axis: 1)
      return (dx, dx, [zeros, dc * f])
    case .gru:
      let (xs, ss) = (x.split(units, axis: 1), s.split(units, axis: 1))
      let (r, z) = ((xs[0] + ss[0]).sigmoid(), (xs[1] + ss[1]).sigmoid())
      let n = (xs[2] + r * ss[2]).tanh()
      let dn = dy[0] * (1 - z) * (1 - n * n)
      let dr = dn * ss[2] * r * (1 - r)
      let dz = dy[0] * (state(0, before) - n) * z * (1 - z)
      return (
        .concatenated([dr, dz, dn], axis: 1), .concatenated([dr, dz, dn * r], axis: 1), [dy[0] * z]
      )
    }
  }
}
