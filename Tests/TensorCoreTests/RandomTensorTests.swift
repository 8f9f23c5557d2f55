import Foundation
import Synchronization
import TensorCore
import Testing

@Suite("Random tensors")
struct RandomTensorTests {
  @Test("a seed gives the same numbers again: tensors, dropout and all others")
  func seeds() {
    func draw() -> [[Double]] {
      [
        Tensor.uniform([5]).doubles(), Tensor.normal([3], std: 2).doubles(),
        Tensor.ones([4, 8]).dropout(0.5).doubles(), Tensor.randomPermutation(9).doubles(),
        Tensor.randomIntegers([7], in: -3..<100).doubles(),
        Tensor.bernoulli([20], probability: 0.5).doubles(),
        Tensor.multinomial(.ones([30]), count: 5).doubles(), Tensor.zeros([4]).normal_().doubles(),
      ]
    }
    let first = withRandomSource(seed: 3, draw)
    #expect(withRandomSource(seed: 3, draw) == first)
    let other = withRandomSource(seed: 4, draw)
    #expect(zip(first, other).allSatisfy { $0 != $1 })
    let twice = withRandomSource(seed: 3) { [draw(), draw()] }
    #expect(twice[0] == first && zip(first, twice[1]).allSatisfy { $0 != $1 })
  }

  @Test("a scope leaves the numbers outside as they are, and its state can be saved")
  func scopes() {
    withRandomSource(seed: 1) {
      let start = randomSource
      let plain = (0..<3).map { _ in Tensor.uniform([2]).doubles() }
      randomSource = start
      let first = Tensor.uniform([2]).doubles()
      _ = withRandomSource(seed: 9) { Tensor.uniform([2]) }
      let saved = randomSource
      #expect([first, Tensor.uniform([2]).doubles()] == Array(plain[..<2]))
      randomSource = saved
      #expect(Tensor.uniform([2]).doubles() == plain[1])
      setRandomSeed(1)
      #expect(Tensor.uniform([2]).doubles() == plain[0])
      var own = RandomSource(seed: 1)
      #expect(Tensor.uniform([2], using: &own).doubles() == plain[0])
    }
  }

  @Test("the state is the same after it was written and read")
  func coding() throws {
    var source = RandomSource(seed: .max)
    _ = Tensor.uniform([1], using: &source)
    let read = try JSONDecoder().decode(RandomSource.self, from: JSONEncoder().encode(source))
    #expect(read == source && read != RandomSource(seed: .max))
  }

  @Test("without a seed, every thread draws other numbers, dropout too, and dropout goes on")
  func unseeded() {
    let found = Mutex<[[Double]]>([])
    for _ in 0..<3 {
      let thread = Thread {
        let masks = (0..<2).map { _ in Tensor.ones([64]).dropout(0.5).doubles() }
        let numbers = Tensor.uniform([4]).doubles()
        found.withLock { $0 += masks + [numbers] }
      }
      thread.start()
      while !thread.isFinished { usleep(1000) }
    }
    #expect(Set(found.withLock { $0 }).count == 9)
  }

  @Test("the samples of a training scope decide dropout, unless a source inside does")
  func training() {
    func mask() -> [Double] { Tensor.ones([2, 64]).dropout(0.5).doubles() }
    let samples = SampleRandomness(seed: 1, epoch: 0, firstSample: 0)
    let first = withRandomSource(seed: 5) { withTraining(samples) { mask() } }
    #expect(withRandomSource(seed: 6) { withTraining(samples) { mask() } } == first)
    let inner = withTraining(samples) { [withRandomSource(seed: 5) { mask() }, mask()] }
    #expect(inner[1] == first && inner[0] == withRandomSource(seed: 5) { mask() })
  }

  @Test("dropout does not repeat the bits of random tensors")
  func independence() {
    withRandomSource(seed: 2) {
      let start = randomSource
      let dropped = Tensor.ones([1, 4096]).dropout(0.5).doubles().map { $0 == 0 }
      randomSource = start
      let low = Tensor.uniform([4096]).doubles().map { $0 < 0.5 }
      let equal = zip(dropped, low).count { $0 == $1 }
      #expect(abs(equal - 2048) < 160)
    }
  }

  @Test("float64 numbers have 53 bits, and begin with the 24 of float32")
  func bits() {
    var (single, double) = (RandomSource(seed: 7), RandomSource(seed: 7))
    let floats = Tensor.uniform([1000], using: &single).doubles()
    let doubles = Tensor.uniform([1000], .float64, using: &double).doubles()
    let gaps: [Double] = zip(floats, doubles).map { $1 - $0 }
    #expect(gaps.allSatisfy { (0..<0x1p-24).contains($0) })
    #expect(doubles.allSatisfy { ($0 * 0x1p53).rounded() == $0 * 0x1p53 })
    let lowBits = doubles.map { UInt64($0 * 0x1p53) & 1 }
    #expect((400...600).contains(lowBits.count { $0 == 1 }))
    #expect(Set(doubles).count == 1000)
  }

