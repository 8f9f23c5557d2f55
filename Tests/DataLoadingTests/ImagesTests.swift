import DataLoading
import Foundation
import Settings
import Testing

@Suite("Image files")
struct ImagesTests {
  // MARK: - Decoding

  private static func golden(_ name: String) throws -> [UInt8] {
    let url = try #require(
      Bundle.module.url(forResource: "Goldens/Images/\(name)", withExtension: nil))
    return try Array(Data(contentsOf: url))
  }

  /// The largest difference of an image to bytes of Pillow, whose channels are side by side.
  private func difference(_ inputs: [Float], _ expected: [UInt8]) -> Float {
    let pixels = inputs.count / 3
    return inputs.indices.map {
      abs(inputs[$0] * 255 - Float(expected[$0 % pixels * 3 + $0 / pixels]))
    }.max()!
  }

  @Test(
    "Decodes and turns images as Pillow does",
    arguments: [
      ("colors.jpg", 1), ("progressive.jpg", 1), ("grey.jpg", 1), ("cmyk.jpg", 2),
      ("sideways.jpg", 1), ("colors.png", 0), ("grey.png", 0), ("alpha.png", 0),
      ("grey-alpha.png", 0), ("palette.png", 0), ("palette-alpha.png", 0), ("bits.png", 0),
    ] as [(String, Float)])
  func decodes(name: String, tolerance: Float) throws {
    let file = try ImagesTests.golden(name)
    let whole = try openImages(["a/\(name)": file]) {
      $0.channels = 3
      $0.imageSize = name == "sideways.jpg" ? [61, 47] : [47, 61]
    }
    #expect(
      difference(whole.train.inputs[0], try ImagesTests.golden(name + ".full")) <= tolerance + 0.01)
    // Resized sums are rounded once, Pillow's twice.
    let center = try openImages(["a/\(name)": file]) {
      $0.channels = 3
      $0.imageSize = [24, 28]
      $0.resize = 32
    }
    #expect(
      difference(center.train.inputs[0], try ImagesTests.golden(name + ".crop")) <= tolerance + 1.01
    )
  }

  @Test("Grey is the luma of colors, and colors of grey are equal")
  func channels() throws {
    let colors = png(
      width: 2, height: 1, colorType: 2, rowBytes: 6, [255, 0, 0, 10, 200, 30])
    let grey = try openImages(["a/x.png": colors]) { $0.imageSize = [1, 2] }
    #expect(grey.train.inputs[0].map { Int(($0 * 255).rounded()) } == [76, 124])
    let three = try openImages(["a/x.png": greyPNG(2, [7, 9])]) {
      $0.imageSize = [1, 2]
      $0.channels = 3
    }
    #expect(three.train.inputs[0].map { Int(($0 * 255).rounded()) } == [7, 9, 7, 9, 7, 9])
  }

  @Test("16 bits become 8, as numbers and not as light")
  func sixteenBits() throws {
    let file = png(
      width: 3, height: 1, bits: 16, colorType: 0, rowBytes: 6, [0, 0, 0x80, 0, 0xFF, 0xFF])
    let images = try openImages(["a/x.png": file]) { $0.imageSize = [1, 3] }
    #expect(images.train.inputs[0].map { Int(($0 * 255).rounded()) } == [0, 128, 255])
  }

  @Test("A much larger JPEG is decoded to fewer pixels, and looks the same")
  func reduced() throws {
    let large = jpeg(320, 240, smoothPixels(320, 240))
    let small = jpeg(40, 30, smoothPixels(40, 30), quality: 100)
    func inputs(_ file: [UInt8]) throws -> [Float] {
      try openImages(["a/x.jpg": file]) {
        $0.imageSize = [30, 40]
        $0.channels = 3
      }.train.inputs[0]
    }
    let (reduced, direct) = (try inputs(large), try inputs(small))
    // Half a pixel of the small image, and what its compression loses.
    let largest = zip(reduced, direct).map { abs($0 - $1) }.max() ?? 1
    #expect(largest < 0.06)
  }

  @Test("The content says what a file is, not its name")
  func otherName() throws {
    let images = try openImages(["a/x.JPG": greyPNG(3, [1, 2, 3, 4, 5, 6])])
    #expect(images.train.inputs[0].map { Int(($0 * 255).rounded()) } == [1, 2, 3, 4, 5, 6])
  }

  @Test("Any number of threads reads the same")
  func threads() throws {
    var files: [String: [UInt8]] = [:]
    for i in 0..<40 { files["\(i % 3)/\(i).png"] = greyPNG(3, (0..<6).map { UInt8(i + $0) }) }
    let one = try openImages(files).train
    let four = try openImages(files, threads: 4).train
    #expect(one == four)
    #expect(one.labels == one.labels.sorted())
  }

  // MARK: - Broken files

  private func failure(_ name: String, _ bytes: [UInt8]) -> DataError? {
    #expect(throws: DataError.self) {
      try openImages(["a/good.png": greyPNG(3, [1, 2, 3, 4, 5, 6]), "a/\(name)": bytes])
    }
  }

  @Test("After a file whose header is cut off, the next one is read as it is")
  func afterDamage() throws {
    let good = try ImagesTests.golden("colors.jpg")
    try withTree([
      "a/1.jpg": good, "a/2.jpg": Array(good.prefix(300)), "a/3.jpg": good, "b/1.jpg": good,
    ]) { folder in
      var source = ImagesSource(path: folder)
      source.validation = 0
      let reading = DataReading(try source.open(seed: 0, threads: 1))
      #expect(reading.problemCount == 1 && reading.readCount == 3)
      #expect(reading.problems.allSatisfy { $0.contains("a/2.jpg: damaged image") })
    }
  }

  @Test("A file that is cut off is an error with the file's name")
  func truncated() throws {
    let files = [
      ("x.jpg", try ImagesTests.golden("colors.jpg")),
      ("x.jpg", try ImagesTests.golden("progressive.jpg")),
      ("x.png", try ImagesTests.golden("colors.png")),
    ]
    for (name, bytes) in files {
      for count in [1, 2, 10, bytes.count / 3, bytes.count / 2, bytes.count - 40] {
        let error = try #require(failure(name, Array(bytes[..<count])), "\(name) \(count)")
        #expect(error.kind == .malformed && error.message.contains("/a/\(name): "))
      }
    }
  }

  @Test("Bytes of a JPEG that are changed at random never crash")
  func random() throws {
    var random = SystemRandomNumberGenerator()
    for name in ["colors.jpg", "cmyk.jpg", "sideways.jpg", "palette.png"] {
      let good = try ImagesTests.golden(name)
      for _ in 0..<50 {
        var bytes = good
        for _ in 0..<3 {
          bytes[Int.random(in: 8..<bytes.count, using: &random)] = .random(in: 0...255)
        }
        _ = try? openImages(["a/x.jpg": bytes])
      }
    }
  }

  @Test(
    "What is no JPEG or PNG is an error that says what it seems to be",
    arguments: [
      ("GIF89a......", "a GIF"), ("RIFF....WEBPVP8 ", "a WebP"), ("<!DOCTYPE html>", "a web page"),
      ("hello", "is not a JPEG or PNG"),
    ])
  func otherFormat(content: String, expected: String) throws {
    let error = try #require(failure("x.jpg", Array(content.utf8)))
    #expect(error.message.contains(expected) && error.message.contains("/a/x.jpg"))
  }

  @Test("A file that declares too many pixels is refused before memory is allocated")
  func bomb() throws {
    let file = png(width: 100_000, height: 100_000, colorType: 0, rowBytes: 1, [0])
    let error = try #require(failure("x.png", file))
    #expect(error.message.contains("100000 by 100000 pixels are more than"))
  }

  @Test("An empty file is found when the folder is listed")
  func empty() throws {
    #expect(try #require(failure("x.png", [])).message.contains("/a/x.png: is empty (0 bytes)"))
  }

  // MARK: - Folders

  private let grey = greyPNG(3, [1, 2, 3, 4, 5, 6])

  @Test("Folders are classes, sorted; hidden files and texts are left out, folders below are not")
  func folders() throws {
    let (data, train) = try openImages([
      "dog/b.png": grey, "cat/x/y/a.png": grey, "cat/z.png": grey, "cat/notes.txt": [1],
      "cat/.hidden.png": [1], ".git/a.png": [1], "README.md": [1],
    ]) { $0.validation = 0 }
    #expect(data.preparation.classes?.names == ["cat", "dog"])
    #expect(train.labels == [0, 0, 1])
    #expect(data.train.inputShape == [1, 2, 3])
  }

  @Test("Parts have folders of their own", arguments: ["validation", "val", "valid"])
  func parts(name: String) throws {
    try withTree([
      "train/cat/1.png": grey, "train/dog/1.png": grey, "\(name)/dog/2.png": grey,
      "test/cat/3.png": grey, "test/cat/4.png": grey,
    ]) { folder in
      var source = ImagesSource(path: folder)
      source.imageSize = [2]
      let data = try source.open()
      #expect(data.train.count == 2)
      #expect(data.validation.count == 1)
      #expect(data.test.count == 2)
      let labels: [Int32] = try #require(data.validation.labels)
      #expect(labels == [1])
      let tests: [Int32] = try #require(data.test.labels)
      #expect(tests == [0, 0])
      #expect(data.train.inputShape == [3, 2, 2])
    }
  }

  @Test("A part of each class is held out where there is no folder for it")
  func split() throws {
    var files: [String: [UInt8]] = [:]
    for i in 0..<20 { files["\(i % 2)/\(i).png"] = grey }
    let (data, _) = try openImages(files) {
      $0.validation = 0.2
      $0.test = 2
    }
    #expect(data.train.count == 14)
    #expect(data.validation.count == 4)
    #expect(data.test.count == 2)
    let labels: [Int32] = try #require(data.validation.labels)
    #expect(labels == [0, 0, 1, 1])
  }

  @Test(
    "Folders that cannot be used are errors with the place and the remedy",
    arguments: [
      (["cat/a.png", "x.jpg"], "/x.jpg: an image outside of the class folders"),
      (["cat/a.png", "dog/notes.txt"], "/dog: no JPEG or PNG files"),
      (["cat/a.png", "cat/b.webp"], "/cat/b.webp: images of this type are not read"),
      (["train/cat/a.png", "val/dog/a.png"], "'dog' is none of the 1 classes"),
      (["train/cat/a.png", "val/cat/a.txt"], "/val: no images"),
      (["notes.txt"], "has no folders"),
    ])
  func wrongFolders(files: [String], expected: String) throws {
    let error = #expect(throws: DataError.self) {
      try openImages(Dictionary(uniqueKeysWithValues: files.map { ($0, grey) }))
    }
    #expect(try #require(error).message.contains(expected))
  }

  @Test("A link to a folder above ends with an error")
  func loop() throws {
    try withTree(["cat/a.png": grey]) { folder in
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/cat/loop", withDestinationPath: folder)
      let error = #expect(throws: DataError.self) { try ImagesSource(path: folder).open() }
      // The system may refuse so many links before.
      let message = try #require(error).message
      #expect(message.contains("nested more than 32 deep") || message.contains("cannot be read"))
    }
  }

  @Test("The fingerprint knows names and sizes, but not times or the path")
  func fingerprint() throws {
    func fingerprint(_ files: [String: [UInt8]]) throws -> UInt64 {
      try openImages(files).data.train.fingerprint
    }
    let first = try fingerprint(["a/1.png": grey, "b/2.png": grey])
    let same = try fingerprint(["a/1.png": grey, "b/2.png": grey])
    let others = [
      try fingerprint(["a/1.png": grey, "b/3.png": grey]),
      try fingerprint(["a/1.png": grey, "c/2.png": grey]),
      try fingerprint(["a/1.png": grey, "b/2.png": grey + [0]]),
    ]
    #expect(first == same)
    #expect(!others.contains(first))
  }

  @Test("100,000 files are listed in a few seconds")
  func many() throws {
    try withTree(["seed.png": grey]) { folder in
      for part in 0..<10 {
        // A file can have about 65,000 names on some file systems.
        let path = "\(folder)/all/\(part)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        try Data(grey).write(to: URL(fileURLWithPath: path + "/0.png"))
        for i in 1..<10_000 {
          #expect(link(path + "/0.png", "\(path)/\(i).png") == 0)
        }
      }
      let clock = ContinuousClock()
      var source = ImagesSource(path: folder + "/all")
      source.validation = 1_000
      var data: DataSplits?
      let time = try clock.measure { data = try source.open() }
      #expect(data?.train.count == 99_000)
      #expect(time < .seconds(20))
    }
  }

  // MARK: - Options

  @Test("Options that do not fit are refused with the setting's name")
  func options() {
    func refusal(_ configure: (inout ImagesSource) -> Void) -> String? {
      var source = ImagesSource(path: "x")
      configure(&source)
      return #expect(throws: SettingError.self) { try source.open() }?.setting
    }
    #expect(refusal { $0.path = nil } == "path")
    #expect(refusal { _ in } == "path")
    #expect(refusal { $0.imageSize = [1, 2, 3] } == "imageSize")
    #expect(refusal { $0.imageSize = [] } == "imageSize")
    #expect(refusal { $0.resize = 100 } == "resize")
    #expect(refusal { $0.channels = 2 } == "channels")
    #expect(refusal { $0.normalize = .standardizeFeatures } == "normalize")
    #expect(
      refusal {
        $0.channels = 1; $0.normalize = .imagenet
      } == "normalize")
    #expect(refusal { $0.augment = ["flop"] } == "augment")
  }

  @Test("Channels are standardized by the training images, or by ImageNet")
  func normalize() throws {
    let file = png(
      width: 2, height: 1, colorType: 2, rowBytes: 6, [0, 51, 255, 255, 51, 51])
    func inputs(_ normalize: InputNormalization) throws -> (SamplePreparation, [Float]) {
      let (data, train) = try openImages(["a/x.png": file]) {
        $0.imageSize = [1, 2]
        $0.channels = 3
        $0.normalize = normalize
      }
      return (data.preparation, train.inputs[0])
    }
    let (preparation, own) = try inputs(.standardizeChannels)
    #expect(preparation.standardization?.means.count == 3)
    // The second channel is constant: its deviation counts as 1.
    #expect(zip(own, [-1, 1, 0, 0, 1, -1]).allSatisfy { abs($0 - $1) < 1e-4 })
    let (_, fixed) = try inputs(.imagenet)
    #expect(abs(fixed[0] - (0 - 0.485) / 0.229) < 1e-5)
    #expect(abs(fixed[4] - (1 - 0.406) / 0.225) < 1e-5)
  }

  @Test("An image file is an input of a model of images")
  func prediction() throws {
    let preparation = ImagePreparation(channels: 1, height: 1, width: 3)
    try withFolder(["x.png": greyPNG(3, [0, 51, 255]), "y.png": [1, 2]]) { folder in
      let file = try InputFile(path: folder + "/x.png", inputShape: [1, 1, 3], images: preparation)
      #expect(file.count == 1 && file.inputs == [0, 0.2, 1])
      let error = #expect(throws: DataError.self) {
        try InputFile(path: folder + "/x.png", inputShape: [3])
      }
      #expect(try #require(error).message.contains("not trained on images"))
      #expect(throws: DataError.self) {
        try InputFile(path: folder + "/y.png", inputShape: [1, 1, 3], images: preparation)
      }
    }
  }
}
