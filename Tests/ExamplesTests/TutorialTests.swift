import Foundation
import Testing

@Suite struct TutorialTests {
  private let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
  private var catalog: URL { root.appending(path: "Sources/Lockstep/Lockstep.docc") }

  @Test("the code shown in the tutorial stands in the examples")
  func code() throws {
    let folder = root.appending(path: "Sources/Examples")
    let sources = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "swift" }
    let lines = Set(
      try sources.flatMap { try String(contentsOf: $0, encoding: .utf8).split(separator: "\n") }
        .map(trimmed))
    let tutorial = try String(
      contentsOf: catalog.appending(path: "tutorial.md"), encoding: .utf8)
    var shown = 0
    var isCode = false
    for line in tutorial.split(separator: "\n") {
      if line.hasPrefix("```") {
        isCode = line == "```swift"
      } else if isCode {
        shown += 1
        #expect(lines.contains(trimmed(line)), "\(line)")
      }
    }
    #expect(shown > 50)
  }

  @Test("every picture is shown in an article, and what articles link to is there")
  func links() throws {
    let files = Set(try FileManager.default.contentsOfDirectory(atPath: catalog.path))
    var linked: Set<String> = []
    for article in files where article.hasSuffix(".md") {
      let text = try String(contentsOf: catalog.appending(path: article), encoding: .utf8)
      for link in text.matches(of: /\]\(([^)]+\.(?:md|svg))\)/).map({ String($0.output.1) }) {
        linked.insert(link)
        #expect(files.contains(link), "\(link) in \(article)")
      }
    }
    let pictures = files.filter { $0.hasSuffix(".svg") }
    #expect(pictures.count >= 8)
    #expect(pictures.subtracting(linked).isEmpty)
  }

  @Test("the landing page lists every article")
  func landingPage() throws {
    let page = try String(contentsOf: catalog.appending(path: "Lockstep.md"), encoding: .utf8)
    for file in try FileManager.default.contentsOfDirectory(atPath: catalog.path)
    where file.hasSuffix(".md") && file != "Lockstep.md" {
      #expect(page.contains("<doc:\(file.dropLast(3))>"), "\(file)")
    }
  }

  private func trimmed(_ line: Substring) -> String {
    line.trimmingCharacters(in: .whitespaces)
  }
}