  @Test("whole numbers and permutations are uniform")
  func uniformity() {
    withRandomSource(seed: 11) {
      let dice = Tensor.randomIntegers([6000], in: 1..<7)
      #expect(dice.dataType == .int32)
      let counts = (1...6).map { face in dice.doubles().count { $0 == Double(face) } }
      #expect(counts.reduce(0, +) == 6000)
      #expect(counts.allSatisfy { abs($0 - 1000) < 145 })
      #expect(
        Tensor.randomIntegers([9], in: Int(Int32.max)..<Int(Int32.max) + 1).doubles()
          == Array(repeating: Double(Int32.max), count: 9))
      var places = [[Int]](repeating: [0, 0, 0, 0], count: 4)
      for _ in 0..<4000 {
        let order = Tensor.randomPermutation(4).doubles().map { Int($0) }
        #expect(order.sorted() == [0, 1, 2, 3])
        for (place, number) in order.enumerated() { places[place][number] += 1 }
      }
      #expect(places.joined().allSatisfy { abs($0 - 1000) < 140 })
      #expect(Tensor.randomPermutation(0).shape == [0])
    }
  }

  @Test("bernoulli draws ones with their probabilities")
  func bernoulli() {
    withRandomSource(seed: 12) {
      let ones = Tensor.bernoulli([10_000], probability: 0.3)
      #expect(Set(ones.doubles()) == [0, 1])
      let sum = ones.sum().item()
      #expect(abs(sum - 3000) < 230)
      let probabilities = Tensor([[0, 1, 0.5]] as [[Float]]).expanded(to: [1000, 3])
      let drawn = Tensor.bernoulli(probabilities)
      #expect(drawn.shape == [1000, 3] && drawn.dataType == .float32)
      let sums = drawn.sum(axes: [0]).doubles()
      #expect(sums[0] == 0 && sums[1] == 1000)
      #expect(abs(sums[2] - 500) < 80)
    }
  }

  @Test("multinomial draws in proportion to weights, and never what has none")
  func multinomial() {
    withRandomSource(seed: 13) {
      let weights = Tensor([1, 0, 3, 4] as [Float])
      let drawn = Tensor.multinomial(weights, count: 8000, replacement: true)
      #expect(drawn.shape == [8000] && drawn.dataType == .int32)
      let counts = (0..<4).map { index in drawn.doubles().count { $0 == Double(index) } }
      #expect(counts[1] == 0)
      for (index, share) in [(0, 0.125), (2, 0.375), (3, 0.5)] {
        let deviation: Double = (8000 * share * (1 - share)).squareRoot()
        let error: Double = abs(Double(counts[index]) - 8000 * share)
        #expect(error < 5 * deviation)
      }
      // Without replacement: first 0 with 1/8; first 3, then 2 with 1/2 * 3/4.
      let rows = weights.reshaped(to: [1, 4]).expanded(to: [8000, 4])
      let pairs = Tensor.multinomial(rows, count: 3).doubles()
      var (first, second) = (0, 0)
      for row in 0..<8000 {
        let indices = pairs[3 * row..<3 * row + 3]
        #expect(Set(indices) == [0, 2, 3])
        if indices.first == 0 { first += 1 }
        if Array(indices.prefix(2)) == [3, 2] { second += 1 }
      }
      #expect(abs(first - 1000) < 150)
      #expect(abs(second - 3000) < 220)
    }
  }

  @Test("in-place draws fill all types and views, and respect ranges")
  func inPlace() {
    withRandomSource(seed: 14) {
      for type in [DataType.float32, .float64, .bfloat16] {
        let x = Tensor.zeros([4, 100], type)
        x.sliced(1..<3, axis: 0).uniform_(in: 2..<3)
        let values = x.doubles()
        #expect(values[..<100].allSatisfy { $0 == 0 })
        #expect(values[300...].allSatisfy { $0 == 0 })
        #expect(values[100..<300].allSatisfy { (2...3).contains($0) })
        x.normal_(mean: 100, std: 0.5)
        let mean = x.converted(to: .float64).mean().item()
        #expect(abs(mean - 100) < 0.3)
        #expect(Set(x.bernoulli_(0.25).doubles()) == [0, 1])
      }
    }
  }

  @Test("impossible draws stop with the reason")
  func mistakes() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.randomIntegers([1], in: 3..<3) }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.randomIntegers([1], in: 0..<Int(Int32.max) + 2)
    }
    await #expect(processExitsWith: .failure) { _ = Tensor.randomPermutation(-1) }
    await #expect(processExitsWith: .failure) { _ = Tensor.bernoulli([1], probability: 1.5) }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.multinomial(Tensor([1, 0, 2] as [Float]), count: 3)
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.multinomial(.zeros([3]), count: 1, replacement: true)
    }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.multinomial(Tensor([-1, 2] as [Float]), count: 1)
    }
  }
}
