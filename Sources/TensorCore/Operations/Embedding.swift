internal import CKernels

extension Tensor {
  /// The rows of this table `[n, width]` at int32 indices `[...]`, as `[..., width]`.
  ///
  /// The gradient of a row is the sum over its occurrences.
  public final func embedding(_ indices: Tensor) -> Tensor {
    let indices = indices.asIndices()
    require(
      shape.count == 2 && indices.dataType == .int32,
      "embedding: a table [n, width] and int32 indices are needed, not \(shape) and \(indices.dataType) \(indices.shape)"
    )
    let places = indices.contiguousUnrecorded().detached()
    let rows = shape[0]
    for element in 0..<places.count {
      let index = Int(places.pointer(Int32.self)[element])
      require(
        index >= 0 && index < rows,
        "embedding: index \(index) is out of range for a table of \(rows) rows \(shape)")
    }
    var target = places.shape
    target.append(shape[1])
    let x = contiguousUnrecorded()
    let y = Tensor(uninitialized: target, dataType)
    ck_gather_rows(
      dataType.kernelType, y.bytes, x.bytes, places.pointer(Int32.self), places.count, shape[1])
    let table = shape
    let saved = Saved(places, by: "Embedding")
    return y.recorded(
      "Embedding", from: self,
      accumulating: { dy, leaves in
        guard let (gradient, adds) = leaves.destination(of: 0) else {
          return [.value(dy.scatteredRows(saved(), in: table))]
        }
        gradient.storage.version += 1
        if !adds { gradient.setAll(to: 0) }
        gradient.addRows(dy, saved())
        return [.accumulated]
      })
  }

  /// A table of zeros of shape `target` with these rows added at `indices`: the transpose of
  /// `embedding`.
  private func scatteredRows(_ indices: Tensor, in target: TensorShape) -> Tensor {
    let y = Tensor.zeros(target, dataType.sumType)
    y.addRows(self, indices)
    let saved = Saved(indices, by: "ScatterRows")
    return y.recorded("ScatterRows", from: self) { dy in [dy.embedding(saved())] }
  }

  private func addRows(_ rows: Tensor, _ indices: Tensor) {
    let x = withoutGrad { rows.converted(to: dataType).contiguousUnrecorded() }
    ck_scatter_add_rows(
      dataType.kernelType, bytes, x.bytes, indices.pointer(Int32.self), indices.count, shape[1])
  }
}
