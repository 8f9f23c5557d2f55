import Base
import Training

/// What a run is, how it stands, its most important numbers, and how to use it.
struct HeadlineSection {
  let run: RunHistory

  var markup: HTML {
    let detail = [run.modelText, run.dataText, run.ranks.map { count($0, "rank") }]
      .compactMap { $0 }.joined(separator: " · ")
    return """
      <header><h1>\(run.name)</h1><span class="state \(run.state.rawValue)">\(
        run.state.text)</span>
      <div class="soft">\(detail)</div>
      <div class="soft">\(run.directory.path)\(started)</div></header>
      <div class="cards">\(cards.markup {
        "<div class=\"card\"><span>\($0.name)</span><b>\($0.value)</b><span>\($0.note)</span></div>\n"
      })</div>
      \(commands)
      """
  }

  private var started: String {
    run.start.map { " · started \(Text.time($0)) UTC" } ?? ""
  }

  private struct Card {
    let name: String
    let value: String
    var note = ""
  }

  private var cards: [Card] {
    let metrics = run.metrics
    var cards: [Card] = []
    if metrics.hasAccuracy,
      let best = metrics.evaluations.max(by: { $0[.accuracy] ?? -1 < $1[.accuracy] ?? -1 })
    {
      cards.append(
        Card(
          name: "best validation accuracy", value: Text.percent(best[.accuracy]),
          note: "step \(grouped(best.step))"))
    }
    if let best = metrics.best {
      let last = metrics.evaluations.last?[.loss]
      cards.append(
        Card(
          name: "best validation loss", value: Text.number(best[.loss]),
          note: "step \(grouped(best.step)); last \(Text.number(last))"))
    }
    if let last = metrics.evaluations.last, let perplexity = last[.perplexity] {
      cards.append(
        Card(
          name: "validation perplexity", value: Text.number(perplexity),
          note: last[.bitsPerByte].map { "\(Text.number($0)) bits per byte" } ?? "at the end"))
    }
    if let loss = (metrics.epochs.last ?? metrics.steps.last)?[.loss] {
      cards.append(
        Card(
          name: "training loss", value: Text.number(loss),
          note: metrics.epochs.isEmpty ? "last step" : "last epoch"))
    }
    let epochs = run.setting("training.epochs")
    cards.append(
      Card(
        name: "steps", value: grouped(metrics.last?.step ?? 0),
        note: "epoch \(metrics.last?.epoch ?? 0)"
          + (epochs.map { $0 == "null" ? "" : " of \($0)" } ?? "")))
    if let seconds = metrics.seconds {
      cards.append(
        Card(
          name: "training time", value: Text.duration(seconds),
          note: run.attempts.count > 1 ? count(run.attempts.count, "attempt") : ""))
    }
    if let speed = (metrics.epochs.last ?? metrics.steps.last)?[.samplesPerSecond] {
      let unit = run.countsTokens ? "tokens/s" : "samples/s"
      cards.append(Card(name: "throughput", value: Text.number(speed), note: unit))
    }
    return cards
  }

  private var commands: HTML {
    var lines: [HTML] = []
    if run.state != .done && run.state != .running {
      lines.append("<p>Continue:</p><pre>\(run.resumeCommand)</pre>")
    }
    if run.state == .done, let command = run.longerCommand {
      lines.append("<p>Train on, twice as long in all:</p><pre>\(command)</pre>")
    }
    if !run.checkpointSteps.isEmpty {
      lines.append("<p>Evaluate:</p><pre>\(run.evaluateCommand)</pre>")
    }
    guard !lines.isEmpty else { return HTML() }
    return """
      <section><h2>Commands</h2><p class="soft">From the directory in which the run was started:</p>
      \(lines.markup { $0 })</section>
      """
  }
}

extension RunState {
  /// The state in words.
  package var text: String {
    switch self {
    case .unknown: "state unknown"
    default: rawValue
    }
  }
}

extension RunHistory {
  /// Whether throughput counts tokens.
  var countsTokens: Bool {
    ["text", "tokens"].contains(setting("data.kind") ?? "")
  }
}
