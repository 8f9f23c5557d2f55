public import TensorCore

/// A layer with functions that are called before and after it: PyTorch's `register_forward_pre_hook` and
/// `register_forward_hook`.
///
///     let seen = Hooked(Linear(64, 10), after: { input, output in
///       print(output.shape)
///       return nil
///     })
///     let model = Sequential(Linear(2, 64), ReLU(), seen)
///
/// It stands in a model in place of the layer; the names of parameters stay the same. Modules are values
/// and a call of one is a plain function call, so a hook has to stand where the layer does: nothing can be
/// attached from outside. For the gradient of a layer's output, `register_full_backward_hook` of PyTorch,
/// call `registerHook` of the output in `after`.
public struct Hooked<Wrapped: Layer>: Layer {
  /// The layer.
  public let layer: Wrapped
  private let before: ((Tensor) -> Tensor?)?
  private let after: ((_ input: Tensor, _ output: Tensor) -> Tensor?)?

  /// A layer with hooks; what a hook returns replaces the input or the output, unless it is nil.
  public init(
    _ layer: Wrapped, before: ((_ input: Tensor) -> Tensor?)? = nil,
    after: ((_ input: Tensor, _ output: Tensor) -> Tensor?)? = nil
  ) {
    self.layer = layer
    self.before = before
    self.after = after
  }

  /// The parts of the layer.
  public var children: [(name: String, value: Any)] { layer.children }

  /// The layer's key.
  public func stateDictionaryKey(forForeignKey key: String) -> String? {
    layer.stateDictionaryKey(forForeignKey: key)
  }

  /// Applies the hooks and the layer.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let x = before?(x) ?? x
    let y = layer(x)
    return after?(x, y) ?? y
  }
}

extension Sequential {
  /// The output of every layer for an input, in order: what forward hooks are mostly used for.
  ///
  /// The last one is the output of the model. Each layer is applied by itself, so that nothing is fused.
  public func activations(_ x: Tensor) -> [Tensor] {
    var outputs: [Tensor] = []
    for layer in layers { outputs.append(layer(outputs.last ?? x)) }
    return outputs
  }

  /// The layer at an index, PyTorch's `model[i]`; negative indices count from the end.
  public subscript(index: Int) -> any Layer {
    let position = index < 0 ? index + layers.count : index
    require(
      layers.indices.contains(position),
      "Sequential: layer \(index) of \(layers.count)")
    return layers[position]
  }

  /// Some of the layers, PyTorch's `model[2:5]`; they share their parameters.
  public subscript(range: some RangeExpression<Int>) -> Sequential {
    let range = range.relative(to: layers)
    require(
      range.lowerBound >= 0 && range.upperBound <= layers.count,
      "Sequential: layers \(range) of \(layers.count)")
    return Sequential(Array(layers[range]))
  }
}
