import Base
import DataLoading
import Foundation
import Training

/// What the model does on its data: confusion matrix, mistakes, predicted values, text.
struct FindingsSection {
  let finding: Result<ModelFindings, ModelFindingsMissing>
  /// The run's label where the page shows several.
  let label: String?

  var markup: HTML {
    let suffix: HTML = label.map { ": \($0)" } ?? HTML()
    switch finding {
    case .failure(let missing):
      return """
        <section id="model"><h2>What the model does\(suffix)</h2>
        <p class="soft">Not shown: \(missing.reason)</p></section>
        """
    case .success(let findings):
      return content(of: findings).markup { title, content in
        "<section><h2>\(title)\(suffix)</h2>\n\(content)</section>\n"
      }
    }
  }

  private func content(of findings: ModelFindings) -> [(title: String, content: HTML)] {
    var parts: [(title: String, content: HTML)] = []
    let evaluation = findings.evaluation
    let measured = evaluation.map { evaluation in
      """
      \(count(Int(evaluation.metrics.sampleCount), "sample")) (\(findings.part.rawValue)), loss \
      \(Text.number(evaluation.metrics.loss)), 
      """
    }
    let source = "\(measured ?? "")checkpoint of step \(grouped(findings.step))"
    let note: HTML = "<p class=\"soft\">\(source)</p>"
    func name(_ label: Int) -> String { findings.classes?.name(label) ?? String(label) }
    if let confusion = evaluation?.confusion {
      let names = confusion.counts.indices.map(name)
      parts.append(
        ("Confusion matrix", note + ConfusionView(matrix: confusion, names: names).markup))
    }
    if !findings.samples.isEmpty {
      parts.append(
        ("Worst mistakes", MistakesView(findings: findings, name: name).markup))
    }
    if let evaluation, let errors = evaluation.valueErrors {
      parts.append(
        (
          "Predicted values",
          note + ValuesView(errors: errors, pairs: evaluation.pairs).markup
        ))
    }
    if let continuation = findings.continuation {
      parts.append(
        (
          "Generated text",
          note + """
            <p class="soft">The model continues the first \
            \(count(continuation.prompt.count, "character")) of the \(findings.part.rawValue) \
            text (temperature 0.8, seed 1).</p>
            <pre><span class="prompt">\(continuation.prompt)</span>\(continuation.text)</pre>
            """
        ))
    }
    return parts
  }
}

/// Wrongly predicted samples, as pictures or as tables.
private struct MistakesView {
  let findings: ModelFindings
  let name: (Int) -> String

  var markup: HTML {
    findings.samples.contains { $0.picture != nil } ? pictures : table
  }

  private var pictures: HTML {
    let figures = findings.samples.markup { sample in
      let mistake = sample.mistake
      let image = (sample.picture ?? []).withUnsafeBytes { Data($0) }.base64EncodedString()
      let words = "\(name(mistake.label)), predicted \(name(mistake.prediction))"
      return """
        <figure><img src="data:image/png;base64,\(image)" alt="\(words)">\(name(mistake.label)) → \
        <b>\(name(mistake.prediction))</b><br><small>\(Text.number(100 * mistake.probability)) %<br>no. \
        \(mistake.index)</small></figure>

        """
    }
    return """
      <p class="soft">True class → <b>predicted class</b>, with the probability that the model gave \
      the wrong one; those with the largest loss first.</p><div class="pictures">\(figures)</div>
      """
  }

  private var table: HTML {
    let names = Array(findings.numberNames.prefix(12))
    var table = Table(
      ["No.", "True", "Predicted", "Probability"] + names,
      numbers: Set([0, 3] + (4..<4 + names.count)))
    for sample in findings.samples {
      let mistake = sample.mistake
      table.add(
        [
          "\(mistake.index)", "\(name(mistake.label))", "\(name(mistake.prediction))",
          "\(Text.percent(mistake.probability))",
        ] + sample.numbers.prefix(names.count).map { "\(Text.number(Double($0)))" as HTML })
    }
    return table.markup
  }
}
