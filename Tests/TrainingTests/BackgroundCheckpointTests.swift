import Base
import Checkpointing
import Collectives
import Configuration
import Foundation
import Synchronization
import Settings
import TestSupport
import Testing
import Training

@Suite("Checkpoints in the background") struct BackgroundCheckpointTests {
  private func configuration(_ background: Bool) -> TrainingConfiguration {
    var configuration = TrainingConfiguration()
    configuration["model.hidden"] = [24]
    configuration["training.steps"] = 8
    configuration["checkpoint.everySteps"] = 2
    configuration["checkpoint.background"] = .boolean(background)
    return configuration
  }

  /// Trains in a directory and returns what was reported about checkpoints.
  @discardableResult
  private func train(
    _ configuration: TrainingConfiguration, in directory: String,
    fileSystem: FileSystem = FileSystem(),
    isSaveRequested: @escaping (Int) -> Bool = { _ in false },
    onStep: (Int) -> Void = { _ in }
  ) throws -> [String] {
    let trainer = try Trainer(configuration, SingleProcess())
    var reports: [String] = []
    let store = CheckpointStore(directory: directory, keep: 0, fileSystem: fileSystem)
    let outcome = try trainer.train(
      store: store, isSaveRequested: { isSaveRequested(trainer.step) },
      onEvent: { event in
        switch event {
        case .step(let report): onStep(report.step)
        case .checkpoint(let step, _, _, _): reports.append("saved \(step)")
        case .checkpointFailed(let step, _): reports.append("failed \(step)")
        case .checkpointWarning(let step, _): reports.append("warning \(step)")
        case .started, .epoch, .skipped, .rolledBack: break
        }
      })
    #expect(outcome == .finished)
    return reports
  }

  @Test("training continues while a checkpoint is written, and the checkpoint is that of its step")
  func continues() throws {
    try withTemporaryDirectory { directory in
      let all = (1...4).map { "saved \(2 * $0)" }
      #expect(try train(configuration(false), in: directory + "/direct") == all)
      // The first write of step 2 waits for step 3.
      let isStep3Done = DispatchSemaphore(value: 0)
      let waits = Mutex(0)
      let slow = FileSystem { action, path in
        guard action == .write, path.contains("step-000002.tmp") else { return }
        let count = waits.withLock { count in
          count += 1
          return count
        }
        guard count == 1 else { return }
        #expect(isStep3Done.wait(timeout: .now() + 60) == .success)
      }
      let reports = try train(
        configuration(true), in: directory + "/background", fileSystem: slow,
        onStep: { if $0 == 3 { isStep3Done.signal() } })
      #expect(reports == all)
      #expect(waits.withLock { $0 } > 1)
      for step in [2, 4, 6, 8] {
        let manifests = try ["direct", "background"].map {
          try String(
            contentsOfFile: "\(directory)/\($0)/step-00000\(step)/manifest.json", encoding: .utf8)
        }
        // config.json tells the two apart.
        func files(_ manifest: String) -> [Substring] {
          manifest.split(separator: "{").filter { !$0.contains("config.json") }
        }
        #expect(files(manifests[0]) == files(manifests[1]), "step \(step)")
      }
    }
  }

  @Test(
    "other ranks wait in the checkpoint for rank zero, so that a watchdog knows what for",
    arguments: [true, false])
  func othersWait(_ background: Bool) throws {
    try withTemporaryDirectory { directory in
      // Rank one's steps before the one that it is in; 9 after the training.
      let reached = Mutex(0)
      // In the background the training waits for the last checkpoint only.
      let watched = background ? 8 : 2
      let looks = Mutex(0)
      let slow = FileSystem { action, path in
        guard action == .write, path.contains("step-00000\(watched).tmp"),
          looks.withLock({ count in
            count += 1; return count
          }) == 1
        else { return }
        // The time that rank one would need to go on if it did not wait; longer finds nothing else.
        for _ in 0..<50 where reached.withLock({ $0 }) < watched { usleep(10_000) }
        #expect(reached.withLock { $0 } < watched)
      }
      _ = try withRanks(2, ranksPerNode: 1) { communicator in
        let trainer = try Trainer(configuration(background), communicator)
        let isOther = communicator.rank == 1
        let outcome = try trainer.train(
          store: isOther
            ? nil : CheckpointStore(directory: directory, keep: 0, fileSystem: slow),
          willTakeStep: { if isOther { reached.withLock { $0 = trainer.step } } })
        if isOther { reached.withLock { $0 = 9 } }
        #expect(outcome == .finished)
      }
      #expect(looks.withLock { $0 } > 0)
    }
  }

