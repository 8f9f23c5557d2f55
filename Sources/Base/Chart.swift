import Foundation

/// A chart as an SVG picture: two axes from 0 up, curves, points and labels.
package struct Chart {
  /// The place of a label's text at its coordinates.
  package enum Anchor: String {
    case start, middle, end
  }

  /// The color of the main curve.
  package static let blue = "#1f5fa8"
  /// The color of a second curve.
  package static let orange = "#c55a11"
  private static let width = 490.0

  private let left: Double
  private let top: Double
  private let bottom: Double
  private let areaWidth: Double
  private let areaHeight = 220.0
  private let largest: (x: Double, y: Double)
  private var body = ""

  /// A chart with axes.
  ///
  /// - Parameters:
  ///   - title: The text above it.
  ///   - left: The margin on the left, for the labels of the vertical axis.
  ///   - top: The margin above the axes.
  ///   - bottom: The margin below the axes.
  ///   - largest: The coordinates at the ends of the axes, which are positive.
  package init(
    title: String, left: Double, top: Double, bottom: Double, largest: (x: Double, y: Double)
  ) {
    (self.left, self.top, self.bottom, self.largest) = (left, top, bottom, largest)
    areaWidth = Self.width - left - 20
    body =
      "<path d=\"M\(left) \(top)V\(top + areaHeight)H\(left + areaWidth)\" fill=\"none\" "
      + "stroke=\"#888\"/>\n"
    addLabel(title, x: left + areaWidth / 2, y: 18)
  }

  /// The middle of the horizontal axis, in the picture.
  package var middle: Double { left + areaWidth / 2 }
  /// The left end of the horizontal axis, in the picture.
  package var leftEdge: Double { left }
  /// The upper end of the vertical axis, in the picture.
  package var topEdge: Double { top }
  /// The height of the horizontal axis, in the picture.
  package var bottomEdge: Double { top + areaHeight }

  /// The place of a horizontal coordinate in the picture.
  package func x(_ value: Double) -> Double { left + areaWidth * value / largest.x }

  private func y(_ value: Double) -> Double { top + areaHeight * (1 - value / largest.y) }

  private func place(_ point: (x: Double, y: Double)) -> (x: String, y: String) {
    (number(x(point.x)), number(y(point.y)))
  }

  private func number(_ value: Double) -> String { String(format: "%.1f", value) }

  /// Adds a curve through points; a thin one is for what was computed rather than measured.
  package mutating func addCurve(
    _ points: [(x: Double, y: Double)], color: String = Chart.blue, width: Double = 2
  ) {
    let places = points.map { point in
      let (x, y) = place(point)
      return "\(x),\(y)"
    }
    body +=
      "<polyline points=\"\(places.joined(separator: " "))\" fill=\"none\" "
      + "stroke=\"\(color)\" stroke-width=\"\(width == width.rounded() ? "\(Int(width))" : "\(width)")\"/>\n"
  }

  /// Adds a dot at each point.
  package mutating func addDots(
    _ points: [(x: Double, y: Double)], color: String = Chart.blue
  ) {
    let dots = points.map { point in
      let (x, y) = place(point)
      return "<circle cx=\"\(x)\" cy=\"\(y)\" r=\"3\"/>"
    }
    body += "<g fill=\"\(color)\">\(dots.joined())</g>\n"
  }

  /// Adds a vertical bar between two heights, with ends, for the range of a measurement.
  package mutating func addRange(x: Double, from low: Double, to high: Double) {
    let place = self.x(x)
    let (bottom, top) = (number(y(low)), number(y(high)))
    let (start, end) = (number(place - 4), number(place + 4))
    body +=
      "<path d=\"M\(start) \(bottom)H\(end)M\(number(place)) \(bottom)V\(top)M\(start) \(top)H\(end)\" "
      + "fill=\"none\" stroke=\"\(Self.blue)\"/>\n"
  }

  /// Adds a dashed line from where the axes meet to a point.
  package mutating func addDashedLine(to point: (x: Double, y: Double)) {
    let (x, y) = place(point)
    body +=
      "<path d=\"M\(left) \(bottomEdge)L\(x) \(y)\" fill=\"none\" stroke=\"#888\" "
      + "stroke-dasharray=\"5 4\"/>\n"
  }

  /// Adds text at coordinates of the picture.
  package mutating func addLabel(
    _ text: String, x: Double, y: Double, _ anchor: Anchor = .middle, color: String = "black"
  ) {
    body +=
      "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\" fill=\"\(color)\">"
      + "\(Self.escaped(text))</text>\n"
  }

  /// Labels the ends of the vertical axis, which starts at 0.
  package mutating func addVerticalLabels(largest: String) {
    addLabel(largest, x: left - 6, y: top + 5, .end)
    addLabel("0", x: left - 6, y: bottomEdge, .end)
  }

  /// The multiples of 1, 2 or 5 times a power of ten that divide an axis up to `largest` into four to ten
  /// parts, 0 included.
  package static func ticks(upTo largest: Double) -> [Double] {
    guard largest > 0, largest.isFinite else { return [0] }
    var power = 1.0
    while power * 10 <= largest { power *= 10 }
    while power > largest { power /= 10 }
    // From one to ten powers fit.
    let step = largest / power < 2 ? power / 5 : largest / power < 5 ? power / 2 : power
    return (0...Int(largest / step + 1e-9)).map { Double($0) * step }
  }

  /// Adds marks with labels to the vertical axis.
  package mutating func addVerticalTicks(_ label: (Double) -> String) {
    for value in Self.ticks(upTo: largest.y) {
      let place = number(y(value))
      body += "<path d=\"M\(number(left - 4)) \(place)H\(number(left))\" stroke=\"#888\"/>\n"
      addLabel(label(value), x: left - 8, y: y(value) + 4, .end)
    }
  }

  /// Adds marks to the horizontal axis, each with its label unless that would touch the next one's.
  package mutating func addHorizontalTicks(_ marks: [(value: Double, label: String)]) {
    var room = Double.infinity
    for mark in marks.sorted(by: { $0.value > $1.value }) {
      let place = x(mark.value)
      body +=
        "<path d=\"M\(number(place)) \(number(bottomEdge))v4\" stroke=\"#888\"/>\n"
      guard place < room else { continue }
      addLabel(mark.label, x: place, y: bottomEdge + 17)
      room = place - 25
    }
  }

  /// Text in which no character is one of XML's.
  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
  }

  /// The picture.
  package var svg: String {
    let height = Int(bottomEdge + bottom)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(height)" font-family="sans-serif" font-size="12">
      <rect width="\(Int(Self.width))" height="\(height)" fill="white"/>
      \(body)</svg>

      """
  }
}
