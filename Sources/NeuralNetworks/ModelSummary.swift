public import TensorCore

/// A part of a model, as a table of its layers shows it.
public struct LayerSummary: Sendable, Equatable {
  /// The name of the part, with which the names of its parameters begin.
  public let name: String
  /// The layer's type.
  public let type: String
  /// The shape of what it gives for one sample; nil where that is not known.
  public let outputShape: [Int]?
  /// The elements of its parameters.
  public let parameterCount: Int
  /// Whether any of its parameters is frozen.
  public let isFrozen: Bool
}

extension Layer {
  /// The layers of a model in order: those of a `Sequential` with the shapes that they give for a sample,
  /// the parts of another model without.
  ///
  /// - Parameter input: A sample, `[1] + shape`.
  public func layerSummary(of input: Tensor) -> [LayerSummary] {
    func summary(_ name: String, _ part: any Module, _ shape: [Int]?) -> LayerSummary {
      let parameters = part.parameters
      return LayerSummary(
        name: name, type: String(describing: Swift.type(of: part)), outputShape: shape,
        parameterCount: parameters.reduce(0) { $0 + $1.count },
        isFrozen: parameters.contains { !$0.requiresGrad })
    }
    guard let sequence = self as? Sequential else {
      return children.compactMap { child in
        (child.value as? any Module).map { summary(child.name, $0, nil) }
      }
    }
    return withEvaluation {
      withoutGrad {
        var x = input
        return sequence.layers.enumerated().map { index, layer in
          x = layer(x)
          return summary(String(index), layer, Array(x.shape.array.dropFirst()))
        }
      }
    }
  }
}
