// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CKernels
internal import Glibc

// Random tensors: from a source of one's own with `using:`, else from the thread's; see `randomSource`.

extension Tensor {
  /// Independent random numbers, uniform in `range`, from this thread's source; `torch.rand`.
  public static func uniform(
    _ shape: TensorShape, in range: Range<Double> = 0..<1, _ dataType: DataType = .float32
  ) -> Tensor { uniform(shape, in: range, dataType, using: &randomSource) }

  /// Independent random numbers, uniform in `range`.
  ///
  /// float32 numbers have 24 random bits, float64 ones 53.
  public static func uniform(
    _ shape: TensorShape, in range: Range<Double> = 0..<1, _ dataType: DataType = .float32,
    using random: inout RandomSource
  ) -> Tensor {
    requireFloatingPoint("uniform", dataType)
    let tensor = Tensor(uninitialized: shape, dataType)
    ck_uniform(
      dataType.kernelType, tensor.bytes, tensor.count, random.seed, random.nextStream(), 0,
      range.lowerBound, range.upperBound)
    return tensor
  }

  /// Independent random numbers from a normal distribution, from this thread's source; `torch.randn`.
  public static func normal(
    _ shape: TensorShape, mean: Double = 0, std: Double = 1, _ dataType: DataType = .float32
  ) -> Tensor { normal(shape, mean: mean, std: std, dataType, using: &randomSource) }

  /// Independent random numbers from a normal distribution.
  public static func normal(
    _ shape: TensorShape, mean: Double = 0, std: Double = 1, _ dataType: DataType = .float32,
    using random: inout RandomSource
  ) -> Tensor {
    requireFloatingPoint("normal", dataType)
    let tensor = Tensor(uninitialized: shape, dataType)
    ck_normal(
      dataType.kernelType, tensor.bytes, tensor.count, random.seed, random.nextStream(), 0, mean,
      std)
    return tensor
  }

  /// Independent random whole numbers in `range`, each equally likely, as int32; `torch.randint`.
  public static func randomIntegers(_ shape: TensorShape, in range: Range<Int>) -> Tensor {
    randomIntegers(shape, in: range, using: &randomSource)
  }

  /// Independent random whole numbers in `range`, each equally likely, as int32.
  public static func randomIntegers(
    _ shape: TensorShape, in range: Range<Int>, using random: inout RandomSource
  ) -> Tensor {
    require(!range.isEmpty, "randomIntegers: the range \(range) is empty")
    require(
      range.lowerBound >= Int(Int32.min) && range.upperBound - 1 <= Int(Int32.max),
      "randomIntegers: the range \(range) does not fit into int32")
    let numbers = randomDoubles(shape.elementCount, &random)
    return .of(
      numbers.map { Int32(range.lowerBound + Int($0 * Double(range.count))) }, shape: shape)
  }

  /// The numbers 0, 1, …, `count - 1` in a random order, as int32; `torch.randperm`.
  public static func randomPermutation(_ count: Int) -> Tensor {
    randomPermutation(count, using: &randomSource)
  }

