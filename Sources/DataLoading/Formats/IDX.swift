import Base
import Foundation
public import Settings

/// The format of MNIST: two zero bytes, an element type, the number of axes, their lengths, and the
/// elements, all big-endian.
package enum IDX {
  /// Reads a whole array.
  package static func read(_ reader: ByteReader) throws -> NumericArray {
    let magic = try reader.bytes(4)
    guard magic[0] == 0, magic[1] == 0 else {
      throw reader.malformed("not an IDX file: it begins with \(magic[0]) \(magic[1]), not 0 0")
    }
    let type: NumericArray.ElementType
    switch magic[2] {
    case 0x08: type = .uint8
    case 0x09: type = .int8
    case 0x0B: type = .int16
    case 0x0C: type = .int32
    case 0x0D: type = .float32
    case 0x0E: type = .float64
    default:
      throw reader.malformed("byte 2 names element type \(magic[2]), which IDX does not have")
    }
    guard (1...4).contains(magic[3]) else {
      throw reader.malformed("byte 3 declares \(magic[3]) axes: 1 to 4 are expected")
    }
    let shape = try (0..<magic[3]).map { _ in
      try reader.bytes(4).reduce(0) { $0 << 8 | Int($1) }
    }
    guard let count = shape.byteCount(elementBytes: type.byteCount) else {
      throw reader.malformed("declares more elements than can exist: shape \(shape)")
    }
    let bytes = try reader.bytes(count)
    try reader.expectEnd()
    return NumericArray(
      name: reader.name, shape: shape, type: type, isBigEndian: true, bytes: bytes)
  }

  /// Reads the images and labels of a part; nil if the folder has no such images.
  static func samples(in folder: String, part: String) throws -> Samples? {
    guard let imagesPath = path(in: folder, part: part, of: "images", axes: 3) else { return nil }
    guard let labelsPath = path(in: folder, part: part, of: "labels", axes: 1) else {
      throw DataError(
        .missing,
        "\(folder): has \(URL(fileURLWithPath: imagesPath).lastPathComponent), but no "
          + "\(part)-labels-idx1-ubyte or .gz of it")
    }
    let images = try read(ByteReader(path: imagesPath))
    let labels = try read(ByteReader(path: labelsPath))
    let inputShape: [Int]
    switch images.shape.count {
    case 1: throw DataError(.malformed, "\(imagesPath): one axis: these are labels, not images")
    case 3: inputShape = [1] + images.shape.dropFirst()  // a grey channel
    default: inputShape = Array(images.shape.dropFirst())
    }
    return try Samples(
      inputs: images, inputShape: inputShape, divisor: 255, targets: labels)
  }

  /// The first file that exists among the usual spellings.
  private static func path(in folder: String, part: String, of kind: String, axes: Int) -> String? {
    ["-", "."].flatMap { separator in
      ["", ".gz"].map { "\(folder)/\(part)-\(kind)\(separator)idx\(axes)-ubyte\($0)" }
    }.first { FileManager.default.fileExists(atPath: $0) }
  }
}

/// Files in the format of MNIST: a folder with `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`
/// and the same with `t10k`, each also spelled `train-images.idx3-ubyte` and possibly compressed
/// (`.gz`).
///
/// Bytes become 0...1. Without files for testing, `validation` and `test` say which samples are held
/// out.
public struct IDXSource: DataSource, SplitSource {
  /// The folder; a leading `~` is the home folder.
  @Setting(shared: .path("folder with the files of MNIST, FashionMNIST or EMNIST"))
  public var path: String?
  /// The samples for validation: a number, or a fraction below 1.
  @Setting(shared: .validation) public var validation: Double?
  /// The samples for testing: a number, or a fraction below 1.
  @Setting(shared: .test) public var test: Double?
  /// How samples for validation and testing are chosen.
  @Setting(shared: .split) public var split: SplitMethod?
  /// The random seed of the split.
  @Setting(shared: .splitSeed) public var splitSeed: Int
  /// The number of classes; nil infers it.
  @Setting(shared: .classes) public var classes: Int?
  /// What is done with the inputs.
  @Setting(shared: .normalize) public var normalize: InputNormalization
  /// Random changes of training images.
  @Setting(shared: .augment) public var augment: [String]

  /// A source without a path.
  public init() {}

  /// A folder.
  public init(path: String) { self.path = path }

  /// Throws when there is no path.
  public func check() throws(SettingError) {
    try requirePath(path, "a folder with IDX files")
    _ = try Augmentation(augment)
  }

  /// Reads the folder.
  public func read(_ preparation: SamplePreparation?) throws -> DataSplits {
    let path = expanded(path)
    guard isFolder(path) else { throw missingPath(path, "a folder with IDX files") }
    let parts = try ["train", "t10k"].map { try IDX.samples(in: path, part: $0) }
    guard let first = parts[0] ?? parts[1] else {
      throw missingPath(path, "train-images-idx3-ubyte or t10k-images-idx3-ubyte, or .gz of it")
    }
    return try DataSplits(
      SampleFiles(train: first, test: parts[0] == nil ? nil : parts[1]),
      SampleOptions(
        splits: splitOptions, classes: classes, target: .classes, normalize: normalize,
        augmentation: Augmentation(augment), areImages: true),
      preparation)
  }
}

extension DataFormat {
  /// MNIST's format.
  static let idx = DataFormat("idx", IDXSource())
}
