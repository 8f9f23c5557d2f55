import Foundation

/// A number with some decimals.
func text(_ value: Double, _ decimals: Int = 2) -> String {
  String(format: "%.\(decimals)f", value)
}

/// Numbers in parentheses.
func text(_ values: [Double], _ decimals: Int = 2) -> String {
  "(" + values.map { text($0, decimals) }.joined(separator: ", ") + ")"
}

/// A whole number, right-aligned.
func text(_ value: Int, width: Int) -> String { String(format: "%\(width)ld", value) }

/// A heading between blank lines.
func heading(_ title: String) { print("\n\(title)\n\(String(repeating: "-", count: title.count))") }
