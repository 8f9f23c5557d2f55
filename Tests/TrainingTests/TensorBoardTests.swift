import Base
import Foundation
import NeuralNetworks
import TensorCore
import TestSupport
import Testing

import Training

@Suite struct TensorBoardTests {
  private func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
  }

  @Test(
    "checksums are those of CRC-32C",
    arguments: [
      (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
      ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
    ] as [([UInt8], UInt32)])
  func checksums(bytes: [UInt8], checksum: UInt32) {
    #expect(CRC32C.checksum(bytes) == checksum)
    #expect(CRC32C.masked(Array("123456789".utf8)) == 0xC78A_B0E5)
  }

  @Test("records have the bytes that TensorBoard reads")
  func records() {
    #expect(
      hexadecimal(TensorBoardEvent.version(time: 1).record)
        == "1800000000000000a37f4b2209000000000000f03f1a0d627261696e2e4576656e743a3286bf577a")
    #expect(
      hexadecimal(TensorBoardEvent.values([.scalar("loss", 0.5)], time: 2, step: 5).record)
        == "1a00000000000000129bd82d09000000000000004010052a0d0a0b0a046c6f7373150000003fdb81a714")
  }

  @Test("a histogram counts every finite number once")
  func histograms() throws {
    let numbers: [Float] = [0, 1, 2, 3, 4, .nan, 4, .infinity]
    let histogram = try #require(numbers.withUnsafeBufferPointer { Histogram($0, intervals: 4) })
    #expect(histogram.counts == [1, 1, 1, 3])
    #expect(histogram.limits == [1, 2, 3, 4])
    #expect((histogram.smallest, histogram.largest) == (0, 4))
    #expect((histogram.sum, histogram.squareSum) == (14, 46))
    let equal = try #require([Float(2), 2].withUnsafeBufferPointer { Histogram($0) })
    #expect(equal.counts == [2] && equal.limits == [2])
    #expect([Float.nan].withUnsafeBufferPointer { Histogram($0) } == nil)
  }

  /// The lengths of the records in a file, whose checksums must be right.
  private func messages(_ path: String) throws -> [[UInt8]] {
    var rest = Array(try Data(contentsOf: URL(fileURLWithPath: path)))[...]
    var messages: [[UInt8]] = []
    while !rest.isEmpty {
      let count = Int(rest.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
      let message = Array(rest.dropFirst(12).prefix(count))
      let checksum = rest.dropFirst(12 + count).prefix(4).reversed().reduce(UInt32(0)) {
        $0 << 8 | UInt32($1)
      }
      #expect(checksum == CRC32C.masked(message))
      messages.append(message)
      rest = rest.dropFirst(16 + count)
    }
    return messages
  }

  @Test("a log has the numbers of records and the distributions of weights, and each start a file")
  func log() throws {
    let directory = try TemporaryDirectory()
    let model = Linear(2, 3)
    let log = try TensorBoardLog(directory: directory.path, continuingAfter: 0, model: model)
    try log.append(
      MetricsRecord(
        .step, step: 1, epoch: 1, values: ["loss": 0.5, "accuracy": Double?.none, "time": 2.0]))
    try log.append(MetricsRecord(.evaluation, step: 1, epoch: 1, values: ["loss": 0.25]))
    try log.appendDistributions(step: 1)
    let names = try directory.names()
    #expect(names.count == 1 && names[0].hasPrefix("events.out.tfevents."))
    let first = try messages(directory.path(names[0]))
    #expect(first.count == 5)
    #expect(
      first[2]
        == Array(
          TensorBoardEvent.values([.scalar("loss/training", 0.5)], time: 2, step: 1).record
            .dropFirst(12).dropLast(4)))
    func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
    #expect(text(first[3]).contains("loss/validation"))
    #expect(text(first[4]).contains("weights/weight") && text(first[4]).contains("weights/bias"))
    #expect(!text(first[4]).contains("gradients"))

    try log.restart(after: 1)
    try log.append(MetricsRecord(.step, step: 2, epoch: 1, values: ["loss": 0.5]))
    let second = try messages(directory.path(directory.names()[1]))
    // A start at step 2.
    #expect(second.count == 3 && second[1].suffix(6) == [0x10, 2, 0x3A, 2, 8, 1])
  }

  @Test("only the first failure of a log throws")
  func failures() throws {
    let directory = try TemporaryDirectory()
    let log = try TensorBoardLog(
      directory: directory.path, continuingAfter: 0, model: Linear(1, 1))
    try FileManager.default.removeItem(atPath: directory.path)
    #expect(throws: (any Error).self) { try log.restart() }
    let record = MetricsRecord(.step, step: 1, epoch: 1, values: ["loss": 0.5])
    #expect(throws: (any Error).self) { try log.append(record) }
    try log.append(record)
    try log.appendDistributions(step: 1)
  }
}
