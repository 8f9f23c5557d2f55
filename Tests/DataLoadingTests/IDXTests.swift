import Settings
import Base
import DataLoading
import Foundation
import Testing

@Suite("IDX")
struct IDXTests {
  private func files(_ images: [UInt8], _ labels: [UInt8]) -> [String: [UInt8]] {
    ["train-images-idx3-ubyte": images, "train-labels-idx1-ubyte": labels]
  }

  @Test("Pixels become 0...1, with a channel; the last samples are for testing")
  func pair() throws {
    let (train, test) = try open(IDXSource.self, files(smallImages, smallLabels)) {
      ($0.validation, $0.split) = (1, .last)
    }
    #expect(train.inputShape == [1, 2, 3])
    #expect(train.targetKind == .classes(count: 3) && test.targetKind == .classes(count: 3))
    #expect(try Contents(train).labels == [0, 1, 2] && Contents(test).labels == [1])
    #expect(try Contents(test).inputs == [(18..<24).map { Float($0) / 255 }])
  }

  @Test(
    "All spellings of the names are found, compressed or not",
    arguments: ["-", "."], [true, false])
  func names(separator: String, compressed: Bool) throws {
    var files: [String: [UInt8]] = [:]
    for part in ["train", "t10k"] {
      for (kind, axes, bytes) in [("images", 3, smallImages), ("labels", 1, smallLabels)] {
        let name = "\(part)-\(kind)\(separator)idx\(axes)-ubyte"
        files[compressed ? name + ".gz" : name] = compressed ? gzip(bytes) : bytes
      }
    }
    let all = try open(IDXSource.self, files)
    #expect(try Contents(all.train).labels == [0, 1, 2, 1])
    #expect(try Contents(all.validation) == Contents(all.train))
    // Samples for validation are taken from those for training; then the test files are for testing.
    let held = try withFolder(files) { folder in
      var source = IDXSource(path: folder)
      (source.validation, source.split) = (2, .last)
      return try source.open()
    }
    #expect(try Contents(held.train).labels == [0, 1])
    #expect(try Contents(held.validation).labels == [2, 1])
    #expect(try Contents(held.test).labels == [0, 1, 2, 1])
  }

  @Test("Validation samples that leave none for training, or a part of one, are errors")
  func tooMany() throws {
    for count in [4, 5, 1.5, -2] {
      let error = refusal(IDXSource.self, files(smallImages, smallLabels)) { $0.validation = count }
      #expect(error?.setting == "validation" && error?.exitStatus == .configuration)
    }
    let all = try open(IDXSource.self, files(smallImages, smallLabels)) { $0.validation = 0 }
    #expect(all.train.count == 4 && all.validation.count == 0)
  }

  @Test("All element types are read")
  func types() throws {
    func floats(_ type: UInt8, _ data: [UInt8]) throws -> [Float] {
      try IDX.read(ByteReader(name: "x", bytes: idx([2], data, type: type))).floats()
    }
    #expect(try floats(0x08, [1, 255]) == [1, 255])
    #expect(try floats(0x09, [1, 255]) == [1, -1])
    #expect(try floats(0x0B, bytes([Int16(-2), 300], bigEndian: true)) == [-2, 300])
    #expect(try floats(0x0C, bytes([Int32(-2), 70_000], bigEndian: true)) == [-2, 70_000])
    let singles = [Float(1.5).bitPattern, Float(-2).bitPattern]
    #expect(try floats(0x0D, bytes(singles, bigEndian: true)) == [1.5, -2])
    let doubles = [Double(1.5).bitPattern, Double(-2).bitPattern]
    #expect(try floats(0x0E, bytes(doubles, bigEndian: true)) == [1.5, -2])
    let labels = IDX.read
    let integers = idx([2], bytes([Int32(3), 70_000], bigEndian: true), type: 0x0C)
    #expect(try labels(ByteReader(name: "x", bytes: integers)).integers() == [3, 70_000])
  }

