import Base
import Checkpointing
import Foundation
import TestSupport
import Testing
import Training

/// The runs of a test, all of the name "a".
private struct Runs {
  let directory: TemporaryDirectory
  var root: String { directory.path("runs") }

  init() throws { directory = try TemporaryDirectory() }

  /// What a command asks for: 20 steps, unless said otherwise.
  func request(
    _ settings: [String: String] = ["seed": "1"], data: String = "d1", totalSteps: Int = 20,
    allowing: Set<AllowedChange> = []
  ) -> RunRequest {
    RunRequest(
      name: "a", root: root, keep: 3, configuration: "# \(settings.sorted { $0.key < $1.key })\n",
      folder: "/start",
      identity: RunIdentity(
        settings: settings, data: ["training data": data], model: "9 parameters"),
      totalSteps: totalSteps, allowedChanges: allowing, settings: { $1 }, check: { _ in })
  }

  /// Starts a run and ends it with a status after some steps; returns its path.
  @discardableResult
  func interrupt(
    _ request: RunRequest, after steps: [Int], audited: Set<Int> = [],
    status: RunStatus = .stopped
  ) throws -> String {
    let run = try Run(request, directory: nil, resume: .never)
    for step in steps {
      try run.store.commit(step: step, files: files(step), isAudited: audited.contains(step))
    }
    try run.close(status)
    return run.directory.path
  }

  func files(_ step: Int) -> [CheckpointFile] {
    [.text("state.json", "{\"step\":\(step)}")]
  }

  func start(_ request: RunRequest, fileSystem: FileSystem = FileSystem()) throws -> Run {
    try Run(request, directory: nil, resume: .automatic, fileSystem: fileSystem)
  }

  /// The content of all files of a directory.
  func content(_ path: String) throws -> [String: String] {
    let names = try #require(FileManager.default.subpaths(atPath: path))
    return Dictionary(
      uniqueKeysWithValues: names.map {
        ($0, (try? String(contentsOfFile: path + "/" + $0, encoding: .utf8)) ?? "directory")
      })
  }
}

extension Run {
  fileprivate var notes: [String] {
    notices.map {
      switch $0 {
      case .note(let text): "note: " + text
      case .warning(let text): "warning: " + text
      }
    }
  }
}

@Suite("Run") struct RunTests {
  @Test("the same command resumes its run, whatever was started since, and leaves that alone")
  func otherRuns() throws {
    let runs = try Runs()
    let first = try runs.interrupt(runs.request(), after: [5, 10])
    let others = try [["seed": "2"], ["seed": "3"]].map {
      try runs.interrupt(runs.request($0), after: [7])
    }
    // The clock was in the future once.
    try FileManager.default.moveItem(
      atPath: others[1], toPath: runs.root + "/a/2099-01-01T00-00-00_0000")
    let before = try runs.content(others[0])
    let run = try runs.start(runs.request())
    #expect(run.directory.path == first)
    #expect(run.checkpoint?.step == 10)
    #expect(run.notices.isEmpty)
    #expect(try runs.content(others[0]) == before)
  }

