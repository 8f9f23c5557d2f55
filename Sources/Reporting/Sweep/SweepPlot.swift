import Foundation

/// The loss of a sweep's variants over the values of each key, side by side, as an SVG picture.
package struct SweepPlot {
  private static let panel = (width: 300.0, height: 250.0)
  private static let area = (left: 56.0, top: 30.0, right: 288.0, bottom: 206.0)

  private let results: [SweepResult]
  private let keys: [String]
  private let losses: Axis

  /// A plot of the variants that have a loss.
  package init(_ results: [SweepResult], keys: [String]) {
    self.results = results.filter { $0.loss != nil }
    self.keys = keys
    losses = Axis(self.results.compactMap(\.loss), logarithmicFrom: 20)
  }

  /// The picture.
  package var svg: String {
    let width = Int(Self.panel.width) * max(1, keys.count)
    let panels = keys.indices.map { index in
      "<g transform=\"translate(\(Int(Self.panel.width) * index) 0)\">\(panel(index))</g>\n"
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(width) \(Int(Self.panel.height))" width="\(width)" font-family="sans-serif" font-size="11">
      <rect width="\(width)" height="\(Int(Self.panel.height))" fill="white"/>
      \(panels.joined())</svg>

      """
  }

  private func panel(_ index: Int) -> String {
    let area = Self.area
    let texts = results.map { $0.settings[index] }
    let numbers = texts.compactMap { Double($0) }
    // Words stand side by side in their order of appearance.
    var words: [String] = []
    if numbers.count < texts.count {
      for text in texts where !words.contains(text) { words.append(text) }
    }
    let axis = Axis(numbers, logarithmicFrom: 20)
    func x(_ text: String) -> Double {
      let place =
        words.isEmpty
        ? axis.position(Double(text)!)
        : (Double(words.firstIndex(of: text)!) + 0.5) / Double(words.count)
      return area.left + place * (area.right - area.left)
    }
    func y(_ loss: Double) -> Double {
      area.bottom - losses.position(loss) * (area.bottom - area.top)
    }
    var body =
      "<path d=\"M\(area.left) \(area.top)V\(area.bottom)H\(area.right)\" fill=\"none\" "
      + "stroke=\"#888\"/>\n"
      + label(keys[index], x: (area.left + area.right) / 2, y: area.bottom + 36, isBold: true)
      + label("loss", x: area.left, y: area.top - 12)
    for tick in losses.ticks {
      body += line(x1: area.left, y1: y(tick), x2: area.right, y2: y(tick))
      body += label(Text.tick(tick), x: area.left - 6, y: y(tick) + 4, anchor: "end")
    }
    for text in words.isEmpty ? [] : words {
      body += label(String(text.prefix(12)), x: x(text), y: area.bottom + 16)
    }
    for tick in words.isEmpty ? axis.ticks : [] {
      let place = area.left + axis.position(tick) * (area.right - area.left)
      body += label(Text.tick(tick), x: place, y: area.bottom + 16)
    }
    let best = results.compactMap(\.loss).min()
    for result in results {
      let isBest = result.loss == best
      body +=
        "<circle cx=\"\(Text.coordinate(x(result.settings[index])))\" "
        + "cy=\"\(Text.coordinate(y(result.loss!)))\" r=\"\(isBest ? 5 : 3.5)\" "
        + "fill=\"\(isBest ? "#d55e00" : "#0072b2")\" fill-opacity=\"0.8\"/>\n"
    }
    return body
  }

  private func label(
    _ text: String, x: Double, y: Double, anchor: String = "middle", isBold: Bool = false
  ) -> String {
    "<text x=\"\(Text.coordinate(x))\" y=\"\(Text.coordinate(y))\" text-anchor=\"\(anchor)\""
      + (isBold ? " font-weight=\"bold\"" : "") + ">\(HTML.escaped(text))</text>\n"
  }

  private func line(x1: Double, y1: Double, x2: Double, y2: Double) -> String {
    "<path d=\"M\(Text.coordinate(x1)) \(Text.coordinate(y1))L\(Text.coordinate(x2)) "
      + "\(Text.coordinate(y2))\" stroke=\"#ddd\"/>\n"
  }
}
