import Base
import Checkpointing
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite struct CheckpointStoreTests {
  @Test("a checkpoint is read back, listed, and named by `latest`")
  func commit() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path("run/checkpoints"), keep: 3)
    try store.prepare()
    #expect(try store.newestUsable() == nil)
    try expectContent(try store.commit(step: 470, files: files(470)), step: 470)
    try store.commit(step: 1_000_000, files: files(1_000_000))
    #expect(try store.steps() == [470, 1_000_000])
    #expect(
      try directory.names("run/checkpoints") == ["latest", "step-000470", "step-1000000"])
    #expect(
      try directory.names("run/checkpoints/step-000470")
        == ["manifest.json", "model.safetensors", "state.json"])
    #expect(try directory.read("run/checkpoints/latest") == "step-1000000\n")
    let newest = try #require(try store.newestUsable())
    try expectContent(newest.checkpoint, step: 1_000_000)
    #expect(newest.rejected.isEmpty)
    try expectContent(try Checkpoint(path: store.path(step: 470)), step: 470)
  }

  @Test("the best checkpoint stays when older ones are removed, until there is a better one")
  func best() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 2)
    #expect(try store.best() == nil)
    try store.commit(step: 1, files: files(1), bestStep: 1)
    for step in [2, 3, 4] { try store.commit(step: step, files: files(step), bestStep: 1) }
    #expect(try store.steps() == [1, 3, 4])
    #expect(try directory.read("best") == "step-000001\n")
    try expectContent(try #require(try store.best()), step: 1)
    // That of step 5 could not be written: the one before stays.
    try store.commit(step: 6, files: files(6), bestStep: 5)
    #expect(try store.bestStep() == 1)
    try store.commit(step: 7, files: files(7), bestStep: 7)
    #expect(try store.steps() == [6, 7] && store.bestStep() == 7)
    try store.commit(step: 8, files: files(8))
    #expect(try store.bestStep() == nil)
  }

  @Test("the manifest says whether a checkpoint was audited; those of earlier versions were not")
  func audited() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 0, run: "r")
    #expect(try !store.commit(step: 1, files: files(1)).isAudited)
    #expect(try store.commit(step: 2, files: files(2), isAudited: true).isAudited)
    #expect(try store.checkpoint(step: 2).isAudited)
    let manifest = try directory.read("step-000002/manifest.json")
    #expect(
      manifest.hasPrefix(
        #"{"format":"lockstep-checkpoint","version":3,"run":"r","step":2,"audited":true,"files":["#)
    )
    // Its own checksum covers all of it.
    for (value, other) in [("true", "false"), (#""r""#, #""s""#), (#""run":"r","#, "")] {
      try directory.write(
        manifest.replacingOccurrences(of: value, with: other), to: "step-000002/manifest.json")
      #expect(throws: CheckpointError.self) { try store.checkpoint(step: 2) }
    }
    for (version, run) in [(2, #""run":"r","#), (1, "")] {
      let earlier =
        manifest
        .replacingOccurrences(
          of: #""version":3,"run":"r","step":2,"audited":true,"#,
          with: #""version":\#(version),\#(run)"step":2,"#
        )
        .replacing(/,"crc32":"[0-9a-f]*"}\n$/, with: "}\n")
      try directory.write(earlier, to: "step-000002/manifest.json")
      #expect(try !Checkpoint(path: store.path(step: 2)).isAudited)
    }
  }

  @Test("an audited checkpoint is preferred to newer ones that are not, if there is a good one")
  func prefersAudited() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 0)
    func newest() throws -> [Int?] {
      let found = try #require(try store.newestUsable(prefersAudited: true))
      #expect(try store.newestUsable()?.rejected.filter { $0.damage == nil }.isEmpty == true)
      return [found.checkpoint.step] + found.rejected.map { $0.damage == nil ? $0.step : -$0.step }
    }
    // As in a run of an earlier version.
    for step in [1, 2] { try store.commit(step: step, files: files(step)) }
    #expect(try newest() == [2])
    for step in [3, 4] { try store.commit(step: step, files: files(step), isAudited: true) }
    #expect(try newest() == [4])
    for step in [5, 6, 7] { try store.commit(step: step, files: files(step)) }
    try directory.write("", to: "step-000007/state.json")
    #expect(try newest() == [4, -7, 6, 5])
    try directory.write("", to: "step-000004/state.json")
    #expect(try newest() == [3, -7, 6, 5, 4])
    try directory.write("", to: "step-000003/state.json")
    #expect(try newest() == [6, -7])
    #expect(try store.newestUsable()?.checkpoint.step == 6)
  }

  @Test("a committed step is never written again")
  func committedStays() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 3)
    try store.commit(step: 5, files: files(5))
    let unwanted = CheckpointFile(name: "state.json", byteCount: 0) { _ in
      Issue.record("a committed step is being written")
    }
    try expectContent(try store.commit(step: 5, files: [unwanted]), step: 5)
  }

  @Test("a damaged checkpoint of the same step is replaced")
  func damagedIsReplaced() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 3)
    try store.commit(step: 5, files: files(5))
    try directory.write("{}", to: "step-000005/state.json")
    try expectContent(try store.commit(step: 5, files: files(5)), step: 5)
    #expect(try directory.names() == ["latest", "rejected", "step-000005"])
    #expect(try directory.read("rejected/step-000005/state.json") == "{}")
  }

  @Test("the newest are kept", arguments: [(1, [6]), (2, [4, 6]), (0, [2, 4, 6])])
  func keep(count: Int, expected: [Int]) throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: count)
    for step in [2, 4, 6] { try store.commit(step: step, files: files(step)) }
    #expect(try store.steps() == expected)
    #expect(try directory.names().count == expected.count + 1)
  }

  @Test("damaged newer checkpoints cost no good one its place")
  func keepBesidesDamaged() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 1)
    try store.commit(step: 9, files: files(9))
    try directory.write("", to: "step-000009/model.safetensors")
    try store.commit(step: 4, files: files(4))
    let newest = try #require(try store.newestUsable())
    try expectContent(newest.checkpoint, step: 4)
    #expect(newest.rejected.map(\.step) == [9])
    try store.prepareToResume(from: 4, settingAside: newest.rejected)
    #expect(try store.steps() == [4])
    #expect(try directory.read("latest") == "step-000004\n")
    #expect(try directory.names("rejected") == ["step-000009"])
  }

  @Test("a crash at any call, with or without power, leaves the old or the new checkpoint, whole")
  func crashes() throws {
    for losesPower in [false, true] {
      var call = 0
      while true {
        call += 1
        let directory = try TemporaryDirectory()
        for step in [1, 2] {
          try CheckpointStore(directory: directory.path, keep: 2).commit(
            step: step, files: files(step))
        }
        let plan = FaultPlan(call: call, .crash)
        let crashing = CheckpointStore(
          directory: directory.path, keep: 2, fileSystem: plan.fileSystem)
        _ = try? crashing.commit(step: 3, files: files(3))
        if losesPower { try plan.losePower(under: directory.path) }
        #expect(try directory.names().filter { $0.hasPrefix(".step") }.count <= 1)

        let store = CheckpointStore(directory: directory.path, keep: 2)
        try store.prepare()
        let newest = try #require(try store.newestUsable())
        #expect(newest.rejected.isEmpty, "call \(call)")
        #expect([2, 3].contains(newest.checkpoint.step))
        try expectContent(newest.checkpoint, step: newest.checkpoint.step)
        #expect(try directory.names().filter { $0.hasPrefix(".") }.isEmpty)
        #expect(["step-000002\n", "step-000003\n"].contains(try directory.read("latest")))
        try expectContent(try store.commit(step: 3, files: files(3)), step: 3)
        if !plan.hasFired { break }
      }
      #expect(call > 15)
    }
  }

  @Test(
    "a full disk or a failing one costs the new checkpoint only, and leaves nothing behind",
    arguments: [ENOSPC, EDQUOT, EFBIG, EIO])
  func failures(code: Int32) throws {
    for action in [
      FileSystemError.Action.makeDirectory, .create, .write, .synchronize, .rename,
    ] {
      var call = 0
      while true {
        call += 1
        let directory = try TemporaryDirectory()
        try CheckpointStore(directory: directory.path, keep: 2).commit(step: 1, files: files(1))
        let plan = FaultPlan(call: call, .fail(code), only: action)
        let store = CheckpointStore(
          directory: directory.path, keep: 2, fileSystem: plan.fileSystem)
        do {
          var warnings: [String] = []
          try store.commit(step: 2, files: files(2), onWarning: { warnings.append($0) })
          guard plan.hasFired else { break }
          // Only `latest` was not written.
          #expect(warnings.count == 1)
          #expect(warnings.first?.hasPrefix("the checkpoint of step 2 was saved, but") == true)
        } catch let error as CheckpointError {
          guard case .writeFailed(let step, let byteCount, let free, let cause) = error else {
            Issue.record("unexpected \(error)")
            break
          }
          #expect(step == 2)
          #expect(byteCount == files(2).reduce(0) { $0 + $1.byteCount })
          #expect(free != nil)
          #expect(cause.code == code)
          #expect(cause.isOutOfSpace == (code != EIO))
          #expect(error.exitStatus == .inputOutput)
        }
        #expect(try directory.names().filter { $0.hasPrefix(".") }.isEmpty)
        try expectContent(try store.checkpoint(step: 1), step: 1)
        try expectContent(try store.commit(step: 3, files: files(3)), step: 3)
      }
      #expect(call > 1, "\(action) never happens")
    }
  }

  @Test("after a failed fsync the attempt is given up, not repeated")
  func failedSynchronize() throws {
    let directory = try TemporaryDirectory()
    let plan = FaultPlan(call: 1, .fail(EIO), only: .synchronize)
    let store = CheckpointStore(directory: directory.path, keep: 2, fileSystem: plan.fileSystem)
    #expect(throws: CheckpointError.self) { try store.commit(step: 1, files: files(1)) }
    #expect(plan.state.withLock { $0.synchronized }.isEmpty)
    #expect(try store.steps().isEmpty)
    try expectContent(try store.commit(step: 1, files: files(1)), step: 1)
  }

  @Test("every flipped bit of every file is noticed, and the previous checkpoint is used")
  func flippedBits() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 2)
    for step in [1, 2] { try store.commit(step: step, files: files(step), isAudited: true) }
    for name in try directory.names("step-000002") {
      let file = open(directory.path("step-000002/" + name), O_RDWR)
      defer { close(file) }
      var byte: UInt8 = 0
      var offset = 0
      while pread(file, &byte, 1, offset) == 1 {
        for bit in 0..<8 {
          byte ^= 1 << bit
          pwrite(file, &byte, 1, offset)
          let isAccepted = (try? store.checkpoint(step: 2)) != nil
          #expect(!isAccepted, "\(name) byte \(offset) bit \(bit)")
          byte ^= 1 << bit
        }
        pwrite(file, &byte, 1, offset)
        offset += 1
      }
      byte ^= 1
      pwrite(file, &byte, 1, offset - 1)
      let newest = try #require(try store.newestUsable())
      try expectContent(newest.checkpoint, step: 1)
      #expect(newest.rejected.map(\.step) == [2])
      #expect(newest.rejected.first?.damage?.contains(name) == true)
      byte ^= 1
      pwrite(file, &byte, 1, offset - 1)
    }
    try expectContent(try store.checkpoint(step: 2), step: 2)
  }

  @Test("every truncation of every file is noticed")
  func truncations() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 2)
    try store.commit(step: 1, files: files(1))
    for name in try directory.names("step-000001") {
      let path = directory.path("step-000001/" + name)
      let original = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
      for count in (0..<original.count).reversed() {
        truncate(path, count)
        let isAccepted = (try? store.checkpoint(step: 1)) != nil
        #expect(!isAccepted, "\(name) of \(count) bytes")
      }
      try directory.write(original, to: "step-000001/" + name)
    }
    try expectContent(try store.checkpoint(step: 1), step: 1)
  }

  @Test("exchanged, missing and linked files are refused; extra files and a stale `latest` are not")
  func strangeDirectories() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 4)
    for step in [1, 2, 3, 4] { try store.commit(step: step, files: files(step)) }
    let manager = FileManager.default
    func move(_ source: String, _ destination: String) throws {
      try manager.moveItem(atPath: directory.path(source), toPath: directory.path(destination))
    }
    // The weights of another step.
    try manager.removeItem(atPath: directory.path("step-000004/model.safetensors"))
    try manager.copyItem(
      atPath: directory.path("step-000001/model.safetensors"),
      toPath: directory.path("step-000004/model.safetensors"))
    // A right file behind a link.
    try move("step-000003/state.json", "elsewhere.json")
    try manager.createSymbolicLink(
      atPath: directory.path("step-000003/state.json"),
      withDestinationPath: directory.path("elsewhere.json"))
    // A whole checkpoint under another step's name.
    try manager.copyItem(
      atPath: directory.path("step-000001"), toPath: directory.path("step-000007"))
    try directory.write("notes", to: "step-000002/notes.txt")
    try directory.write("step-000001\n", to: "latest")
    try manager.createDirectory(
      atPath: directory.path("step-12"), withIntermediateDirectories: false)
    try directory.write("", to: "step-000009")

    #expect(try store.steps() == [1, 2, 3, 4, 7])
    let newest = try #require(try store.newestUsable())
    try expectContent(newest.checkpoint, step: 2)
    #expect(newest.rejected.map(\.step) == [7, 4, 3])
    #expect(newest.rejected.first?.damage?.contains("step 1") == true)
    // A copy under any name is a checkpoint too.
    try move("step-000001", "copy")
    try expectContent(try Checkpoint(path: directory.path("copy")), step: 1)
  }

  @Test(
    "a manifest that leads out of its directory is refused",
    arguments: ["../state.json", "/etc/passwd", "..", "", "a/b", ".hidden"])
  func escapes(name: String) throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 1)
    try store.commit(step: 1, files: files(1))
    let manifest = try directory.read("step-000001/manifest.json")
    try directory.write(
      manifest.replacingOccurrences(of: "\"state.json\"", with: "\"\(name)\""),
      to: "step-000001/manifest.json")
    let error = #expect(throws: CheckpointError.self) { try store.checkpoint(step: 1) }
    #expect(error?.description.contains("manifest.json") == true)
  }

  @Test("where no checkpoint is good, the error lists why")
  func noneUsable() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 2)
    for step in [1, 2] {
      try store.commit(step: step, files: files(step))
      try directory.write("", to: "step-00000\(step)/state.json")
    }
    let error = #expect(throws: CheckpointError.self) { try store.newestUsable() }
    #expect(error?.exitStatus == .badData)
    #expect(error?.description.contains("0 bytes long instead of 10") == true)
    #expect(throws: CheckpointError.missing(path: directory.path("other"))) {
      try Checkpoint(path: directory.path("other"))
    }
  }

  @Test("the preflight removes what a killed run left and refuses what cannot be written")
  func prepare() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path("checkpoints"), keep: 2)
    try store.prepare()
    for name in [".step-000001.tmp-77", ".step-000002.removed-5"] {
      try FileManager.default.createDirectory(
        atPath: directory.path("checkpoints/\(name)/inner"), withIntermediateDirectories: true)
    }
    try directory.write("", to: "checkpoints/.latest.tmp-77")
    try store.prepare()
    #expect(try directory.names("checkpoints").isEmpty)

    try directory.write("", to: "file")
    for path in ["file", "file/below"] {
      let error = #expect(throws: FileSystemError.self) {
        try CheckpointStore(directory: directory.path(path), keep: 2).prepare()
      }
      #expect(error?.exitStatus == .cannotCreate)
    }
    let readOnly = FaultPlan(call: 1, .fail(EROFS), only: .create)
    let error = #expect(throws: FileSystemError.self) {
      try CheckpointStore(
        directory: directory.path("checkpoints"), keep: 2, fileSystem: readOnly.fileSystem
      ).prepare()
    }
    #expect(error?.exitStatus == .cannotCreate)
    #expect(error?.description.hasSuffix("Read-only file system") == true)
  }
}
