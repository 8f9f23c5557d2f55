import Benchmarking
import Foundation
import Testing

@Suite("Processor time")
struct ProcessorTimeTests {
  @Test("the time of a computer is that of all its processes, and what its host gave away")
  func file() throws {
    let root = FileManager.default.temporaryDirectory
      .appendingPathComponent("ProcessorTimeTests-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: root) }
    let proc = root.appendingPathComponent("proc")
    try FileManager.default.createDirectory(at: proc, withIntermediateDirectories: true)
    let stat = proc.appendingPathComponent("stat")
    try Data("cpu  100 20 30 9999 8888 4 6 50 77 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n".utf8).write(
      to: stat)
    let second = Double(sysconf(Int32(_SC_CLK_TCK)))
    let time = try #require(ProcessorTime.current(root: root.path))
    #expect(time.busy == 160 / second && time.stolen == 50 / second && time.ofChildren >= 0)
    try Data("cpu 1 2 3\n".utf8).write(to: stat)
    #expect(ProcessorTime.current(root: root.path) == nil)
    #expect(ProcessorTime.current(root: "/nowhere") == nil)
  }

  @Test("what children used does not count as others'")
  func others() {
    let start = ProcessorTime(busy: 100, stolen: 1, ofChildren: 10)
    let end = ProcessorTime(busy: 130, stolen: 2, ofChildren: 30)
    #expect(ProcessorTime.coresOfOthers(from: start, to: end, seconds: 10) == 1.1)
    // Ticks are coarse: never below zero.
    #expect(
      ProcessorTime.coresOfOthers(
        from: start, to: ProcessorTime(busy: 101, stolen: 1, ofChildren: 12), seconds: 1) == 0)
  }
}
