/// Pictures as SVG.
package enum Picture {
  /// A curve of values over their indices, from 0 up.
  package static func curve(_ values: [Double], title: String) -> String {
    let (left, top, width, height) = (50.0, 30.0, 420.0, 220.0)
    let highest = max(values.max() ?? 1, .leastNormalMagnitude)
    let last = Double(max(values.count - 1, 1))
    func place(_ index: Int, _ value: Double) -> String {
      let (x, y) = (left + width * Double(index) / last, top + height * (1 - value / highest))
      return "\(text(x, 1)),\(text(y, 1))"
    }
    // More points than the picture has pixels would only make the file large.
    let step = max(1, values.count / 400)
    let line = stride(from: 0, to: values.count, by: step).map { place($0, values[$0]) }
    func label(_ text: String, _ x: Double, _ y: Double, _ anchor: String) -> String {
      "<text x=\"\(x)\" y=\"\(y)\" text-anchor=\"\(anchor)\">\(text)</text>\n"
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 490 285" font-family="sans-serif" font-size="12">
      <rect width="490" height="285" fill="white"/>
      <path d="M\(left) \(top)V\(top + height)H\(left + width)" fill="none" stroke="#888"/>
      <polyline points="\(line.joined(separator: " "))" fill="none" stroke="#1f5fa8" stroke-width="2"/>
      \(label(title, left + width / 2, 18, "middle"))\
      \(label(text(highest, 2), left - 6, top + 5, "end"))\
      \(label("0", left - 6, top + height, "end"))\
      \(label("0", left, top + height + 17, "middle"))\
      \(label("\(values.count - 1)", left + width, top + height + 17, "middle"))\
      \(label("steps", left + width / 2, top + height + 17, "middle"))\
      </svg>

      """
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
