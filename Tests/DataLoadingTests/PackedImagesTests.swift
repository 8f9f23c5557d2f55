import DataLoading
import Foundation
import Settings
import Testing

@Suite("Packed images")
struct PackedImagesTests {
  private var files: [String: [UInt8]] {
    var files: [String: [UInt8]] = [:]
    for i in 0..<6 {
      files["train/\(i % 2)/\(i).jpg"] = jpeg(50 + i, 40, smoothPixels(50 + i, 40))
      files["val/\(i % 2)/\(i).jpg"] = jpeg(30, 45 + i, smoothPixels(30, 45 + i))
    }
    return files
  }

  private func source(_ path: String) -> ImagesSource {
    var source = ImagesSource(path: path)
    source.imageSize = [24, 20]
    source.resize = 28
    return source
  }

  /// Packs a folder, and calls `body` with the folder and the file.
  private func withPacked(_ body: (_ folder: String, _ file: String) throws -> Void) throws {
    try withTree(files) { folder in
      var bytes: [UInt8] = []
      var (done, all) = (0, 0)
      let header = try source(folder).pack(
        threads: 2, write: { bytes += $0 }, progress: { (done, all) = ($0, $1) })
      #expect(header.training == 6 && header.validation == 6 && header.test == 0)
      #expect(done == 12 && all == 12)
      try withFolder(["all.images": bytes]) { try body(folder, $0 + "/all.images") }
    }
  }

  @Test("A packed file has the samples of the folder, to the last bit")
  func same() throws {
    try withPacked { folder, file in
      let (before, after) = (try source(folder).open(), try source(file).open())
      #expect(after.preparation.classes?.names == ["0", "1"])
      for part in DataPart.allCases {
        let (expected, found) = (try Contents(before[part]), try Contents(after[part]))
        #expect(expected == found)
      }
      var changed = source(file)
      changed.augment = ["flip", "crop 2", "colorJitter 0.3"]
      var same = source(folder)
      same.augment = changed.augment
      let expected = try trainingContents(same.open(seed: 3).train, epoch: 2)
      let found = try trainingContents(changed.open(seed: 3).train, epoch: 2)
      #expect(expected == found)
    }
  }

  @Test("A file that is cut off is an error")
  func truncated() throws {
    try withPacked { _, file in
      let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: file)))
      for count in [1, 8, 63, 64, 100, bytes.count / 2, bytes.count - 41, bytes.count - 1] {
        try Data(bytes[..<count]).write(to: URL(fileURLWithPath: file))
        #expect(throws: DataError.self, "\(count) bytes") { try source(file).open() }
      }
    }
  }

  @Test("Changed bytes are found: those of the index when it is opened, pixels when they are read")
  func changed() throws {
    try withPacked { _, file in
      let bytes = try Array(Data(contentsOf: URL(fileURLWithPath: file)))
      for place in [9, 12, bytes.count - 40, bytes.count - 30, bytes.count - 100] {
        var changed = bytes
        changed[place] ^= 0x40
        try Data(changed).write(to: URL(fileURLWithPath: file))
        #expect(throws: (any Error).self, "byte \(place)") { try source(file).open() }
      }
      var changed = bytes
      changed[100] ^= 1
      try Data(changed).write(to: URL(fileURLWithPath: file))
      let data = try source(file).open()
      let error = #expect(throws: DataError.self) { try Contents(data.train) }
      #expect(try #require(error).message.contains("image 0 (counted from 0) is damaged"))
    }
  }

  @Test("The number of channels must be that of the file")
  func channels() throws {
    try withPacked { _, file in
      var grey = source(file)
      grey.channels = 1
      let error = #expect(throws: SettingError.self) { try grey.open() }
      #expect(error?.setting == "channels")
    }
  }
}
