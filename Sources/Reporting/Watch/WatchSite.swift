import Base
import Checkpointing
import Foundation
import Training

/// The pages of `lockstep watch`: a list of all runs, and the report of each as it stands now.
///
/// Nothing but the runs below the directory can be reached: a path is compared with those of the runs, and
/// never used as a file's.
package struct WatchSite: Sendable {
  /// What is asked of a page.
  package enum View: String, Sendable {
    /// The whole page.
    case page
    /// What stands between its head and foot.
    case body
    /// A few numbers, as JSON, by which a page sees whether it is up to date.
    case state
  }

  /// What a path gives.
  package enum Answer: Sendable, Equatable {
    case html(String)
    /// A report that was written into the run's directory.
    case file([UInt8])
    case json(String)
    case missing
  }

  private let root: RunDirectory

  /// The site of the runs below a directory, or of one run.
  package init(directory: String) { root = RunDirectory(path: directory) }

  /// Answers a path.
  ///
  /// - Parameters:
  ///   - path: A path without percent encoding: `/`, `/run/NAME/ID` or `/report/NAME/ID`.
  ///   - view: What is asked of it.
  ///   - nonce: What the policy of this answer asks of scripts.
  package func answer(to path: String, _ view: View, nonce: String) -> Answer {
    if path == "/" { return list(view, nonce) }
    for (prefix, isLive) in [("/run/", true), ("/report/", false)] where path.hasPrefix(prefix) {
      let name = path.dropFirst(prefix.count)
      guard let run = runs.first(where: { self.name(of: $0) == name }) else { return .missing }
      return isLive ? live(run, view, nonce) : report(of: run)
    }
    return .missing
  }

  private var runs: [RunDirectory] {
    (try? RunDirectory.all(in: root.path)) ?? []
  }

  /// The path of a run from the directory on.
  private func name(of run: RunDirectory) -> String {
    root.isRun
      ? run.path.split(separator: "/").last.map(String.init) ?? "run"
      : String(run.path.dropFirst(root.path.count).drop { $0 == "/" })
  }

  private static func link(_ kind: String, _ name: String) -> String {
    var allowed = CharacterSet.urlPathAllowed
    allowed.remove(charactersIn: ";:")
    return "/\(kind)/" + (name.addingPercentEncoding(withAllowedCharacters: allowed) ?? "")
  }

  // MARK: Pages

  private func list(_ view: View, _ nonce: String) -> Answer {
    let summaries = runs.map(RunSummary.init).sorted { $1.run.start ?? 0 < $0.run.start ?? 0 }
    switch view {
    case .state:
      let states = summaries.map { "\($0.run.id) \($0.run.state.rawValue) \($0.text(.steps))" }
      return .json(JSONObject([("state", states.joined(separator: "\n"))]).text)
    case .body: return .html(list(summaries).text)
    case .page: return page("Runs", list(summaries), nonce)
    }
  }

  private func list(_ summaries: [RunSummary]) -> HTML {
    guard !summaries.isEmpty else {
      return """
        <header><h1>Runs</h1></header><section><p>There are no runs in \(root.path) yet.</p></section>
        """
    }
    var table = Table(
      [
        "Run", "Status", "Started (UTC)", "Steps", "Loss", "Accuracy", "Model", "Data", "Ranks",
        "Time",
      ], numbers: [3, 4, 5, 8, 9])
    for summary in summaries {
      let run = summary.run
      table.add([
        """
        <a href="\(Self.link("run", name(of: run.directory)))">\(run.name)</a><br>\
        <small class="whole">\(run.id)</small>
        """,
        "<span class=\"state \(run.state.rawValue)\">\(run.state.text)</span>",
        "<span class=\"whole\">\(summary.text(.started))</span>", "\(summary.text(.steps))",
        "\(summary.text(.loss))",
        "\(summary.text(.accuracy))", "\(summary.text(.model))", "\(summary.text(.data))",
        "\(summary.text(.ranks))", "\(summary.text(.duration))",
      ])
    }
    return """
      <header><h1>Runs</h1><div class="soft">\(root.path) · loss and accuracy: the best of \
      validation</div></header><section>\(table.markup)</section>
      """
  }

  private func live(_ directory: RunDirectory, _ view: View, _ nonce: String) -> Answer {
    if view == .state {
      let run = RunSummary(directory).run
      let last = run.metrics.last
      return .json(
        JSONObject([
          ("state", "\(run.state.rawValue) \(last?.step ?? 0) \(last?.kind.rawValue ?? "")"),
          ("status", run.state.rawValue), ("step", last?.step ?? 0),
          ("loss", last?[.loss]),
        ]).text)
    }
    let report = Report([RunHistory(directory)])
    let hasFile = FileSystem().exists(directory.path.appendingPath("report.html"))
    let link: HTML =
      hasFile
      ? """
      <a href="\(Self.link("report", name(of: directory)))">report with the model's mistakes</a>
      """
      : "<span>for what the model does: lockstep report \(directory.path)</span>"
    let body: HTML = """
      <nav class="soft"><a href="/">All runs</a> · \(link)</nav>
      \(report.body)
      """
    return view == .body ? .html(body.text) : page(report.title, body, nonce)
  }

  private func report(of run: RunDirectory) -> Answer {
    let path = run.path.appendingPath("report.html")
    return (try? FileSystem().readFile(path)).map(Answer.file) ?? .missing
  }

  private func page(_ title: String, _ body: HTML, _ nonce: String) -> Answer {
    .html(
      Report.page(title: title, body: body, isOffline: false, nonce: nonce, script: Script.refresh)
        .text)
  }
}
