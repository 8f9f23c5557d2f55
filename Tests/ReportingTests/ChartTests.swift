import Testing

import Reporting

@Suite struct ReportChartTests {
  @Test func `an axis ends at round numbers`() {
    let axis = Axis([0.03, 0.97])
    #expect(axis.range == 0...1)
    #expect(axis.ticks.map(Text.tick) == ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    #expect(axis.position(0.5) == 0.5)
  }

  @Test func `an axis of far numbers is logarithmic`() {
    let axis = Axis([1e-4, 1e-2, 1], logarithmicFrom: 30)
    #expect(axis.isLogarithmic)
    #expect(axis.ticks.map(Text.tick) == ["1e-4", "0.001", "0.01", "0.1", "1"])
    #expect(!Axis([0, 1e-2, 1], logarithmicFrom: 30).isLogarithmic)
  }

  @Test(arguments: [
    [], [0.0], [5.0], [-3.0, -3.0], [.nan], [.infinity, 1], [1e300, -1e300],
    [.leastNonzeroMagnitude, .leastNormalMagnitude],
  ])
  func `an axis of any numbers has a width and few marks`(values: [Double]) {
    for ratio in [2.0, .infinity] {
      let axis = Axis(values, logarithmicFrom: ratio)
      #expect(axis.range.lowerBound < axis.range.upperBound)
      #expect(axis.ticks.count <= 13)
      for value in values where value.isFinite {
        #expect((0...1).contains(axis.position(value)))
      }
    }
  }

  @Test func `many values become few points with their range`() {
    let values = (0..<10_000).map { (x: Double($0), y: $0 % 2 == 0 ? 1.0 : 3.0) }
    let curve = Curve("a", color: 0, values)
    #expect(curve.points.count <= 240)
    #expect(curve.points.allSatisfy { $0.low == 1 && $0.high == 3 && abs($0.y - 2) < 0.1 })
  }

  @Test func `the first value that is not finite is told`() {
    let curve = Curve("a", color: 0, [(1, 2), (2, .nan), (3, 4)])
    #expect(curve.firstNonFinite == 2)
    #expect(curve.points.map(\.x) == [1, 3])
    #expect(LineChart(title: "Loss", curves: [curve]).markup.text.contains("from step 2"))
  }
}
