/// Python code under construction: the classes that a model needs.
struct PythonProgram {
  /// The texts of the classes, each once.
  private(set) var classes: [String] = []

  /// Adds a class, unless it is there.
  mutating func add(_ text: String) {
    if !classes.contains(text) { classes.append(text) }
  }

  /// A text with spaces before each line.
  static func indented(_ text: String, by spaces: Int = 4) -> String {
    text.split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.isEmpty ? "" : String(repeating: " ", count: spaces) + $0 }
      .joined(separator: "\n")
  }

  /// A text in lines of at most 100 characters.
  static func filled(_ text: String) -> String {
    var lines = [""]
    for word in text.split(separator: " ") {
      if lines[lines.count - 1].count + word.count >= 100 { lines.append("") }
      lines[lines.count - 1] += (lines.last!.isEmpty ? "" : " ") + word
    }
    return lines.joined(separator: "\n")
  }
}
