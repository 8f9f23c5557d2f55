import Base
import Collectives
import Dispatch
import Testing

@Suite("Stall detector")
struct StallDetectorTests {
  private var options = Watchdog.Options()

  init() {
    options.stallWarning = 10
    options.stallTimeout = 40
  }

  /// A rank that computes or waits, after some collective calls.
  private func rank(
    _ rank: Int, _ wait: Activity.Wait = .nothing, calls: Int = 5, events: Int = 100, beat: Int = 0,
    _ phase: Activity.Phase = .trainingStep, step: Int = 12
  ) -> RankStatus {
    var status = RankStatus(rank: rank, process: 1000 + rank)
    status.heartbeat = beat
    status.activity.wait = wait
    status.activity.calls = calls
    status.activity.events = events
    status.activity.phase = phase
    status.activity.step = step
    return status
  }

  private func detector(
    ofRank rank: Int = 0, otherNodes: String? = nil,
    states: @escaping (Int) -> ProcessState = { _ in ProcessState() }
  ) -> StallDetector {
    StallDetector(
      rank: rank, host: "host1", otherNodes: otherNodes, longestLook: 1, processState: states)
  }

  /// Looks once a second, and returns the seconds of the warnings and of the end, with their reports.
  private func watch(
    _ detector: inout StallDetector, for seconds: Int = 60,
    _ ranks: (_ second: Int) -> [RankStatus]
  ) -> (warnings: [Int: StallReport], end: (second: Int, report: StallReport)?) {
    var warnings: [Int: StallReport] = [:]
    _ = detector.look(at: ranks(0), after: 1, options)
    for second in 1...seconds {
      switch detector.look(at: ranks(second), after: 1, options) {
      case .nothing: break
      case .warn(let report): warnings[second] = report
      case .end(let report): return (warnings, (second, report))
      }
    }
    return (warnings, nil)
  }

