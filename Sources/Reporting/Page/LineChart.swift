/// Curves over the steps of training, as a picture with axes and a legend.
package struct LineChart {
  /// What is shown.
  package let title: String
  /// The unit of the values, or an empty text.
  package let unit: String
  /// The ratio of values from which the axis is logarithmic.
  package let logarithmicFrom: Double
  /// Values that the axis does not leave.
  package let limits: ClosedRange<Double>
  /// The curves.
  package let curves: [Curve]
  /// Whether the picture has a legend of its own.
  package var hasLegend: Bool

  /// A picture of curves.
  package init(
    title: String, unit: String = "", logarithmicFrom: Double = .infinity,
    limits: ClosedRange<Double> = -Double.greatestFiniteMagnitude ... .greatestFiniteMagnitude,
    curves: [Curve], hasLegend: Bool = true
  ) {
    (self.title, self.unit, self.curves) = (title, unit, curves)
    (self.logarithmicFrom, self.limits, self.hasLegend) = (logarithmicFrom, limits, hasLegend)
  }

  private static let size = (width: 480.0, height: 250.0)
  private static let area = (left: 56.0, right: 468.0, top: 10.0, bottom: 212.0)

  /// The picture; nothing where no curve has a point.
  package var markup: HTML {
    let points = curves.flatMap(\.points)
    guard !points.isEmpty else { return HTML() }
    let x = Axis(points.map(\.x), fits: true)
    // Single outliers may leave the picture's area: the mean of their part of the axis counts.
    var y = Axis(points.map(\.y), logarithmicFrom: logarithmicFrom, limits: limits)
    if !y.isLogarithmic, limits.contains(0) {
      y = Axis(points.map(\.y) + (limits.lowerBound == 0 ? [0] : []), limits: limits)
    }
    let scale = y.isLogarithmic ? "logarithmic" : ""
    let notes = [unit, scale].filter { !$0.isEmpty }.joined(separator: ", ")
    let a = Self.area
    return """
      <figure class="chart"><figcaption>\(title)\(
        notes.isEmpty ? HTML() : " <small>\(notes)</small>")</figcaption>
      <svg viewBox="0 0 \(Self.size.width) \(Self.size.height)" role="img" aria-label="\(label)" \
      data-from="\(markup: x.range.lowerBound)" data-to="\(markup: x.range.upperBound)" \
      data-left="\(a.left)" data-right="\(a.right)">
      \(grid(x, y))\(curves.markup { curve($0, x, y) })<line class="cursor" y1="\(a.top)" \
      y2="\(a.bottom)" visibility="hidden"/></svg>
      \(legend)\(nonFinite)</figure>
      """
  }

  /// The picture in words, for those who do not see it.
  private var label: String {
    let ends = curves.compactMap { curve in
      curve.points.last.map { "\(curve.name) ends at \(Text.number($0.y))" }
    }
    return "\(title) by step: " + ends.joined(separator: "; ")
  }

  private func place(_ value: Double, _ axis: Axis) -> Double {
    Self.area.left + axis.position(value) * (Self.area.right - Self.area.left)
  }

  private func height(_ value: Double, _ axis: Axis) -> Double {
    Self.area.bottom - axis.position(value) * (Self.area.bottom - Self.area.top)
  }

  private func grid(_ x: Axis, _ y: Axis) -> HTML {
    let a = Self.area
    let rows = y.ticks.markup { tick in
      let height = height(tick, y)
      return """
        <line class="grid" x1="\(a.left)" x2="\(a.right)" y1="\(height)" y2="\(height)"/>\
        <text x="\(a.left - 6)" y="\(height + 4)" text-anchor="end">\(Text.tick(tick))</text>
        """
    }
    let columns = x.ticks.markup { tick in
      """
      <line class="tick" x1="\(place(tick, x))" x2="\(place(tick, x))" y1="\(a.bottom)" \
      y2="\(a.bottom + 4)"/><text x="\(place(tick, x))" y="\(a.bottom + 18)" \
      text-anchor="middle">\(Text.tick(tick))</text>
      """
    }
    return """
      \(rows)\(columns)<line class="axis" x1="\(a.left)" x2="\(a.right)" y1="\(a.bottom)" \
      y2="\(a.bottom)"/><text class="name" x="\((a.left + a.right) / 2)" y="\(a.bottom + 35)" \
      text-anchor="middle">step</text>
      """
  }

  private func curve(_ curve: Curve, _ x: Axis, _ y: Axis) -> HTML {
    guard let first = curve.points.first else { return HTML() }
    func places(_ points: [Curve.Point], _ value: (Curve.Point) -> Double) -> String {
      points.map {
        Text.coordinate(place($0.x, x)) + "," + Text.coordinate(height(value($0), y))
      }.joined(separator: " ")
    }
    let hasBand = curve.points.contains { $0.low != $0.high }
    let band = places(curve.points) { $0.high } + " " + places(curve.points.reversed()) { $0.low }
    let values = curve.points.map { "\(Text.coordinate($0.x)):\(Text.number($0.y))" }
      .joined(separator: " ")
    let isDot = curve.points.count == 1
    let marks = (curve.hasMarks || isDot ? curve.points : []).markup {
      "<circle cx=\"\(place($0.x, x))\" cy=\"\(height($0.y, y))\" r=\"\(isDot ? 4.0 : 2.5)\"/>"
    }
    let line: HTML =
      isDot
      ? "<circle cx=\"\(place(first.x, x))\" cy=\"\(height(first.y, y))\" r=\"4\"/>"
      : "<polyline points=\"\(places(curve.points) { $0.y })\"/>"
    return """
      <g class="curve c\(curve.color % 8)\(curve.isDashed ? " dashed" : "")" \
      data-name="\(curve.name)" data-points="\(values)">\
      \(hasBand ? "<polygon points=\"\(band)\"/>" : HTML())\(line)\(isDot ? HTML() : marks)</g>
      """
  }

  private var legend: HTML {
    guard hasLegend, curves.count > 1 else { return HTML() }
    return Self.legend(curves.filter { !$0.points.isEmpty })
  }

  /// The names of curves beside their colors.
  package static func legend(_ curves: [Curve]) -> HTML {
    let entries = curves.markup { curve in
      """
      <span class="key c\(curve.color % 8)\(curve.isDashed ? " dashed" : "")">\
      <i></i>\(curve.name)</span>
      """
    }
    return "<div class=\"legend\">\(entries)</div>"
  }

  private var nonFinite: HTML {
    curves.markup { curve in
      guard let step = curve.firstNonFinite else { return HTML() }
      return """
        <p class="warning">\(curve.name): not a finite number from step \(Text.number(step))</p>
        """
    }
  }
}

extension HTML.StringInterpolation {
  /// A number with all its digits.
  package mutating func appendInterpolation(markup number: Double) { appendLiteral("\(number)") }
}