  /// The numbers 0, 1, …, `count - 1` in a random order, as int32.
  public static func randomPermutation(_ count: Int, using random: inout RandomSource) -> Tensor {
    require(
      count >= 0 && count <= Int(Int32.max),
      "randomPermutation: \(count) numbers; int32 counts from 0 to \(Int32.max)")
    var order = (0..<Int32(count)).map { $0 }
    let numbers = randomDoubles(count, &random)
    // Fisher and Yates: each position takes one of those that are left.
    for i in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(i, Int(numbers[i] * Double(i + 1)))
    }
    return Tensor(order)
  }

  /// 1 with the given probability, else 0, independently; `torch.bernoulli`.
  public static func bernoulli(
    _ shape: TensorShape, probability: Double, _ dataType: DataType = .float32
  ) -> Tensor {
    require(
      (0...1).contains(probability), "bernoulli: the probability \(probability) is not in 0...1")
    return bernoulli(full(shape, probability, .float64)).converted(to: dataType)
  }

  /// For each probability, 1 with that probability, else 0, independently; `torch.bernoulli`.
  ///
  /// The result has the type of the probabilities, and no gradient.
  public static func bernoulli(_ probabilities: Tensor) -> Tensor {
    bernoulli(probabilities, using: &randomSource)
  }

  /// For each probability, 1 with that probability, else 0, independently.
  public static func bernoulli(
    _ probabilities: Tensor, using random: inout RandomSource
  ) -> Tensor {
    requireFloatingPoint("bernoulli", probabilities)
    let numbers = randomDoubles(probabilities.count, &random)
    let values = probabilities.doubles()
    require(
      values.allSatisfy { (0...1).contains($0) },
      "bernoulli: a probability of \(probabilities.shape) is not in 0...1")
    let chosen = zip(numbers, values).map { $0 < $1 ? 1.0 : 0 }
    return withoutGrad {
      Tensor.of(chosen, shape: probabilities.shape).converted(to: probabilities.dataType)
    }
  }

  /// Draws `count` indices for each row of weights, from this thread's source; `torch.multinomial`.
  public static func multinomial(
    _ weights: Tensor, count: Int, replacement: Bool = false
  ) -> Tensor {
    multinomial(weights, count: count, replacement: replacement, using: &randomSource)
  }

  /// Draws `count` indices for each row of weights `[N]` or `[R, N]`, with probabilities in proportion to
  /// the weights: int32 `[count]` or `[R, count]`.
  ///
  /// Without replacement, an index is drawn at most once. Index i then has the key -log(u) / weight, and
  /// the smallest keys are drawn (Efraimidis and Spirakis, "Weighted random sampling with a reservoir",
  /// 2006). Traps for weights that are negative or not finite, for a row without weight, and without
  /// replacement for fewer weights above 0 than `count`.
  public static func multinomial(
    _ weights: Tensor, count: Int, replacement: Bool = false, using random: inout RandomSource
  ) -> Tensor {
    require(
      weights.shape.count == 1 || weights.shape.count == 2,
      "multinomial: weights [N] or [R, N] are needed, not \(weights.shape)")
    requireFloatingPoint("multinomial", weights)
    require(count > 0, "multinomial: \(count) draws")
    let size = weights.shape.array.last!
    let rows = weights.shape.count == 1 ? 1 : weights.shape[0]
    let values = weights.doubles()
    require(
      values.allSatisfy { $0 >= 0 && $0.isFinite },
      "multinomial: a weight of \(weights.shape) is negative or not finite")
    let numbers = randomDoubles(rows * (replacement ? count : size), &random)
    var drawn: [Int32] = []
    drawn.reserveCapacity(rows * count)
    for row in 0..<rows {
      let values = values[row * size..<(row + 1) * size]
      let possible = values.indices.filter { values[$0] > 0 }
      require(!possible.isEmpty, "multinomial: the weights of row \(row) are all 0")
      if replacement {
        var sum = 0.0
        let sums = possible.map { index -> Double in
          sum += values[index]
          return sum
        }
        for number in numbers[row * count..<(row + 1) * count] {
          let place = Swift.min(firstIndex(above: number * sum, in: sums), sums.count - 1)
          drawn.append(Int32(possible[place] - values.startIndex))
        }
      } else {
        require(
          possible.count >= count,
          "multinomial: \(count) draws without replacement from \(possible.count) weights above 0")
        let keys = possible.map { (key: -Glibc.log(1 - numbers[$0]) / values[$0], index: $0) }
        drawn += keys.sorted { ($0.key, $0.index) < ($1.key, $1.index) }.prefix(count)
          .map { Int32($0.index - values.startIndex) }
      }
    }
    let shape: TensorShape = weights.shape.count == 1 ? [count] : [rows, count]
    return .of(drawn, shape: shape)
  }

  /// The first of ascending numbers that is above a number; their count if none is.
  private static func firstIndex(above number: Double, in sums: [Double]) -> Int {
    var (low, high) = (0, sums.count)
    while low < high {
      let middle = (low + high) / 2
      if sums[middle] > number { high = middle } else { low = middle + 1 }
    }
    return low
  }

  /// Random numbers in 0..<1 with 53 bits.
  private static func randomDoubles(_ count: Int, _ random: inout RandomSource) -> [Double] {
    uniform([count], .float64, using: &random).doubles()
  }

  /// Overwrites the elements with random numbers, uniform in `range`.
  @discardableResult
  public final func uniform_(in range: Range<Double> = 0..<1) -> Tensor {
    copy_(.uniform(shape, in: range, randomType("uniform_")))
  }

  /// Overwrites the elements with random numbers from a normal distribution.
  @discardableResult
  public final func normal_(mean: Double = 0, std: Double = 1) -> Tensor {
    copy_(.normal(shape, mean: mean, std: std, randomType("normal_")))
  }

  /// Overwrites the elements with 1, with the given probability, or 0.
  @discardableResult
  public final func bernoulli_(_ probability: Double = 0.5) -> Tensor {
    copy_(.bernoulli(shape, probability: probability, randomType("bernoulli_")))
  }

  /// The type in which numbers for this tensor are drawn.
  private func randomType(_ name: StaticString) -> DataType {
    requireFloatingPoint(name, self)
    return dataType == .bfloat16 ? .float32 : dataType
  }
}
