import Foundation

/// The line that moves while training.
struct ProgressBar {
  /// The steps that are done, as a fraction.
  let fraction: Double
  /// What stands beside the bar, the most important first: on a narrow terminal the last ones are left out.
  let items: [String]

  /// The line on a terminal with so many columns; it leaves the last one free.
  func line(columns: Int) -> String {
    var items = items
    var tail: String {
      String(format: "] %3.0f%%", (100 * fraction).rounded(.down))
        + items.map { "  " + $0 }.joined()
    }
    while items.count > 1 && tail.count + ProgressBar.shortest + 2 > columns { items.removeLast() }
    let width = max(ProgressBar.shortest, min(ProgressBar.longest, columns - tail.count - 2))
    let filled = Int(fraction * Double(width))
    let bar =
      String(repeating: "█", count: filled) + String(repeating: "·", count: width - filled)
    return String(("[" + bar + tail).prefix(columns - 1))
  }

  private static let shortest = 10
  private static let longest = 30
}

/// A number of a loss: four digits after the point, or as many as make sense.
func lossText(_ loss: Double) -> String {
  String(format: abs(loss) < 1000 ? "%.4f" : "%.4g", loss)
}

/// A duration in seconds, minutes or hours.
func durationText(_ seconds: Double) -> String {
  guard seconds < 1e12 else { return "?" }
  if seconds < 60 { return String(format: "%.1f s", seconds) }
  let whole = Int(seconds)
  return whole < 3600
    ? String(format: "%d:%02d min", whole / 60, whole % 60)
    : String(format: "%d:%02d h", whole / 3600, whole % 3600 / 60)
}
