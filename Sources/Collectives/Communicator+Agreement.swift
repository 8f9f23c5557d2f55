// How ranks find out together that one of them failed, or that they are not the same program.
public import Base

#if canImport(Glibc)
  import Glibc
#endif

/// What one rank could not do, thrown on every rank.
public struct CollectiveFailure: AgreedError, ExitStatusProviding, Equatable, Sendable,
  CustomStringConvertible
{
  /// The lowest rank that failed.
  public let rank: Int
  /// The machine of that rank.
  public let host: String
  /// What it reported.
  public let message: String
  /// The exit code that it asked for.
  public let exitStatus: ExitStatus
  /// The number of ranks in the run.
  public let worldSize: Int

  /// Creates the failure of a rank.
  public init(rank: Int, host: String, message: String, exitStatus: ExitStatus, worldSize: Int) {
    self.rank = rank
    self.host = host
    self.message = message
    self.exitStatus = exitStatus
    self.worldSize = worldSize
  }

  /// The message, with the rank and its machine when there are several ranks.
  public var description: String {
    worldSize == 1 ? message : "rank \(rank) on \(host): \(message)"
  }
}

extension Communicator {
  /// Runs `body` on every rank and lets all ranks agree on the outcome.
  ///
  /// When it throws on any rank, every rank throws the same `CollectiveFailure`, that of the lowest
  /// failing rank. `body` must call nothing collective: a rank that failed would not take part.
  public func agreeing<Value>(_ body: () throws -> Value) throws -> Value {
    let outcome = Result(catching: body)
    var failure: CollectiveFailure?
    if case .failure(let error) = outcome {
      failure =
        error as? CollectiveFailure
        ?? CollectiveFailure(
          rank: rank, host: hostName(), message: "\(error)",
          exitStatus: ExitStatus(error), worldSize: worldSize)
    }
    let lowest = allReduce(failure == nil ? .infinity : Double(rank), .min)
    if lowest == .infinity { return try outcome.get() }
    let root = Int(lowest)
    throw CollectiveFailure(
      rank: broadcast(failure?.rank ?? 0, root: root),
      host: broadcast(failure?.host ?? "", root: root),
      message: broadcast(failure?.message ?? "", root: root),
      exitStatus: ExitStatus(
        rawValue: broadcast(failure?.exitStatus.rawValue ?? 0, root: root)) ?? .internalError,
      worldSize: worldSize)
  }
}

/// The finding that ranks which must be equal are not.
public struct RankDisagreement: AgreedError, ExitStatusProviding, Equatable, Sendable,
  CustomStringConvertible
{
  /// Which ranks hold what, one line for each name that differs.
  public let description: String

  /// The exit code 81.
  public var exitStatus: ExitStatus { .ranksDisagree }
}

/// A comparison of named values over the ranks.
///
/// Used at the start of a run: the configuration, the program, the shape of the model and the data
/// must be the same everywhere, and a run in which they are not should say so before it works.
public enum AgreementCheck {
  /// Throws on every rank when the values are not the same on all ranks.
  public static func run(_ values: [String: String], on communicator: any Communicator) throws {
    let pairs = values.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
    precondition(
      !pairs.contains { $0.utf8.contains(0) },
      "AgreementCheck: a name or a value holds a zero byte, which separates them")
    let gathered = communicator.allGather(pairs.joined(separator: "\0")).map { text in
      let fields = text.split(separator: "\0", omittingEmptySubsequences: false).map(String.init)
      let starts = stride(from: 0, to: fields.count - 1, by: 2)
      return Dictionary(uniqueKeysWithValues: starts.map { (fields[$0], fields[$0 + 1]) })
    }
    let hosts = communicator.allGather(hostName())
    if let disagreement = disagreement(among: gathered, hosts: hosts) { throw disagreement }
  }

  /// Returns what differs between the values of the ranks, or nil when nothing does.
  public static func disagreement(
    among values: [[String: String]], hosts: [String]
  ) -> RankDisagreement? {
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
    return RankDisagreement(
      description: "the ranks do not agree on \(lines.count) of \(names.count) values:\n"
        + lines.joined(separator: "\n")
        + "\nstart all ranks with the same program, command and files")
  }

  /// Ranks and their machines in few words: `ranks 0-2, 5 (node1, node2)`.
  private static func describe(ranks: [Int], hosts: [String]) -> String {
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
    var machines: [String] = []
    for rank in ranks where !machines.contains(hosts[rank]) { machines.append(hosts[rank]) }
    let shown = machines.count > 4 ? "\(machines.count) machines" : machines.joined(separator: ", ")
    return "\(ranks.count == 1 ? "rank" : "ranks") \(numbers.joined(separator: ", ")) (\(shown))"
  }
}

/// The name of this machine.
package func hostName() -> String {
  var name = [CChar](repeating: 0, count: 256)
  guard gethostname(&name, name.count - 1) == 0 else { return "unknown host" }
  return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
