/// The fewest insertions, removals, replacements and swaps of neighbours that turn one text into the
/// other, no character being edited twice.
package func editDistance(_ first: String, _ second: String) -> Int {
  let (rows, columns) = (Array(first), Array(second))
  var beforePrevious: [Int] = []
  var previous = Array(0...columns.count)
  for (row, character) in rows.enumerated() {
    var current = [row + 1]
    for (column, other) in columns.enumerated() {
      var distance = min(
        previous[column] + (character == other ? 0 : 1), previous[column + 1] + 1,
        current[column] + 1)
      if row > 0, column > 0, rows[row - 1] == other, columns[column - 1] == character {
        distance = min(distance, beforePrevious[column - 1] + 1)
      }
      current.append(distance)
    }
    (beforePrevious, previous) = (previous, current)
  }
  return previous[columns.count]
}

/// The word that is spelled most like another one; nil if all are far from it.
package func nearestWord(to text: String, among words: [String]) -> String? {
  let text = String(text.prefix(100)).lowercased()
  let ranked = words.map { (distance: editDistance(text, $0.lowercased()), word: $0) }
  guard let best = ranked.min(by: { $0.distance < $1.distance }),
    best.distance <= max(1, min(text.count, best.word.count) / 3)
  else { return nil }
  return best.word
}
