import Benchmarking
import Testing

@Suite("Scaling laws")
struct ScalingLawTests {
  private func points(_ rates: [Int: Double]) -> [(ranks: Int, rate: Double)] {
    rates.sorted { $0.key < $1.key }.map { (ranks: $0.key, rate: $0.value) }
  }

  @Test("exact rates give the serial fraction back", arguments: [0, 0.05, 0.3, 1])
  func exact(fraction: Double) throws {
    let counts = [1.0, 2, 4, 16]
    let amdahl = try #require(
      ScalingLaw(
        counts.map { (Int($0), 50 / (fraction + (1 - fraction) / $0)) }, isStrong: true))
    let gustafson = try #require(
      ScalingLaw(
        counts.map { (Int($0), 50 * (fraction + (1 - fraction) * $0)) }, isStrong: false))
    for law in [amdahl, gustafson] {
      #expect(abs(law.serialFraction - fraction) < 1e-9)
      #expect(abs(law.rateOfOne - 50) < 1e-6)
    }
    #expect(abs(amdahl.rate(8) - 50 / (fraction + (1 - fraction) / 8)) < 1e-6)
    #expect(abs(gustafson.rate(8) - 50 * (fraction + (1 - fraction) * 8)) < 1e-6)
  }

  @Test("without a measurement of one rank, its rate is found all the same")
  func fewestAreTwo() throws {
    let law = try #require(
      ScalingLaw(points([2: 8, 4: 16, 8: 32]), isStrong: false))
    #expect(abs(law.rateOfOne - 4) < 1e-9 && abs(law.serialFraction) < 1e-9)
  }

  @Test("better than perfect is no negative fraction; slower with every rank is 1")
  func limits() throws {
    for isStrong in [true, false] {
      let better = try #require(
        ScalingLaw(points([1: 10, 2: 24, 4: 60]), isStrong: isStrong))
      #expect(better.serialFraction == 0)
      let worse = try #require(
        ScalingLaw(points([1: 10, 2: 9, 4: 8]), isStrong: isStrong))
      #expect(worse.serialFraction == 1)
    }
  }

  @Test("through two points goes any law, so none is told")
  func few() {
    #expect(ScalingLaw(points([1: 10, 2: 18]), isStrong: true) == nil)
    #expect(ScalingLaw([(1, 10), (1, 11), (2, 18)], isStrong: true) == nil)
  }

  @Test("laws are told by their names, with the limit of Amdahl's")
  func descriptions() throws {
    let rates = [1.0, 2, 4].map { (ranks: Int($0), rate: 1 / (0.025 + 0.975 / $0)) }
    #expect(
      ScalingLaw(rates, isStrong: true)?.description
        == "Amdahl's law fits a serial fraction of 2.5 %: at most 40 times as fast as one rank")
    #expect(
      ScalingLaw(points([1: 1, 2: 2, 4: 4]), isStrong: false)?.description
        == "Gustafson's law fits a serial fraction of 0.0 %")
  }
}
