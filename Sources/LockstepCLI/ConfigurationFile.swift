// YAML as configuration files may use it: plain mappings, lists and scalars. Everything in YAML
// that lets a small file grow, or a value mean something else than it shows, is refused here; what
// scalars mean is decided elsewhere.
public import Foundation
import Lockstep
public import Training
import Yams

/// Reads configuration files.
public enum ConfigurationFile {
  /// The longest file that is read.
  public static let maximumByteCount = 1 << 20
  /// The deepest nesting that is accepted.
  public static let maximumDepth = 32

  /// Reads a file.
  public static func read(path: String) throws(ConfigurationError) -> ConfigurationDocument {
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw ConfigurationError(
        "cannot read the configuration file '\(path)': \(String(cString: strerror(errno)))",
        exitStatus: .inputMissing)
    }
    let data: Data
    do {
      data = try handle.read(upToCount: maximumByteCount + 1) ?? Data()
    } catch {
      throw ConfigurationError(
        "cannot read the configuration file '\(path)'; it must be a file of text",
        exitStatus: .inputMissing)
    }
    return try parse(data, path: path)
  }

  /// Parses a file's content; the path serves the messages.
  public static func parse(
    _ data: Data, path: String
  ) throws(ConfigurationError) -> ConfigurationDocument {
    guard data.count <= maximumByteCount else {
      throw ConfigurationError(
        "the file is longer than the permitted \(maximumByteCount) bytes", place: path)
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ConfigurationError("the file is not UTF-8 text", place: path)
    }
    try refuseAliases(in: text, path: path)
    do {
      let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      // The nodes know their anchors only while the parser lives.
      return try withExtendedLifetime(parser) {
        guard let root = try parser.singleRoot() else {
          return ConfigurationDocument(path: path, root: .mapping([], line: 1))
        }
        if case .scalar(let scalar) = root, scalar.string.isEmpty, scalar.style == .plain {
          return ConfigurationDocument(path: path, root: .mapping([], line: 1))
        }
        return ConfigurationDocument(
          path: path, root: try Conversion(path: path).node(root, depth: 1))
      }
    } catch let error as ConfigurationError {
      throw error
    } catch let error as YamlError {
      throw explained(error, text: text, path: path)
    } catch {
      throw ConfigurationError("the file is not valid YAML: \(error)", place: path)
    }
  }

  /// Refuses text with many aliases before the parser expands them.
  ///
  /// It compares keys in full, and a few lines of aliases of aliases would keep it busy for ever.
  /// Fewer do no harm and are refused by their anchors.
  private static func refuseAliases(
    in text: String, path: String
  ) throws(ConfigurationError) {
    var count = 0
    var line = 1
    var previous = UInt8(ascii: "\n")
    for byte in text.utf8 {
      if byte == UInt8(ascii: "*"), " \t\n\r[]{},:?-\"'".utf8.contains(previous) {
        count += 1
        if count > 8 {
          throw ConfigurationError(
            "aliases ('*name') are not accepted; write the values out", place: "\(path):\(line)")
        }
      }
      if byte == UInt8(ascii: "\n") { line += 1 }
      previous = byte
    }
  }

  private static func explained(
    _ error: YamlError, text: String, path: String
  ) -> ConfigurationError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      let hint = problem.contains("cannot start any token") ? " (a tab cannot indent)" : ""
      return ConfigurationError(
        "not valid YAML: \(problem)\(hint)", place: "\(path):\(mark.line)")
    case .duplicatedKeysInMapping(let duplicates, let context):
      let key = duplicates.first ?? ""
      let first = context.mark.line
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
      let second = lines.indices.first { index in
        index >= first
          && lines[index].drop { $0 == " " }.hasPrefix(key)
          && lines[index].prefix { $0 == " " }.count == context.mark.column - 1
      }
      let both = second.map { "lines \(first) and \($0 + 1)" } ?? "line \(first)"
      return ConfigurationError(
        "the key '\(key.prefix(80))' is set twice, on \(both)",
        place: "\(path):\(second.map { $0 + 1 } ?? first)")
    case .reader(let problem, _, _, _):
      return ConfigurationError("not valid YAML: \(problem)", place: path)
    default:
      return ConfigurationError("not valid YAML: \(error)", place: path)
    }
  }

  /// Turns the parser's nodes into ours.
  private struct Conversion {
    let path: String

    func node(_ node: Node, depth: Int) throws(ConfigurationError) -> ConfigurationNode {
      let line = node.mark?.line ?? 1
      guard depth <= maximumDepth else {
        throw failure("nested deeper than \(maximumDepth) levels", line)
      }
      guard node.anchor == nil else {
        throw failure("anchors ('&name') are not accepted; write the values out", line)
      }
      switch node {
      case .scalar(let scalar):
        let isQuoted = scalar.style != .plain
        try refuse(tag: scalar.tag, unless: isQuoted ? ["tag:yaml.org,2002:str"] : [], line)
        return .scalar(text: scalar.string, isQuoted: isQuoted, line: line)
      case .sequence(let sequence):
        try refuse(tag: sequence.tag, unless: [], line)
        var elements: [ConfigurationNode] = []
        for element in sequence { elements.append(try self.node(element, depth: depth + 1)) }
        return .sequence(elements, line: line)
      case .mapping(let mapping):
        try refuse(tag: mapping.tag, unless: [], line)
        var entries: [ConfigurationNode.Entry] = []
        for (key, value) in mapping {
          entries.append(try entry(key, value, depth: depth))
        }
        return .mapping(entries, line: line)
      case .alias:
        throw failure("aliases ('*name') are not accepted; write the values out", line)
      }
    }

    private func entry(
      _ key: Node, _ value: Node, depth: Int
    ) throws(ConfigurationError) -> ConfigurationNode.Entry {
      let line = key.mark?.line ?? 1
      guard key.anchor == nil, case .scalar(let scalar) = key else {
        throw failure("a key must be a plain word", line)
      }
      // Comparing keys has resolved their tags, so that a plain one now has that of a text.
      try refuse(tag: scalar.tag, unless: ["tag:yaml.org,2002:str"], line)
      guard scalar.string != "<<" else {
        throw failure("merging ('<<') is not accepted; write the values out", line)
      }
      return ConfigurationNode.Entry(
        key: scalar.string, line: line, value: try node(value, depth: depth + 1))
    }

    private func refuse(
      tag: Tag, unless accepted: [String], _ line: Int
    ) throws(ConfigurationError) {
      let name = tag.description
      guard name.isEmpty || accepted.contains(name) else {
        throw failure("tags ('\(name)') are not accepted", line)
      }
    }

    private func failure(_ message: String, _ line: Int) -> ConfigurationError {
      ConfigurationError(message, place: "\(path):\(line)")
    }
  }
}
