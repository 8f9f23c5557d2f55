internal import CKernels

extension Tensor {
  /// The connectionist temporal classification loss of log-probabilities `[T, N, C]`, for each of the N
  /// samples: minus the logarithm of the probability of its labels, summed over all ways to align them with
  /// the first `inputLengths[n]` times (Graves et al., 2006).
  ///
  /// It is PyTorch's `ctc_loss` without reduction.
  ///
  /// An infinite loss, of labels that do not fit into the times, becomes 0 with a gradient of 0 if
  /// `zeroInfinity`. The gradient is PyTorch's, `dy * (exp(x) - p)`, where p is the probability of each class
  /// at each time given the labels: that of the logits before `logSoftmax`, which these log-probabilities
  /// must come from. It cannot be differentiated again.
  ///
  /// - Parameters:
  ///   - targets: Integer labels, `[N, S]` of which the first `targetLengths[n]` count, or all of them one
  ///     sample after the other, `[sum of targetLengths]`. None is the blank.
  ///   - blank: The class of the blank.
  public final func ctcLoss(
    _ targets: Tensor, inputLengths: [Int], targetLengths: [Int], blank: Int = 0,
    zeroInfinity: Bool = false
  ) -> Tensor {
    requireFloatingPoint("ctcLoss", self)
    if dataType == .bfloat16 {
      return widened.ctcLoss(
        targets, inputLengths: inputLengths, targetLengths: targetLengths, blank: blank,
        zeroInfinity: zeroInfinity)
    }
    let labels = CTCLabels(
      self, targets, inputLengths: inputLengths, targetLengths: targetLengths, blank: blank)
    let samples = shape[1]
    let x = contiguousUnrecorded()
    let losses = Tensor(uninitialized: [samples], dataType)
    let alpha = Tensor(uninitialized: [samples, shape[0], labels.width], .float64)
    labels.withSizes(of: shape) {
      ck_ctc_loss(dataType.kernelType, losses.bytes, alpha.pointer(), x.bytes, $0)
    }
    let result =
      zeroInfinity
      ? Tensor.of(losses.doubles().map { $0 == .infinity ? 0 : $0 }, shape: [samples])
        .converted(to: dataType) : losses
    let saved = Saved(self, by: "CTCLoss")
    // The result itself may be changed in place, and must not be captured.
    let values = zeroInfinity ? losses : losses.copy()
    return result.recorded("CTCLoss", from: self) { dy in
      requireFirstDerivative("ctcLoss", instead: "write it with logSoftmax and gathered")
      let (x, dy) = (saved().contiguousUnrecorded(), dy.contiguousUnrecorded())
      let dx = Tensor(uninitialized: x.shape, x.dataType)
      let workspace = Tensor(
        uninitialized: [samples, 2 * labels.width + x.shape[2]], .float64)
      labels.withSizes(of: x.shape) {
        ck_ctc_loss_backward(
          x.dataType.kernelType, dx.bytes, dy.bytes, workspace.pointer(), alpha.pointer(),
          values.bytes, x.bytes, zeroInfinity, $0)
      }
      return [dx]
    }
  }
}

/// The labels of a batch, and how much of inputs and labels counts.
private struct CTCLabels {
  private let targets: [Int32]
  private let offsets: [Int32]
  private let inputLengths: [Int32]
  private let targetLengths: [Int32]
  private let blank: Int

  init(
    _ x: Tensor, _ targets: Tensor, inputLengths: [Int], targetLengths: [Int], blank: Int
  ) {
    require(x.shape.count == 3, "ctcLoss: log-probabilities [T, N, C] are needed, not \(x.shape)")
    let (time, samples, classes) = (x.shape[0], x.shape[1], x.shape[2])
    require(
      0..<classes ~= blank, "ctcLoss: the blank \(blank) is out of range for \(classes) classes")
    require(
      inputLengths.count == samples && targetLengths.count == samples,
      "ctcLoss: \(inputLengths.count) input lengths and \(targetLengths.count) target lengths for \(samples) samples"
    )
    require(
      inputLengths.allSatisfy { 0...time ~= $0 },
      "ctcLoss: the input lengths \(inputLengths) are not all in 0...\(time)")
    let all = targetLengths.reduce(0, +)
    let isPadded = targets.shape.count == 2
    require(
      !targets.dataType.isFloatingPoint
        && (isPadded ? targets.shape[0] == samples : targets.shape == [all]),
      "ctcLoss: integer targets [\(samples), S] or [\(all)] are needed, not \(targets.dataType) \(targets.shape)"
    )
    let longest = isPadded ? targets.shape[1] : all
    require(
      targetLengths.allSatisfy { 0...longest ~= $0 },
      "ctcLoss: the target lengths \(targetLengths) are not all in 0...\(longest)")
    self.targets = withoutGrad { targets.converted(to: .int32).array(of: Int32.self) }
    self.inputLengths = inputLengths.map(Int32.init)
    self.targetLengths = targetLengths.map(Int32.init)
    self.blank = blank
    var end = 0
    offsets = targetLengths.indices.map { index in
      defer { end += targetLengths[index] }
      return Int32(isPadded ? index * longest : end)
    }
    for (sample, length) in targetLengths.enumerated() {
      for place in 0..<length {
        let label = self.targets[Int(offsets[sample]) + place]
        require(
          0..<classes ~= Int(label) && Int(label) != blank,
          "ctcLoss: target \(label) of sample \(sample) is the blank, or out of range for \(classes) classes"
        )
      }
    }
  }

  /// The most states that a sample has: a blank before, between and after its labels.
  var width: Int { 2 * Int(targetLengths.max() ?? 0) + 1 }

  func withSizes(of shape: TensorShape, _ body: (UnsafePointer<ck_ctc>) -> Void) {
    inputLengths.withUnsafeBufferPointer { inputs in
      targetLengths.withUnsafeBufferPointer { lengths in
        offsets.withUnsafeBufferPointer { offsets in
          targets.withUnsafeBufferPointer { targets in
            guard let first = inputs.baseAddress else { return }
            // Without labels there is nothing to point to, and nothing is read.
            var sizes = ck_ctc(
              time: shape[0], samples: shape[1], classes: shape[2], input_lengths: first,
              target_lengths: lengths.baseAddress!, target_offsets: offsets.baseAddress!,
              targets: targets.baseAddress ?? first, blank: Int32(blank),
              longest_target: Int32(lengths.max() ?? 0))
            body(&sizes)
          }
        }
      }
    }
  }
}
