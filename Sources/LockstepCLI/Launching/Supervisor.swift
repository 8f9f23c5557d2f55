import Base
import Foundation
import Lockstep
import Logging
import Training

/// Runs a job on ranks: starts it, watches it, and starts it again on the hosts that are left.
final class Supervisor {
  private let hosts: [LaunchHost]
  private let options: LaunchPlan.Options
  private let limit: Int?
  private var job: LaunchedJob
  private var policy: RestartPolicy
  /// What tells this launch from all others.
  private let launch = String(
    String(UInt64.random(in: 0 ... .max), radix: 16).suffix(8))
  private var failed: [String] = []
  /// What hosts call themselves, by the launcher's name.
  private var ownNames: [String: String] = [:]
  private let clock = Stopwatch()

  /// The seconds between two attempts.
  private static let pause = 1.0
  /// The seconds after which hosts are asked again, if all of them have fallen silent.
  private static let pausesInSilence = [10.0, 30, 60]

  /// - Parameters:
  ///   - job: What the ranks run.
  ///   - hosts: The hosts; one where they were not named.
  ///   - limit: The most ranks; nil is all slots.
  ///   - options: How ranks are started.
  ///   - restarts: How often a training may be restarted.
  init(
    _ job: LaunchedJob, hosts: [LaunchHost], limit: Int?, _ options: LaunchPlan.Options,
    restarts: Int
  ) {
    (self.job, self.hosts, self.limit, self.options) = (job, hosts, limit, options)
    policy = RestartPolicy(limit: job.training == nil ? 0 : restarts)
  }

  /// The command of the first attempt, if all hosts answer.
  func firstCommand() throws -> [String] {
    try plan().command(job.program(attempt: 1, after: 0))
  }

  /// Runs the job to its end, and returns its exit code.
  func run() throws -> Int32 {
    var number = 1
    while true {
      try leaveOutSilentHosts(asking: number == 1 ? [] : Supervisor.pausesInSilence)
      if StopSignals.requested != nil {
        logger.notice("stopped before attempt \(number); the same command resumes")
        return ExitStatus.stoppedAndSaved.rawValue
      }
      let plan = try plan()
      let attempt = LaunchAttempt(launch: launch, number: number)
      logger.notice("attempt \(number): \(plan.description)\(placeText(plan))")
      let start = unixTime()
      let ended = try AttemptProcess(
        plan.command(job.program(attempt: number, after: clock.elapsed), attempt: attempt),
        startLimit: job.training?.startLimit
      ).run(hasBegun: { hasBegun(attempt) })
      job.findDirectory(launch: launch)
      let cause = ended.cause(plan)
      let hasFailed = ![0, ExitStatus.stoppedAndSaved.rawValue].contains(ended.code)
      note(attempt, plan, start: start, code: ended.code, hasFailed ? cause : nil)
      if ended.code != 0 { try clearLeftRanks() }
      guard hasFailed else { return ended.code }
      if StopSignals.interrupts > 1 { return 128 + SIGINT }
      report(attempt, cause, ended, seconds: unixTime() - start)
      guard StopSignals.requested == nil else { return ended.code }
      let host = cause.mayBeOfHost ? cause.host.flatMap(name(ofHost:)) : nil
      switch policy.decide(
        exitCode: ended.code, blaming: host, hasStarted: cause.kind != .launcher,
        step: lastStep, hosts: Set(left.map(\.name)))
      {
      case .end(let reason):
        if job.training != nil { logger.notice("not restarted: \(reason)") }
        return ended.code
      case .restart(let condemned):
        for host in condemned.sorted() {
          logger.warning("\(host) is left out: it failed in two attempts")
        }
        failed += condemned.sorted()
      }
      Supervisor.wait(Supervisor.pause)
      number += 1
    }
  }

  // MARK: Hosts

  /// The hosts that are not left out.
  private var left: [LaunchHost] { hosts.filter { !failed.contains($0.name) } }

  private func plan() throws -> LaunchPlan {
    let parallel = try job.training?.configuration.group(DataParallel.Options.self)
    guard
      let plan = LaunchPlan(
        hosts: left, failed: failed, limit: limit, options,
        allows: { parallel?.allows(ranksOfNodes: $0) ?? true })
    else {
      throw CommandError("no host is left to run on", .inputOutput)
    }
    return plan
  }

  /// What is not used, and from where the attempt resumes.
  private func placeText(_ plan: LaunchPlan) -> String {
    let slots = left.reduce(0) { $0 + $1.slots }
    let possible = min(limit ?? .max, slots)
    var text =
      plan.ranks < possible
      ? ", the most of \(possible) that distributed.fixedSlices allows" : ""
    if let step = job.directory(launch: launch)?.lastSavedStep {
      text += ", resuming from step \(grouped(step))"
    }
    return text
  }

