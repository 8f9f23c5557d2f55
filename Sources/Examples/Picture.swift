import Base

/// Pictures as SVG.
package enum Picture {
  /// A curve of values over their indices, from 0 up.
  package static func curve(_ values: [Double], title: String) -> String {
    let highest = max(values.max() ?? 1, .leastNormalMagnitude)
    let last = max(values.count - 1, 1)
    var chart = Chart(
      title: title, left: 50, top: 30, bottom: 35, largest: (Double(last), highest))
    // More points than the picture has pixels would only make the file large.
    let step = max(1, values.count / 400)
    chart.addCurve(
      stride(from: 0, to: values.count, by: step).map { (x: Double($0), y: values[$0]) })
    chart.addVerticalLabels(largest: text(highest, 2))
    for (label, index) in [("0", 0), ("\(values.count - 1)", last)] {
      chart.addLabel(label, x: chart.x(Double(index)), y: chart.bottomEdge + 17)
    }
    chart.addLabel("steps", x: chart.middle, y: chart.bottomEdge + 17)
    return chart.svg
  }

  /// Probabilities over the square ±1, blue for 0 and orange for 1, with points `[u, v, u, v, …]`
  /// of two classes on it.
  package static func map(_ rows: [[Double]], _ points: [Double], _ classes: [Double]) -> String {
    let cells = rows.count
    // Cells of one shade are one path; runs of them one rectangle of it.
    let shades = 20
    var paths = Array(repeating: "", count: shades + 1)
    for (y, row) in rows.enumerated() {
      var start = 0
      while start < row.count {
        let shade = Int((row[start] * Double(shades)).rounded())
        var end = start + 1
        while end < row.count, Int((row[end] * Double(shades)).rounded()) == shade { end += 1 }
        paths[shade] += "M\(start) \(y)h\(end - start)v1h-\(end - start)z"
        start = end
      }
    }
    let areas = paths.enumerated().filter { !$0.element.isEmpty }.map { shade, path in
      "<path fill=\"\(color(Double(shade) / Double(shades)))\" d=\"\(path)\"/>"
    }
    let scale = Double(cells) / 2
    let dots = classes.indices.map { index in
      let (u, v) = (points[2 * index], points[2 * index + 1])
      let place = "cx=\"\(text((u + 1) * scale, 2))\" cy=\"\(text((1 - v) * scale, 2))\""
      return "<circle \(place) fill=\"\(classes[index] == 1 ? "#b34700" : "#0b3d91")\"/>"
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(cells) \(cells)" width="400" height="400">
      <style>circle { r: 0.45px; stroke: white; stroke-width: 0.12 }</style>
      <g shape-rendering="crispEdges">
      \(areas.joined(separator: "\n"))
      </g>
      \(dots.joined(separator: "\n"))
      </svg>

      """
  }

  /// From blue over white to orange.
  private static func color(_ p: Double) -> String {
    let ends: [[Double]] =
      p < 0.5 ? [[110, 160, 220], [255, 255, 255]] : [[255, 255, 255], [250, 170, 90]]
    let t = p < 0.5 ? 2 * p : 2 * p - 1
    let parts = (0..<3).map { Int((ends[0][$0] + t * (ends[1][$0] - ends[0][$0])).rounded()) }
    return "rgb(\(parts.map(String.init).joined(separator: ",")))"
  }
}
