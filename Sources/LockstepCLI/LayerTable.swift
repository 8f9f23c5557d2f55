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
    return alignedColumns(rows, left: 0..<4)
  }
}
