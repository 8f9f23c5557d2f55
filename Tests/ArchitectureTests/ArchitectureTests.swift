import Foundation
import Testing

/// Holds the layers of README and Package.swift: who may import whom.
@Suite("Architecture")
struct ArchitectureTests {
  @Test("no target of this package breaks the rules of the layers")
  func package() throws {
    let architecture = try Architecture()
    #expect(architecture.violations == [])
    // What was read is all of it.
    let folders = try FileManager.default.contentsOfDirectory(
      atPath: Architecture.root.appending(path: "Sources").path)
    #expect(Set(architecture.products.map(\.name)) == Set(folders))
    for target in architecture.products {
      let canImport = target.kind == .swift || target.kind == .executable
      #expect(
        !canImport || !target.imports.isEmpty || target.dependencies.isEmpty, "\(target.name)")
    }
  }

  @Test("the picture of the targets is the one that Package.swift makes")
  func picture() throws {
    let path = "Sources/Lockstep/Lockstep.docc/architecture.svg"
    let expected = ArchitecturePicture(try Architecture()).svg
    let file = Architecture.root.appending(path: path)
    let text = try? String(contentsOf: file, encoding: .utf8)
    let isCurrent = text == expected
    if !isCurrent {
      let folder = Architecture.root.appending(path: ".build")
      try expected.write(
        to: folder.appending(path: "architecture.svg"), atomically: true, encoding: .utf8)
    }
    #expect(isCurrent, "the targets have changed: cp .build/architecture.svg \(path)")
  }

  // MARK: The rules

  /// Two targets, of which `High` may import `Low`.
  private let good = Architecture(
    targets: [
      .init(name: "Low", kind: .swift),
      .init(
        name: "High", kind: .swift, dependencies: ["Low", "Yams"],
        imports: ["Low": "High.swift", "Yams": "High.swift", "Foundation": "High.swift"]),
      .init(name: "Tests", kind: .test, dependencies: ["High"], imports: ["High": "Tests.swift"]),
    ], layers: ["Low", "High"])

  @Test("imports of declared targets below, and of the system's modules, are allowed")
  func allowed() {
    #expect(good.violations == [])
  }

  @Test("an import that is not declared is a violation, also in a test")
  func undeclared() {
    var broken = good
    broken.targets[1].dependencies = ["Yams"]
    #expect(
      broken.violations == [
        "High.swift: High imports Low, which Package.swift does not declare"
      ])
    broken = good
    broken.targets[0].imports = ["Yams": "Low.swift"]
    broken.targets[2].imports = ["Low": "Tests.swift"]
    #expect(
      broken.violations == [
        "Low.swift: Low imports Yams, which Package.swift does not declare",
        "Tests.swift: Tests imports Low, which Package.swift does not declare",
      ])
  }

  @Test("a dependency on a target that stands below is a violation")
  func upward() {
    var broken = good
    broken.layers = ["High", "Low"]
    #expect(
      broken.violations == ["High depends on Low, which stands below it in README's table"])
    broken = good
    broken.targets[0].dependencies = ["High"]
    #expect(
      broken.violations == [
        "Low depends on High, which stands below it in README's table",
        "Low depends on High, which stands below it in Package.swift",
      ])
  }

  @Test("a target that README's table lacks, or has without need, is a violation")
  func table() {
    var broken = good
    broken.layers = ["Low", "Middle"]
    #expect(
      broken.violations == [
        "README's table does not have High", "README's table has Middle, which is no target",
      ])
  }

  @Test("all forms of an import are found, and nothing else")
  func imports() {
    let text = """
      /// import Comment
      import A
      public import B
      @_exported public import C
      @testable import D
        @preconcurrency internal import struct E.Name
      let text = "import F"
      """
    #expect(Architecture.importedModules(in: text) == ["A", "B", "C", "D", "E"])
  }

  @Test("README's table is read row by row")
  func readme() {
    let text = """
      | `Other` | a table above |

      The layers, lowest first:

      | target | |
      |---|---|
      | `A`, `B` | has `code` |
      | `C` | |

      | `Other` | a table below |
      """
    #expect(Architecture.layers(ofReadme: text) == ["A", "B", "C"])
  }
}
