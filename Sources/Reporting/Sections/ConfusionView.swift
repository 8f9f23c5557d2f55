import Base
import Training

/// How often each class was taken for which, and the scores of each class.
struct ConfusionView {
  let matrix: ConfusionMatrix
  let names: [String]

  /// The most classes of a matrix that is shown whole.
  private static let largest = 40

  var markup: HTML {
    let isWhole = matrix.counts.count <= Self.largest
    return """
      <div class="halves"><div>\(isWhole ? heatMap : HTML())\(pairs)</div><div>\(scores)</div></div>
      """
  }

  private var heatMap: HTML {
    let head = names.markup { "<th scope=\"col\" title=\"\($0)\">\($0)</th>" }
    let rows = matrix.counts.enumerated().markup { label, counts in
      let total = counts.reduce(0, +)
      let cells = counts.enumerated().markup { predicted, count -> HTML in
        guard count > 0, total > 0 else { return "<td class=\"zero\">0</td>" }
        let share = Double(count) / Double(total)
        // Mistakes are few, and shall be seen.
        let tone = predicted == label ? 100 * share : min(100, 25 + 300 * share)
        return """
          <td class="c\(predicted == label ? 0 : 1)\(tone > 55 ? " strong" : "")" \
          style="--v:\(tone)" title="\(names[label]) taken for \(names[predicted]): \
          \(count) of \(total)">\(count)</td>
          """
      }
      return "<tr><th scope=\"row\" title=\"\(names[label])\">\(names[label])</th>\(cells)</tr>\n"
    }
    return """
      <p class="soft">Rows are true classes, columns predicted ones.</p>
      <div class="table"><table class="matrix"><thead><tr><th></th>\(head)</tr></thead><tbody>
      \(rows)</tbody></table></div>
      """
  }

  /// The pairs of classes that are most often taken for each other.
  private var pairs: HTML {
    let wrong = matrix.counts.enumerated().flatMap { label, counts in
      counts.enumerated().filter { $0.offset != label && $0.element > 0 }
        .map { (label: label, predicted: $0.offset, count: $0.element) }
    }.sorted { $0.count > $1.count }.prefix(8)
    guard !wrong.isEmpty else { return "<p>No sample is predicted wrongly.</p>" }
    let list = wrong.map { "\(names[$0.label]) taken for \(names[$0.predicted]) (\($0.count))" }
    return "<p class=\"soft\">Most often wrong: \(list.joined(separator: ", "))</p>"
  }

  private var scores: HTML {
    var table = Table(["Class", "Samples", "Precision", "Recall", "F1"], numbers: [1, 2, 3, 4])
    for (name, scores) in zip(names, matrix.scores) {
      table.add([
        "\(name)", "\(grouped(scores.support))", "\(Text.percent(scores.precision))",
        "\(Text.percent(scores.recall))",
        """
        \(Text.percent(scores.f1))<span class="meter"><i style="width:\
        \(100 * (scores.f1 ?? 0))%"></i></span>
        """,
      ])
    }
    let mean = matrix.macroF1.map { "Mean F1 of all classes: \(Text.percent($0))" } ?? ""
    return "\(table.markup)<p class=\"soft\">\(mean)</p>"
  }
}
