import ArgumentParser
import Foundation
import Lockstep
import Training

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Checks whether this machine, or this job, is fit for training.",
    discussion: """
      Start it the way training will be started, for example: mpirun -np 4 lockstep doctor

      Exit codes: 0 when nothing is wrong (warnings allowed), 1 when something is.
      """)

  func run() {
    withSession("doctor") { communicator in
      var report = DoctorReport()
      let cores = communicator.findCPUBinding()
      Threads.count = cores.threads
      report.checkProgram()
      report.checkBLAS()
      report.checkRanks(communicator, cores)
      report.checkCollectives(communicator)
      report.checkSpeed(communicator)
      if communicator.isRoot {
        report.checkDisk()
        report.checkSharedMemory(ranks: communicator.node.size)
        report.findings.forEach { printLine($0.line) }
      }
      let hasFailed = report.findings.contains { $0.level == .fail }
      exitWhenFailed(communicator.allReduce(hasFailed ? 1 : 0, .max) > 0, communicator)
      return .success
    }
  }

  private func exitWhenFailed(_ hasFailed: Bool, _ communicator: any Communicator) {
    guard hasFailed else { return }
    communicator.finalize()
    Foundation.exit(1)
  }
}

/// What was found, in the order of the report.
///
/// Every rank makes one; rank zero's is shown.
private struct DoctorReport {
  enum Level: String {
    case ok = "[ok]  "
    case warning = "[warn]"
    case fail = "[FAIL]"
  }

  struct Finding {
    var level: Level
    var topic: String
    var text: String

    var line: String {
      "\(level.rawValue) \(topic)\(String(repeating: " ", count: max(1, 12 - topic.count)))\(text)"
    }
  }

  private(set) var findings: [Finding] = []

  private mutating func add(_ level: Level, _ topic: String, _ text: String) {
    findings.append(Finding(level: level, topic: topic, text: text))
  }

  mutating func checkProgram() {
    add(.ok, "program", "lockstep \(Version.current), kernels for \(Threads.instructionSet)")
    let hardwareThreads = Affinity.current
    let cores = hardwareThreads.countingCoresOnce().cores.count
    add(
      .ok, "processor",
      "\(Environment.processor), \(count(cores, "core")) for this process"
        + (hardwareThreads.cores.count > cores
          ? " (\(hardwareThreads.cores.count) hardware threads, of which one per core computes)"
          : ""))
    if let wanted = ProcessInfo.processInfo.environment["LOCKSTEP_ISA"] {
      add(.warning, "kernels", "LOCKSTEP_ISA=\(wanted) is set; unset it for the fastest kernels")
    }
  }

