import DataLoading
import Foundation
import Settings
import Testing

/// Damages good files in every way that is cheap to try: a reader throws or reads, it never traps.
@Suite("Hostile files")
struct HostileFilesTests {
  private static let good: [(format: String, names: [String], files: [[UInt8]])] = [
    ("idx", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"], [smallImages, smallLabels]),
    (
      "idx", ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"],
      [gzip(smallImages), gzip(smallLabels)]
    ),
    ("csv", ["train.csv"], [Array("a,\"b\",c\r\n1,2.5,0\n\"-3\",4e1,1\n0,0.25,2\n".utf8)]),
    (
      "npy", ["inputs.npy", "targets.npy"],
      [
        npy("<f4", "(3, 2)", bytes([UInt32](repeating: 0x3F80_0000, count: 6), bigEndian: false)),
        npy("<i4", "(3,)", bytes([Int32(0), 1, 2], bigEndian: false)),
      ]
    ),
    (
      "text", ["train.bin", "val.bin"],
      [bytes((0..<9).map(UInt16.init), bigEndian: false), [1, 0, 2, 0, 8, 0]]
    ),
    ("text", ["input.txt"], [Array("naïve 🙂 text\n".utf8)]),
  ]

  /// Opens files, and reads all samples if that works; returns whether it did.
  private func survives(
    _ format: String, _ names: [String], _ files: [[UInt8]],
    _ changes: [String: SettingValue] = [:]
  ) throws -> Bool {
    try withFolder(Dictionary(uniqueKeysWithValues: zip(names, files))) { folder in
      var options: [String: SettingValue] = [
        "path": .text(folder), "blockSize": 2, "validation": 1.0,
      ]
      if names.contains("val.bin") { options["validation"] = nil }
      if names == ["input.txt"] {
        options["path"] = .text(folder + "/input.txt")
        options["validation"] = 0.4
      }
      options.merge(changes) { $1 }
      do {
        let source = try #require(DataFormat.all.named(format)).source.replacing { options[$0] }
        let all = try source.open()
        _ = try (Contents(all.train), Contents(all.validation), Contents(all.test))
        return true
      } catch is DataError {
        return false
      } catch is SettingError {
        return false  // The files have become too short for an option.
      }
    }
  }

  @Test(
    "A truncated binary file is an error, and truncated csv and text never trap",
    arguments: good.indices)
  func truncated(index: Int) throws {
    let (format, names, files) = Self.good[index]
    #expect(try survives(format, names, files))
    for (place, file) in files.enumerated() {
      for count in file.indices {
        var damaged = files
        damaged[place] = Array(file[..<count])
        let isRead = try survives(format, names, damaged)
        #expect(
          ["csv", "text"].contains(format) || !isRead,
          "\(names[place]) cut to \(count) bytes was read")
      }
    }
  }

  @Test("Flipped bits and changed, removed and inserted bytes never trap", arguments: good.indices)
  func fuzzed(index: Int) throws {
    let (format, names, files) = Self.good[index]
    var generator = SystemRandomNumberGenerator()
    let seed =
      ProcessInfo.processInfo.environment["FUZZ_SEED"].flatMap(UInt64.init) ?? generator.next()
    print("fuzzing \(names[0]): FUZZ_SEED=\(seed)")
    var random = Random(state: seed)
    let telling = Array("\0\u{FF},\"\n\r-+.eE'(){}0129 ".utf8)
    for _ in 0..<1_000 {
      var damaged = files
      let place = Int.random(in: damaged.indices, using: &random)
      for _ in 0..<Int.random(in: 1...4, using: &random) where !damaged[place].isEmpty {
        let at = Int.random(in: damaged[place].indices, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: damaged[place][at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 1: damaged[place][at] = UInt8.random(in: 0...255, using: &random)
        case 2: damaged[place].remove(at: at)
        case 3: damaged[place].insert(telling.randomElement(using: &random) ?? 0, at: at)
        default: damaged[place][at] = telling.randomElement(using: &random) ?? 0
        }
      }
      _ = try survives(format, names, damaged)
    }
  }

  @Test("Options of any number, and headers that declare any size, never trap")
  func hugeNumbers() throws {
    let numbers: [Int] = [.min, -1, 0, 1, 1 << 20, 1 << 31, 1 << 32, 1 << 62, .max]
    for name in ["validation", "test", "splitSeed", "classes", "blockSize", "inputShape"] {
      for number in numbers {
        let shapes = [[number], [number, number], [1, number, 2]]
        let values: [SettingValue] =
          name == "inputShape"
          ? shapes.map { .integers($0) }
          : [["validation", "test"].contains(name) ? .number(Double(number)) : .integer(number)]
        for (format, names, files) in Self.good {
          for value in values {
            _ = try survives(format, names, files, [name: value])
          }
        }
      }
    }
    let axes: [UInt32] = [0, 1, 0x7FFF_FFFF, 0x8000_0000, .max]
    for (first, second) in axes.flatMap({ a in axes.map { (a, $0) } }) {
      for type in UInt8(0x08)...0x0E {
        let images = idx([first, second, second, first], [1, 2, 3], type: type)
        for bytes in [images, gzip(images)] {
          #expect(throws: DataError.self) {
            _ = try InputFile(named: "a-images", bytes, inputShape: [2])
          }
        }
      }
    }
    let sizes = ["0", "1", "4611686018427387904", "9223372036854775807", "9223372036854775808"]
    for (first, second) in sizes.flatMap({ a in sizes.map { (a, $0) } }) {
      for (descr, fortran) in [("<f8", false), ("|b1", true), (">i4", true)] {
        let array = npy(descr, "(\(first), \(second), 4)", [], fortran: fortran)
        #expect(throws: DataError.self) {
          _ = try InputFile(named: "a.npy", array, inputShape: [2])
        }
        _ = try survives("npy", ["inputs.npy", "targets.npy"], [array, array])
      }
    }
  }

  private struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return (state ^ state >> 33) &* 0xFF51_AFD7_ED55_8CCD
    }
  }
}
