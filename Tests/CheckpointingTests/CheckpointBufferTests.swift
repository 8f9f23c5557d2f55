import Base
import Checkpointing
import Foundation
import TestSupport
import Testing

@Suite struct CheckpointBufferTests {
  @Test(
    "a copy is written as the original was, whatever happens to that, and the memory is used again")
  func copies() throws {
    let directory = try TemporaryDirectory()
    let buffer = CheckpointBuffer()
    for (step, count) in [(1, 3), (2, 1_000_000), (3, 5)] {
      let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: count)
      defer { values.deallocate() }
      values.initialize(repeating: Float(step))
      let original: [CheckpointFile] = [
        .tensors(
          "model.safetensors",
          [
            SafetensorsTensor(name: "weight", dataType: .float32, shape: [count]) {
              try $0(UnsafeRawBufferPointer(values))
            }
          ]),
        .text("state.json", "{\"step\":\(step)}"),
      ]
      let direct = CheckpointStore(directory: directory.path("direct"), keep: 0)
      try direct.commit(step: step, files: original)
      let copies = try buffer.copy(original)
      values.update(repeating: -1)
      let copied = CheckpointStore(directory: directory.path("copied"), keep: 0)
      try copied.commit(step: step, files: copies)
      let name = "step-00000\(step)/manifest.json"
      #expect(try directory.read("direct/" + name) == directory.read("copied/" + name))
    }
  }

  @Test("a bit that flips in the copy before it is written is noticed, and nothing is committed")
  func flippedBit() throws {
    // Pieces that are not whole words.
    let file = CheckpointFile(name: "state", byteCount: 3_000_005) { body in
      for count in [3, 2, 1_000_000, 2_000_000] {
        try [UInt8](repeating: 7, count: count).withUnsafeBytes(body)
      }
    }
    let buffer = CheckpointBuffer()
    func write(_ change: (UnsafeMutableRawBufferPointer) -> Void) throws {
      let copy = try buffer.copy([file])[0]
      var start: UnsafeRawPointer?
      try copy.forEachPiece { start = start ?? $0.baseAddress }
      change(
        UnsafeMutableRawBufferPointer(
          start: UnsafeMutableRawPointer(mutating: start), count: file.byteCount))
      try copy.forEachPiece { _ in }
    }
    try write { _ in }
    for bit in [0, 17, 8_000_003, 24_000_039] {
      #expect(throws: CheckpointCopyChanged(file: "state")) {
        try write { $0[bit / 8] ^= 1 << UInt8(bit % 8) }
      }
    }
  }

  @Test("a crash at any call while a copy is written leaves the old or the new checkpoint, whole")
  func crashes() throws {
    let buffer = CheckpointBuffer()
    for losesPower in [false, true] {
      var call = 0
      while true {
        call += 1
        let directory = try TemporaryDirectory()
        try CheckpointStore(directory: directory.path, keep: 1).commit(step: 1, files: files(1))
        let plan = FaultPlan(call: call, .crash)
        _ = try? CheckpointStore(directory: directory.path, keep: 1, fileSystem: plan.fileSystem)
          .commit(step: 2, files: buffer.copy(files(2)))
        if losesPower { try plan.losePower(under: directory.path) }
        let store = CheckpointStore(directory: directory.path, keep: 1)
        try store.prepare()
        let newest = try #require(try store.newestUsable())
        #expect(newest.rejected.isEmpty, "call \(call)")
        try expectContent(newest.checkpoint, step: newest.checkpoint.step)
        if !plan.hasFired { break }
      }
      #expect(call > 15)
    }
  }
}
