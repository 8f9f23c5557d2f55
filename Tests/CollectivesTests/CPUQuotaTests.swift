import Collectives
import Foundation
import Testing

@Suite("CPUQuota")
struct CPUQuotaTests {
  /// The quotas on a computer with these files, as cores and folders.
  private func quotas(_ files: [String: String]) throws -> [String] {
    try withFiles(files) { root in
      CPUQuota.current(root: root).map {
        "\($0.cores) \($0.group.replacingOccurrences(of: root, with: ""))"
      }
    }
  }

  /// How many threads one process gets on a computer of 64 cores.
  private func threads(_ files: [String: String]) throws -> Int {
    try withFiles(files) { root in
      Affinity.threads(
        ofRank: 0, masks: [Affinity(cores: Array(0..<64))], quotas: [CPUQuota.current(root: root)])
    }
  }

  private let version2 = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"

  @Test("a container of two cores has two threads on a computer of 64, in version 2")
  func container() throws {
    let files = [
      "proc/self/cgroup": "0::/\n", "proc/self/mountinfo": version2,
      "sys/fs/cgroup/cpu.max": "200000 100000\n",
    ]
    #expect(try quotas(files) == ["2.0 /sys/fs/cgroup"])
    #expect(try threads(files) == 2)
  }

  @Test("the smallest limit on the way up counts; max is none")
  func nested() throws {
    var files = [
      "proc/self/cgroup": "0::/job/step/task\n", "proc/self/mountinfo": version2,
      "sys/fs/cgroup/job/cpu.max": "300000 100000\n",
      "sys/fs/cgroup/job/step/cpu.max": "800000 100000\n",
      "sys/fs/cgroup/job/step/task/cpu.max": "max 100000\n",
      // Not on the way.
      "sys/fs/cgroup/other/cpu.max": "100000 100000\n",
    ]
    #expect(
      try quotas(files) == ["8.0 /sys/fs/cgroup/job/step", "3.0 /sys/fs/cgroup/job"])
    #expect(try threads(files) == 3)
    files["sys/fs/cgroup/job/cpu.max"] = "max 100000\n"
    #expect(try threads(files) == 8)
    files["sys/fs/cgroup/job/step/cpu.max"] = "max\n"
    #expect(try quotas(files) == [])
    #expect(try threads(files) == 64)
  }

  @Test(
    "parts of a core are rounded down, to one thread at least",
    arguments: [("250000", 2), ("50000", 1)])
  func fractions(quota: String, expected: Int) throws {
    #expect(
      try threads([
        "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "\(quota) 100000\n",
      ]) == expected)
  }

  @Test("in version 1, the hierarchy with the controller cpu counts, wherever it is mounted")
  func version1() throws {
    let mounts = """
      31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
      33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset
      32 31 0:29 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw master:5 - cgroup cgroup rw,cpu,cpuacct
      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
      """
    var files = [
      "proc/self/cgroup": "9:cpuset:/x\n4:cpu,cpuacct:/docker/abc/job\n0::/docker/abc\n",
      "proc/self/mountinfo": mounts,
      // The outermost folder that a container sees is its own group.
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
      "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
      "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us": "75000\n",
      "sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us": "50000\n",
    ]
    #expect(
      try quotas(files) == [
        "1.5 /sys/fs/cgroup/cpu,cpuacct/job", "4.0 /sys/fs/cgroup/cpu,cpuacct",
      ])
    #expect(try threads(files) == 1)
    files["sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us"] = "-1\n"
    #expect(try threads(files) == 4)
  }

  @Test("a path of another namespace leads to the outermost folder that can be seen")
  func foreignPath() throws {
    for path in ["/../../job", "/system.slice/docker-abc.scope"] {
      #expect(
        try quotas([
          "proc/self/cgroup": "0::\(path)\n", "proc/self/mountinfo": version2,
          "sys/fs/cgroup/cpu.max": "150000 50000\n",
        ]) == ["3.0 /sys/fs/cgroup"])
    }
  }

  @Test(
    "what is no limit is none",
    arguments: ["", "x y", "0 100000", "100000 0", "-5 100000", "1e400 1"])
  func hostile(text: String) throws {
    #expect(
      try threads(["proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": text]) == 64)
  }

  @Test("a group is the same one for all its processes, and no other")
  func identity() throws {
    try withFiles([
      "proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/cpu.max": "200000 100000\n",
      "sys/fs/cgroup/a/cpu.max": "200000 100000\n",
    ]) { root in
      let first = CPUQuota.current(root: root)
      #expect(first == CPUQuota.current(root: root))
      // Both ranks are in both groups, and a third one only in the outer one.
      let threads = (0..<3).map {
        Affinity.threads(
          ofRank: $0, masks: Array(repeating: Affinity(cores: Array(0..<64)), count: 3),
          quotas: [first, first, [first[1]]])
      }
      #expect(first.count == 2 && threads == [1, 1, 1])
      #expect(
        Affinity.threads(
          ofRank: 1, masks: Array(repeating: Affinity(cores: Array(0..<64)), count: 2),
          quotas: [[first[0]], [first[1]]]) == 2)
    }
  }

  @Test("a quota is told with its digits, and no others")
  func description() {
    for (cores, text) in [
      (2, "2 cores"), (1, "1 core"), (1.5, "1.5 cores"), (12.5, "12.5 cores"),
      (100.5, "100.5 cores"), (1.0 / 3, "0.3333 cores"),
    ] {
      #expect(
        CPUQuota(cores: cores, group: "/g", identity: "1:2").description
          == "a CPU quota of \(text) (control group /g)")
    }
  }

  @Test(
    "ranks are bound only where neither a mask nor a quota leaves some of the machine to others")
  func allCores() {
    func areAll(_ allowed: Int, _ quotas: Double...) -> Bool {
      CPUQuota.areAllCores(
        allowed: allowed, of: 8,
        quotas: quotas.map { CPUQuota(cores: $0, group: "/g", identity: "1:2") })
    }
    #expect(areAll(8) && areAll(8, 8, 64))
    #expect(!areAll(4) && !areAll(8, 2) && !areAll(8, 64, 7.5))
  }
}
