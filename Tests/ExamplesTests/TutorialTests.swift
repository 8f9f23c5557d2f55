import Foundation
import Testing

@Suite struct TutorialTests {
  @Test("the code shown in docs/tutorial.md stands in the examples")
  func code() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let folder = root.appending(path: "Sources/Examples")
    let sources = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil
    ).filter { $0.pathExtension == "swift" }
    let lines = Set(
      try sources.flatMap { try String(contentsOf: $0, encoding: .utf8).split(separator: "\n") }
        .map(trimmed))
    let tutorial = try String(
      contentsOf: root.appending(path: "docs/tutorial.md"), encoding: .utf8)
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

  @Test("its pictures are there")
  func pictures() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let tutorial = try String(
      contentsOf: root.appending(path: "docs/tutorial.md"), encoding: .utf8)
    let pictures = tutorial.matches(of: /!\[[^\]]*\]\(([^)]+)\)/).map { String($0.output.1) }
    #expect(pictures.count >= 5)
    for picture in pictures {
      let path = root.appending(path: "docs/\(picture)").path
      #expect(FileManager.default.fileExists(atPath: path), "\(picture)")
    }
  }

  private func trimmed(_ line: Substring) -> String {
    line.trimmingCharacters(in: .whitespaces)
  }
}
