import Base
import Foundation
import LockstepCLI
import Testing

@Suite struct LaunchPlanTests {
  // MARK: Hosts

  @Test func readsHostFiles() throws {
    let text = """
      # The first rack
      node01 slots=4 max_slots=8

      node02   # one slot
      10.0.0.3 slots=2
      node02
      """
    let hosts = try [LaunchHost](hostFile: text, path: "hosts")
    #expect(
      hosts == [
        LaunchHost("node01", slots: 4), LaunchHost("node02", slots: 2),
        LaunchHost("10.0.0.3", slots: 2),
      ])
  }

  @Test func readsHostFilesWithTheLineEndsOfWindows() throws {
    let hosts = try [LaunchHost](hostFile: "node01 slots=4\r\n\r\nnode02\r\n", path: "hosts")
    #expect(hosts == [LaunchHost("node01", slots: 4), LaunchHost("node02", slots: 1)])
    let error = #expect(throws: HostFileError.self) {
      try [LaunchHost](hostFile: "node01\r\nnode02 slots=0\r\n", path: "hosts")
    }
    #expect(error?.description.hasPrefix("hosts:2: 'slots=0'") ?? false)
  }

  @Test(arguments: [
    ("node01 slots=none", "hosts:1: 'slots=none' is no number of slots"),
    ("a\nnode01 slots=0", "hosts:2: 'slots=0' is no number of slots"),
    ("node01 slots", "hosts:1: 'slots' is no number of slots"),
    ("node01 cores=4", "hosts:1: 'cores=4' is not known"),
    ("slots=4", "hosts:1: 'slots=4' is no host"),
    ("fe80::1 slots=4", "hosts:1: 'fe80::1' has a colon"),
    ("node01:4", "hosts:1: 'node01:4' has a colon"),
    ("# nothing\n", "hosts: there is no host"),
  ])
  func refusesOtherFiles(_ text: String, _ message: String) {
    let error = #expect(throws: HostFileError.self) {
      try [LaunchHost](hostFile: text, path: "hosts")
    }
    #expect(error?.description.hasPrefix(message) ?? false)
    #expect(error?.exitStatus == .badData)
  }

  @Test func readsSlurmsLists() {
    #expect(
      [LaunchHost](slurmNames: ["a", "b", "c"], tasksPerNode: "4(x2),3")
        == [LaunchHost("a", slots: 4), LaunchHost("b", slots: 4), LaunchHost("c", slots: 3)])
    #expect([LaunchHost](slurmNames: ["a"], tasksPerNode: nil) == [LaunchHost("a", slots: 1)])
    #expect([LaunchHost](slurmNames: ["a"], tasksPerNode: "4(x2)") == nil)
    #expect([LaunchHost](slurmNames: ["a"], tasksPerNode: "four") == nil)
    #expect([LaunchHost](slurmNames: [], tasksPerNode: nil) == nil)
  }

  @Test func findsHostsByAnyOfTheirNames() {
    let hosts = [
      LaunchHost("10.0.0.1", slots: 1), LaunchHost("10.0.0.11", slots: 1),
      LaunchHost("node03.cluster", slots: 1),
    ]
    let own = ["10.0.0.1": "machine1", "10.0.0.11": "machine11.local"]
    #expect(hosts.host(called: "10.0.0.1", ownNames: own) == "10.0.0.1")
    #expect(hosts.host(called: "machine11", ownNames: own) == "10.0.0.11")
    #expect(hosts.host(called: "node03", ownNames: own) == "node03.cluster")
    #expect(hosts.host(called: "10.0.0.2", ownNames: own) == nil)
    #expect(hosts.host(called: "machine2", ownNames: own) == nil)
  }

  @Test func knowsNamesOfOneHost() {
    #expect(isSameHost("node01", "node01"))
    #expect(isSameHost("node01.cluster", "node01"))
    #expect(isSameHost("node01", "node01.cluster"))
    #expect(!isSameHost("node01.cluster", "node01.other"))
    #expect(!isSameHost("node01", "node02"))
    #expect(!isSameHost("10.0.0.1", "10"))
  }

  // MARK: Placement

  private func slots(
    _ slots: [Int], limit: Int? = nil, allows: ([Int]) -> Bool = { _ in true }
  ) -> [Int]? {
    let hosts = slots.enumerated().map { LaunchHost("h\($0)", slots: $1) }
    return LaunchPlan(hosts: hosts, limit: limit, .init(), allows: allows)?.hosts.map(\.slots)
  }

  @Test func fillsHostByHost() {
    #expect(slots([4, 4, 2]) == [4, 4, 2])
    #expect(slots([4, 4, 2], limit: 6) == [4, 2])
    #expect(slots([4], limit: 9) == [4])
    #expect(slots([]) == nil)
  }

  @Test func takesTheMostRanksThatTheRunCanUse() {
    func isPowerOfTwo(_ number: Int) -> Bool { number & (number - 1) == 0 }
    // The same power of two on each node.
    func evenPowers(_ ranks: [Int]) -> Bool {
      Set(ranks).count == 1 && isPowerOfTwo(ranks[0]) && isPowerOfTwo(ranks.count)
    }
    #expect(slots([1, 1, 1, 1], allows: evenPowers) == [1, 1, 1, 1])
    #expect(slots([1, 1, 1], allows: evenPowers) == [1, 1])
    #expect(slots([4, 4, 4], allows: evenPowers) == [4, 4])
    #expect(slots([3, 1, 3], allows: evenPowers) == [2, 2])
    #expect(slots([8, 8], limit: 5, allows: evenPowers) == [4])
    #expect(slots([2, 2, 2], allows: { $0.reduce(0, +) <= 5 }) == [2, 2, 1])
    #expect(slots([2, 2], allows: { _ in false }) == nil)
  }

  @Test func knowsWhereARankRuns() throws {
    let hosts = [LaunchHost("a", slots: 2), LaunchHost("b", slots: 1)]
    let plan = try #require(LaunchPlan(hosts: hosts, limit: nil, .init()))
    #expect((0...3).map { plan.host(ofRank: $0) } == ["a", "a", "b", nil])
    #expect(plan.firstRank(onHost: "b") == 2)
    #expect(plan.firstRank(onHost: "c") == nil)
  }

  // MARK: Words

  @Test func startsRanksOfThisHost() throws {
    var options = LaunchPlan.Options()
    let hosts = [LaunchHost("here", slots: 4)]
    let plan = try #require(LaunchPlan(hosts: hosts, limit: 2, options))
    #expect(
      plan.command(["lockstep", "train"]).joined(separator: " ")
        == "mpirun -np 2 --map-by slot:PE=1 --bind-to core -x OPENBLAS_NUM_THREADS=1 lockstep train"
    )
    #expect(plan.description == "2 ranks on this host")
    options.binds = false
    options.oversubscribes = true
    options.cores = 2
    let crowded = try #require(LaunchPlan(hosts: hosts, limit: nil, options))
    #expect(
      crowded.command(["lockstep"]).joined(separator: " ")
        == "mpirun -np 4 --map-by slot --bind-to none --oversubscribe -x OPENBLAS_NUM_THREADS=2 lockstep"
    )
  }

  @Test func startsRanksOnHosts() throws {
    var options = LaunchPlan.Options()
    options.hasHosts = true
    options.agent = "my agent"
    options.cores = 2
    options.forwarded = ["LD_LIBRARY_PATH"]
    let hosts = [LaunchHost("a", slots: 2), LaunchHost("b", slots: 1)]
    let plan = try #require(LaunchPlan(hosts: hosts, failed: ["c"], limit: nil, options))
    #expect(
      plan.command(["lockstep"], attempt: LaunchAttempt(launch: "f00", number: 2)) == [
        "mpirun", "-np", "3", "--host", "a:2,b:1", "--map-by", "slot:PE=2", "--bind-to", "core",
        "--mca", "plm_rsh_agent", "my agent", "--mca", "oob_tcp_keepalive_time", "5",
        "--mca", "oob_tcp_keepalive_intvl", "2", "--mca", "oob_tcp_keepalive_probes", "3",
        "-x", "OPENBLAS_NUM_THREADS=2", "-x", "LOCKSTEP_LAUNCH=f00/2", "-x", "LD_LIBRARY_PATH",
        "lockstep",
      ])
    #expect(plan.description == "3 ranks on 2 hosts (a, b)")
    let many = (1...6).map { LaunchHost("h\($0)", slots: 1) }
    #expect(
      LaunchPlan(hosts: many, limit: nil, options)?.description
        == "6 ranks on 6 hosts (h1, h2, h3, h4 and 2 more)")
  }

  @Test func startsRanksWithSrun() throws {
    var options = LaunchPlan.Options()
    options.hasHosts = true
    options.launcher = .srun
    options.cores = 2
    let hosts = [LaunchHost("a", slots: 2), LaunchHost("c", slots: 2)]
    let plan = try #require(LaunchPlan(hosts: hosts, failed: ["b"], limit: nil, options))
    #expect(
      plan.command(["lockstep"], attempt: LaunchAttempt(launch: "f00", number: 1))
        .joined(separator: " ")
        == "env OPENBLAS_NUM_THREADS=2 LOCKSTEP_LAUNCH=f00/1 srun --mpi=pmix --kill-on-bad-exit=1 "
        + "--nodes=2 --ntasks=4 --ntasks-per-node=2 --exclude=b --cpus-per-task=2 --cpu-bind=cores "
        + "lockstep")
    let uneven = try #require(LaunchPlan(hosts: hosts, limit: 3, options))
    #expect(
      uneven.command([]).filter { $0.contains("ntasks") } == ["--ntasks=3"])
  }

  @Test func startsRanksByMPICHsLauncher() throws {
    var options = LaunchPlan.Options()
    options.launcher = .hydra
    options.forwarded = ["LD_LIBRARY_PATH"]
    let hosts = [LaunchHost("a", slots: 2), LaunchHost("b", slots: 1)]
    let here = try #require(LaunchPlan(hosts: hosts, limit: 2, options))
    #expect(
      here.command(["lockstep", "train"]).joined(separator: " ")
        == "env OPENBLAS_NUM_THREADS=1 mpiexec.hydra -n 2 -bind-to core:1 lockstep train")
    options.hasHosts = true
    options.cores = 2
    options.binds = false
    options.agent = "my-agent"
    options.prefix = "/opt/openmpi"
    let plan = try #require(LaunchPlan(hosts: hosts, limit: nil, options))
    #expect(
      plan.command(["lockstep"], attempt: LaunchAttempt(launch: "f00", number: 2))
        .joined(separator: " ")
        == "env OPENBLAS_NUM_THREADS=2 LOCKSTEP_LAUNCH=f00/2 mpiexec.hydra -n 3 -hosts a:2,b:1 "
        + "-bind-to none -launcher rsh -launcher-exec my-agent lockstep")
  }

  @Test func tellsOtherHostsWhereOpenMPIIs() throws {
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("lockstep-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try FileManager.default.createDirectory(
      atPath: folder + "/bin", withIntermediateDirectories: true)
    let mpirun = folder + "/bin/mpirun"
    #expect(LaunchPlan.prefix(ofMPI: mpirun) == nil)
    #expect(
      FileManager.default.createFile(
        atPath: folder + "/bin/orted", contents: Data(), attributes: [.posixPermissions: 0o755]))
    #expect(LaunchPlan.prefix(ofMPI: mpirun) == folder)
    #expect(LaunchPlan.prefix(ofMPI: "/usr/bin/mpirun") == nil)

    var options = LaunchPlan.Options()
    options.prefix = "/opt/openmpi"
    func words() throws -> [String] {
      try #require(LaunchPlan(hosts: [LaunchHost("a", slots: 1)], limit: nil, options)).command([])
    }
    #expect(try !words().contains("--prefix"))
    options.hasHosts = true
    #expect(try words().joined(separator: " ").contains(" --prefix /opt/openmpi "))
  }

  @Test func readsItsAttemptFromTheEnvironment() {
    let attempt = LaunchAttempt(launch: "f00", number: 12)
    #expect(LaunchAttempt([LaunchAttempt.variable: attempt.text]) == attempt)
    #expect(LaunchAttempt([:]) == nil)
    #expect(LaunchAttempt([LaunchAttempt.variable: "f00"]) == nil)
    #expect(LaunchAttempt([LaunchAttempt.variable: "f00/one"]) == nil)
  }
}
