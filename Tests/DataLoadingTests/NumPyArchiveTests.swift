import DataLoading
import Foundation
import Settings
import Testing

@Suite("NumPy's archives and layouts of images")
struct NumPyArchiveTests {
  private let inputs = npy("|u1", "(4, 2, 3)", Array(0..<24))
  private let targets = npy("|u1", "(4,)", [0, 1, 1, 0])

  private func open(
    _ bytes: [UInt8], _ configure: (inout NumPySource) -> Void = { _ in }
  ) throws -> DataSplits {
    try withFolder(["data.npz": bytes]) { folder in
      var source = NumPySource(path: folder + "/data.npz")
      configure(&source)
      return try source.open()
    }
  }

  @Test("Reads arrays that are stored or deflated", arguments: [false, true])
  func reads(deflates: Bool) throws {
    let data = try open(
      zip([("inputs.npy", inputs), ("targets.npy", targets)], deflates: deflates)
    ) { $0.validation = 0 }
    let contents = try Contents(data.train)
    #expect(data.train.inputShape == [1, 2, 3])
    #expect(contents.inputs[1] == [6, 7, 8, 9, 10, 11] && contents.labels == [0, 1, 1, 0])
  }

  @Test(
    "Parts and arrays have several usual names",
    arguments: [
      ["x_train", "y_train", "x_test", "y_test"],
      ["train_images", "train_labels", "test_images", "test_labels"],
      ["X_train", "y_train", "X_val", "y_val"],
    ])
  func names(names: [String]) throws {
    let data = try open(
      zip(
        [
          (names[0] + ".npy", inputs), (names[1] + ".npy", targets), (names[2] + ".npy", inputs),
          (names[3] + ".npy", npy("|u1", "(4, 1)", [1, 1, 0, 0])),
        ], deflates: true))
    #expect(data.train.count == 4)
    #expect(data.validation.count == 4)
    let labels: [Int32] = try #require(data.validation.labels)
    #expect(labels == [1, 1, 0, 0])
  }

  @Test("Archives that are cut off, changed or incomplete are errors")
  func broken() throws {
    let good = zip([("x.npy", inputs), ("y.npy", targets)], deflates: true)
    for count in [0, 1, 21, 22, good.count / 2, good.count - 1] {
      #expect(throws: DataError.self, "\(count) bytes") { try open(Array(good[..<count])) }
    }
    for place in 0..<good.count {
      var changed = good
      changed[place] ^= 0x55
      _ = try? open(changed)  // must not crash
    }
    #expect(throws: DataError.self) { try open(zip([("a.npy", inputs)], deflates: false)) }
    #expect(throws: DataError.self) { try open(zip([("x.npy", inputs)], deflates: false)) }
  }

  private func shape(
    _ shape: String, _ count: Int, _ configure: (inout NumPySource) -> Void = { _ in }
  ) throws -> (shape: [Int], inputs: [Float]) {
    let data = try open(
      zip(
        [
          ("x.npy", npy("|u1", shape, (0..<count).map { UInt8($0) })),
          ("y.npy", npy("|u1", "(1,)", [0])),
        ], deflates: false), configure)
    return (data.train.inputShape, try Contents(data.train).inputs[0])
  }

  @Test("Channels that are last are brought to the front")
  func channelsLast() throws {
    let (found, inputs) = try shape("(1, 2, 2, 3)", 12)
    #expect(found == [3, 2, 2])
    #expect(inputs == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11])
    #expect(try shape("(1, 3, 2, 2)", 12).shape == [3, 2, 2])
    #expect(try shape("(1, 2, 2, 4)", 16).shape == [2, 2, 4])
    #expect(try shape("(1, 2, 2, 4)", 16) { $0.layout = .channelsLast }.shape == [4, 2, 2])
    #expect(try shape("(1, 2, 2, 3)", 12) { $0.layout = .channelsFirst }.shape == [2, 2, 3])
    #expect(try shape("(1, 2, 2)", 4).shape == [1, 2, 2])
    #expect(try shape("(1, 2, 2)", 4) { $0.layout = .channelsFirst }.shape == [2, 2])
  }

  @Test("A shape can be given, and must fit")
  func inputShape() throws {
    #expect(try shape("(1, 12)", 12) { $0.inputShape = [3, 2, 2] }.shape == [3, 2, 2])
    let error = #expect(throws: SettingError.self) {
      try shape("(1, 12)", 12) { $0.inputShape = [5] }
    }
    #expect(error?.setting == "inputShape")
  }

  @Test("A model of images takes arrays whose channels are last")
  func prediction() throws {
    let file = npy("|u1", "(2, 2, 3)", Array(0..<12))
    let input = try InputFile(named: "x.npy", file, inputShape: [3, 2, 2])
    #expect(input.count == 1 && input.inputs == [0, 3, 6, 9, 1, 4, 7, 10, 2, 5, 8, 11])
  }
}
