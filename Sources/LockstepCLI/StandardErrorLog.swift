import Foundation
import Logging

/// What the command has to say besides its output: errors, warnings and notes.
let logger = Logger(label: "lockstep")

/// Writes each message as one line `error: …`, `warning: …` or `note: …` to standard error, in color
/// on a terminal.
///
/// The metadata `rank` tells which rank a message is about, as in `error: rank 3: …`.
struct StandardErrorLog: LogHandler {
  var logLevel = Logger.Level.notice
  var metadata: Logger.Metadata = [:]

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    let (kind, color) =
      switch event.level {
      case .error, .critical: ("error", 31)
      case .warning: ("warning", 33)
      case .trace, .debug, .info, .notice: ("note", 36)
      }
    let label = Terminal.standardErrorHasColors ? "\u{1B}[1;\(color)m\(kind):\u{1B}[0m" : "\(kind):"
    let rank = (event.metadata?["rank"] ?? metadata["rank"]).map { "rank \($0): " } ?? ""
    let line = "\(label) \(rank)\(event.message)\n"
    try? FileHandle.standardError.write(contentsOf: Data(line.utf8))
  }
}