  /// Leaves out the hosts that do not answer.
  ///
  /// - Parameter pauses: The seconds after which hosts are asked again as long as none answers: a network that fails
  ///   for a moment must not end the launch.
  private func leaveOutSilentHosts(asking pauses: [Double]) throws {
    guard options.hasHosts else { return }
    var silent = try silentHosts()
    for pause in pauses where silent.count == left.count {
      logger.warning("no host answers; they are asked again in \(Int(pause)) s")
      Supervisor.wait(pause)
      guard StopSignals.requested == nil else { return }
      silent = try silentHosts()
    }
    for (host, reason) in silent {
      logger.warning("\(host) is left out: \(reason)")
      failed.append(host)
    }
  }

  /// The hosts that do not answer, each with a reason; also ends what earlier attempts have left on the others.
  private func silentHosts() throws -> [(host: String, reason: String)] {
    let left = left.map(\.name)
    if options.launcher == .srun {
      do {
        return try SlurmJob.hostsThatAreDown(left).map { ($0, "Slurm says that it is down") }
      } catch {
        logger.warning("\(error); so no host is left out")
        return []
      }
    }
    let answers = try probe.answers(of: left)
    let twins = Dictionary(grouping: left.filter { answers[$0]?.boot.isEmpty == false }) {
      answers[$0]
    }
    if let twins = twins.values.first(where: { $0.count > 1 }) {
      throw CommandError(
        "\(twins[0]) and \(twins[1]) are one computer, '\(answers[twins[0]]?.name ?? "")': name it once, with the "
          + "slots of both", .badData)
    }
    ownNames.merge(answers.mapValues(\.name)) { $1 }
    return left.filter { answers[$0] == nil }.map {
      ($0, "it does not answer '\(shellCommand(probe.agent)) \($0)'")
    }
  }

  /// Waits some seconds, or until this process is asked to stop.
  private static func wait(_ seconds: Double) {
    let clock = Stopwatch()
    while clock.elapsed < seconds, StopSignals.requested == nil { usleep(50_000) }
  }

  private var probe: HostProbe {
    let agent = options.agent.map { $0.split(separator: " ").map(String.init) }
    return HostProbe(
      agent: agent ?? ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5"], launch: launch)
  }

  /// Ends what an attempt has left on this host; other hosts are cleared when they are asked.
  private func clearLeftRanks() throws {
    if !options.hasHosts { try probe.clearThisHost() }
  }

  private func name(ofHost name: String) -> String? {
    hosts.host(called: name, ownNames: ownNames)
  }

  // MARK: Records

  /// Whether a rank has begun to train in an attempt.
  private func hasBegun(_ attempt: LaunchAttempt) -> Bool {
    job.findDirectory(launch: launch)
    return job.directory(launch: launch).map { AttemptLog($0).hasStart(of: attempt) } ?? false
  }

  private var lastStep: Int {
    guard let directory = job.directory(launch: launch) else { return 0 }
    return max(directory.lastRecordedStep, directory.lastSavedStep ?? 0)
  }

  /// Notes in the run's directory how an attempt ended.
  private func note(
    _ attempt: LaunchAttempt, _ plan: LaunchPlan, start: Double, code: Int32, _ cause: FirstCause?
  ) {
    guard let directory = job.directory(launch: launch) else { return }
    do {
      try AttemptLog(directory).launched(
        attempt,
        [
          "start": start, "end": unixTime(), "hosts": plan.hosts.map(\.name), "ranks": plan.ranks,
          "leftOut": failed, "exitCode": Int(code), "cause": cause?.description,
          "step": lastStep,
        ])
    } catch {
      logger.warning("\(error); the launch continues without this record")
    }
  }

  /// Says in five lines why an attempt ended.
  private func report(
    _ attempt: LaunchAttempt, _ cause: FirstCause, _ ended: AttemptProcess.End, seconds: Double
  ) {
    let directory = job.directory(launch: launch)
    var lines = [
      "attempt \(attempt.number) ended after \(Int(seconds)) s: \(cause.description)"
    ]
    if let directory {
      let saved = directory.lastSavedStep.map { "the newest checkpoint is of step \(grouped($0))" }
      lines.append(
        "step \(grouped(directory.lastRecordedStep)) was the last recorded, "
          + (saved ?? "there is no checkpoint yet"))
    }
    lines += cause.log.map { String($0.prefix(300)) }
    var place = ""
    if let path = directory.flatMap({ write(ended.errors, attempt, $0) }) {
      place = ", all messages are in '\(path)'"
    } else {
      // They are shown nowhere else.
      for line in ended.messages.launcher {
        FileHandle.standardError.write(Data((line + "\n").utf8))
      }
    }
    lines.append("exit code \(ended.code)" + place)
    logger.error("\(lines.joined(separator: "\n  "))")
  }

  /// Keeps the messages of an attempt, and returns the file.
  private func write(
    _ errors: String, _ attempt: LaunchAttempt, _ directory: RunDirectory
  ) -> String? {
    let folder = directory.path.appendingPath("errors")
    let path = folder.appendingPath("launch-\(attempt.launch)-\(attempt.number).log")
    do {
      try FileSystem().makeDirectories(folder)
      try FileSystem().replaceFile(path, with: String(errors.suffix(1 << 20)))
      return path
    } catch {
      return nil
    }
  }
}
