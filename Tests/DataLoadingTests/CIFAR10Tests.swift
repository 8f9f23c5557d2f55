import Settings
import Base
import DataLoading
import Foundation
import Testing

@Suite("CIFAR-10")
struct CIFAR10Tests {
  /// A record whose pixels count from `first` on, modulo 251.
  private func record(_ label: UInt8, _ first: Int) -> [UInt8] {
    [label] + (0..<3_072).map { UInt8((first + $0) % 251) }
  }

  private var files: [String: [UInt8]] {
    [
      "data_batch_1.bin": record(3, 0) + record(9, 7),
      "data_batch_2.bin": record(0, 100),
      "data_batch_5.bin": record(1, 200),
      "test_batch.bin": record(2, 5),
    ]
  }

  @Test("Batches come in their order, with 3 channels of 32 by 32 pixels in 0...1")
  func reads() throws {
    let (train, test) = try open(CIFAR10Source.self, files)
    #expect(train.inputShape == [3, 32, 32] && train.targetKind == .classes(count: 10))
    let contents = try Contents(train)
    #expect(contents.labels == [3, 9, 0, 1])
    let pixels = record(9, 7).dropFirst().map { Float($0) / 255 }
    #expect(contents.inputs[1] == pixels)
    #expect(try Contents(test).labels == [2])
  }

  @Test("Validation samples are taken from the training set where there is no file for testing")
  func withoutTestFile() throws {
    var files = files
    files["test_batch.bin"] = nil
    let (train, test) = try open(CIFAR10Source.self, files) {
      ($0.validation, $0.split) = (1, .last)
    }
    #expect(try Contents(train).labels == [3, 9, 0] && Contents(test).labels == [1])
  }

  @Test("A folder without batches is an error")
  func missing() {
    #expect(
      refusal(CIFAR10Source.self, ["test_batch.bin": record(2, 5)])?.exitStatus == .inputMissing)
  }

  @Test(
    "A file that is cut off is an error with file and place",
    arguments: [(1, 0), (3_072, 0), (3_074, 3_073), (6_145, 3_073)])
  func truncated(count: Int, start: Int) throws {
    var files = files
    files["data_batch_1.bin"] = Array(files["data_batch_1.bin"]![..<count])
    let error = try #require(failure(CIFAR10Source.self, files))
    #expect(error.kind == .malformed)
    #expect(error.message.contains("data_batch_1.bin"))
    #expect(error.message.contains("begins at byte \(start), has \(count - start) of 3073 bytes"))
  }

  @Test("An empty file is an error")
  func empty() {
    #expect(
      failure(CIFAR10Source.self, ["data_batch_1.bin": []])?.message.contains("no samples") == true)
  }

  @Test("A label above 9 is an error with file and place")
  func label() throws {
    var files = files
    files["data_batch_1.bin"]![3_073] = 10
    let error = try #require(failure(CIFAR10Source.self, files))
    #expect(error.message.contains("data_batch_1.bin: byte 3073 is 10, but record 1"))
  }
}