  @Test(
    "Hostile headers are errors, and cost no memory",
    arguments: [
      ([], "ends too early"),
      ([0, 1, 8, 1, 0, 0, 0, 1, 5], "not an IDX file"),
      ([0, 0, 0x0A, 1, 0, 0, 0, 1, 5], "element type 10"),
      ([0, 0, 8, 0], "0 axes"),
      ([0, 0, 8, 255] + [UInt8](repeating: 1, count: 1_020), "255 axes"),
      ([0, 0, 0x0E, 4] + [UInt8](repeating: 255, count: 16), "more elements than can exist"),
      ([0, 0, 8, 4] + [UInt8](repeating: 255, count: 12) + [0, 0, 0, 0], "more elements"),
      ([0, 0, 8, 2, 255, 255, 255, 255, 0, 0, 255, 255, 1, 2, 3], "ends too early"),
      ([0, 0, 8, 1, 0, 0, 0, 1, 5, 6], "more bytes than its header declares, from byte 9"),
    ] as [([UInt8], String)])
  func hostile(bytes: [UInt8], message: String) throws {
    for bytes in [bytes, gzip(bytes)] {
      let reader = try ByteReader(name: "file", bytes: bytes)
      let error = #expect(throws: DataError.self) { _ = try IDX.read(reader) }
      #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }
  }

  @Test("Images and labels must fit each other")
  func mismatch() {
    let cases: [([UInt8], [UInt8], String)] = [
      (smallImages, idx([3], [0, 1, 2]), "3 targets"),
      (smallImages, idx([4, 1], [0, 1, 2, 1]), "one axis"),
      (smallLabels, smallLabels, "one axis"),
      (idx([0, 2, 2], []), idx([0], []), "no samples"),
      (idx([4, 0, 2], []), smallLabels, "no samples"),
      (
        smallImages,
        idx([4], bytes([UInt32](repeating: 0x3F00_0000, count: 4), bigEndian: true), type: 0x0D),
        "the label 0.5 is not a whole number"
      ),
    ]
    for (images, labels, message) in cases {
      let error = failure(IDXSource.self, files(images, labels)) {
        ($0.validation, $0.split) = (1, .last)
      }
      #expect(error?.kind == .malformed && error?.message.contains(message) == true)
    }
    let error = failure(IDXSource.self, files(smallImages, smallLabels)) {
      ($0.validation, $0.split) = (1, .last)
      $0.classes = 2
    }
    #expect(
      error?.message.contains("sample 2 (counted from 0): the label 2 is out of range") == true)
  }

  @Test("A missing file is named")
  func missing() {
    let error = failure(IDXSource.self, ["train-images-idx3-ubyte": smallImages])
    #expect(error?.kind == .missing)
    #expect(error?.message.contains("train-labels-idx1-ubyte") == true)
    let empty = refusal(IDXSource.self, [:])
    #expect(empty?.problem.contains("t10k-images-idx3-ubyte") == true)
    let nowhere = refusal(IDXSource.self, [:]) { $0.path = "/nowhere" }
    #expect(nowhere?.exitStatus == .inputMissing && empty?.exitStatus == .inputMissing)
  }

  private static let mnist = URL(fileURLWithPath: #filePath)
    .appendingPathComponent("../../../../shared/data/mnist-10k").standardized.path

  @Test(
    "MNIST's test files split into 8,000 and 2,000",
    .enabled(
      if: FileManager.default.fileExists(atPath: mnist), "the data is not beside the package"))
  func realFiles() throws {
    var source = IDXSource(path: Self.mnist)
    (source.validation, source.split) = (2_000, .last)
    let data = try source.open()
    let (train, test) = (data.train, data.validation)
    #expect(train.count == 8_000 && test.count == 2_000)
    #expect(train.inputShape == [1, 28, 28] && train.targetKind == .classes(count: 10))
    #expect(try Contents(train).labels.prefix(5) == [7, 2, 1, 0, 4])
    let pixels = try Contents(train).inputs.joined()
    #expect(pixels.min() == 0 && pixels.max() == 1)
  }
}
