import Base
import Foundation

/// The report of a run, or the comparison of several: one page that needs no other file.
package struct Report {
  /// The runs, in the order in which they are shown.
  package let runs: [RunHistory]
  /// What the model of each run does on its data, or why that is not shown; empty for no such sections.
  package let findings: [Result<ModelFindings, ModelFindingsMissing>]

  /// A report of at least one run.
  package init(
    _ runs: [RunHistory], findings: [Result<ModelFindings, ModelFindingsMissing>] = []
  ) {
    precondition(!runs.isEmpty, "Report: no run")
    (self.runs, self.findings) = (runs, findings)
  }

  /// The title of the page.
  package var title: String {
    runs.count == 1 ? runs[0].name : "\(runs.count) runs: " + names.joined(separator: ", ")
  }

  private var names: [String] {
    runs.reduce(into: []) { if !$0.contains($1.name) { $0.append($1.name) } }
  }

  /// The whole page.
  package var page: String { Report.page(title: title, body: body, isOffline: true).text }

  /// What stands between the page's head and foot.
  package var body: HTML {
    let labels = RunLabels.labels(of: runs)
    var body = HTML()
    if runs.count == 1 {
      body += HeadlineSection(run: runs[0]).markup
    } else {
      body += ComparisonSection(runs: runs, labels: labels).markup
    }
    body += CurvesSection(runs: runs, labels: labels).markup
    body += PhasesSection(runs: runs, labels: labels).markup
    for (index, finding) in findings.enumerated() {
      body += FindingsSection(finding: finding, label: runs.count > 1 ? labels[index] : nil).markup
    }
    for (run, label) in zip(runs, labels) {
      body += AttemptsSection(run: run, label: runs.count > 1 ? label : nil).markup
    }
    body += DescriptionSection(runs: runs, labels: labels).markup
    return body
  }

  /// A page around a body.
  ///
  /// - Parameters:
  ///   - title: Its title.
  ///   - body: What it shows.
  ///   - isOffline: Whether it is a file, which then forbids itself to load anything.
  ///   - nonce: What the server's policy asks of the script; nil in a file.
  ///   - script: A script besides that of charts.
  package static func page(
    title: String, body: HTML, isOffline: Bool, nonce: String? = nil, script: String = ""
  ) -> HTML {
    let policy: HTML =
      isOffline
      ? """
      <meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
      style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:">
      """ : HTML()
    let nonceAttribute: HTML = nonce.map { " nonce=\"\($0)\"" } ?? HTML()
    return """
      <!DOCTYPE html>
      <html lang="en">
      <head>
      <meta charset="utf-8">
      \(policy)
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <meta name="referrer" content="no-referrer">
      <title>\(title) · Lockstep</title>
      <link rel="icon" href="data:,">
      <style>
      \(HTML(markup: StyleSheet.text))
      </style>
      </head>
      <body>
      <main id="main">
      \(body)
      </main>
      <footer>Lockstep \(Version.current), \(Text.time(Date().timeIntervalSince1970)) UTC</footer>
      <script\(nonceAttribute)>
      \(HTML(markup: Script.hover + script))
      </script>
      </body>
      </html>

      """
  }
}
