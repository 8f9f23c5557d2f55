/// A window of a resized region of an image: what is drawn of it.
struct ImageWindow: Equatable {
  /// The region, in pixels of the image, whose upper left corner is (0, 0).
  var left = 0.0
  var top = 0.0
  var width: Double
  var height: Double
  /// The size to which the region is resized.
  var resized: ImageSize
  /// The place of the window in the resized region; what is outside of it is black.
  var x = 0
  var y = 0
  /// Whether left and right are exchanged, after all else.
  var isFlipped = false
}

extension ImageWindow {
  /// Whether the region is the whole image in its own size.
  func isUnscaled(_ size: ImageSize) -> Bool {
    resized == size && left == 0 && top == 0 && width == Double(size.width)
      && height == Double(size.height)
  }

  /// The same window of the image in another size.
  func scaled(from old: ImageSize, to new: ImageSize) -> ImageWindow {
    var window = self
    let x = Double(new.width) / Double(old.width)
    let y = Double(new.height) / Double(old.height)
    (window.left, window.width) = (left * x, width * x)
    (window.top, window.height) = (top * y, height * y)
    return window
  }
}

/// Resizes by a bilinear filter with antialiasing, and draws a window of the result: Pillow's `resize`
/// with `BILINEAR` and `crop`, which torchvision's `Resize` and `CenterCrop` use.
///
/// Values are summed as floats, where Pillow has fixed-point numbers and rounds between the two
/// directions, so that bytes can differ by 1. One thread uses a resampler at a time; it reuses its
/// memory.
final class Resampling {
  private var columns = Weights()
  private var rows = Weights()
  private var line = UnsafeMutableBufferPointer<Float>.allocate(capacity: 0)

  deinit { line.deallocate() }

  /// Draws a window of an image into planes, one for each channel: `[channels, height, width]`.
  ///
  /// - Parameters:
  ///   - source: The image, the channels of a pixel side by side.
  ///   - size: Its size.
  ///   - channels: Its channels.
  ///   - window: What is drawn.
  ///   - output: The size of the window.
  ///   - planes: Room for the result.
  ///   - divisor: Rounds sums to whole numbers, as those of image files, and divides them; nil leaves
  ///     them as they are.
  func draw<Element: ResampledElement>(
    _ source: UnsafePointer<Element>, _ size: ImageSize, channels: Int, _ window: ImageWindow,
    _ output: ImageSize, into planes: UnsafeMutablePointer<Float>, divisor: Float?
  ) {
    if window.isUnscaled(size) {
      copy(source, size, channels, window, output, planes)
    } else {
      resize(source, size, channels, window, output, planes)
    }
    guard let divisor else { return }
    for i in 0..<output.width * output.height * channels {
      // Adding 2^23 leaves no bits for fractions.
      planes[i] = ((planes[i] + 0x1p23) - 0x1p23) / divisor
    }
  }

  private func resize<Element: ResampledElement>(
    _ source: UnsafePointer<Element>, _ size: ImageSize, _ channels: Int, _ window: ImageWindow,
    _ output: ImageSize, _ planes: UnsafeMutablePointer<Float>
  ) {
    columns.compute(
      start: window.left, length: window.width, of: size.width, resized: window.resized.width,
      window: window.x..<window.x + output.width)
    rows.compute(
      start: window.top, length: window.height, of: size.height, resized: window.resized.height,
      window: window.y..<window.y + output.height)
    let used = columns.used
    // Room for reading four numbers at the last pixel.
    let width = used.count * channels
    if line.count < width + 4 {
      line.deallocate()
      line = .allocate(capacity: width + 4)
      line.initialize(repeating: 0)
    }
    let line = line.baseAddress!
    let planeSize = output.width * output.height
    let step = size.width * channels
    for y in 0..<output.height {
      let to = planes + y * output.width
      guard rows.counts[y] > 0, !used.isEmpty else {
        for c in 0..<channels {
          (to + c * planeSize).update(repeating: 0, count: output.width)
        }
        continue
      }
      rows.weights.withUnsafeBufferPointer {
        sumRows(
          source + (rows.firsts[y] * size.width + used.lowerBound) * channels, step,
          $0.baseAddress! + y * rows.stride, rows.counts[y], into: line, width)
      }
      columns.withUnsafePointers { firsts, counts, weights in
        sumColumns(
          line - used.lowerBound * channels, channels, firsts, counts, weights, to, output.width,
          planeSize)
      }
      if window.isFlipped {
        for c in 0..<channels { reverse(to + c * planeSize, output.width) }
      }
    }
  }

  /// Draws a window of an image that is not resized.
  private func copy<Element: ResampledElement>(
    _ source: UnsafePointer<Element>, _ size: ImageSize, _ channels: Int, _ window: ImageWindow,
    _ output: ImageSize, _ planes: UnsafeMutablePointer<Float>
  ) {
    let planeSize = output.width * output.height
    let first = max(0, -window.x)
    let columns = first..<max(first, min(output.width, size.width - window.x))
    for y in 0..<output.height {
      let row = window.y + y
      let isInside = row >= 0 && row < size.height && !columns.isEmpty
      for c in 0..<channels {
        let to = planes + c * planeSize + y * output.width
        guard isInside else {
          to.update(repeating: 0, count: output.width)
          continue
        }
        let from = source + (row * size.width + window.x) * channels + c
        for x in 0..<columns.lowerBound { to[x] = 0 }
        for x in columns { to[x] = from[x * channels].number }
        for x in columns.upperBound..<output.width { to[x] = 0 }
        if window.isFlipped { reverse(to, output.width) }
      }
    }
  }

