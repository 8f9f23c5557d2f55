import Base
import DataLoading
import Settings
import Testing

@Suite("DataSource")
struct DataSourceTests {
  @Test("The embedded digits are 1,438 samples to train on and 359 for validation")
  func digits() throws {
    let data = try DigitsSource().open()
    let (train, test) = (data.train, data.validation)
    #expect(train.count == 1_438 && test.count == 359)
    #expect(train.inputShape == [1, 8, 8] && train.targetKind == .classes(count: 10))
    let (training, testing) = (try Contents(train), try Contents(test))
    var histogram = [Int](repeating: 0, count: 10)
    for label in training.labels + testing.labels { histogram[Int(label)] += 1 }
    #expect(histogram == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180])
    // The first samples are the digits in order, the fifth of them for testing.
    #expect(training.labels.prefix(4) == [0, 1, 2, 3] && testing.labels.first == 4)
    #expect(training.inputs[0].prefix(8) == [0, 0, 0.3125, 0.8125, 0.5625, 0.0625, 0, 0])
    let pixels = training.inputs.joined()
    #expect(pixels.min() == 0 && pixels.max() == 1)
  }

  @Test("Opening again gives the same fingerprint, other parts and options another")
  func fingerprints() throws {
    let data = try DigitsSource().open()
    let (train, test) = (data.train, data.validation)
    var source = DigitsSource()
    #expect(try source.open().train.fingerprint == train.fingerprint)
    source.normalize = .standardize
    let standardized = try source.open().train
    #expect(Set([train.fingerprint, test.fingerprint, standardized.fingerprint]).count == 3)
  }

  @Test("Each format has the options that it uses, and no others")
  func options() {
    let split = ["validation", "test", "split", "splitSeed"]
    let options = Dictionary(
      uniqueKeysWithValues: DataFormat.all.map { ($0.name, $0.settings.settings.map(\.name)) })
    #expect(
      options == [
        "digits": ["normalize", "augment"],
        "idx": ["path"] + split + ["classes", "normalize", "augment"],
        "images": ["path", "imageSize", "resize", "channels"] + split + [
          "augment", "normalize", "decodeThreads",
        ],
        "csv": ["path"] + split + [
          "classes", "target", "labelColumn", "ignoreColumns", "categoricalColumns", "missing",
          "separator", "header", "inputShape", "standardizeTargets", "normalize",
        ],
        "npy": ["path"] + split + [
          "classes", "target", "standardizeTargets", "normalize", "inputShape", "layout", "augment",
        ],
        "cifar10": ["path"] + split + ["normalize", "augment"],
        "text": ["path", "tokenizer", "textField", "classes", "blockSize", "validation", "test"],
      ])
  }

  @Test(
    "A format of files needs a path, where something is",
    arguments: DataFormat.all.names.filter { $0 != "digits" })
  func path(name: String) throws {
    let source = try #require(DataFormat.all.named(name)).source
    let missing = #expect(throws: SettingError.self) { try source.open() }
    #expect(missing?.setting == "path" && missing?.exitStatus == .configuration)
    let wrong = try source.replacing { $0 == "path" ? "/nowhere/inputs.npy" : nil }
    let nowhere = #expect(throws: SettingError.self) { try wrong.open() }
    #expect(nowhere?.description.hasPrefix("'path' is '/nowhere") == true)
    #expect(nowhere?.exitStatus == .inputMissing)
  }

  /// Training rows (100, 5), (101, 5), (104, 5), and one for testing.
  private func normalized(_ how: InputNormalization) throws -> (train: [Float], test: [Float]) {
    let text = "1000000,5,0\n1000001,5,0\n1000005,5,0\n1000002,7,0\n"
    let (train, test) = try open(CSVSource.self, ["train.csv": Array(text.utf8)]) {
      ($0.validation, $0.split) = (1, .last)
      $0.normalize = how
    }
    return (try Array(Contents(train).inputs.joined()), try Array(Contents(test).inputs.joined()))
  }

  private func close(_ left: [Float], _ right: [Float]) -> Bool {
    left.count == right.count && zip(left, right).allSatisfy { abs($0 - $1) < 1e-5 }
  }

  @Test("Standardizing features uses each one's mean and deviation over the training set")
  func standardizedFeatures() throws {
    let (train, test) = try normalized(.standardizeFeatures)
    let deviation = Float(14.0 / 3).squareRoot()  // of 0, 1, 5; their mean is 2
    #expect(close(train, [-2 / deviation, 0, -1 / deviation, 0, 3 / deviation, 0]))
    #expect(close(test, [0, 2]))  // a constant feature is only centred
  }

  @Test("Standardizing channels uses each one's mean and deviation over the training set")
  func standardizedChannels() throws {
    // The first channel has 0 and 4, the second one 1 and 9.
    let images = idx([2, 2, 1, 3], [0, 0, 0, 1, 1, 1, 4, 4, 4, 9, 9, 9])
    let files = ["train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": idx([2], [0, 1])]
    let (train, _) = try open(IDXSource.self, files) {
      $0.validation = 0
      $0.normalize = .standardizeChannels
    }
    let inputs = try Contents(train).inputs
    #expect(close(inputs[0], [-1, -1, -1, -1, -1, -1]))
    #expect(close(inputs[1], [1, 1, 1, 1, 1, 1]))
  }

  @Test("Standardizing uses one mean and deviation over the training set")
  func standardized() throws {
    let (train, test) = try normalized(.standardize)
    let half: Float = 500_000
    #expect(abs(train.reduce(0, +)) < 1e-4)
    #expect(abs(train.map { $0 * $0 }.reduce(0, +) / 6 - 1) < 1e-4)
    #expect(abs(test[0] - (1_000_002 - half - 3.5) / half) < 1e-4)
  }
}
