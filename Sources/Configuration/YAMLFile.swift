// YAML as configuration files may use it: plain mappings, lists and scalars. Everything in YAML
// that lets a small file grow, or a value mean something else than it shows, is refused here.
import Base
import CYaml
import Foundation
import Yams

/// A parsed configuration file: its path for messages, and a tree of mappings, lists and scalars.
struct YAMLFile {
  /// The longest file that is read.
  static let maximumByteCount = 1 << 20
  /// The deepest nesting that is accepted.
  static let maximumDepth = 32
  /// The most aliases that the parser is given to expand.
  static let maximumAliases = 8

  let path: String
  let root: Node

  /// Reads a file.
  init(path: String) throws(ConfigurationError) {
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw ConfigurationError(
        "cannot read the configuration file '\(path)': \(String(cString: strerror(errno)))",
        exitStatus: .inputMissing)
    }
    let data: Data
    do {
      data = try handle.read(upToCount: YAMLFile.maximumByteCount + 1) ?? Data()
    } catch {
      throw ConfigurationError(
        "cannot read the configuration file '\(path)'; it must be a file of text",
        exitStatus: .inputMissing)
    }
    try self.init(data, path: path)
  }

  /// Parses a file's content; the path is for messages.
  init(_ data: Data, path: String) throws(ConfigurationError) {
    self.path = path
    guard data.count <= YAMLFile.maximumByteCount else {
      throw ConfigurationError(
        "the file is longer than the permitted \(YAMLFile.maximumByteCount) bytes", place: path)
    }
    guard let text = String(validating: data, as: UTF8.self) else {
      throw ConfigurationError("the file is not UTF-8 text", place: path)
    }
    try YAMLFile.refuseAliases(in: text, path: path)
    do {
      let parser = try Parser(yaml: text, resolver: .basic, encoding: .utf8)
      // Nodes know their anchors only while the parser lives.
      root = try withExtendedLifetime(parser) {
        guard let root = try parser.singleRoot() else { return .mapping(Node.Mapping([])) }
        if case .scalar(let scalar) = root, scalar.string.isEmpty, scalar.style == .plain {
          return .mapping(Node.Mapping([]))
        }
        try YAMLFile.check(root, depth: 1, path: path)
        return root
      }
    } catch let error as ConfigurationError {
      throw error
    } catch let error as YamlError {
      throw YAMLFile.explained(error, text: text, path: path)
    } catch {
      throw ConfigurationError("the file is not valid YAML: \(error)", place: path)
    }
  }

  /// Refuses text with many aliases before the parser expands them.
  ///
  /// The parser compares keys in full, and a few lines of aliases of aliases would keep it busy for
  /// ever. Fewer do no harm and are refused by their anchors. What looks like an alias in a comment, a
  /// quoted text or a block of text is none, so the events of the parser are counted.
  private static func refuseAliases(
    in text: String, path: String
  ) throws(ConfigurationError) {
    let line = Array(text.utf8).withUnsafeBufferPointer { bytes in
      var parser = yaml_parser_t()
      yaml_parser_initialize(&parser)
      defer { yaml_parser_delete(&parser) }
      yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING)
      yaml_parser_set_input_string(&parser, bytes.baseAddress, bytes.count)
      return lineOfAlias(maximumAliases + 1, of: &parser)
    }
    guard let line else { return }
    throw ConfigurationError(
      "aliases ('*name') are not accepted; write the values out", place: "\(path):\(line)")
  }

  /// The line of the `count`-th alias, from 1; nil where there are fewer before the end or an error.
  private static func lineOfAlias(_ count: Int, of parser: inout yaml_parser_t) -> Int? {
    var aliases = 0
    var event = yaml_event_t()
    while yaml_parser_parse(&parser, &event) == 1 {
      defer { yaml_event_delete(&event) }
      switch event.type {
      case YAML_STREAM_END_EVENT: return nil
      case YAML_ALIAS_EVENT:
        aliases += 1
        if aliases == count { return Int(event.start_mark.line) + 1 }
      default: break
      }
    }
    return nil
  }

  private static func explained(
    _ error: YamlError, text: String, path: String
  ) -> ConfigurationError {
    switch error {
    case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
      .composer(_, let problem, let mark, _):
      let hint =
        problem.contains("cannot start any token")
        ? " (a tab cannot indent)"
        // What YAML says of an alias without a name.
        : problem.contains("alphabetic or numeric character")
          ? " (a text that begins with '*' needs quotes, as \"*.bias\")" : ""
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

  /// Refuses deep nesting, anchors, aliases, tags, merges and keys that are no words.
  private static func check(_ node: Node, depth: Int, path: String) throws(ConfigurationError) {
    func refuse(_ message: String, _ node: Node) -> ConfigurationError {
      ConfigurationError(message, place: "\(path):\(node.line)")
    }
    func checkTag(_ tag: Tag, isText: Bool) throws(ConfigurationError) {
      let name = tag.description
      if !name.isEmpty, !isText || name != "tag:yaml.org,2002:str" {
        throw refuse("tags ('\(name)') are not accepted", node)
      }
    }
    guard depth <= maximumDepth else {
      throw refuse("nested deeper than \(maximumDepth) levels", node)
    }
    guard node.anchor == nil else {
      throw refuse("anchors ('&name') are not accepted; write the values out", node)
    }
    switch node {
    case .scalar(let scalar): try checkTag(scalar.tag, isText: scalar.style != .plain)
    case .sequence(let sequence):
      try checkTag(sequence.tag, isText: false)
      for element in sequence { try check(element, depth: depth + 1, path: path) }
    case .mapping(let mapping):
      try checkTag(mapping.tag, isText: false)
      for (key, value) in mapping {
        guard key.anchor == nil, case .scalar(let scalar) = key else {
          throw refuse("a key must be a plain word", key)
        }
        // Comparing keys has resolved their tags, so that a plain one now has that of a text.
        let tag = scalar.tag.description
        guard tag.isEmpty || tag == "tag:yaml.org,2002:str" else {
          throw refuse("tags ('\(tag)') are not accepted", key)
        }
        guard scalar.string != "<<" else {
          throw refuse("merging ('<<') is not accepted; write the values out", key)
        }
        try check(value, depth: depth + 1, path: path)
      }
    case .alias: throw refuse("aliases ('*name') are not accepted; write the values out", node)
    }
  }
}

extension Node {
  /// The line on which the node begins.
  var line: Int { mark?.line ?? 1 }

  /// Whether this is an empty value: the key of a section whose keys are all commented out.
  var isEmpty: Bool {
    if case .scalar(let scalar) = self {
      scalar.string.isEmpty && scalar.style == .plain
    } else {
      false
    }
  }

  /// The node in words, for a message.
  var summary: String {
    switch self {
    case .scalar(let scalar) where scalar.style != .plain:
      "the text \"\(scalar.string.prefix(80))\""
    case .scalar(let scalar):
      scalar.string.isEmpty ? "nothing" : "'\(scalar.string.prefix(80))'"
    case .sequence(let elements): "a list of \(elements.count)"
    case .mapping, .alias: "a section"
    }
  }
}
