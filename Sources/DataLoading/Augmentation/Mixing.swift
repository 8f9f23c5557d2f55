/// A mix of an image with a partner, and of their labels.
///
/// The partner is any training sample. Each image has its own share of it, where torchvision's `MixUp`
/// and `CutMix` have one for a batch, which would depend on how batches are split.
enum Mixing: Sendable, Equatable {
  /// share * image + (1 - share) * partner, with a share of Beta(alpha, alpha): Zhang et al., "mixup",
  /// 2018.
  case mixup(alpha: Double)
  /// The image with a rectangle of the partner, of the area 1 - share: Yun et al., "CutMix", 2019.
  case cutmix(alpha: Double)

  /// Mixes an image in place, and returns its share of the labels.
  ///
  /// - Parameters:
  ///   - planes: The image, `[channels, height, width]`.
  ///   - partner: The partner.
  ///   - size: The size of both.
  ///   - channels: The channels of both.
  ///   - random: The random numbers of the sample.
  func apply(
    to planes: UnsafeMutablePointer<Float>, _ partner: UnsafePointer<Float>, _ size: ImageSize,
    channels: Int, _ random: inout SampleRandom
  ) -> Float {
    switch self {
    case .mixup(let alpha):
      let share = Float(random.beta(alpha))
      for i in 0..<size.width * size.height * channels {
        planes[i] = share * planes[i] + (1 - share) * partner[i]
      }
      return share
    case .cutmix(let alpha):
      let share = random.beta(alpha)
      let (x, y) = (random.integer(below: size.width), random.integer(below: size.height))
      let half = 0.5 * (1 - share).squareRoot()
      let (halfWidth, halfHeight) = (
        Int(half * Double(size.width)), Int(half * Double(size.height))
      )
      let columns = max(0, x - halfWidth)..<min(size.width, x + halfWidth)
      let rows = max(0, y - halfHeight)..<min(size.height, y + halfHeight)
      for c in 0..<channels {
        for row in rows {
          let start = (c * size.height + row) * size.width + columns.lowerBound
          (planes + start).update(from: partner + start, count: columns.count)
        }
      }
      // The share that was really kept, as the rectangle is cut at the border.
      return 1 - Float(columns.count * rows.count) / Float(size.width * size.height)
    }
  }
}
