import Foundation
public import Settings

/// Random changes of images while training: each epoch sees each image another way.
///
/// The changes of an image depend on the seed, the epoch and the sample alone, so that any number of
/// ranks trains on the same images. They are made in this order: crop, flip, colors, then mixing.
/// Parameters and formulas are torchvision's.
public struct Augmentation: Sendable, Equatable {
  /// Whether half of the images are flipped left to right.
  var flips = false
  /// How an image is cut, where not at its center.
  var crop: RandomCrop?
  /// How colors change.
  var jitter: ColorJitter?
  /// How pairs of images are mixed; each image takes one of several at random.
  var mixing: [Mixing] = []

  /// No changes.
  public init() {}

  /// Whether nothing changes.
  public var isEmpty: Bool { self == Augmentation() }

  /// Changes by name, as `flip` or `crop 4`.
  ///
  /// Throws an error of the setting "augment".
  public init(_ texts: [String]) throws(SettingError) {
    for text in texts {
      let words = text.split(separator: " ")
      let name = words.first.map(String.init) ?? ""
      let numbers = words.dropFirst().compactMap { Double($0) }.filter(\.isFinite)
      func refused(_ expected: String) -> SettingError {
        SettingError("augment", "has '\(text)'; expected \(expected)")
      }
      guard numbers.count == words.count - min(1, words.count) else {
        throw refused("a name and numbers, separated by spaces")
      }
      switch (name, numbers.count) {
      case ("flip", 0): flips = true
      case ("crop", 0...1):
        let padding = numbers.first ?? 0
        guard let pixels = Int(exactly: padding), (0...4_096).contains(pixels) else {
          throw refused("'crop PADDING' with 0 to 4096 pixels")
        }
        guard crop == nil else { throw refused("only one of crop and resizedCrop") }
        crop = .padded(pixels)
      case ("resizedCrop", 0...1):
        let area = numbers.first ?? 0.08
        guard area > 0, area <= 1 else {
          throw refused("'resizedCrop AREA' with the smallest part of the area, above 0 up to 1")
        }
        guard crop == nil else { throw refused("only one of crop and resizedCrop") }
        crop = .resized(smallestArea: area)
      case ("colorJitter", 1), ("colorJitter", 3...4):
        guard numbers.allSatisfy({ $0 >= 0 && $0 <= 100 }), numbers.count < 4 || numbers[3] <= 0.5
        else {
          throw refused("'colorJitter STRENGTH', or brightness, contrast, saturation and hue")
        }
        jitter = ColorJitter(
          brightness: numbers[0], contrast: numbers.count > 1 ? numbers[1] : numbers[0],
          saturation: numbers.count > 1 ? numbers[2] : numbers[0],
          hue: numbers.count > 3 ? numbers[3] : 0)
      case ("mixup", 1), ("cutmix", 1):
        guard numbers[0] > 0, numbers[0] <= 100 else { throw refused("'\(name) ALPHA' above 0") }
        mixing.append(name == "mixup" ? .mixup(alpha: numbers[0]) : .cutmix(alpha: numbers[0]))
      default:
        throw refused(
          "flip, crop PADDING, resizedCrop AREA, colorJitter STRENGTH, mixup ALPHA or cutmix ALPHA")
      }
    }
  }

  /// What is drawn of an image of a size.
  func window(
    of image: ImageSize, _ preparation: ImagePreparation, seed: UInt64, epoch: Int, sample: Int
  ) -> ImageWindow {
    var window: ImageWindow
    if let crop {
      var random = SampleRandom(seed: seed, epoch: epoch, sample: sample, .crop)
      window = crop.window(of: image, preparation, &random)
    } else {
      window = preparation.centered(in: image)
    }
    if flips {
      var random = SampleRandom(seed: seed, epoch: epoch, sample: sample, .flip)
      window.isFlipped = random.uniform() < 0.5
    }
    return window
  }
}

/// A cut at a random place.
enum RandomCrop: Sendable, Equatable {
  /// Of the resized image with that many black pixels around it: torchvision's `RandomCrop`.
  case padded(Int)
  /// Of a part of the area from this to 1 and of 3:4 to 4:3, resized: `RandomResizedCrop`.
  case resized(smallestArea: Double)

  func window(
    of image: ImageSize, _ preparation: ImagePreparation, _ random: inout SampleRandom
  ) -> ImageWindow {
    switch self {
    case .padded(let padding):
      var window = preparation.window(of: image)
      func place(_ all: Int, _ part: Int) -> Int {
        random.integer(below: max(1, all + 2 * padding - part + 1)) - padding
      }
      window.y = place(window.resized.height, preparation.height)
      window.x = place(window.resized.width, preparation.width)
      return window
    case .resized(let smallestArea):
      let (width, height) = (Double(image.width), Double(image.height))
      func region(_ left: Int, _ top: Int, _ w: Int, _ h: Int) -> ImageWindow {
        ImageWindow(
          left: Double(left), top: Double(top), width: Double(w), height: Double(h),
          resized: preparation.size)
      }
      for _ in 0..<10 {
        let area = width * height * random.uniform(smallestArea...1)
        let ratio = exp(random.uniform(log(3.0 / 4)...log(4.0 / 3)))
        let w = Int((area * ratio).squareRoot().rounded(.toNearestOrEven))
        let h = Int((area / ratio).squareRoot().rounded(.toNearestOrEven))
        if w > 0, w <= image.width, h > 0, h <= image.height {
          let top = random.integer(below: image.height - h + 1)
          return region(random.integer(below: image.width - w + 1), top, w, h)
        }
      }
      // The largest part of an allowed ratio, at the center.
      let ratio = min(max(width / height, 3.0 / 4), 4.0 / 3)
      let w = min(image.width, max(1, Int((height * ratio).rounded(.toNearestOrEven))))
      let h = min(image.height, max(1, Int((width / ratio).rounded(.toNearestOrEven))))
      return region((image.width - w) / 2, (image.height - h) / 2, w, h)
    }
  }
}
