// Channels to pixels and back.

extension Tensor {
  /// Images `[..., C r², H, W]` as `[..., C, H r, W r]`: each group of r² channels becomes the pixels of a
  /// square of `factor` r rows (Shi et al., 2016).
  public final func pixelShuffled(_ factor: Int) -> Tensor {
    let count = shape.count
    require(
      count >= 3 && factor > 0 && shape[count - 3] % (factor * factor) == 0,
      "pixelShuffled: images [..., C, H, W] are needed whose channels divide by \(factor)², not \(shape)"
    )
    let (channels, rows, columns) = (
      shape[count - 3] / (factor * factor), shape[count - 2], shape[count - 1]
    )
    let batches = shape.dropLast(3)
    let split = TensorShape(Array(batches) + [channels, factor, factor, rows, columns])
    let n = batches.count
    return reshaped(to: split)
      .permuted(Array(0..<n) + [n, n + 3, n + 1, n + 4, n + 2])
      .reshaped(to: TensorShape(Array(batches) + [channels, rows * factor, columns * factor]))
  }

  /// Images `[..., C, H r, W r]` as `[..., C r², H, W]`: the inverse of `pixelShuffled`.
  public final func pixelUnshuffled(_ factor: Int) -> Tensor {
    let count = shape.count
    require(
      count >= 3 && factor > 0 && shape[count - 2] % factor == 0 && shape[count - 1] % factor == 0,
      "pixelUnshuffled: images [..., C, H, W] are needed whose rows and columns divide by \(factor), not \(shape)"
    )
    let (channels, rows, columns) = (
      shape[count - 3], shape[count - 2] / factor, shape[count - 1] / factor
    )
    let batches = shape.dropLast(3)
    let split = TensorShape(Array(batches) + [channels, rows, factor, columns, factor])
    let n = batches.count
    return reshaped(to: split)
      .permuted(Array(0..<n) + [n, n + 2, n + 4, n + 1, n + 3])
      .reshaped(to: TensorShape(Array(batches) + [channels * factor * factor, rows, columns]))
  }
}
