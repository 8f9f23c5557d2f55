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

@Suite("Pooling kernels")
struct PoolingKernelTests {
  @Test("max pooling finds the first largest of each window", arguments: windowSizes)
  func maximum(_ size: Int, _ kernel: Int, _ stride: Int, _ padding: Int, _ dilation: Int) {
    var w = windows(size, kernel, stride, min(padding, (kernel - 1) / 2), dilation)
    w.out_height = min(w.out_height, (w.height - 1) / stride + 1)
    w.out_width = min(w.out_width, (w.width - 1) / stride + 1)
    let planes = 3
    var numbers = Numbers(seed: size)
    // Few different numbers, so that there are ties.
    let x = numbers.integers(planes * w.height * w.width, in: -3...3).map(Float.init)
    let (count, area) = (w.out_height * w.out_width, w.height * w.width)
    var y = [Float](repeating: 0, count: planes * count)
    var wideY = [Double](repeating: 0, count: planes * count)
    var indices = [Int32](repeating: -1, count: planes * count)
    var wideIndices = indices
    ck_max_pool(ck_f32, &y, &indices, x, planes, &w)
    ck_max_pool(ck_f64, &wideY, &wideIndices, x.map(Double.init), planes, &w)
    var expected: [Int32] = []
    for plane in 0..<planes {
      for position in 0..<count {
        let elements = (0..<w.kernel_height * w.kernel_width).compactMap {
          w.planeElement($0, position)
        }
        let largest = elements.map { x[plane * area + $0] }.max()!
        expected.append(Int32(elements.first { x[plane * area + $0] == largest }!))
      }
    }
    #expect(indices == expected && wideIndices == expected)
    #expect(y.indices.allSatisfy { y[$0] == x[$0 / count * area + Int(expected[$0])] })
    #expect(wideY == y.map(Double.init))
    var dx = [Float](repeating: 9, count: x.count)
    ck_max_pool_backward(ck_f32, &dx, y, indices, planes, area, count)
    var sums = [Float](repeating: 0, count: x.count)
    for index in y.indices { sums[index / count * area + Int(expected[index])] += y[index] }
    #expect(dx == sums)
  }

  @Test("averages over spans, and their transpose")
  func average() {
    let (planes, height, width) = (5, 7, 40)
    var numbers = Numbers(seed: 1)
    let x = numbers.doubles(planes * height * width)
    let rows = [(0, 7, 9), (2, 3, 1), (3, 5, 2)].map {
      ck_span(begin: $0.0, end: $0.1, divisor: $0.2)
    }
    let columns = [(0, 40, 40), (1, 4, 3), (3, 33, 31), (7, 7, 1)].map {
      ck_span(begin: $0.0, end: $0.1, divisor: $0.2)
    }
    var expected: [Double] = []
    var spread = [Double](repeating: 0, count: x.count)
    for plane in 0..<planes {
      for row in rows {
        for column in columns {
          let divisor = Double(row.divisor * column.divisor)
          var sum = 0.0
          for i in Int(row.begin)..<Int(row.end) {
            for j in Int(column.begin)..<Int(column.end) {
              sum += x[(plane * height + i) * width + j]
              spread[(plane * height + i) * width + j] += Double(expected.count) / divisor
            }
          }
          expected.append(sum / divisor)
        }
      }
    }
    let dy = expected.indices.map(Double.init)
    var y = [Double](repeating: 0, count: expected.count)
    var narrow = [Float](repeating: 0, count: expected.count)
    ck_average_pool(ck_f64, &y, x, planes, height, width, rows, 3, columns, 4)
    ck_average_pool(
      ck_f32, &narrow, x.map { Float($0) }, planes, height, width, rows, 3, columns, 4)
    // Absolute bounds: sums of terms of order 1, which may cancel.
    #expect(zip(y, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(zip(narrow, expected).allSatisfy { abs(Double($0) - $1) < 1e-5 })
    var dx = [Double](repeating: 9, count: x.count)
    var narrowDx = [Float](repeating: 9, count: x.count)
    ck_average_pool_backward(ck_f64, &dx, dy, planes, height, width, rows, 3, columns, 4)
    ck_average_pool_backward(
      ck_f32,
      &narrowDx, dy.map { Float($0) }, planes, height, width, rows, 3, columns, 4)
    #expect(zip(dx, spread).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(zip(narrowDx, spread).allSatisfy { abs(Double($0) - $1) < 1e-4 })
  }
}
