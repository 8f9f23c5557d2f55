internal import CKernels

// Resizing images and signals, PyTorch's torch.nn.functional.interpolate.

/// How elements between others are computed.
public enum InterpolationMode: String, Sendable, CaseIterable {
  /// The element whose cell begins before the place.
  case nearest
  /// The element whose center is nearest.
  case nearestExact
  /// Linear between two neighbors in each axis: PyTorch's `linear`, `bilinear` and `trilinear`.
  case linear
  /// Cubic between four neighbors in each axis.
  case bicubic
  /// The mean of all elements that the place covers.
  case area

  /// `linear`, of images.
  public static let bilinear = linear
  /// `linear`, of volumes.
  public static let trilinear = linear
}

/// For each element of a resized axis, the elements that it is a weighted sum of.
private struct ResamplingTable {
  var indices: [Int32] = []
  var weights: [Double] = []
  let taps: Int
  let inputs: Int
  let outputs: Int

  /// The table for an axis; `scale` is the factor that the size was computed with, if there is one.
  init(
    _ inputs: Int, to outputs: Int, scale: Double?, _ mode: InterpolationMode, alignCorners: Bool,
    _ dataType: DataType
  ) {
    (self.inputs, self.outputs) = (inputs, outputs)
    switch mode {
    case .nearest, .nearestExact: taps = 1
    case .linear: taps = 2
    case .bicubic: taps = 4
    case .area:
      taps =
        (0..<outputs).map { ((($0 + 1) * inputs + outputs - 1) / outputs) - $0 * inputs / outputs }
        .max() ?? 1
    }
    // In the precision that PyTorch computes places with, because some lie exactly between elements.
    if dataType == .float64, mode != .nearest, mode != .nearestExact {
      fill(Double.self, scale, mode, alignCorners)
    } else {
      fill(Float.self, scale, mode, alignCorners)
    }
  }

  private mutating func fill<F: BinaryFloatingPoint>(
    _: F.Type, _ scale: Double?, _ mode: InterpolationMode, _ alignCorners: Bool
  ) {
    let step: F =
      alignCorners
      ? outputs > 1 ? F(inputs - 1) / F(outputs - 1) : 0
      : scale.map { F(1 / $0) } ?? F(inputs) / F(outputs)
    for output in 0..<outputs {
      switch mode {
      case .nearest:
        let place =
          outputs == inputs ? output : outputs == 2 * inputs ? output / 2 : Int(F(output) * step)
        add(place, 1)
      case .nearestExact: add(Int((F(output) + 0.5) * step), 1)
      case .linear:
        let place =
          outputs == inputs
          ? F(output)
          : alignCorners ? step * F(output) : Swift.max(step * (F(output) + 0.5) - 0.5, 0)
        let below = Swift.min(Int(place), inputs - 1)
        let weight = Swift.min(Swift.max(place - F(below), 0), 1)
        add(below, Double(1 - weight))
        add(below + 1, Double(weight))
      case .bicubic:
        let place = alignCorners ? step * F(output) : step * (F(output) + 0.5) - 0.5
        let below = place.rounded(.down)
        for (tap, weight) in Self.cubic(Double(place - below)).enumerated() {
          add(Int(below) + tap - 1, weight)
        }
      case .area:
        let start = output * inputs / outputs
        let end = ((output + 1) * inputs + outputs - 1) / outputs
        for tap in 0..<taps { add(start + tap, start + tap < end ? 1 / Double(end - start) : 0) }
      }
    }
  }

  /// Beyond the ends are the first and the last element.
  private mutating func add(_ index: Int, _ weight: Double) {
    indices.append(Int32(Swift.min(Swift.max(index, 0), inputs - 1)))
    weights.append(weight)
  }