  @Test("A stopped rank: others warn once per interval with its name, then the job ends")
  func stopped() throws {
    var detector = detector { process in ProcessState(letter: process == 1001 ? "T" : "S") }
    let (warnings, end) = watch(&detector) { second in
      [rank(0, .allReduce, calls: 6, beat: second), rank(1)]
    }
    #expect(warnings.keys.sorted() == [10, 20, 30])
    let report = try #require(warnings[10])
    #expect(
      report.description == """
        no progress for 10 s on host1: rank 1 on host1 does not answer: it is stopped (SIGSTOP)
          rank 0 (process 1000): step 12, training step, waits in all-reduce (call 6) for rank 1
          rank 1 (process 1001): step 12, training step, computes; it is stopped (SIGSTOP)
        """)
    #expect(end?.second == 40)
    let files = try #require(end?.report.files)
    #expect(files.map(\.name) == ["rank-0.json", "rank-1.json"])
    #expect(files[0].content.contains("\"waitsFor\":\"all-reduce\""))
    #expect(files[1].content.contains("\"processState\":\"T\""))
  }

  @Test("A rank that is stopped in the same call is still the one that others wait for")
  func stoppedInTheCall() throws {
    var detector = detector(ofRank: 1) { ProcessState(letter: $0 == 1000 ? "T" : "R") }
    let (warnings, _) = watch(&detector) { second in
      [rank(0, .allReduce, calls: 6), rank(1, .allReduce, calls: 6, beat: second)]
    }
    // The watchdog of rank 0 is silent, so that of rank 1 speaks.
    let report = try #require(warnings[10])
    #expect(report.cause == "rank 0 on host1 does not answer: it is stopped (SIGSTOP)")
    #expect(
      report.description.contains(
        "rank 1 (process 1001): step 12, training step, waits in all-reduce (call 6) for rank 0"))
  }

  @Test("A rank in an endless loop is named")
  func endlessLoop() throws {
    var detector = detector()
    let (warnings, end) = watch(&detector) { second in
      [rank(0, .nodeBarrier, calls: 6, beat: second), rank(1, beat: second)]
    }
    #expect(
      warnings[10]?.cause == "rank 1 on host1 does not answer: it is busy, or in an endless loop")
    #expect(end?.second == 40)
  }

  @Test("A rank that continues in time lets all carry on")
  func continues() {
    var detector = detector()
    let (warnings, end) = watch(&detector, for: 100) { second in
      // Every 15 seconds rank 1 arrives.
      [
        rank(0, .allReduce, calls: 6 + second / 15, beat: second),
        rank(1, events: second / 15, beat: second),
      ]
    }
    #expect(!warnings.isEmpty)
    #expect(end == nil)
  }

  @Test("A long checkpoint or evaluation of one rank is progress of its node")
  func longCheckpoint() {
    var detector = detector(ofRank: 1)
    let (warnings, end) = watch(&detector, for: 1000) { second in
      [
        rank(0, events: second, beat: second, .checkpoint),
        rank(1, .allReduce, calls: 6, beat: second),
      ]
    }
    #expect(warnings.isEmpty)
    #expect(end == nil)
  }

  @Test("Ranks in a checkpoint wait for a slow disk, here or on another node, for half an hour")
  func slowDisk() {
    func end(_ otherNodes: String?, letter: Character = "D", _ waits: [Activity.Wait]) -> Int? {
      var detector = self.detector(otherNodes: otherNodes) {
        ProcessState(letter: $0 == 1001 ? letter : "S")
      }
      let (warnings, end) = watch(&detector, for: 2000) { second in
        [
          rank(0, waits[0], calls: 6, beat: second, .checkpoint),
          rank(1, waits[1], calls: waits[1] == .nothing ? 5 : 6, beat: second, .checkpoint),
        ]
      }
      #expect(warnings[10]?.timeout == (letter == "T" ? 40 : 1800))
      return end?.second
    }
    #expect(end("rank 2 (host2)", [.barrier, .barrier]) == 1802)
    #expect(end(nil, [.barrier, .nothing]) == 1800)
    // It does not wait for a disk.
    #expect(end(nil, letter: "T", [.barrier, .nothing]) == 40)
    // A longer limit holds as it is.
    var patient = self
    patient.options.stallTimeout = 1900
    var detector = detector()
    let late = patient.watch(&detector, for: 2000) { second in
      [rank(0, .barrier, beat: second, .checkpoint), rank(1, beat: second, .checkpoint)]
    }
    #expect(late.end?.second == 1900)
  }

  @Test(
    "The end is told at once, and within two seconds, when the state of the ranks cannot be written"
  )
  func hungFileSystem() throws {
    var detector = detector()
    let report = try #require(
      watch(&detector) { second in [rank(0, .barrier, beat: second), rank(1, beat: second)] }
        .end?.report)
    /// What is told, and the seconds that it took with the writing.
    func tell(_ write: @escaping @Sendable () -> String?) -> (text: String, seconds: Double) {
      var told: [String] = []
      let clock = ContinuousClock()
      let seconds = clock.measure { Watchdog.tell(report, { told.append($0) }, write: write) }
      #expect(told.count == 1)
      return (told[0], seconds / .seconds(1))
    }
    let isAnswering = DispatchSemaphore(value: 0)
    defer { isAnswering.signal() }
    let (text, seconds) = tell {
      isAnswering.wait()
      return "run/errors"
    }
    #expect(text == report.description)
    #expect(seconds < 60)
    #expect(tell { nil }.text == report.description)
  }

  @Test("Ranks that all compute are not stalled, however long a step takes")
  func longStep() {
    var detector = detector()
    let (warnings, end) = watch(&detector, for: 1000) { second in
      [rank(0, beat: second), rank(1, beat: second)]
    }
    #expect(warnings.isEmpty)
    #expect(end == nil)
  }

  @Test("The absence of a process that was stopped itself is no stall of the others")
  func ownAbsence() {
    var detector = detector()
    let ranks = [rank(0, .allReduce, calls: 6), rank(1)]
    _ = detector.look(at: ranks, after: 1, options)
    // Stopped for an hour.
    #expect(detector.look(at: ranks, after: 3600, options) == .nothing)
  }

  @Test("A rank under a debugger is named, and nobody is ended")
  func debugger() {
    var detector = detector { ProcessState(letter: $0 == 1001 ? "t" : "S", isTraced: $0 == 1001) }
    let (warnings, end) = watch(&detector, for: 1000) { second in
      [rank(0, .allReduce, calls: 6, beat: second), rank(1, beat: second)]
    }
    #expect(
      warnings[10]?.cause == "rank 1 on host1 does not answer: it is traced by a debugger")
    #expect(end == nil)
  }

  @Test(
    "A node without a cause of its own names the others, and leaves the end to them for a while")
  func otherNode() {
    var detector = detector(otherNodes: "rank 2 (host2)")
    let (warnings, end) = watch(&detector) { second in
      [rank(0, .allReduce, calls: 6, beat: second), rank(1, .allReduce, calls: 6, beat: second)]
    }
    #expect(warnings[10]?.cause == "the ranks of host1 wait for rank 2 (host2)")
    #expect(end?.second == 42)
  }

  @Test("So does a node of which a rank waits in an earlier call: another node may keep it there")
  func otherNodeInAnEarlierCall() {
    func watched(_ otherNodes: String?) -> (cause: String?, second: Int?) {
      var detector = detector(otherNodes: otherNodes)
      let (warnings, end) = watch(&detector) { second in
        [rank(0, .allReduce, calls: 7, beat: second), rank(1, .allReduce, calls: 6, beat: second)]
      }
      return (warnings[10]?.cause, end?.second)
    }
    let (with, without) = (watched("rank 2 (host2)"), watched(nil))
    #expect(with.cause == "rank 1 on host1 does not answer: it waits for its all-reduce")
    #expect(with.second == 42)
    #expect(without.cause == with.cause)
    #expect(without.second == 40)
  }

  @Test("null is never")
  func never() {
    var quiet = self
    quiet.options.stallWarning = nil
    quiet.options.stallTimeout = nil
    var detector = detector()
    let (warnings, end) = quiet.watch(&detector, for: 1000) { second in
      [rank(0, .allReduce, calls: 6, beat: second), rank(1, beat: second)]
    }
    #expect(warnings.isEmpty)
    #expect(end == nil)
  }

  @Test("Only one rank of a node speaks")
  func oneSpeaks() {
    var detector = detector(ofRank: 1)
    let (warnings, end) = watch(&detector) { second in
      [rank(0, .allReduce, calls: 6, beat: second), rank(1, beat: second)]
    }
    #expect(warnings.isEmpty)
    #expect(end == nil)
  }
}
