public import Base

#if canImport(Glibc)
  import Glibc
#endif

/// Values that must be the same on all ranks, but are not.
public struct RankDisagreement: AgreedError, ExitStatusProviding, Equatable, Sendable,
  CustomStringConvertible
{
  /// Which ranks have which value, one line for each name that differs.
  public let description: String

  /// The exit code 81.
  public var exitStatus: ExitStatus { .ranksDisagree }

  /// Compares the named values of the ranks; nil if they are the same on all.
  ///
  /// - Parameters:
  ///   - values: The values by name, for each rank.
  ///   - hosts: The host name of each rank's node.
  public init?(among values: [[String: String]], hosts: [String]) {
    let names = Set(values.flatMap(\.keys)).sorted()
    let lines = names.compactMap { name -> String? in
      let ranks = Dictionary(grouping: values.indices) { values[$0][name] }
      if ranks.count == 1 { return nil }
      let groups = ranks.sorted { $0.value[0] < $1.value[0] }.map { value, ranks in
        "\(value.map { "'\($0)'" } ?? "no value") on \(describe(ranks: ranks, hosts: hosts))"
      }
      return "  \(name): \(groups.joined(separator: ", "))"
    }
    if lines.isEmpty { return nil }
    description =
      "the ranks do not agree on \(lines.count) of \(names.count) values:\n"
      + lines.joined(separator: "\n")
      + "\nstart all ranks with the same program, command and files"
  }
}

extension Communicator {
  /// Throws `RankDisagreement` on every rank if the named values are not the same on all ranks.
  ///
  /// Collective. For the start of a run: configuration, program, model and data must be the same on
  /// all ranks, and a run in which they are not should stop before it computes.
  public func checkInvariants(_ values: [String: String]) throws(RankDisagreement) {
    let pairs = values.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
    precondition(
      !pairs.contains { $0.utf8.contains(0) },
      "checkInvariants: a name or a value contains a zero byte")
    let gathered = allGather(pairs.joined(separator: "\0")).map { text in
      let fields = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
      let starts = stride(from: 0, to: fields.count - 1, by: 2)
      return Dictionary(uniqueKeysWithValues: starts.map { (fields[$0], fields[$0 + 1]) })
    }
    let hosts = allGather(hostName())
    if let disagreement = RankDisagreement(among: gathered, hosts: hosts) { throw disagreement }
  }
}

/// Ranks and their hosts in few words: `ranks 0-2, 5 (node1, node2)`.
func describe(ranks: [Int], hosts: [String]) -> String {
  var spans: [ClosedRange<Int>] = []
  for rank in ranks {
    if let last = spans.last, last.upperBound == rank - 1 {
      spans[spans.count - 1] = last.lowerBound...rank
    } else {
      spans.append(rank...rank)
    }
  }
  let numbers = spans.map {
    $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)"
  }
  var names: [String] = []
  for rank in ranks where !names.contains(hosts[rank]) { names.append(hosts[rank]) }
  let shown = names.count > 4 ? "\(names.count) nodes" : names.joined(separator: ", ")
  return "\(ranks.count == 1 ? "rank" : "ranks") \(numbers.joined(separator: ", ")) (\(shown))"
}

/// The host name of this node.
package func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return "unknown host" }
  return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
