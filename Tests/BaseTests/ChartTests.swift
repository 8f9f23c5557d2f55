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
