import Foundation
public import Settings

/// The binary version of CIFAR-10: records of a label and 32 by 32 pixels, all red ones first, then
/// green, then blue.
enum CIFAR10 {
  static let classes = Classes(names: [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
  ])
  private static let imageShape = [3, 32, 32]
  private static let imageBytes = 3_072
  private static let recordBytes = 1 + imageBytes

  /// Reads those of the five training files that exist, in order; nil if none does.
  static func trainingSamples(in folder: String) throws -> Samples? {
    try samples(in: folder, (1...5).map { "data_batch_\($0).bin" })
  }

  /// Reads the test file; nil if it does not exist.
  static func testSamples(in folder: String) throws -> Samples? {
    try samples(in: folder, ["test_batch.bin"])
  }

  private static func samples(in folder: String, _ names: [String]) throws -> Samples? {
    let paths = names.map { folder + "/" + $0 }.filter {
      FileManager.default.fileExists(atPath: $0)
    }
    var pixels: [UInt8] = []
    var labels: [Int] = []
    for path in paths { try read(ByteReader(path: path), &pixels, &labels) }
    return paths.first.map { first in
      Samples(
        name: paths.count == 1 ? first : folder, pixels: pixels, inputShape: imageShape,
        labels: labels)
    }
  }

  /// Appends the records of a file.
  private static func read(
    _ reader: ByteReader, _ pixels: inout [UInt8], _ labels: inout [Int]
  ) throws {
    let bytes = try reader.remainingBytes()
    guard !bytes.isEmpty else { throw reader.malformed("no samples") }
    let count = bytes.count / recordBytes
    pixels.reserveCapacity(pixels.count + count * imageBytes)
    for record in 0..<count {
      let start = record * recordBytes
      guard bytes[start] < classes.count else {
        throw reader.malformed(
          "byte \(start) is \(bytes[start]), but record \(record) begins there with a label of 0...9"
        )
      }
      labels.append(Int(bytes[start]))
      pixels += bytes[start + 1..<start + recordBytes]
    }
    guard count * recordBytes == bytes.count else {
      throw reader.malformed(
        "ends too early: record \(count), which begins at byte \(count * recordBytes), has "
          + "\(bytes.count - count * recordBytes) of \(recordBytes) bytes")
    }
  }
}

/// The binary version of CIFAR-10: a folder with those of `data_batch_1.bin` to `data_batch_5.bin`
/// that there are, and possibly `test_batch.bin`.
///
/// Bytes become 0...1. Without the test file, `validation` and `test` say which samples are held out.
public struct CIFAR10Source: DataSource, SplitSource {
  /// The folder; a leading `~` is the home folder.
  @Setting(shared: .path("folder of the binary version of CIFAR-10"))
  public var path: String?
  /// The samples for validation: a number, or a fraction below 1.
  @Setting(shared: .validation) public var validation: Double?
  /// The samples for testing: a number, or a fraction below 1.
  @Setting(shared: .test) public var test: Double?
  /// How samples for validation and testing are chosen.
  @Setting(shared: .split) public var split: SplitMethod?
  /// The random seed of the split.
  @Setting(shared: .splitSeed) public var splitSeed: Int
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization
  /// Random changes of training images.
  @Setting(shared: .augment) public var augment: [String]

  private static let expected = "a folder with data_batch_1.bin"

  /// A source without a path.
  public init() {}

  /// A folder.
  public init(path: String) { self.path = path }

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, CIFAR10Source.expected)
    _ = try Augmentation(augment)
  }

  /// Reads the folder.
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    let path = expanded(path)
    guard let train = try CIFAR10.trainingSamples(in: path) else {
      throw missingPath(path, CIFAR10Source.expected)
    }
    return try DataSplits(
      SampleFiles(train: train, test: CIFAR10.testSamples(in: path)),
      SampleOptions(
        splits: splitOptions, knownClasses: CIFAR10.classes, normalize: normalize,
        augmentation: Augmentation(augment), areImages: true),
      preparation)
  }
}

extension DataFormat {
  /// CIFAR-10.
  static let cifar10 = DataFormat("cifar10", CIFAR10Source())
}
