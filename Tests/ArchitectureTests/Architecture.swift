import Foundation

/// The targets of a package, and the order in which README lists them.
struct Architecture {
  /// A target of Package.swift.
  struct Target {
    var name: String
    var kind: Kind
    /// The targets and products that Package.swift declares as its dependencies.
    var dependencies: [String] = []
    /// The modules that its files import, each with one of the files.
    var imports: [String: String] = [:]
  }

  /// What is made of a target.
  enum Kind {
    /// A library of the system.
    case system
    case c
    case swift
    case executable
    case test
  }

  /// In the order of Package.swift.
  var targets: [Target]
  /// The names in README's table of layers, lowest first.
  var layers: [String]

  /// The targets that are built for users.
  var products: [Target] { targets.filter { $0.kind != .test } }

  // MARK: Rules

  /// A sentence for each break of the rules.
  var violations: [String] { undeclaredImports + upwardDependencies + differencesOfTheTable }

  /// Imports of targets, or of products of other packages, that the importing target does not declare.
  private var undeclaredImports: [String] {
    let known = Set(targets.flatMap { [$0.name] + $0.dependencies })
    return targets.flatMap { target in
      target.imports.sorted { $0.key < $1.key }.compactMap { module, file in
        known.contains(module) && module != target.name && !target.dependencies.contains(module)
          ? "\(file): \(target.name) imports \(module), which Package.swift does not declare" : nil
      }
    }
  }

  /// Dependencies that do not stand above their target, in README or in Package.swift.
  private var upwardDependencies: [String] {
    let names = products.map(\.name)
    return [("README's table", layers), ("Package.swift", names)].flatMap { place, order in
      products.flatMap { target in
        Set(target.dependencies).union(target.imports.keys).sorted().compactMap { dependency in
          guard let own = order.firstIndex(of: target.name),
            let other = order.firstIndex(of: dependency), other > own
          else { return nil }
          return "\(target.name) depends on \(dependency), which stands below it in \(place)"
        }
      }
    }
  }

  private var differencesOfTheTable: [String] {
    let names = products.map(\.name)
    return names.filter { !layers.contains($0) }.map { "README's table does not have \($0)" }
      + layers.filter { !names.contains($0) }.map { "README's table has \($0), which is no target" }
  }
}

// MARK: Reading

extension Architecture {
  /// The folder of Package.swift.
  static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    .standardized

  /// Reads this package.
  init() throws {
    let manifest = try JSONSerialization.jsonObject(with: Self.dumpedManifest()) as? [String: Any]
    targets = try (manifest?["targets"] as? [[String: Any]] ?? []).map(Self.target)
    layers = try Self.layers(
      ofReadme: String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8))
  }

  /// Package.swift as JSON.
  private static func dumpedManifest() throws -> Data {
    // Not .build: a `swift test` that runs this test has locked it.
    let scratch = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: scratch) }
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = [
      "swift", "package", "--package-path", root.path, "--scratch-path", scratch.path,
      "dump-package",
    ]
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return data
  }

  private static func target(_ json: [String: Any]) throws -> Target {
    let name = json["name"] as? String ?? ""
    let type = json["type"] as? String
    let path = json["path"] as? String ?? (type == "test" ? "Tests/\(name)" : "Sources/\(name)")
    let (imports, hasSwift) = try imports(below: path)
    let kind: Kind =
      switch type {
      case "system": .system
      case "executable": .executable
      default: path.hasPrefix("Tests/") ? .test : hasSwift ? .swift : .c
      }
    // A dependency is one key, such as "byName", whose value begins with the name.
    let dependencies = (json["dependencies"] as? [[String: [Any]]] ?? [])
      .compactMap { $0.values.first?.first as? String }
    return Target(name: name, kind: kind, dependencies: dependencies, imports: imports)
  }

  /// The imports of the Swift files in a folder, and whether there are such files.
  private static func imports(below path: String) throws -> ([String: String], Bool) {
    var imports: [String: String] = [:]
    var hasSwift = false
    let files = FileManager.default.enumerator(atPath: root.appending(path: path).path)
    while let file = files?.nextObject() as? String {
      guard file.hasSuffix(".swift") else { continue }
      hasSwift = true
      let text = try String(contentsOf: root.appending(path: "\(path)/\(file)"), encoding: .utf8)
      for module in importedModules(in: text) { imports[module] = "\(path)/\(file)" }
    }
    return (imports, hasSwift)
  }

  /// The modules that a Swift file imports.
  static func importedModules(in text: String) -> [String] {
    let pattern =
      #/^\s*(?:@\w+(?:\(\w+\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+(?:(?:struct|class|enum|protocol|func|var|let|typealias)\s+)?(\w+)/#
    return text.split(separator: "\n").compactMap { line in
      line.prefixMatch(of: pattern).map { String($0.output.1) }
    }
  }

  /// The names in the first column of README's table of layers.
  static func layers(ofReadme text: String) -> [String] {
    guard let heading = text.firstRange(of: "\nThe layers, lowest first") else { return [] }
    return text[heading.upperBound...].split(separator: "\n", omittingEmptySubsequences: false)
      .drop { !$0.hasPrefix("|") }.prefix { $0.hasPrefix("|") }
      .flatMap { row in
        row.split(separator: "|")[0].matches(of: /`(\w+)`/).map { String($0.output.1) }
      }
  }
}