  private func reverse(_ row: UnsafeMutablePointer<Float>, _ count: Int) {
    var row = UnsafeMutableBufferPointer(start: row, count: count)
    row.reverse()
  }

  /// The weighted sum of `count` rows of the source.
  @inline(__always)
  private func sumRows<Element: ResampledElement>(
    _ start: UnsafePointer<Element>, _ step: Int, _ weights: UnsafePointer<Float>, _ count: Int,
    into line: UnsafeMutablePointer<Float>, _ width: Int
  ) {
    var k = 0
    // Two rows at a time, so that the line is read and written half as often.
    while k < count {
      let (first, w0) = (start + k * step, weights[k])
      let isPair = k + 1 < count
      let (second, w1) = (isPair ? first + step : first, isPair ? weights[k + 1] : 0)
      if k == 0 {
        for i in 0..<width { line[i] = w0 * first[i].number + w1 * second[i].number }
      } else {
        for i in 0..<width { line[i] += w0 * first[i].number + w1 * second[i].number }
      }
      k += 2
    }
  }

  /// The weighted sums of the pixels of a line that make a row of each plane.
  private func sumColumns(
    _ line: UnsafePointer<Float>, _ channels: Int, _ firsts: UnsafePointer<Int>,
    _ counts: UnsafePointer<Int>, _ weights: UnsafePointer<Float>,
    _ to: UnsafeMutablePointer<Float>, _ width: Int, _ planeSize: Int
  ) {
    let stride = columns.stride
    for x in 0..<width {
      let (from, weights, count) = (line + firsts[x] * channels, weights + x * stride, counts[x])
      if channels == 3 {
        var sum = SIMD4<Float>()
        for k in 0..<count {
          sum += UnsafeRawPointer(from + 3 * k).loadUnaligned(as: SIMD4<Float>.self) * weights[k]
        }
        to[x] = sum[0]
        to[planeSize + x] = sum[1]
        to[2 * planeSize + x] = sum[2]
      } else {
        for c in 0..<channels {
          var sum: Float = 0
          for k in 0..<count { sum += from[channels * k + c] * weights[k] }
          to[c * planeSize + x] = sum
        }
      }
    }
  }
}

/// A type of pixels that can be resampled.
protocol ResampledElement {
  var number: Float { get }
}

extension UInt8: ResampledElement {
  @inline(__always) var number: Float { Float(self) }
}

extension Float: ResampledElement {
  @inline(__always) var number: Float { self }
}

/// For each place of a window along one axis, the pixels that it is made of and their weights.
private struct Weights {
  /// The first pixel of each place.
  private(set) var firsts: [Int] = []
  /// The number of pixels of each place; 0 outside of the image.
  private(set) var counts: [Int] = []
  /// `stride` weights for each place.
  private(set) var weights: [Float] = []
  private(set) var stride = 0
  /// All pixels that any place is made of.
  private(set) var used = 0..<0

  func withUnsafePointers(
    _ body: (UnsafePointer<Int>, UnsafePointer<Int>, UnsafePointer<Float>) -> Void
  ) {
    firsts.withUnsafeBufferPointer { firsts in
      counts.withUnsafeBufferPointer { counts in
        weights.withUnsafeBufferPointer { weights in
          body(firsts.baseAddress!, counts.baseAddress!, weights.baseAddress!)
        }
      }
    }
  }

  /// The triangle filter, stretched where the image shrinks, at the centers of pixels: Pillow's
  /// `precompute_coeffs` in src/libImaging/Resample.c.
  mutating func compute(
    start: Double, length: Double, of size: Int, resized: Int, window: Range<Int>
  ) {
    let scale = length / Double(resized)
    let support = max(scale, 1)
    stride = Int(support.rounded(.up)) * 2 + 1
    // Pixels outside of the region are not seen: torchvision cuts it out before it resizes it.
    let region = max(0, Int(start.rounded(.down)))..<min(size, Int((start + length).rounded(.up)))
    firsts.removeAll(keepingCapacity: true)
    counts.removeAll(keepingCapacity: true)
    weights.removeAll(keepingCapacity: true)
    var (lowest, highest) = (size, 0)
    for place in window {
      var sum = 0.0
      var (first, end) = (0, 0)
      if place >= 0 && place < resized {
        let center = start + (Double(place) + 0.5) * scale
        first = min(max(region.lowerBound, Int(center - support + 0.5)), region.upperBound - 1)
        end = max(first + 1, min(region.upperBound, Int(center + support + 0.5), first + stride))
        func weight(_ pixel: Int) -> Double {
          max(0, 1 - abs(Double(pixel) - center + 0.5) / support)
        }
        for pixel in first..<end { sum += weight(pixel) }
        for pixel in first..<end {
          weights.append(sum > 0 ? Float(weight(pixel) / sum) : 1 / Float(end - first))
        }
        (lowest, highest) = (min(lowest, first), max(highest, end))
      }
      firsts.append(first)
      counts.append(end - first)
      weights.append(contentsOf: repeatElement(0, count: stride - (end - first)))
    }
    used = lowest < highest ? lowest..<highest : 0..<0
  }
}