  @Test(
    "an unfinished run is resumed whatever its STATUS says",
    arguments: ["running", "failed", "stopped", "done", "\u{0}\u{0}", nil])
  func anyStatus(_ status: String?) throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [10])
    try? FileManager.default.removeItem(atPath: path + "/STATUS")
    if let status {
      try status.write(toFile: path + "/STATUS", atomically: false, encoding: .utf8)
    }
    #expect(try runs.start(runs.request()).directory.path == path)
  }

  @Test("a finished run is not resumed, but one that was killed at its end is")
  func finished() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [20], status: .done)
    let run = try runs.start(runs.request())
    #expect(run.directory.path != path && run.checkpoint == nil && run.notices.isEmpty)
    try run.close(.stopped)
    try RunDirectory(path: path).setStatus(.running)
    #expect(try runs.start(runs.request()).directory.path == path)
  }

  @Test("a run that differs is named with its values and left alone")
  func differences() throws {
    let runs = try Runs()
    let settings = ["seed": "1", "optimizer.learningRate": "0.1"]
    let path = try runs.interrupt(runs.request(settings), after: [10])
    let before = try runs.content(path)
    var changed = settings
    changed["optimizer.learningRate"] = "0.2"
    let run = try runs.start(runs.request(changed))
    #expect(run.directory.path != path && run.checkpoint == nil)
    #expect(
      run.notes == [
        "note: the run '\(path)', with 10 steps, differs: "
          + "optimizer.learningRate 0.1 there, 0.2 here. This is a new run"
      ])
    let data = try runs.start(runs.request(settings, data: "d2"))
    #expect(data.notes.first?.contains("training data d1 there, d2 here") == true)
    #expect(try runs.content(path) == before)
    try data.close(.failed)
    let allowed = try runs.start(runs.request(settings, data: "d2", allowing: [.data]))
    #expect(allowed.directory.path == path && allowed.checkpoint?.step == 10)
  }

  @Test("a run of another length is not taken over, but --run-dir extends it")
  func length() throws {
    let runs = try Runs()
    func request(epochs: Int) -> RunRequest {
      runs.request(["training.epochs": "\(epochs)"], totalSteps: epochs)
    }
    let path = try runs.interrupt(request(epochs: 20), after: [15])
    let before = try runs.content(path)
    let short = try runs.start(request(epochs: 1))
    #expect(short.directory.path != path)
    #expect(short.notes.first?.contains("training.epochs 20 there, 1 here") == true)
    #expect(short.notes.first?.hasSuffix("--run-dir \(path)") == true)
    let error = #expect(throws: RunBeyondEnd.self) {
      try Run(request(epochs: 1), directory: path, resume: .automatic)
    }
    #expect(error?.exitStatus == .configuration)
    #expect(error?.description.contains("it has 15 steps already") == true)
    #expect(try runs.content(path) == before)
    let longer = try Run(request(epochs: 30), directory: path, resume: .automatic)
    #expect(longer.checkpoint?.step == 15)
    try longer.close(.stopped)
    // Now that is its length.
    #expect(try runs.start(request(epochs: 30)).directory.path == path)
  }

  @Test(
    "of several runs that are the same, the one with the most steps is resumed, unless it is in use"
  )
  func mostSteps() throws {
    let runs = try Runs()
    let paths = try [5, 15, 10].map { try runs.interrupt(runs.request(), after: [$0]) }
    let first = try runs.start(runs.request())
    #expect(first.directory.path == paths[1])
    let second = try runs.start(runs.request())
    #expect(second.directory.path == paths[2])
    #expect(second.notes.count == 1)
    #expect(
      second.notes.first?.hasPrefix(
        "warning: the run '\(paths[1])' is the same but is not resumed: ") == true)
    #expect(second.notes.first?.contains("in use by process \(getpid())") == true)
  }

  @Test("the lock of another host stops the command: nobody knows whether its job lives")
  func foreignLock() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [5])
    try #"{"host":"elsewhere.example","pid":1,"start":1}"#.write(
      toFile: path + "/LOCK", atomically: false, encoding: .utf8)
    let error = #expect(throws: RunDirectoryError.self) { try runs.start(runs.request()) }
    #expect(error?.exitStatus == .cannotCreate)
  }

  @Test(
    "a run without a usable checkpoint is left alone, with a warning, for the next or a new one")
  func allDamaged() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [10])
    let manifest = path + "/checkpoints/step-000010/manifest.json"
    try FileManager.default.removeItem(atPath: manifest)
    let before = try runs.content(path)
    let run = try runs.start(runs.request())
    #expect(run.directory.path != path && run.checkpoint == nil)
    #expect(run.notes.first?.contains("none of the 1 checkpoints") == true)
    #expect(try runs.content(path) == before)
  }

  @Test("a damaged newest checkpoint is moved aside, with a warning that names both steps")
  func damagedNewest() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [5, 10])
    let damaged = path + "/checkpoints/step-000010"
    try "x".write(toFile: damaged + "/state.json", atomically: false, encoding: .utf8)
    var warnings: [String] = []
    let used = try Run.findCheckpoint(at: path, onWarning: { warnings.append($0) })
    #expect(used.step == 5)
    #expect(
      warnings.first?.hasPrefix("checkpoint of step 10 is damaged; using that of step 5: ") == true)
    let error = #expect(throws: DamagedNewestCheckpoint.self) {
      try Run.findCheckpoint(at: path, isStrict: true)
    }
    #expect(error?.exitStatus == .badData)
    let run = try runs.start(runs.request())
    #expect(run.checkpoint?.step == 5)
    #expect(
      run.notes.first?.hasPrefix(
        "warning: checkpoint of step 10 is damaged and was moved to "
          + "'\(path)/checkpoints/rejected'; resuming from that of step 5: ") == true)
    #expect(FileManager.default.fileExists(atPath: path + "/checkpoints/rejected/step-000010"))
    #expect(try run.store.steps() == [5])
  }

  @Test(
    "an audited checkpoint is resumed from before a newer one that is not, which stays usable",
    arguments: [false, true])
  func newestNotAudited(_ namesDirectory: Bool) throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [5, 10, 15], audited: [5])
    // To look at a run, the newest is right.
    #expect(try Run.findCheckpoint(at: path).step == 15)
    let run = try Run(
      runs.request(), directory: namesDirectory ? path : nil, resume: .automatic)
    #expect(run.directory.path == path && run.checkpoint?.step == 5)
    let newer = path + "/checkpoints/rejected/step-000015"
    #expect(
      run.notes
        == [15, 10].map {
          let moved = path + "/checkpoints/rejected/step-0000\($0)"
          return "warning: checkpoint of step \($0) was not audited and was moved to '\(moved)'; "
            + "resuming from that of step 5, which was. To resume from the newer one: --resume \(moved)"
        })
    #expect(try run.store.steps() == [5])
    try run.close(.stopped)
    let chosen = try Run(
      runs.request(), directory: namesDirectory ? path : nil, resume: .path(newer))
    #expect(chosen.checkpoint?.step == 15 && chosen.notices.isEmpty)
  }

  @Test("a run to resume from is resumed from its newest audited checkpoint, and left as it is")
  func otherRunNotAudited() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [5, 10], audited: [5])
    let before = try runs.content(path)
    let run = try Run(runs.request(), directory: nil, resume: .path(path))
    #expect(run.checkpoint?.step == 5)
    #expect(
      run.notes == [
        "warning: checkpoint of step 10 was not audited; using that of step 5, which was. To use the "
          + "newer one, name '\(path)/checkpoints/step-000010'"
      ])
    #expect(try runs.content(path) == before)
    let chosen = try Run(
      runs.request(), directory: nil, resume: .path(path + "/checkpoints/step-000010"))
    #expect(chosen.checkpoint?.step == 10)
  }

  @Test("a checkpoint that cannot be read stops the command, and nothing is removed or started")
  func readError() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [5, 10])
    let before = try runs.content(runs.root)
    let failing = FileSystem { action, path in
      guard action == .read, path.hasSuffix("step-000010/state.json") else { return }
      throw FileSystemError(.read, path, code: EIO)
    }
    for directory in [nil, path] {
      let error = #expect(throws: CheckpointError.self) {
        try Run(runs.request(), directory: directory, resume: .automatic, fileSystem: failing)
      }
      #expect(error?.exitStatus == .inputOutput)
      #expect(error?.description.contains("Input/output error") == true)
    }
    #expect(try runs.content(runs.root) == before)
    #expect(try runs.start(runs.request()).checkpoint?.step == 10)
  }

  @Test("a directory without run.json is compared by its configuration")
  func earlierVersion() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [10])
    try FileManager.default.removeItem(atPath: path + "/run.json")
    var request = runs.request()
    request.settings = { directory, saved in
      saved ?? (directory.path == path ? ["seed": "1"] : nil)
    }
    let run = try runs.start(request)
    #expect(run.directory.path == path)
    // It has an id from now on, and so have its checkpoints.
    #expect(try run.store.commit(step: 12, files: runs.files(12)).run != nil)
    try run.close(.stopped)
    #expect(try runs.start(runs.request()).checkpoint?.step == 12)
  }

  @Test("run.json is readable and survives a resume")
  func runFile() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [10])
    let text = try String(contentsOfFile: path + "/run.json", encoding: .utf8)
    #expect(text.contains(#""format":"lockstep-run""#) && text.contains(#""version":1"#))
    #expect(text.contains(#""settings":{"seed":"1"}"#) && text.contains(#""training data":"d1""#))
    let run = try runs.start(runs.request())
    try run.close(.stopped)
    #expect(try String(contentsOfFile: path + "/run.json", encoding: .utf8) == text)
    #expect(run.checkpoint?.run.map { text.contains($0) } == true)
  }

  @Test("temporary files of a killed run are removed at the start, and nothing else")
  func temporaries() throws {
    let runs = try Runs()
    let path = try runs.interrupt(runs.request(), after: [10])
    let host = ProcessInfo.processInfo.hostName
    for name in [
      ".STATUS.tmp-7", ".config.yaml.tmp-12", ".run.json.tmp-1", ".metrics.jsonl.tmp-3",
      ".env.json.tmp-4", ".preflight-12-345", ".LOCK.tmp-\(host)-7",
      ".LOCK.tmp-elsewhere-7", ".notes", ".config.yaml.tmp-mine", "x.tmp-7",
    ] {
      try "".write(toFile: path + "/" + name, atomically: false, encoding: .utf8)
    }
    let run = try runs.start(runs.request())
    try run.close(.stopped)
    let left = try FileManager.default.contentsOfDirectory(atPath: path).sorted()
    #expect(
      left == [
        ".LOCK.tmp-elsewhere-7", ".config.yaml.tmp-mine", ".notes", "STATUS",
        "attempts.jsonl", "checkpoints", "config.yaml", "run.json", "x.tmp-7",
      ])
  }

  @Test("a run directory removed while training is created again, unless another run has it")
  func removedDirectory() throws {
    let runs = try Runs()
    let path = runs.directory.path("run")
    let run = try Run(runs.request(), directory: path, resume: .automatic)
    let recorder = try RunRecorder(
      run, continuingAfter: 0, everySteps: 1, environment: ["ranks": 1])
    #expect(try recorder.prepareCheckpoint() == nil)
    try FileManager.default.removeItem(atPath: path)
    #expect(try recorder.prepareCheckpoint()?.contains("was removed while") == true)
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path).sorted()
        == ["LOCK", "STATUS", "config.yaml", "env.json", "metrics.jsonl", "run.json"])
    #expect(try recorder.prepareCheckpoint() == nil)
    try run.store.commit(step: 3, files: runs.files(3))

    try FileManager.default.removeItem(atPath: path + "/LOCK")
    #expect(try recorder.prepareCheckpoint()?.contains("LOCK' was removed") == true)
    #expect(try run.store.steps() == [3])

    // Another run takes the directory: this one neither writes there nor ends the other.
    try FileManager.default.removeItem(atPath: path)
    let other = try Run(runs.request(["seed": "2"]), directory: path, resume: .automatic)
    try other.directory.setStatus(.running)
    #expect(throws: RunDirectoryError.takenOver(path: path)) { try recorder.prepareCheckpoint() }
    try run.close(.failed)
    #expect(try other.directory.status() == .running)
    #expect(throws: RunDirectoryError.self) { try other.directory.lock() }
  }
}
