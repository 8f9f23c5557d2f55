import Foundation

/// The line that moves while training.
struct ProgressBar {
  /// The steps that are done, as a fraction.
  let fraction: Double
  /// What stands beside the bar, the most important first: on a narrow terminal the last ones are left out.
  let items: [String]

  /// The line for a terminal of this width; the last column stays free.
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
