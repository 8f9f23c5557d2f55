import Base
import Foundation

/// The processor time that a computer and some of its processes have used.
package struct ProcessorTime: Equatable, Sendable {
  /// The seconds of all processes on all cores.
  package var busy: Double
  /// The seconds that the computer's host gave to other virtual machines.
  package var stolen: Double
  /// The seconds of the child processes of this one, and of theirs, that have ended.
  package var ofChildren: Double

  package init(busy: Double, stolen: Double, ofChildren: Double) {
    (self.busy, self.stolen, self.ofChildren) = (busy, stolen, ofChildren)
  }

  /// The times since the start; nil if the system does not tell.
  ///
  /// - Parameters:
  ///   - root: The folder that has `proc`; another one in tests.
  package static func current(root: String = "") -> ProcessorTime? {
    // cpu user nice system idle iowait irq softirq steal, in ticks.
    let line = fileText("\(root)/proc/stat")?.split(separator: "\n").first
    let ticks = line?.split(separator: " ").dropFirst().compactMap { Double($0) } ?? []
    guard ticks.count >= 8 else { return nil }
    let second = Double(sysconf(Int32(_SC_CLK_TCK)))
    var usage = rusage()
    getrusage(Int32(RUSAGE_CHILDREN.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return ProcessorTime(
      busy: (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / second,
      stolen: ticks[7] / second,
      ofChildren: seconds(usage.ru_utime) + seconds(usage.ru_stime))
  }

  /// How many cores other processes and other virtual machines kept busy between two times, on average.
  package static func coresOfOthers(
    from start: ProcessorTime, to end: ProcessorTime, seconds: Double
  ) -> Double {
    let busy = end.busy - start.busy + end.stolen - start.stolen
    return max(0, busy - (end.ofChildren - start.ofChildren)) / max(seconds, 1e-3)
  }
}
