import Base
import Training

/// Predicted values against the true ones, and their errors.
struct ValuesView {
  let errors: [DetailedEvaluation.ValueErrors]
  let pairs: [DetailedEvaluation.ValuePair]

  private static let size = 360.0
  private static let area = (left: 58.0, right: 348.0, top: 10.0, bottom: 312.0)

  var markup: HTML {
    var table = Table(
      ["Value", "Mean absolute error", "Root mean squared error", "R²"], numbers: [1, 2, 3])
    for (index, errors) in errors.enumerated() {
      table.add([
        "\(errorsName(index))", "\(Text.number(errors.meanAbsoluteError))",
        "\(Text.number(errors.rootMeanSquaredError))", "\(Text.number(errors.r2))",
      ])
    }
    return "<div class=\"charts\"><div>\(table.markup)</div>\(scatter)</div>"
  }

  private func errorsName(_ index: Int) -> String {
    errors.count == 1 ? "target" : "target \(index + 1)"
  }

  private var scatter: HTML {
    let pairs = pairs.filter { $0.target.isFinite && $0.prediction.isFinite }
    guard !pairs.isEmpty else { return HTML() }
    let axis = Axis(pairs.flatMap { [$0.target, $0.prediction] })
    let a = Self.area
    func x(_ value: Double) -> Double { a.left + axis.position(value) * (a.right - a.left) }
    func y(_ value: Double) -> Double { a.bottom - axis.position(value) * (a.bottom - a.top) }
    let grid = axis.ticks.markup { tick in
      """
      <line class="grid" x1="\(a.left)" x2="\(a.right)" y1="\(y(tick))" y2="\(y(tick))"/>\
      <text x="\(a.left - 6)" y="\(y(tick) + 4)" text-anchor="end">\(Text.tick(tick))</text>\
      <text x="\(x(tick))" y="\(a.bottom + 18)" text-anchor="middle">\(Text.tick(tick))</text>
      """
    }
    let dots = pairs.markup {
      "<circle cx=\"\(x($0.target))\" cy=\"\(y($0.prediction))\" r=\"3\"/>"
    }
    let (low, high) = (axis.range.lowerBound, axis.range.upperBound)
    return """
      <figure class="chart square"><figcaption>Predicted against true <small>\
      \(count(pairs.count, "sample"))\(errors.count > 1 ? ", first target" : "")</small></figcaption>
      <svg viewBox="0 0 \(Self.size) \(Self.size)" role="img" aria-label="Predicted against true \
      values">\(grid)<line class="axis" x1="\(x(low))" y1="\(y(low))" x2="\(x(high))" \
      y2="\(y(high))" stroke-dasharray="4 3"/>
      <g class="dots c0">\(dots)</g><text x="\((a.left + a.right) / 2)" y="\(a.bottom + 36)" \
      text-anchor="middle">true</text></svg></figure>
      """
  }
}
