// Pooling of volumes: that of each plane, then that of the planes.

extension Tensor {
  /// The largest element of each window: volumes `[N, C, D, H, W]` become `[N, C, D', H', W']`; see `maxPool2d`.
  ///
  /// A single volume `[C, D, H, W]` is accepted too.
  public final func maxPool3d(
    kernel: Size3d, stride: Size3d? = nil, padding: Size3d = 0, dilation: Size3d = 1,
    ceilMode: Bool = false
  ) -> Tensor {
    let stride = stride ?? kernel
    checkVolumes("maxPool3d", kernel, padding)
    return pooledPlanes {
      $0.maxPool2d(
        kernel: kernel.plane, stride: stride.plane, padding: padding.plane,
        dilation: dilation.plane, ceilMode: ceilMode)
    } depth: {
      $0.maxPool2d(
        kernel: [kernel.depth, 1], stride: [stride.depth, 1], padding: [padding.depth, 0],
        dilation: [dilation.depth, 1], ceilMode: ceilMode)
    }
  }

  /// The mean of each window: volumes `[N, C, D, H, W]` become `[N, C, D', H', W']`; see `avgPool2d`.
  ///
  /// A single volume `[C, D, H, W]` is accepted too.
  public final func avgPool3d(
    kernel: Size3d, stride: Size3d? = nil, padding: Size3d = 0, ceilMode: Bool = false,
    countIncludePad: Bool = true
  ) -> Tensor {
    let stride = stride ?? kernel
    checkVolumes("avgPool3d", kernel, padding)
    return pooledPlanes {
      $0.avgPool2d(
        kernel: kernel.plane, stride: stride.plane, padding: padding.plane, ceilMode: ceilMode,
        countIncludePad: countIncludePad)
    } depth: {
      $0.avgPool2d(
        kernel: [kernel.depth, 1], stride: [stride.depth, 1], padding: [padding.depth, 0],
        ceilMode: ceilMode, countIncludePad: countIncludePad)
    }
  }

  /// The means of a grid of windows that cover the volume: `[N, C, D, H, W]` becomes `[N, C]` and `size`; see
  /// `adaptiveAvgPool2d`.
  ///
  /// A single volume `[C, D, H, W]` is accepted too.
  public final func adaptiveAvgPool3d(_ size: Size3d) -> Tensor {
    checkVolumes("adaptiveAvgPool3d", size, 0)
    return pooledPlanes {
      $0.adaptiveAvgPool2d(size.plane)
    } depth: {
      $0.adaptiveAvgPool2d([size.depth, $0.shape.last!])
    }
  }

  /// The largest elements of a grid of windows that cover the volume: `[N, C, D, H, W]` becomes `[N, C]` and
  /// `size`; see `adaptiveMaxPool2d`.
  ///
  /// A single volume `[C, D, H, W]` is accepted too.
  public final func adaptiveMaxPool3d(_ size: Size3d) -> Tensor {
    checkVolumes("adaptiveMaxPool3d", size, 0)
    return pooledPlanes {
      $0.adaptiveMaxPool2d(size.plane)
    } depth: {
      $0.adaptiveMaxPool2d([size.depth, $0.shape.last!])
    }
  }

  /// `[..., D, H, W]` after pooling each plane of `[P, D, H, W]`, and then `[P, D, H' W']` along its depth.
  private func pooledPlanes(
    _ plane: (Tensor) -> Tensor, depth: (Tensor) -> Tensor
  ) -> Tensor {
    let leading = TensorShape(shape.dropLast(3))
    let count = shape.count
    let pooled = plane(
      reshaped(
        to: [leading.elementCount, shape[count - 3], shape[count - 2], shape[count - 1]]))
    let (height, width) = (pooled.shape[2], pooled.shape[3])
    let y = depth(pooled.reshaped(to: [pooled.shape[0], pooled.shape[1], height * width]))
    return y.reshaped(to: TensorShape(leading.array + [y.shape[1], height, width]))
  }

  private func checkVolumes(_ name: StaticString, _ kernel: Size3d, _ padding: Size3d) {
    require(
      (shape.count == 5 || shape.count == 4) && dataType.isFloatingPoint,
      "\(name): floating-point volumes [N, C, D, H, W] or [C, D, H, W] are needed, not \(dataType) \(shape)"
    )
    require(
      kernel.isAtLeast(1) && shape.suffix(3).allSatisfy { $0 > 0 },
      "\(name): a size of \(kernel) for an input \(shape)")
    require(
      zip(padding.sizes, kernel.sizes).allSatisfy { 2 * $0 <= $1 && $0 >= 0 },
      "\(name): a padding of \(padding) is more than half of the kernel \(kernel)")
  }
}
