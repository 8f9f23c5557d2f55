import Base
import Checkpointing
import Foundation
import TestSupport
import Testing

@Suite struct CheckpointErrorTests {
  @Test(
    "one failed read is not damage: whichever it is, nothing is passed over",
    arguments: [EIO, EACCES, ESTALE, ENOMEM])
  func readErrors(code: Int32) throws {
    let directory = try TemporaryDirectory()
    for step in [1, 2] {
      try CheckpointStore(directory: directory.path, keep: 2).commit(step: step, files: files(step))
    }
    var call = 0
    while true {
      call += 1
      let plan = FaultPlan(call: call, .fail(code), only: .read)
      let store = CheckpointStore(
        directory: directory.path, keep: 2, fileSystem: plan.fileSystem)
      do {
        let newest = try #require(try store.newestUsable())
        #expect(!plan.hasFired, "call \(call)")
        try expectContent(newest.checkpoint, step: 2)
        break
      } catch let error as any ExitStatusProviding {
        #expect(error.exitStatus == .inputOutput, "call \(call)")
      }
      // A commit of the same step does not replace what it cannot read.
      let other = FaultPlan(call: call, .fail(code), only: .read)
      _ = try? CheckpointStore(
        directory: directory.path, keep: 2, fileSystem: other.fileSystem
      ).commit(step: 2, files: files(2))
      try expectContent(
        CheckpointStore(directory: directory.path, keep: 0).checkpoint(step: 2), step: 2)
    }
    #expect(call > 7)
    #expect(try directory.names() == ["latest", "step-000001", "step-000002"])
    let error = CheckpointError.unreadable(
      path: "a/step-000002/model.safetensors", cause: FileSystemError(.read, "x", code: code))
    #expect(error.description.contains("nothing was changed"))
    #expect(error.description.contains("'a/step-000002'"))
  }

  @Test("what is set aside is kept, also twice the same step")
  func setAside() throws {
    let directory = try TemporaryDirectory()
    let store = CheckpointStore(directory: directory.path, keep: 3)
    try store.commit(step: 1, files: files(1))
    for damage in ["a", "b"] {
      try store.commit(step: 2, files: files(2))
      try directory.write(damage, to: "step-000002/state.json")
      let newest = try #require(try store.newestUsable())
      try store.prepareToResume(
        from: newest.checkpoint.step, settingAside: newest.rejected)
    }
    #expect(try directory.names("rejected") == ["step-000002", "step-000002-2"])
    #expect(try directory.read("rejected/step-000002/state.json") == "a")
    #expect(try directory.read("rejected/step-000002-2/state.json") == "b")
    #expect(try store.steps() == [1])
    // `prepare` removes what a killed run left, and this is not that.
    try store.prepare()
    #expect(try directory.names("rejected").count == 2)
  }

  @Test("the checkpoint of another run at the same step is not adopted")
  func otherRun() throws {
    let directory = try TemporaryDirectory()
    let stores = ["a", "b"].map {
      CheckpointStore(directory: directory.path, keep: 3, run: $0)
    }
    let first = try stores[0].commit(step: 5, files: [.text("state.json", "{\"of\":1}")])
    #expect(first.run == "a")
    try expectContent(try stores[1].commit(step: 5, files: files(5)), step: 5)
    #expect(try Checkpoint(path: stores[1].path(step: 5)).run == "b")
    #expect(try directory.read("rejected/step-000005/state.json") == "{\"of\":1}")
    // Its own is never written again.
    let unwanted = CheckpointFile(name: "state.json", byteCount: 0) { _ in
      Issue.record("a committed step is being written")
    }
    try expectContent(try stores[1].commit(step: 5, files: [unwanted]), step: 5)
  }

  @Test("an old checkpoint that cannot be removed is a warning, with the system's reason")
  func removal() throws {
    for action in [FileSystemError.Action.remove, .rename] {
      let directory = try TemporaryDirectory()
      try CheckpointStore(directory: directory.path, keep: 1).commit(step: 1, files: files(1))
      // The renames of a commit: the checkpoint, `latest`, and the old checkpoint.
      let plan = FaultPlan(call: action == .rename ? 3 : 1, .fail(EBUSY), only: action)
      let store = CheckpointStore(
        directory: directory.path, keep: 1, fileSystem: plan.fileSystem)
      var warnings: [String] = []
      let saved = try store.commit(step: 2, files: files(2), onWarning: { warnings.append($0) })
      try expectContent(saved, step: 2)
      #expect(plan.hasFired)
      #expect(warnings.count == 1)
      #expect(warnings.first?.hasPrefix("the checkpoint of step 2 was saved, but") == true)
      #expect(warnings.first?.hasSuffix("Device or resource busy") == true)
      #expect(try directory.read("latest") == "step-000002\n")
    }
  }

  @Test("a failed removal says the system's reason")
  func removalReason() throws {
    let error = #expect(throws: FileSystemError.self) {
      try FileSystem().remove("/proc/self/status")
    }
    #expect(error?.action == .remove)
    #expect(error?.code != EIO)
    // What does not exist is removed, and a link is removed without what it names.
    let directory = try TemporaryDirectory()
    try FileSystem().makeDirectory(directory.path("target"))
    try directory.write("kept", to: "target/file")
    try FileManager.default.createSymbolicLink(
      atPath: directory.path("link"), withDestinationPath: directory.path("target"))
    try FileSystem().remove(directory.path("nothing"))
    try FileSystem().remove(directory.path("link"))
    #expect(try directory.names() == ["target"])
    #expect(try directory.read("target/file") == "kept")
    try FileSystem().remove(directory.path("target"))
    #expect(try directory.names().isEmpty)
  }

  @Test("a disk out of inodes is not said to lack bytes")
  func inodes() {
    func message(hasInodes: Bool) -> String {
      CheckpointError.writeFailed(
        step: 7, byteCount: 100, free: FreeSpace(bytes: 5000, hasInodes: hasInodes),
        cause: FileSystemError(.create, "a", code: ENOSPC)
      ).description
    }
    #expect(message(hasInodes: true).hasSuffix("(it needs 100 bytes, 5000 are free)"))
    #expect(message(hasInodes: false).contains("no inode is free"))
    #expect(!message(hasInodes: false).contains("needs"))
  }
}
