import Base
import Foundation
import Testing

@Suite struct ChartTests {
  @Test("text with characters of XML is shown as it is")
  func escapes() throws {
    var chart = Chart(title: "a < b & \"c\" > d", left: 50, top: 30, bottom: 35, largest: (1, 1))
    chart.addLabel("&lt;", x: 0, y: 0)
    #expect(chart.svg.contains(">a &lt; b &amp; \"c\" &gt; d</text>"))
    #expect(chart.svg.contains(">&amp;lt;</text>"))
  }

  @Test(
    "an axis is divided by round numbers",
    arguments: [
      (1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]), (4, [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]),
      (32000, [0, 5000, 10000, 15000, 20000, 25000, 30000]),
      (7.5, [0, 1, 2, 3, 4, 5, 6, 7]),
      (0.019, [0, 0.002, 0.004, 0.006, 0.008, 0.01, 0.012, 0.014, 0.016, 0.018]),
      (0, [0]), (.infinity, [0]),
    ] as [(Double, [Double])])
  func ticks(largest: Double, expected: [Double]) {
    let ticks = Chart.ticks(upTo: largest)
    #expect(ticks.count == expected.count)
    #expect(zip(ticks, expected).allSatisfy { abs($0 - $1) < 1e-9 })
  }

  @Test("a range is a bar with ends, and a mark without room has no label")
  func marks() {
    var chart = Chart(title: "", left: 50, top: 30, bottom: 35, largest: (4, 10))
    chart.addRange(x: 2, from: 0, to: 5)
    #expect(
      chart.svg.contains(#"<path d="M256.0 250.0H264.0M260.0 250.0V140.0M256.0 140.0H264.0""#))
    chart.addHorizontalTicks([(4, "4"), (3.9, "3.9"), (2, "2")])
    #expect(chart.svg.contains(">4</text>") && chart.svg.contains(">2</text>"))
    #expect(!chart.svg.contains(">3.9</text>") && chart.svg.contains(#"<path d="M459.5 250.0v4""#))
    chart.addVerticalTicks { "\($0)" }
    #expect(chart.svg.contains(">10.0</text>") && chart.svg.contains(#"<path d="M46.0 30.0H50.0""#))
  }

  @Test("the axes end at the largest coordinates, and 0 is where they meet")
  func places() {
    var chart = Chart(title: "", left: 50, top: 30, bottom: 35, largest: (4, 10))
    chart.addCurve([(0, 0), (2, 5), (4, 10)])
    #expect(chart.svg.contains(#"<polyline points="50.0,250.0 260.0,140.0 470.0,30.0""#))
    chart.addDashedLine(to: (4, 5))
    #expect(chart.svg.contains(#"<path d="M50.0 250.0L470.0 140.0""#))
    #expect(chart.svg.contains(#"viewBox="0 0 490 285""#))
  }
}
