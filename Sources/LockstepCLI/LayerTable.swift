import Base
import NeuralNetworks

extension [LayerSummary] {
  /// A table of the layers: name, type, what it gives for a sample, parameters.
  var lines: [String] {
    let rows =
      [["layer", "", "output", "parameters"]]
      + map { layer in
        [
          layer.name, layer.type, layer.outputShape.map { "\($0)" } ?? "",
          layer.parameterCount == 0
            ? "" : grouped(layer.parameterCount) + (layer.isFrozen ? " frozen" : ""),
        ]
      }
    let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = zip(row, widths).map { cell, width in
        cell + String(repeating: " ", count: width - cell.count)
      }.joined(separator: "  ")
      return String(cells.reversed().drop { $0 == " " }.reversed())
    }
  }
}