  /// Keys' cubic convolution with a = -0.75, for the four neighbors of a place `t` after the second.
  private static func cubic(_ t: Double) -> [Double] {
    let a = -0.75
    func near(_ x: Double) -> Double { ((a + 2) * x - (a + 3)) * x * x + 1 }
    func far(_ x: Double) -> Double { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return [far(t + 1), near(t), near(1 - t), far(2 - t)]
  }
}

extension Tensor {
  /// Signals `[N, C, L]`, images `[N, C, H, W]` or volumes `[N, C, D, H, W]` resized to `size`,
  /// PyTorch's `interpolate`.
  ///
  /// With `alignCorners`, which is for `linear` and `bicubic`, the centers of the corner elements stay
  /// corners, else the corners of the elements do.
  ///
  ///     images.interpolated(size: [224, 224], mode: .bilinear)
  ///
  /// The gradient of an element is the sum over the elements that it is part of, with their weights.
  public final func interpolated(
    size: [Int], mode: InterpolationMode = .nearest, alignCorners: Bool = false
  ) -> Tensor {
    resized(size, scale: nil, mode, alignCorners)
  }

  /// The same, by a factor; sizes are rounded down.
  public final func interpolated(
    scale: Double, mode: InterpolationMode = .nearest, alignCorners: Bool = false
  ) -> Tensor {
    interpolated(
      scale: [Double](repeating: scale, count: Swift.max(shape.count - 2, 0)), mode: mode,
      alignCorners: alignCorners)
  }

  /// The same, by a factor for each axis.
  public final func interpolated(
    scale: [Double], mode: InterpolationMode = .nearest, alignCorners: Bool = false
  ) -> Tensor {
    require(
      scale.count == shape.count - 2 && scale.allSatisfy { $0 > 0 },
      "interpolated: scale \(scale) for \(shape), [N, C, …]")
    let size = zip(shape.dropFirst(2), scale).map { Int((Double($0) * $1).rounded(.down)) }
    return resized(size, scale: scale, mode, alignCorners)
  }

  private func resized(
    _ size: [Int], scale: [Double]?, _ mode: InterpolationMode, _ alignCorners: Bool
  ) -> Tensor {
    requireFloatingPoint("interpolated", self)
    require(
      (3...5).contains(shape.count) && size.count == shape.count - 2 && size.allSatisfy { $0 > 0 }
        && shape.dropFirst(2).allSatisfy { $0 > 0 },
      "interpolated: \(shape) to size \(size); [N, C, L], [N, C, H, W] or [N, C, D, H, W] is needed"
    )
    require(
      mode != .bicubic || shape.count == 4,
      "interpolated: bicubic is for [N, C, H, W], not \(shape)")
    require(
      !alignCorners || mode == .linear || mode == .bicubic,
      "interpolated: alignCorners is for linear and bicubic, not \(mode.rawValue)")
    var y = widened
    for axis in stride(from: shape.count - 1, through: 2, by: -1) {
      let table = ResamplingTable(
        shape[axis], to: size[axis - 2], scale: scale?[axis - 2], mode, alignCorners: alignCorners,
        y.dataType)
      y = y.resampled(table, axis)
    }
    return y.converted(to: dataType)
  }

  private func resampled(_ table: ResamplingTable, _ axis: Int) -> Tensor {
    let x = contiguousUnrecorded()
    var target = shape
    target[axis] = table.outputs
    let y = Tensor(uninitialized: target, dataType)
    ck_resample(
      dataType.kernelType, y.bytes, x.bytes, table.indices, table.weights,
      shape.prefix(axis).reduce(1, *), table.inputs, table.outputs,
      shape.dropFirst(axis + 1).reduce(1, *), table.taps)
    return y.recorded("Resample", from: self) { dy in [dy.resampledBack(table, axis)] }
  }

  /// The transpose of `resampled`.
  private func resampledBack(_ table: ResamplingTable, _ axis: Int) -> Tensor {
    let dy = contiguousUnrecorded()
    var target = shape
    target[axis] = table.inputs
    let dx = Tensor(uninitialized: target, dataType)
    ck_resample_transposed(
      dataType.kernelType, dx.bytes, dy.bytes, table.indices, table.weights,
      shape.prefix(axis).reduce(1, *), table.inputs, table.outputs,
      shape.dropFirst(axis + 1).reduce(1, *), table.taps)
    return dx.recorded("ResampleBack", from: self) { d in [d.resampled(table, axis)] }
  }
}
