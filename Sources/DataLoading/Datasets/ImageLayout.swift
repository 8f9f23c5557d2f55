public import Settings

/// The order of the axes of images in an array.
public enum ImageLayout: String, CaseIterable, SettingRepresentable {
  /// Channels last if there are 1 or 3 on the last axis and not on the first; two axes are a grey image.
  case auto
  /// `[channels, height, width]`, or samples of any other shape: nothing is changed.
  case channelsFirst
  /// `[height, width, channels]`.
  case channelsLast

  /// Whether samples of a shape have their channels last.
  func hasChannelsLast(_ shape: [Int]) -> Bool {
    guard shape.count == 3 else { return false }
    switch self {
    case .channelsFirst: return false
    case .channelsLast: return true
    case .auto: return [1, 3].contains(shape[2]) && ![1, 3].contains(shape[0])
    }
  }
}

extension NumericArray {
  /// The array with a first axis of samples, where it is one sample of `axes` axes.
  func withSampleAxis(_ axes: Int) -> NumericArray {
    guard shape.count == axes else { return self }
    return NumericArray(
      name: name, shape: [1] + shape, type: type, isBigEndian: isBigEndian, bytes: bytes)
  }

  /// The array with all elements along one axis.
  var flattened: NumericArray {
    NumericArray(
      name: name, shape: [shape.reduce(1, *)], type: type, isBigEndian: isBigEndian, bytes: bytes)
  }

  /// The samples along the first axis with their channels, which are last, moved to the front.
  func channelsFirst() -> NumericArray {
    let (height, width, channels) = (shape[1], shape[2], shape[3])
    let (size, pixels) = (type.byteCount, height * width)
    let moved = [UInt8](unsafeUninitializedCapacity: bytes.count) { result, count in
      bytes.withUnsafeBufferPointer { source in
        for sample in 0..<shape[0] {
          let start = sample * pixels * channels * size
          for c in 0..<channels {
            for pixel in 0..<pixels {
              let from = start + (pixel * channels + c) * size
              let to = start + (c * pixels + pixel) * size
              for k in 0..<size { result[to + k] = source[from + k] }
            }
          }
        }
      }
      count = bytes.count
    }
    return NumericArray(
      name: name, shape: [shape[0], channels, height, width], type: type, isBigEndian: isBigEndian,
      bytes: moved)
  }
}
