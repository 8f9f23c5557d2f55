import Foundation
import Lockstep
import Testing

// Every row of the article "Coming from PyTorch" stands in the files of this folder as code that is
// compiled and run, one test for each table.

/// Uses values, so that the compiler does not complain about results without use.
func use(_ values: Any?...) {}

@Suite("Coming from PyTorch") struct ComingFromPyTorchTests {
  @Test("every row of the article is code of these tests")
  func rows() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    let source = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil
    ).filter { $0.lastPathComponent != "ComingFromPyTorchTests.swift" }
      .map { compiled(try String(contentsOf: $0, encoding: .utf8)) }.joined(separator: "\n")
    let article = folder.appending(
      path: "../../../Sources/Lockstep/Lockstep.docc/coming-from-pytorch.md")
    var rows = 0
    for line in try String(contentsOf: article, encoding: .utf8).split(separator: "\n") {
      // A bar within code is written \|.
      let cells = line.replacing("\\|", with: "\u{1}").split(separator: "|").map {
        $0.replacing("\u{1}", with: "|")
      }
      guard line.hasPrefix("| "), cells.count == 2, cells[0] != " PyTorch " else { continue }
      rows += 1
      // "the same" stands for the cell of PyTorch.
      let cell = cells[1].contains("the same") ? cells[0] + cells[1] : cells[1]
      let codes = cell.matches(of: /`([^`]+)`/).map { String($0.1) }
      #expect(!codes.isEmpty, "no code: \(line)")
      for code in codes where !isCommand(code) {
        let isHere = contains(source, code)
        #expect(isHere, "\(code), in: \(line)")
      }
    }
    #expect(rows > 150)
  }

  @Test("a row that is not compiled is noticed")
  func strictness() {
    let source = compiled("let y = x.sum(axes: [0])  // x.mean()\nwithoutGrad { x.exp() }")
    #expect(contains(source, "x.sum(axes: [0])"))
    #expect(contains(source, "withoutGrad { … }"))
    for other in ["x.mean()", "sum(axes: [0])", "x.sum(axes: [1])", "withGrad { … }"] {
      #expect(!contains(source, other), "\(other)")
    }
  }

  /// Whether a cell's code is for a terminal.
  private func isCommand(_ code: String) -> Bool {
    ["lockstep ", "mpirun", "launch/"].contains { code.hasPrefix($0) }
  }

  /// A source without comments, with single spaces.
  private func compiled(_ source: String) -> String {
    source.split(separator: "\n").map { line in
      line.prefix(upTo: line.firstRange(of: "//")?.lowerBound ?? line.endIndex)
    }.joined(separator: " ").split(separator: " ").joined(separator: " ")
  }

  /// Whether a source has this code, beginning where a name may begin; `…` stands for anything.
  private func contains(_ source: String, _ code: String) -> Bool {
    let parts = code.split(separator: "…").map { $0.trimmingCharacters(in: .whitespaces) }
    var start = source.startIndex
    while let first = source[start...].firstRange(of: parts[0]) {
      let before =
        first.lowerBound == source.startIndex
        ? " " : source[source.index(before: first.lowerBound)]
      if !before.isLetter, !before.isNumber, before != ".", before != "_" {
        var rest = source[first.upperBound...]
        let isHere = parts.dropFirst().allSatisfy { part in
          guard let found = rest.firstRange(of: part) else { return false }
          rest = rest[found.upperBound...]
          return true
        }
        if isHere { return true }
      }
      start = first.upperBound
    }
    return false
  }
}