  @Test("a failed write is reported, later ones succeed; the last one's failure ends the training")
  func failures() throws {
    try withTemporaryDirectory { directory in
      func failing(_ steps: [Int]) -> FileSystem {
        FileSystem { action, path in
          guard action == .write, steps.contains(where: { path.contains("step-00000\($0).tmp") })
          else { return }
          throw FileSystemError(.write, path, code: ENOSPC)
        }
      }
      let reports = try train(
        configuration(true), in: directory + "/a", fileSystem: failing([2, 6]))
      #expect(reports == ["failed 2", "saved 4", "failed 6", "saved 8"])
      let error = #expect(throws: CheckpointError.self) {
        try train(configuration(true), in: directory + "/b", fileSystem: failing([8]))
      }
      #expect(error?.exitStatus == .inputOutput)
      #expect(try CheckpointStore(directory: directory + "/b", keep: 0).steps() == [2, 4, 6])
    }
  }

  @Test(
    "a checkpoint is saved when it is asked for, and training continues", arguments: [true, false])
  func onRequest(_ background: Bool) throws {
    try withTemporaryDirectory { directory in
      let reports = try train(
        configuration(background), in: directory, isSaveRequested: { $0 == 2 || $0 == 3 })
      #expect(reports == ["saved 2", "saved 3", "saved 4", "saved 6", "saved 8"])
    }
  }
}

@Suite("TimeLimit") struct TimeLimitTests {
  private func expect(_ limit: inout TimeLimit, after elapsed: Double, _ isReached: Bool) {
    let found = limit.isReached(after: elapsed)
    #expect(found == isReached, "after \(elapsed) s")
  }

  @Test("times are read")
  func reading() {
    let times = ["11:50:00": 42_600.0, "50:00": 3000, "90": 90, "0:05": 5, "100:00:00": 360_000]
    for (text, seconds) in times { #expect(TimeLimit(text)?.seconds == seconds) }
    for text in ["", "0", "00:00", "1:60", "1:00:99", "-1", "1:2:3:4", "1h", ":", "9999999", "1.5"]
    {
      #expect(TimeLimit(text) == nil, "\(text)")
    }
  }

  @Test("there is time for the longest step, a checkpoint and a half")
  func margin() {
    var limit = TimeLimit(seconds: 1000)
    limit.record(checkpointSeconds: 20)
    limit.record(checkpointSeconds: 10)
    for elapsed in [0.0, 4, 8, 57, 60] { expect(&limit, after: elapsed, false) }
    // 1000 - 49 - 1.5 · 20 - 1
    expect(&limit, after: 100, false)
    expect(&limit, after: 140, false)
    var late = limit
    expect(&late, after: 180, false)
    for elapsed in stride(from: 220.0, through: 900, by: 40) {
      expect(&late, after: elapsed, false)
    }
    expect(&late, after: 919, false)
    expect(&late, after: 920, true)
  }

  @Test("before the first checkpoint a tenth of the limit is kept for it, at most 10 s")
  func unmeasured() {
    var short = TimeLimit(seconds: 10)
    expect(&short, after: 7.4, false)
    expect(&short, after: 7.5, true)
    var long = TimeLimit(seconds: 1000)
    expect(&long, after: 983.9, false)
    expect(&long, after: 984, true)
  }
}
