internal import CKernels

extension Tensor {
  /// In training mode, zeroes elements at random; in evaluation mode, returns this tensor.
  ///
  /// Elements are zeroed with probability `p` and the others scaled by 1 / (1 - p). The first axis
  /// counts samples. The gradient is the same function of `dy`, with the same mask. The mask comes from
  /// the thread's source of random numbers, see `withRandomSource`; in `withTraining` with a
  /// `SampleRandomness`, it belongs to the samples.
  public final func dropout(_ p: Double) -> Tensor {
    guard isTraining, p > 0 else { return self }
    let context = ExecutionContext.withCurrent { $0 }
    guard let streams = context.dropoutStreams else {
      // Another key than that of random tensors, whose numbers have the same counters.
      let key = mixed(context.random.seed ^ 0x6472_6F70_6F75_7400)
      return dropout(
        p, seed: key, stream: UInt32(truncatingIfNeeded: context.random.nextStream()),
        firstSample: 0)
    }
    return dropout(
      p, seed: streams.key, stream: streams.nextStream(), firstSample: streams.firstSample)
  }

  /// Zeroes elements with probability `p` and scales the others by 1 / (1 - p).
  ///
  /// Row r of `[rows, ...]` uses the random numbers of `(seed, firstSample + r, stream)`, in the order of
  /// memory. The gradient is the same function of `dy` in the same order.
  package final func dropout(
    _ p: Double, seed: UInt64, stream: UInt32, firstSample: UInt64
  ) -> Tensor {
    dropout(p, seed: seed, stream: stream, firstSample: firstSample, nil)
  }

  private func dropout(
    _ p: Double, seed: UInt64, stream: UInt32, firstSample: UInt64, _ order: MemoryOrder?
  ) -> Tensor {
    requireFloatingPoint("dropout", self)
    require(p >= 0 && p < 1, "dropout: the probability \(p) is not in 0..<1")
    let order = order ?? memoryOrder ?? .rowMajor
    let x = ordered(order)
    let y = Tensor(uninitialized: shape, order, dataType)
    let rows = shape.first ?? 1
    let columns = rows == 0 ? 0 : count / rows
    ck_dropout(dataType.kernelType, y.bytes, x.bytes, rows, columns, p, seed, stream, firstSample)
    return y.recorded("Dropout", from: self) { dy in
      [dy.dropout(p, seed: seed, stream: stream, firstSample: firstSample, order)]
    }
  }
}
