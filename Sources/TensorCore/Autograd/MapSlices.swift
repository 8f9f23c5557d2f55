extension Tensor {
  /// The results of a function of each slice along an axis, stacked along the first axis.
  ///
  ///     let norms = x.mapSlices { row in row.norm() }  // [N] from [N, C]
  ///
  /// PyTorch's `torch.vmap(f)(x)`, with the same values and gradients, but as a loop: the function is
  /// called once for each slice. Where speed matters, write the function with a batch axis.
  public final func mapSlices(axis: Int = 0, _ function: (Tensor) throws -> Tensor) rethrows
    -> Tensor
  {
    try Tensor.mapSlices(of: [self], axis: axis) { try function($0[0]) }
  }

  /// The results of a function of the slices of several tensors along an axis of the same size, stacked
  /// along the first axis.
  public static func mapSlices(
    of tensors: [Tensor], axis: Int = 0, _ function: ([Tensor]) throws -> Tensor
  ) rethrows -> Tensor {
    require(!tensors.isEmpty, "mapSlices: no tensors")
    let counts = tensors.map {
      $0.shape[$0.shape.normalized(axis: axis, operation: "mapSlices")]
    }
    require(
      counts.allSatisfy { $0 == counts[0] } && counts[0] > 0,
      "mapSlices: \(counts) slices along axis \(axis) of \(tensors.map(\.shape)); the same number, at least one, is needed"
    )
    return .stacked(
      try (0..<counts[0]).map { index in
        try function(tensors.map { $0.selected(index, axis: axis) })
      })
  }
}
