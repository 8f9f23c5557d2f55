import Base
import Foundation
import Testing

@Suite struct AvailableMemoryTests {
  /// What is available on a computer with these files.
  private func available(_ files: [String: String]) throws -> AvailableMemory? {
    let root = FileManager.default.temporaryDirectory
      .appendingPathComponent("AvailableMemoryTests-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
    for (path, text) in files {
      let file = root.appendingPathComponent(path)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    let found = AvailableMemory.current(root: root.path)
    return found.map {
      AvailableMemory(
        byteCount: $0.byteCount, limit: $0.limit.replacingOccurrences(of: root.path, with: ""))
    }
  }

  private let meminfo = "MemTotal:  100 kB\nMemAvailable:    64 kB\nSwapFree:  0 kB\n"

  @Test("without control groups the system decides; free swap space counts")
  func system() throws {
    #expect(
      try available(["proc/meminfo": meminfo])
        == AvailableMemory(byteCount: 65_536, limit: "the system"))
    let swap = meminfo.replacingOccurrences(of: "SwapFree:  0", with: "SwapFree: 36")
    #expect(try available(["proc/meminfo": swap])?.byteCount == 102_400)
    #expect(try available([:]) == nil)
    #expect(try available(["proc/meminfo": "MemAvailable: many kB\n"]) == nil)
  }

  @Test("the smallest group of version 2 on the way up decides, without its caches")
  func version2() throws {
    let files = [
      "proc/meminfo": meminfo, "proc/self/cgroup": "0::/job/step\n",
      "sys/fs/cgroup/job/memory.max": "40000\n", "sys/fs/cgroup/job/memory.current": "30000\n",
      "sys/fs/cgroup/job/memory.stat": "anon 5\ninactive_file 1000\nactive_file 500\n",
      "sys/fs/cgroup/job/step/memory.max": "max\n",
      "sys/fs/cgroup/job/step/memory.current": "30000\n",
    ]
    #expect(
      try available(files)
        == AvailableMemory(byteCount: 11_500, limit: "the control group /sys/fs/cgroup/job"))
    // In a container the group is the outermost folder, wherever the path points.
    let container = [
      "proc/meminfo": meminfo, "proc/self/cgroup": "0::/../../job\n",
      "sys/fs/cgroup/memory.max": "1000\n", "sys/fs/cgroup/memory.current": "2000\n",
    ]
    #expect(try available(container)?.byteCount == 0)
  }

  @Test("groups of version 1 are those of memory")
  func version1() throws {
    let folder = "sys/fs/cgroup/memory/job"
    var files = [
      "proc/meminfo": meminfo, "proc/self/cgroup": "5:cpu,cpuacct:/x\n4:memory:/job\n",
      "\(folder)/memory.limit_in_bytes": "5000\n", "\(folder)/memory.usage_in_bytes": "4000\n",
      "\(folder)/memory.stat": "total_inactive_file 7\n",
    ]
    #expect(try available(files)?.byteCount == 1_007)
    // No limit is a huge one.
    files["\(folder)/memory.limit_in_bytes"] = "9223372036854771712\n"
    #expect(try available(files)?.limit == "the system")
    for hostile in ["9223372036854775807", "99999999999999999999", "-1", "", "x"] {
      files["\(folder)/memory.limit_in_bytes"] = hostile
      files["\(folder)/memory.stat"] = "total_inactive_file 9223372036854775807\n"
      #expect(try available(files)?.limit == "the system", "\(hostile)")
    }
  }

  @Test("this computer has memory")
  func here() throws {
    let available = try #require(AvailableMemory.current())
    #expect(available.byteCount > 1 << 20 && !available.limit.isEmpty)
  }
}
