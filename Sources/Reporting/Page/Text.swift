import Base
import Foundation

/// Numbers, times and sizes in words.
package enum Text {
  /// A number with about four significant digits: "0.0312", "97.31", "1.2e-05", "12,345".
  package static func number(_ value: Double?) -> String {
    guard let value else { return "–" }
    guard value.isFinite else { return value.isNaN ? "NaN" : value > 0 ? "∞" : "-∞" }
    let size = abs(value)
    if size == 0 { return "0" }
    if size >= 1e15 || size < 1e-4 { return String(format: "%.3g", value) }
    if size >= 1000 { return grouped(Int(value.rounded())) }
    let digits = size >= 100 ? 1 : size >= 10 ? 2 : size >= 0.01 ? 4 : 6
    return String(format: "%.\(digits)f", value)
  }

  /// A share in percent.
  package static func percent(_ share: Double?) -> String {
    guard let share, share.isFinite else { return "–" }
    return String(format: "%.2f %%", 100 * share)
  }

  /// A number of a chart's axis, as short as it may be: "0.5", "20k", "1e-4".
  package static func tick(_ value: Double) -> String {
    let size = abs(value)
    if size == 0 { return "0" }
    for (factor, unit) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where size >= factor && size < 1e12 {
      return String(format: "%.4g", value / factor) + unit
    }
    if size < 1e-3 || size >= 1e12 {
      return String(format: "%.2e", value)
        .replacing(/\.?0*e([+-])0*/) { "e" + ($0.1 == "-" ? "-" : "") }
    }
    return String(format: "%.4g", value)
  }

  /// A place in a picture, with one digit.
  package static func coordinate(_ value: Double) -> String {
    let text = String(format: "%.1f", value)
    return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
  }

  /// "850 ms", "12.4 s", "3 min 20 s", "2 h 5 min".
  package static func duration(_ seconds: Double?) -> String {
    guard let seconds, seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "–" }
    if seconds < 1 { return String(format: "%.0f ms", 1000 * seconds) }
    if seconds < 60 { return String(format: "%.1f s", seconds) }
    let whole = Int(seconds.rounded())
    if whole < 3600 { return "\(whole / 60) min \(whole % 60) s" }
    if whole < 86400 { return "\(whole / 3600) h \(whole % 3600 / 60) min" }
    return "\(whole / 86400) d \(whole % 86400 / 3600) h"
  }

  /// "812 B", "3.4 MB".
  package static func bytes(_ count: Double?) -> String {
    guard let count, count.isFinite, count >= 0 else { return "–" }
    if count < 1000 { return String(format: "%.0f B", count) }
    for (factor, unit) in [(1e12, "TB"), (1e9, "GB"), (1e6, "MB")] where count >= factor {
      return String(format: "%.1f %@", count / factor, unit)
    }
    return String(format: "%.1f kB", count / 1000)
  }

  /// A time of the world's clock, in UTC: "2026-11-30 14:45:03".
  package static func time(_ unix: Double?) -> String {
    guard let unix, unix.isFinite, abs(unix) < 1e11 else { return "–" }
    var seconds = time_t(unix.rounded(.down))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return String(
      format: "%04d-%02d-%02d %02d:%02d:%02d", Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1,
      Int(parts.tm_mday), Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec))
  }

  /// A word of a shell's command, quoted where it must be.
  package static func shellWord(_ word: String) -> String {
    if word.wholeMatch(of: /[A-Za-z0-9_.,:=@%+\/-]+/) != nil { return word }
    return "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
