import Base
import Checkpointing
import Foundation
import Synchronization
import TestSupport
import Testing
import Training

@Suite struct RunDirectoryTests {
  @Test("a new run gets a directory of its own, named by time and chance")
  func create() throws {
    let directory = try TemporaryDirectory()
    let date = Date(timeIntervalSince1970: 1_795_230_612)
    let paths = try (0..<20).map { _ in
      try RunDirectory.create(in: directory.path("runs"), name: "digits-mlp", at: date).path
    }
    #expect(Set(paths).count == 20)
    let name = try #require(paths[0].split(separator: "/").last)
    #expect(name.wholeMatch(of: /2026-11-21T03-10-12_[0-9a-f]{4}/) != nil)
  }

  @Test("configuration, environment and status are written")
  func files() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path("run"))
    try run.prepare()
    #expect(try run.status() == nil)
    for status in RunStatus.allCases {
      try run.setStatus(status)
      #expect(try run.status() == status)
    }
    try run.write(configuration: "name: a\n")
    #expect(try directory.read("run/config.yaml") == "name: a\n")
    try run.write(environment: ["ranks": 4, "host": "a"] as JSONObject)
    #expect(try directory.read("run/env.json") == "{\"host\":\"a\",\"ranks\":4}\n")
    #expect(try directory.names("run") == ["STATUS", "config.yaml", "env.json"])
  }

  @Test("a directory cannot be made where a file is")
  func refused() throws {
    let directory = try TemporaryDirectory()
    try directory.write("", to: "file")
    let error = #expect(throws: FileSystemError.self) {
      try RunDirectory(path: directory.path("file/run")).prepare()
    }
    #expect(error?.exitStatus == .cannotCreate)
  }

  @Test("of two jobs in one directory the second is refused and told who holds it")
  func lock() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path)
    let lock = try run.lock()
    let error = #expect(throws: RunDirectoryError.self) { try run.lock() }
    #expect(error?.exitStatus == .cannotCreate)
    #expect(error?.description.contains("process \(getpid()) on host") == true)
    lock.release()
    #expect(try directory.names().isEmpty)
    do {
      let second = try run.lock()
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      withExtendedLifetime(second) {}
    }
    #expect(try directory.names().isEmpty)
  }

  @Test("a lock whose process is gone, or is another of the same number, is taken over")
  func staleLock() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path)
    let host = ProcessInfo.processInfo.hostName
    let ended = Process()
    ended.executableURL = URL(fileURLWithPath: "/bin/true")
    try ended.run()
    ended.waitUntilExit()
    for process in [Int(ended.processIdentifier), Int(getpid())] {
      try directory.write(
        JSON.text(["host": host, "pid": process, "start": 1] as JSONObject), to: "LOCK")
      let lock = try run.lock()
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      lock.release()
    }
  }

  @Test("a lock that another PID namespace holds is respected, though its process is not seen here")
  func namespaceLock() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path)
    // As a container with the host's name leaves it: no process of this number is seen here.
    let host = ProcessInfo.processInfo.hostName
    try directory.write(#"{"host":"\#(host)","pid":4194304,"start":1}"#, to: "LOCK")
    let holder = open(directory.path("LOCK"), O_RDWR | O_CLOEXEC)
    #expect(flock(holder, LOCK_EX) == 0)
    let error = #expect(throws: RunDirectoryError.self) { try run.lock() }
    #expect(error == .inUse(path: directory.path, host: host, process: 4_194_304))
    close(holder)
    try run.lock().release()
  }

  @Test("a lock of another host, or one that says nothing, is respected")
  func foreignLock() throws {
    let directory = try TemporaryDirectory()
    let run = RunDirectory(path: directory.path)
    try directory.write(#"{"host":"elsewhere.example","pid":1,"start":1}"#, to: "LOCK")
    #expect(
      throws: RunDirectoryError.inUse(path: directory.path, host: "elsewhere.example", process: 1)
    ) { try run.lock() }
    try directory.write("", to: "LOCK")
    #expect(throws: RunDirectoryError.unreadableLock(path: directory.path)) { try run.lock() }
    #expect(try directory.names() == ["LOCK"])
  }

  @Test("a job that was put back into the queue takes over its lock from another host")
  func requeuedJob() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let run = RunDirectory(path: directory.path)
      let lock = #"{"host":"elsewhere.example","pid":1,"start":1,"job":"17","restarts":0}"#
      try directory.write(lock, to: "LOCK")
      setenv("SLURM_JOB_ID", "17", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      setenv("SLURM_RESTART_COUNT", "1", 1)
      try run.lock().release()
      try directory.write(lock, to: "LOCK")
      setenv("SLURM_JOB_ID", "18", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
    }
  }

  @Test("the same with the job of a launch script, but not from a process that lives on this host")
  func requeuedJobOfLaunchScript() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let run = RunDirectory(path: directory.path)
      let lock = #"{"host":"elsewhere.example","pid":1,"start":1,"job":"pbs-17","restarts":1000}"#
      try directory.write(lock, to: "LOCK")
      setenv("LOCKSTEP_JOB", "pbs-17", 1)
      setenv("LOCKSTEP_JOB_START", "1000", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      setenv("LOCKSTEP_JOB_START", "1060", 1)
      let held = try run.lock()
      setenv("LOCKSTEP_JOB_START", "1120", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      held.release()
      try directory.write(lock, to: "LOCK")
      setenv("LOCKSTEP_JOB", "pbs-17_2", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
    }
  }

  @Test("an attempt of a launch takes over the lock of an earlier one from another host")
  func laterAttempt() async {
    await #expect(processExitsWith: .success) {
      let directory = try TemporaryDirectory()
      let run = RunDirectory(path: directory.path)
      setenv("LOCKSTEP_LAUNCH", "f00/2", 1)
      let lock = #"{"host":"elsewhere.example","pid":1,"start":1,"launch":"f00","attempt":"#
      try directory.write(lock + "2}", to: "LOCK")
      #expect(throws: RunDirectoryError.self) { try run.lock() }
      try directory.write(lock + "1}", to: "LOCK")
      try run.lock().release()
      try directory.write(lock + "1}", to: "LOCK")
      setenv("LOCKSTEP_LAUNCH", "f01/2", 1)
      #expect(throws: RunDirectoryError.self) { try run.lock() }
    }
  }

  /// How many were refused so far.
  private final class Refused: Sendable {
    let count = Mutex(0)
  }

  @Test("of many that want a dead job's directory one gets it")
  func contendedLock() async throws {
    let directory = try TemporaryDirectory()
    let path = directory.path
    let host = ProcessInfo.processInfo.hostName
    try directory.write(#"{"host":"\#(host)","pid":\#(getpid()),"start":1}"#, to: "LOCK")
    let count = 4
    let refused = Refused()
    let winners = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<count {
        group.addTask {
          guard let lock = try? RunDirectory(path: path).lock() else {
            refused.count.withLock { $0 += 1 }
            return false
          }
          // Holds it until the others have been refused; a second winner would wait in vain.
          for _ in 0..<300 where refused.count.withLock({ $0 }) < count - 1 {
            try? await Task.sleep(for: .milliseconds(100))
          }
          withExtendedLifetime(lock) {}
          return true
        }
      }
      return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
    }
    #expect(winners == 1)
    #expect(try directory.names().isEmpty)
  }
}
