/// Random changes of brightness, contrast, saturation and hue, in random order: torchvision's
/// `ColorJitter`.
struct ColorJitter: Sendable, Equatable {
  /// Each factor is from 1 - brightness, but at least 0, to 1 + brightness.
  var brightness: Double
  /// The same of the contrast.
  var contrast: Double
  /// The same of the saturation.
  var saturation: Double
  /// The largest turn of the hue, in turns of the color wheel, at most 0.5.
  var hue: Double

  /// Changes an image in place.
  ///
  /// - Parameters:
  ///   - planes: The image, `[channels, pixels]`.
  ///   - pixels: The number of pixels.
  ///   - channels: The number of channels; 3 are red, green and blue.
  ///   - largest: The value of white; black is 0.
  ///   - random: The random numbers of the sample.
  func apply(
    to planes: UnsafeMutablePointer<Float>, pixels: Int, channels: Int, largest: Float,
    _ random: inout SampleRandom
  ) {
    let order = random.permutation(4)
    func factor(_ strength: Double) -> Float {
      Float(random.uniform(max(0, 1 - strength)...1 + strength))
    }
    let image = Image(planes: planes, pixels: pixels, channels: channels, largest: largest)
    let factors = (factor(brightness), factor(contrast), factor(saturation))
    let turn = Float(random.uniform(-hue...hue))
    for change in order {
      switch change {
      case 0 where brightness > 0: image.scale(factors.0, from: 0)
      case 1 where contrast > 0: image.scale(factors.1, from: image.meanGrey)
      case 2 where saturation > 0 && channels == 3: image.saturate(factors.2)
      case 3 where hue > 0 && channels == 3: image.turnHue(turn)
      default: break
      }
    }
  }

  private struct Image {
    let planes: UnsafeMutablePointer<Float>
    let pixels: Int
    let channels: Int
    let largest: Float

    private func bounded(_ value: Float) -> Float { min(max(value, 0), largest) }

    private func grey(_ i: Int) -> Float {
      0.2989 * planes[i] + 0.587 * planes[i + pixels] + 0.114 * planes[i + 2 * pixels]
    }

    var meanGrey: Float {
      var sum = 0.0
      if channels == 3 {
        for i in 0..<pixels { sum += Double(grey(i)) }
        return Float(sum / Double(pixels))
      }
      for i in 0..<pixels * channels { sum += Double(planes[i]) }
      return Float(sum / Double(pixels * channels))
    }

    /// factor * image + (1 - factor) * origin.
    func scale(_ factor: Float, from origin: Float) {
      let rest = (1 - factor) * origin
      for i in 0..<pixels * channels { planes[i] = bounded(factor * planes[i] + rest) }
    }

    /// factor * image + (1 - factor) * grey.
    func saturate(_ factor: Float) {
      for i in 0..<pixels {
        let rest = (1 - factor) * grey(i)
        for c in 0..<3 { planes[i + c * pixels] = bounded(factor * planes[i + c * pixels] + rest) }
      }
    }

    /// Turns the hue by way of HSV, as torchvision's `_rgb2hsv` and `_hsv2rgb`.
    func turnHue(_ turn: Float) {
      for i in 0..<pixels {
        let (r, g, b) = (planes[i], planes[i + pixels], planes[i + 2 * pixels])
        let (high, low) = (max(r, g, b), min(r, g, b))
        let range = high - low
        guard range > 0 else { continue }  // Grey has no hue.
        let saturation = range / high
        let (rc, gc, bc) = ((high - r) / range, (high - g) / range, (high - b) / range)
        let sixths = high == r ? bc - gc : high == g ? 2 + rc - bc : 4 + gc - rc
        var h = sixths / 6 + 1 + turn
        h -= h.rounded(.down)
        let sector = (h * 6).rounded(.down)
        let f = h * 6 - sector
        let p = bounded(high * (1 - saturation))
        let q = bounded(high * (1 - saturation * f))
        let t = bounded(high * (1 - saturation * (1 - f)))
        let color: (Float, Float, Float) =
          switch Int(sector) % 6 {
          case 0: (high, t, p)
          case 1: (q, high, p)
          case 2: (p, high, t)
          case 3: (p, q, high)
          case 4: (t, p, high)
          default: (high, p, q)
          }
        (planes[i], planes[i + pixels], planes[i + 2 * pixels]) = color
      }
    }
  }
}
