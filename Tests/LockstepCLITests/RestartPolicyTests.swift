import Base
import LockstepCLI
import Testing

@Suite struct RestartPolicyTests {
  @Test func restartsAsOftenAsAllowed() {
    var policy = RestartPolicy(limit: 2)
    #expect(policy.decide(exitCode: 137, blaming: nil, step: 10, hosts: []) == .restart)
    #expect(policy.decide(exitCode: 137, blaming: nil, step: 20, hosts: []) == .restart)
    #expect(
      policy.decide(exitCode: 137, blaming: nil, step: 30, hosts: [])
        == .end("--restarts 2 is used up"))
    #expect(policy.restarts == 2)
    var none = RestartPolicy(limit: 0)
    #expect(none.decide(exitCode: 137, blaming: nil, step: 1, hosts: []) == .end("--restarts is 0"))
  }

  @Test(arguments: [64, 65, 66, 69, 73, 78, 80, 81] as [Int32])
  func doesNotRepeatWhatWouldFailAgain(_ code: Int32) {
    var policy = RestartPolicy(limit: 5)
    guard case .end(let reason) = policy.decide(exitCode: code, blaming: nil, step: 1, hosts: [])
    else {
      Issue.record("restarts after \(code)")
      return
    }
    #expect(reason.contains("exit code \(code) means"))
  }

  @Test(arguments: [1, 70, 74, 82, 83, 132, 137, 139, 205] as [Int32])
  func repeatsWhatMaySucceed(_ code: Int32) {
    var policy = RestartPolicy(limit: 5)
    #expect(policy.decide(exitCode: code, blaming: nil, step: 1, hosts: []) == .restart)
  }

  /// Notes attempts that a signal ended, each at a step and blamed on a host, until the launch ends or the hosts do;
  /// returns the hosts that were left out, in order, and the reason of the end.
  private func attempts(
    _ attempts: [(step: Int, host: String?)], hosts: Set<String> = ["a", "b", "c", "d"]
  ) -> (leftOut: [String], reason: String?) {
    var policy = RestartPolicy(limit: 100)
    var leftOut: [String] = []
    for (step, host) in attempts {
      switch policy.decide(
        exitCode: 137, blaming: host, step: step, hosts: hosts.subtracting(leftOut))
      {
      case .restart(let hosts): leftOut += hosts
      case .end(let reason): return (leftOut, reason)
      }
    }
    return (leftOut, nil)
  }

  @Test func givesUpWhenAttemptsEndAtOneStep() {
    let stuck = attempts([(40, nil), (41, nil), (41, nil), (41, nil)])
    #expect(stuck.reason == "3 attempts in a row ended at step 41")
    #expect(attempts([(0, nil), (0, nil)]).reason == nil)
    #expect(attempts([(0, nil), (0, nil), (0, nil)]).reason != nil)
  }

  @Test func repeatsAttemptsThatFailBeforeTheNextCheckpointEachAtAnotherStep() {
    // The checkpoint is of step 1000.
    let independent = attempts([(1900, "a"), (1500, "b"), (1200, "c"), (1700, "d")])
    #expect(independent.reason == nil)
    #expect(independent.leftOut.isEmpty)
  }

  @Test func goesOnWithoutTwoBadHosts() {
    // One after the other, and in turn.
    for order in [["a", "a", "b", "b"], ["a", "b", "a", "b"]] {
      let result = attempts(order.map { (0, $0) } + [(0, nil), (0, nil)])
      #expect(result.leftOut == ["a", "b"])
      #expect(result.reason == nil)
    }
  }

  @Test func countsAnewWhenAHostIsLost() {
    var policy = RestartPolicy(limit: 100)
    for hosts in [["a", "b", "c"], ["a", "b"], ["a"], ["a"]] as [Set<String>] {
      #expect(policy.decide(exitCode: 205, blaming: nil, step: 7, hosts: hosts) == .restart)
    }
    #expect(policy.decide(exitCode: 205, blaming: nil, step: 7, hosts: ["a"]) != .restart)
  }

  @Test func leavesOutHostsThatFailTwiceInARow() {
    let result = attempts(["a", "b", "a", nil, "a"].enumerated().map { ($0 + 1, $1) })
    #expect(result.leftOut.isEmpty)
    #expect(attempts([(1, "a"), (2, "a"), (3, nil)]).leftOut == ["a"])
    // The last one stays.
    let last = attempts([(1, "a"), (2, "a"), (3, "a")], hosts: ["a"])
    #expect(last.leftOut.isEmpty)
    #expect(last.reason == nil)
  }

  @Test func leavesOutAHostThatWasLostAndThenCannotBeStarted() {
    var policy = RestartPolicy(limit: 100)
    let hosts: Set = ["a", "b"]
    #expect(policy.decide(exitCode: 205, blaming: "a", step: 1, hosts: hosts) == .restart)
    #expect(
      policy.decide(exitCode: 1, blaming: nil, hasStarted: false, step: 1, hosts: hosts)
        == .restart(without: ["a"]))
  }
}
