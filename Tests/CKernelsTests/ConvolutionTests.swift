import CKernels
import Testing

/// Windows with every combination of edges: the last three are stride, padding and dilation.
let windowSizes: [(Int, Int, Int, Int, Int)] = [
  (1, 1, 1, 0, 1), (5, 3, 1, 0, 1), (5, 3, 1, 1, 1), (20, 3, 1, 2, 2), (9, 2, 2, 0, 1),
  (37, 3, 2, 1, 1), (11, 4, 3, 2, 3), (6, 2, 5, 1, 1), (35, 35, 1, 17, 1),
]

func windows(_ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ dilation: Int)
  -> ck_windows
{
  // Rows differ from columns in size and in kernel.
  let (height, tall) = (size + 2, max(1, kernel - 1))
  func positions(_ size: Int, _ kernel: Int) -> Int {
    (size + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1
  }
  return ck_windows(
    height: height, width: size, kernel_height: tall, kernel_width: kernel,
    out_height: positions(height, tall), out_width: positions(size, kernel), stride_y: stride,
    stride_x: stride, padding_y: padding, padding_x: padding, dilation_y: dilation,
    dilation_x: dilation)
}

extension ck_windows {
  /// The element of a channel's plane that a kernel element meets at an output position, nil in the
  /// padding.
  func planeElement(_ element: Int, _ position: Int) -> Int? {
    let y =
      position / out_width * stride_y + element % (kernel_height * kernel_width) / kernel_width
      * dilation_y - padding_y
    let x = position % out_width * stride_x + element % kernel_width * dilation_x - padding_x
    guard (0..<height).contains(y), (0..<width).contains(x) else { return nil }
    return (element / (kernel_height * kernel_width) * height + y) * width + x
  }
}

@Suite("Patches of convolutions")
struct ConvolutionKernelTests {
  @Test("any part of the matrix of patches is gathered, and scattered back", arguments: windowSizes)
  func patches(_ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ dilation: Int) {
    var w = windows(size, kernel, stride, padding, dilation)
    let channels = 2
    var numbers = Numbers(seed: size)
    let x = numbers.floats(channels * w.height * w.width)
    let wide = x.map(Double.init)
    let allElements = channels * w.kernel_height * w.kernel_width
    let allPositions = w.out_height * w.out_width
    for (elements, positions) in [
      (0..<allElements, 0..<allPositions),
      (allElements / 3..<allElements, allPositions / 3..<allPositions),
      (allElements / 2..<allElements / 2 + 1, allPositions / 2..<allPositions - allPositions / 4),
    ] {
      let ld = positions.count + 3
      var panel = [Float](repeating: 99, count: elements.count * ld)
      var widePanel = [Double](repeating: 99, count: elements.count * ld)
      ck_im2col(
        ck_f32,
        &panel, x, &w, elements.lowerBound, elements.count, positions.lowerBound, positions.count,
        ld)
      ck_im2col(
        ck_f64,
        &widePanel, wide, &w, elements.lowerBound, elements.count, positions.lowerBound,
        positions.count, ld)
      var expected = [Float](repeating: 99, count: elements.count * ld)
      var sums = wide
      for (row, kernelElement) in elements.enumerated() {
        for (column, position) in positions.enumerated() {
          let element = w.planeElement(kernelElement, position)
          expected[row * ld + column] = element.map { x[$0] } ?? 0
          if let element { sums[element] += wide[element] }
        }
      }
      #expect(panel == expected)
      #expect(widePanel == expected.map(Double.init))
      var (narrow, exact) = (x, wide)
      ck_col2im(
        ck_f32,
        &narrow, panel, &w, elements.lowerBound, elements.count, positions.lowerBound,
        positions.count, ld)
      ck_col2im(
        ck_f64,
        &exact, widePanel, &w, elements.lowerBound, elements.count, positions.lowerBound,
        positions.count, ld)
      // Absolute bounds below 1: sums of terms of up to 3, which may cancel.
      #expect(zip(exact, sums).allSatisfy { abs($0 - $1) < 1e-9 })
      #expect(zip(narrow, sums).allSatisfy { abs(Double($0) - $1) < 1e-4 * max(1, abs($1)) })
    }
  }
}
