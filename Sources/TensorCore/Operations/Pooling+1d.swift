// Pooling of sequences: that of images with one row.

extension Tensor {
  /// The largest element of each window: sequences `[N, C, L]` or `[C, L]` become `[N, C, L']`; see `maxPool2d`.
  public final func maxPool1d(
    kernel: Int, stride: Int? = nil, padding: Int = 0, dilation: Int = 1, ceilMode: Bool = false
  ) -> Tensor {
    checkSequences("maxPool1d")
    return unsqueezed(axis: -2).maxPool2d(
      kernel: [1, kernel], stride: [1, stride ?? kernel], padding: [0, padding],
      dilation: [1, dilation], ceilMode: ceilMode
    ).squeezed(axis: -2)
  }

  /// The mean of each window: sequences `[N, C, L]` or `[C, L]` become `[N, C, L']`; see `avgPool2d`.
  public final func avgPool1d(
    kernel: Int, stride: Int? = nil, padding: Int = 0, ceilMode: Bool = false,
    countIncludePad: Bool = true
  ) -> Tensor {
    checkSequences("avgPool1d")
    return unsqueezed(axis: -2).avgPool2d(
      kernel: [1, kernel], stride: [1, stride ?? kernel], padding: [0, padding],
      ceilMode: ceilMode, countIncludePad: countIncludePad
    ).squeezed(axis: -2)
  }

  /// The means of `size` windows that cover the sequences `[N, C, L]` or `[C, L]`; see `adaptiveAvgPool2d`.
  public final func adaptiveAvgPool1d(_ size: Int) -> Tensor {
    checkSequences("adaptiveAvgPool1d")
    return unsqueezed(axis: -2).adaptiveAvgPool2d([1, size]).squeezed(axis: -2)
  }

  /// The largest elements of `size` windows that cover the sequences `[N, C, L]` or `[C, L]`; see
  /// `adaptiveMaxPool2d`.
  public final func adaptiveMaxPool1d(_ size: Int) -> Tensor {
    checkSequences("adaptiveMaxPool1d")
    return unsqueezed(axis: -2).adaptiveMaxPool2d([1, size]).squeezed(axis: -2)
  }

  /// The largest elements of a grid of windows that cover the image: `[N, C, H, W]` becomes `[N, C,
  /// size.height, size.width]`.
  ///
  /// A single image `[C, H, W]` is accepted too. The windows are those of `adaptiveAvgPool2d`. The gradient flows to the largest element of each window,
  /// the first of equal ones.
  public final func adaptiveMaxPool2d(_ size: Size2d) -> Tensor {
    require(
      shape.count == 3 || shape.count == 4,
      "adaptiveMaxPool2d: images are [N, C, H, W] or [C, H, W], not \(shape)")
    require(
      size.isAtLeast(1) && shape.suffix(2).allSatisfy { $0 > 0 },
      "adaptiveMaxPool2d: an output of \(size) for an input \(shape)")
    let rows = AdaptiveWindows(shape[shape.count - 2], size.height)
    let columns = AdaptiveWindows(shape[shape.count - 1], size.width)
    return rows.applied(to: columns.applied(to: self, axis: -1), axis: -2)
      .maxPool2d(kernel: [rows.length, columns.length])
  }

  private func checkSequences(_ name: StaticString) {
    require(
      shape.count == 3 || shape.count == 2,
      "\(name): sequences are [N, C, L] or [C, L], not \(shape)")
  }
}

/// Windows that cover an axis, all of one length: the last element of a shorter one is repeated, which does not
/// change its maximum.
struct AdaptiveWindows {
  /// The length of a window.
  let length: Int
  /// The elements of the windows, one window after the other; nil if these are all elements in order.
  private let indices: [Int32]?

  init(_ size: Int, _ count: Int) {
    let windows = (0..<count).map { $0 * size / count..<(($0 + 1) * size + count - 1) / count }
    let length = windows.map(\.count).max()!
    let all = windows.flatMap { window in
      (0..<length).map { Int32(Swift.min(window.lowerBound + $0, window.upperBound - 1)) }
    }
    self.length = length
    indices = all == (0..<Int32(size)).map { $0 } ? nil : all
  }

  /// The windows side by side along an axis.
  func applied(to x: Tensor, axis: Int) -> Tensor {
    indices.map { x.indexSelected(Tensor($0), axis: axis) } ?? x
  }
}
