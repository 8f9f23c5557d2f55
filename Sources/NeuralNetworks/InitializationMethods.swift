import Foundation
public import TensorCore

/// The function that follows a layer, for which its initial weights are scaled: PyTorch's
/// `nn.init.calculate_gain`.
public enum Nonlinearity: Sendable {
  /// None.
  case linear
  /// The logistic function.
  case sigmoid
  /// The hyperbolic tangent.
  case tanh
  /// The rectifier.
  case relu
  /// The rectifier with a slope for negative numbers.
  case leakyReLU(slope: Double = 0.01)
  /// The scaled exponential linear unit.
  case selu

  /// The factor by which weights are larger than for no function.
  public var gain: Double {
    switch self {
    case .linear, .sigmoid: 1
    case .tanh: 5.0 / 3
    case .relu: 2.0.squareRoot()
    case .leakyReLU(let slope): (2 / (1 + slope * slope)).squareRoot()
    case .selu: 0.75
    }
  }
}

/// Which size keeps the variance of activations, or of gradients.
public enum FanMode: Sendable {
  /// The inputs of each output: the variance stays in the forward pass.
  case fanIn
  /// The outputs of each input: the variance stays in the backward pass.
  case fanOut
}

// The methods of PyTorch's `nn.init`, as values for `assign`:
//
//     layer.weight.assign(Initializer.xavierUniform(layer.weight.shape))
extension Initializer {
  /// The inputs of each output and the outputs of each input of a weight `[outputs, inputs, ...]`.
  private static func fans(_ shape: TensorShape, _ name: String) -> (fanIn: Int, fanOut: Int) {
    require(
      shape.count >= 2, "\(name): a weight [outputs, inputs, ...] is needed, not \(shape)")
    let window = shape.dropFirst(2).reduce(1, *)
    return (shape[1] * window, shape[0] * window)
  }

  /// Uniform in ±gain √(6 / (fanIn + fanOut)) (Glorot and Bengio, 2010).
  public static func xavierUniform(_ shape: TensorShape, gain: Double = 1) -> Tensor {
    let (fanIn, fanOut) = fans(shape, "xavierUniform")
    return uniform(shape, bound: gain * (6 / Double(max(fanIn + fanOut, 1))).squareRoot())
  }

  /// Normal with the standard deviation gain √(2 / (fanIn + fanOut)) (Glorot and Bengio, 2010).
  public static func xavierNormal(_ shape: TensorShape, gain: Double = 1) -> Tensor {
    let (fanIn, fanOut) = fans(shape, "xavierNormal")
    return normal(shape, std: gain * (2 / Double(max(fanIn + fanOut, 1))).squareRoot())
  }

  /// Uniform in ±gain √(3 / fan) (He et al., 2015).
  ///
  /// PyTorch's default is leakyReLU with slope 0, the gain of `relu`.
  public static func kaimingUniform(
    _ shape: TensorShape, mode: FanMode = .fanIn, nonlinearity: Nonlinearity = .relu
  ) -> Tensor {
    let fan = fan(shape, mode, "kaimingUniform")
    return uniform(shape, bound: nonlinearity.gain * (3 / fan).squareRoot())
  }

  /// Normal with the standard deviation gain / √fan (He et al., 2015).
  public static func kaimingNormal(
    _ shape: TensorShape, mode: FanMode = .fanIn, nonlinearity: Nonlinearity = .relu
  ) -> Tensor {
    let fan = fan(shape, mode, "kaimingNormal")
    return normal(shape, std: nonlinearity.gain / fan.squareRoot())
  }

  private static func fan(_ shape: TensorShape, _ mode: FanMode, _ name: String) -> Double {
    let (fanIn, fanOut) = fans(shape, name)
    return Double(max(mode == .fanIn ? fanIn : fanOut, 1))
  }

  /// Normal with a mean and a standard deviation, drawn again where outside of `range`.
  ///
  /// The numbers are found by the inverse of the distribution function, not by trial.
  public static func truncatedNormal(
    _ shape: TensorShape, mean: Double = 0, std: Double = 1, in range: ClosedRange<Double> = -2...2
  ) -> Tensor {
    require(std > 0, "truncatedNormal: the standard deviation is \(std)")
    let uniform = uniform(shape, bound: 1)
    if ShapesOnly.current != nil { return uniform }
    func probability(_ x: Double) -> Double {
      0.5 * erfc(-(x - mean) / (std * 2.0.squareRoot()))
    }
    let (low, high) = (probability(range.lowerBound), probability(range.upperBound))
    let values = uniform.array(of: Float.self).map { u -> Float in
      let p = low + (high - low) * (Double(u) + 1) / 2
      let x = mean + std * normalQuantile(p)
      return Float(min(max(x, range.lowerBound), range.upperBound))
    }
    return .of(values, shape: shape)
  }

  /// Every element the same number.
  public static func constant(_ shape: TensorShape, _ value: Double) -> Tensor {
    ShapesOnly.current?.tensor(shape) ?? .full(shape, value)
  }