  mutating func checkBLAS() {
    add(.ok, "OpenBLAS", "\(BLAS.configuration), core \(BLAS.coreName)")
    // The kernels of OpenBLAS that use this processor's instructions.
    let isAVX512 = Threads.instructionSet.hasPrefix("avx512")
    let fitting = isAVX512 ? "SkylakeX" : "Haswell"
    let environment = ProcessInfo.processInfo.environment
    for name in ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"] {
      guard let value = environment[name], value != fitting else { continue }
      add(
        .warning, "OpenBLAS",
        "\(name)=\(value) overrides what OpenBLAS would choose and can halve its speed; "
          + "unset \(name)")
    }
    let withoutAVX = ["Prescott", "Core2", "Penryn", "Dunnington", "Nehalem"]
    let narrow = isAVX512 ? withoutAVX + ["Sandybridge", "Haswell", "Zen"] : withoutAVX
    if Threads.instructionSet.hasPrefix("avx"), narrow.contains(BLAS.coreName) {
      add(
        .warning, "OpenBLAS",
        "uses \(BLAS.coreName) kernels, although this processor has \(isAVX512 ? "AVX-512" : "AVX2"); "
          + "try OPENBLAS_CORETYPE=\(fitting)")
    }
  }

  mutating func checkRanks(_ communicator: any Communicator, _ cores: CPUBinding) {
    let own = [Threads.instructionSet, BLAS.coreName]
    let all = communicator.allGather(own.joined(separator: "\t"))
    let rows = all.map { $0.split(separator: "\t").map(String.init) }
    let ranks = communicator.worldSize
    if ranks == 1, LauncherEnvironment() == nil {
      add(.ok, "ranks", "1, without a launcher; for more: mpirun -np N lockstep …")
    } else {
      add(
        .ok, "ranks",
        "\(ranks) on \(count(cores.nodes.count, "host")), \(MPICommunicator.libraryVersion)")
    }
    let quota = cores.nodes[communicator.topology.nodeIndex].tightestQuota
    add(.ok, "threads", "\(cores.threads) per rank" + (quota.map { ", under \($0)" } ?? ""))
    for warning in cores.warnings() { add(.warning, "cores", warning) }
    for (index, name) in [(0, "kernels"), (1, "OpenBLAS core")]
    where Set(rows.map { $0[index] }).count > 1 {
      let values = rows.enumerated().map { "rank \($0.offset): \($0.element[index])" }
      add(.fail, name, "differ between ranks (\(values.joined(separator: ", "))), so results would")
    }
  }

  mutating func checkCollectives(_ communicator: any Communicator) {
    let failures = CollectiveSelfTest.all.flatMap { check in
      check.failures(communicator).map { "\(check.description): \($0)" }
    }
    if failures.isEmpty {
      add(.ok, "collectives", "\(CollectiveSelfTest.all.count) checks passed on all ranks")
    }
    for failure in failures { add(.fail, "collectives", failure) }
  }

  mutating func checkSpeed(_ communicator: any Communicator) {
    Threads.count = 1
    let speed = matrixProductSpeed()
    let all = communicator.allGather(String(speed)).compactMap(Double.init)
    let slowest = all.min() ?? speed
    add(
      .ok, "speed",
      String(format: "%.0f GFLOP/s per core in matrix products", speed)
        + (all.count > 1 ? String(format: ", slowest rank %.0f", slowest) : ""))
    if let fastest = all.max(), slowest < 0.7 * fastest, let rank = all.firstIndex(of: slowest) {
      add(
        .warning, "speed",
        String(
          format: "rank %d reaches %.0f %% of the fastest; every step waits for it", rank,
          100 * slowest / fastest))
    }
  }

  private func matrixProductSpeed() -> Double {
    let size = 768
    var random = RandomSource(seed: 1)
    let a = Tensor.normal([size, size], using: &random)
    let b = Tensor.normal([size, size], using: &random)
    var best = Double.infinity
    for _ in 0..<8 {
      let start = ContinuousClock.now
      _ = a.matmul(b)
      best = min(best, (ContinuousClock.now - start) / .seconds(1))
    }
    return 2 * Double(size * size * size) / best / 1e9
  }

  mutating func checkDisk() {
    let path = FileManager.default.currentDirectoryPath
    do {
      let probe = path + "/.lockstep-doctor-\(getpid())"
      try RunDirectory(path: probe).prepare()
      try FileManager.default.removeItem(atPath: probe)
      add(.ok, "disk", "files can be written and synced in \(path)")
    } catch {
      add(.warning, "disk", "\(error); name a place that can be written with --run-dir")
    }
  }

  /// Open MPI's messages between ranks of a node pass through files of 4 MiB, one per rank.
  mutating func checkSharedMemory(ranks: Int) {
    guard ranks > 1, MPICommunicator.isOpenMPI else { return }
    let attributes = try? FileManager.default.attributesOfFileSystem(forPath: "/dev/shm")
    guard let free = attributes?[.systemFreeSize] as? Int else { return }
    let megabytes = free >> 20
    if megabytes < 4 * ranks {
      add(
        .warning, "shared mem",
        "\(grouped(megabytes)) MiB free in /dev/shm, where Open MPI may need \(4 * ranks) MiB for "
          + "messages; in a container start it with --shm-size=1g")
    } else {
      add(.ok, "shared mem", "\(grouped(megabytes)) MiB free in /dev/shm for Open MPI's messages")
    }
  }
}
