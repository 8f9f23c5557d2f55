import Configuration
import Testing

@Suite("Plans of sweeps") struct SweepPlanTests {
  private func list(_ option: String) throws -> [String]? {
    guard case .list(let list) = try SweepAxis(option).values else { return nil }
    return list
  }

  @Test("commas separate values, but not within brackets and quotes")
  func values() throws {
    #expect(try list("optimizer.learningRate=0.1,0.03") == ["0.1", "0.03"])
    #expect(try list("model.hidden=[64],[128, 64]") == ["[64]", "[128, 64]"])
    #expect(try list("name='a,b',c") == ["'a,b'", "c"])
    #expect(try SweepAxis("training.epochs=4").isFixed)
    #expect(
      try SweepAxis("training.seed=1..100").values == .range(1, 100, isWhole: true))
    #expect(
      try SweepAxis("optimizer.learningRate=1e-4..0.1").values
        == .range(1e-4, 0.1, isWhole: false))
    // A path with dots is no range.
    #expect(try list("data.path=../data.csv") == ["../data.csv"])
  }

  @Test("options that cannot be read are errors", arguments: ["epochs", "=1", "a=1,,2", "a=1,1"])
  func wrong(_ option: String) {
    #expect(throws: ConfigurationError.self) { try SweepAxis(option) }
  }

  @Test("a grid has all combinations, the last key changing first")
  func grid() throws {
    let plan = try SweepPlan(grid: [SweepAxis("a=1,2"), SweepAxis("b=x,y,z")])
    #expect(
      plan.variants == [
        ["1", "x"], ["1", "y"], ["1", "z"], ["2", "x"], ["2", "y"], ["2", "z"],
      ])
    #expect(plan.overrides(plan.variants[3]) == ["a=2", "b=x"])
    #expect(throws: ConfigurationError.self) { try SweepPlan(grid: [SweepAxis("a=1..2")]) }
  }

  @Test("random variants are distinct, within their ranges, and those of the seed")
  func random() throws {
    let axes = try [SweepAxis("rate=0.001..1"), SweepAxis("seed=1..9"), SweepAxis("k=x,y")]
    let plan = SweepPlan(random: axes, count: 50, seed: 3)
    #expect(plan == SweepPlan(random: axes, count: 50, seed: 3))
    #expect(plan != SweepPlan(random: axes, count: 50, seed: 4))
    #expect(Set(plan.variants).count == 50)
    let rates = plan.variants.map { Double($0[0])! }
    #expect(rates.allSatisfy { (0.001...1).contains($0) })
    // Evenly in the logarithm: half of them lie below the geometric mean.
    #expect((15...35).contains(rates.count { $0 < 0.0316 }))
    #expect(Set(plan.variants.map { $0[1] }) == Set((1...9).map(String.init)))
    #expect(SweepPlan(random: [try SweepAxis("k=x,y")], count: 9, seed: 1).variants.count == 2)
  }

  @Test("successive halving trains a third of the variants for three times as long")
  func halving() {
    func counts(_ variants: Int) -> [Int] { SweepPlan.rounds(variants: variants).map(\.count) }
    #expect(counts(9) == [9, 3, 1] && counts(4) == [4, 2, 1] && counts(1) == [1])
    let fractions = SweepPlan.rounds(variants: 9).map(\.fraction)
    #expect(fractions.map { ($0 * 9).rounded() } == [1, 3, 9])
  }
}