  /// A weight `[outputs, inputs]` that passes its inputs on: ones on the diagonal.
  public static func identity(_ shape: TensorShape) -> Tensor {
    require(shape.count == 2, "identity: a weight [outputs, inputs] is needed, not \(shape)")
    return placed(shape, [])
  }

  /// A weight of a convolution `[outputs, inputs, ...]` that passes its channels on: ones in the middle of
  /// the windows of equal channels, PyTorch's `dirac_`.
  public static func dirac(_ shape: TensorShape) -> Tensor {
    require(
      3...5 ~= shape.count, "dirac: a weight [outputs, inputs, ...] is needed, not \(shape)")
    return placed(shape, shape.dropFirst(2).map { $0 / 2 })
  }

  /// Zeros with a one for each channel at a place in the window.
  private static func placed(_ shape: TensorShape, _ place: [Int]) -> Tensor {
    if let shapes = ShapesOnly.current { return shapes.tensor(shape) }
    var values = [Float](repeating: 0, count: shape.elementCount)
    let window = Array(shape.dropFirst(2))
    let offset = zip(place, window).reduce(0) { $0 * $1.1 + $1.0 }
    for channel in 0..<min(shape[0], shape[1]) {
      values[channel * (shape[1] + 1) * window.reduce(1, *) + offset] = 1
    }
    return .of(values, shape: shape)
  }

  /// Orthonormal rows, or columns if there are fewer of them, times `gain` (Saxe et al., 2013); a weight
  /// with more than two axes is seen as `[outputs, rest]`.
  ///
  /// The matrix is the Q of a normally distributed one, so that all directions are equally likely.
  public static func orthogonal(_ shape: TensorShape, gain: Double = 1) -> Tensor {
    require(shape.count >= 2, "orthogonal: a weight [outputs, inputs, ...] is needed, not \(shape)")
    let drawn = normal(shape, std: 1)
    if ShapesOnly.current != nil { return drawn }
    return withoutGrad {
      let rows = shape[0]
      let columns = shape.elementCount / max(rows, 1)
      var matrix = drawn.reshaped(to: [rows, columns]).converted(to: .float64)
      let isWide = rows <= columns
      if !isWide { matrix = matrix.transposed().contiguous() }
      // Gram and Schmidt's method; once more for each vector, because the first time leaves rounding errors.
      for index in 0..<matrix.shape[0] {
        let vector = matrix[index].unsqueezed(axis: 0).copy()
        if index > 0 {
          let before = matrix[0..<index]
          for _ in 0..<2 {
            let shares = vector.matmul(before.transposed())
            vector.sub_(shares.matmul(before))
          }
        }
        matrix[index].assign((vector / vector.norm()).squeezed(axis: 0))
      }
      return ((isWide ? matrix : matrix.transposed()) * gain).converted(to: .float32)
        .reshaped(to: shape).contiguous()
    }
  }

  /// Normal with a standard deviation, and zeros in a fraction of each column `[outputs]` of a weight
  /// `[outputs, inputs]`, rounded up (Martens, 2010).
  public static func sparse(_ shape: TensorShape, sparsity: Double, std: Double = 0.01) -> Tensor {
    require(
      shape.count == 2 && 0...1 ~= sparsity,
      "sparse: a weight [outputs, inputs] and a fraction in 0...1 are needed, not \(shape) and \(sparsity)"
    )
    let values = normal(shape, std: std)
    let keys = uniform(shape, bound: 1)
    if ShapesOnly.current != nil { return values }
    return withoutGrad {
      let zeros = Int((sparsity * Double(shape[0])).rounded(.up))
      // The rows of the smallest keys of each column.
      let ranks = keys.argsort(axis: 0).argsort(axis: 0)
      return Tensor.where(ranks .< Double(zeros), 0, values)
    }
  }
}

/// The number that a standard normal variable is below with a probability: Acklam's approximation, refined
/// by a step of Halley's method.
private func normalQuantile(_ p: Double) -> Double {
  if p <= 0 { return -.infinity }
  if p >= 1 { return .infinity }
  func polynomial(_ coefficients: [Double], _ x: Double) -> Double {
    coefficients.reduce(0) { $0 * x + $1 }
  }
  let a = [
    -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02,
    -3.066479806614716e+01, 2.506628277459239e+00,
  ]
  let b = [
    -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
    -1.328068155288572e+01, 1,
  ]
  let c = [
    -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00, -2.549732539343734e+00,
    4.374664141464968e+00, 2.938163982698783e+00,
  ]
  let d = [
    7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00, 1,
  ]
  var x: Double
  if min(p, 1 - p) < 0.02425 {
    let q = (-2 * log(min(p, 1 - p))).squareRoot()
    x = polynomial(c, q) / polynomial(d, q)
    if p > 0.5 { x = -x }
  } else {
    let q = p - 0.5
    x = q * polynomial(a, q * q) / polynomial(b, q * q)
  }
  let error = 0.5 * erfc(-x / 2.0.squareRoot()) - p
  let step = error * (2 * Double.pi).squareRoot() * exp(x * x / 2)
  x -= step / (1 + x * step / 2)
  return x
}
