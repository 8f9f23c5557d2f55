import Foundation

/// The lines that a launcher's standard error brings, those of ranks and its own.
package struct LauncherMessages {
  /// What ranks wrote.
  package private(set) var ranks: [String] = []
  /// What the launcher, its daemons and the MPI library wrote.
  package private(set) var launcher: [String] = []
  /// The lines since a line of dashes that began a notice of Open MPI; nil outside of notices.
  private var noticeLines: Int?
  /// The line before and after a notice of Open MPI.
  private static let dashes = String(repeating: "-", count: 74)
  /// No notice has more lines: what seemed to begin one was a line of a rank.
  private static let longestNotice = 40

  /// Reads all lines of a text.
  package init(_ text: String = "") {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    // What follows the last line's end is no line.
    if lines.last == "" { lines.removeLast() }
    for line in lines { _ = take(String(line)) }
  }

  /// Takes a line, and returns whether a rank wrote it.
  package mutating func take(_ line: String) -> Bool {
    let line = line.replacing(/\u{1B}\[[0-9;]*[A-Za-z]/, with: "")
    if line == LauncherMessages.dashes {
      noticeLines = noticeLines == nil ? 0 : nil
      return false
    }
    noticeLines = noticeLines.flatMap { $0 < LauncherMessages.longestNotice ? $0 + 1 : nil }
    if noticeLines != nil || LauncherMessages.starts.contains(where: line.hasPrefix)
      || line.firstMatch(of: LauncherMessages.daemonLine) != nil
    {
      launcher.append(line)
      return false
    }
    ranks.append(line)
    return true
  }

  /// How lines of launchers begin: of Hydra, of Slurm, and of ssh.
  private static let starts = [
    "===", "=  ", "YOUR APPLICATION", "This typically refers to a problem with your application",
    "Please see the FAQ page", "srun: ", "slurmstepd: ", "ssh: ", "MPI_ABORT was invoked",
    "mpirun: Forwarding signal",
  ]

  /// `[host:12345] …`, `[host][[1,2],3][file.c:4:f] …` and `[proxy:0:1@host] …`.
  private nonisolated(unsafe) static let daemonLine =
    /^\[(?:[^\]\s]+:\d+\] |[^\]\s]+\]\[\[|(?:proxy|mpiexec)[:@])/

  /// Whether a line says that the job has failed, so that the launcher should end.
  package var showFailure: Bool {
    ranks.contains { $0.hasPrefix("error: no progress") || $0.hasPrefix("error: rank ") }
      || launcher.contains { line in
        ["has lost communication", "exited on signal", "MPI_ABORT was invoked", "Node failure on"]
          .contains { line.contains($0) }
      }
  }

  /// The last lines of ranks that say something, or those up to a crash: an error with its line in the source
  /// is worth more than the list of calls after it.
  package func lastLines(_ count: Int) -> [String] {
    let lines = ranks.map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty && !$0.hasPrefix("note: ") }
    let end =
      lines.firstIndex { $0.contains("Fatal error:") }
      ?? lines.firstIndex { $0.contains("Program crashed:") }
    return Array(lines[...(end ?? lines.count - 1)].suffix(count))
  }
}
