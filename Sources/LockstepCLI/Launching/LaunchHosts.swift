import Base

/// A host of a launch and how many ranks it takes.
package struct LaunchHost: Equatable, Sendable {
  /// The name by which the launcher reaches it.
  package let name: String
  /// The most ranks that it gets.
  package var slots: Int

  /// A host with its slots.
  package init(_ name: String, slots: Int) { (self.name, self.slots) = (name, slots) }
}

/// A line of a host file that names no host, or no number of slots.
package struct HostFileError: ExitStatusProviding, Equatable, CustomStringConvertible {
  /// The file, the line and what a line looks like.
  package let description: String
  /// The exit code 65.
  package var exitStatus: ExitStatus { .badData }
}

/// Whether two names are those of one host: the same, or one of them without the other's domain.
package func isSameHost(_ first: String, _ second: String) -> Bool {
  if first == second { return true }
  guard !isAddress(first), !isAddress(second), !(first.contains(".") && second.contains("."))
  else { return false }
  return withoutDomain(first) == withoutDomain(second)
}

private func withoutDomain(_ name: String) -> Substring { name.prefix { $0 != "." } }

private func isAddress(_ name: String) -> Bool {
  name.contains(":") || name.allSatisfy { $0.isNumber || $0 == "." }
}

extension [LaunchHost] {
  /// Reads Open MPI's host file: a line `HOST slots=N` for each host.
  ///
  /// A line without slots is one slot, and slots of lines with the same name add up, as in the files of
  /// PBS and LSF.
  ///
  /// - Parameters:
  ///   - text: The file's content.
  ///   - path: The file, for messages.
  package init(hostFile text: String, path: String) throws {
    self = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace)
      guard let name = words.first else { continue }
      func refusal(_ what: String) -> HostFileError {
        HostFileError(
          description: "\(path):\(index + 1): \(what); a line is a host and its slots, as in "
            + "'node01 slots=4'")
      }
      guard !name.contains("=") else { throw refusal("'\(name)' is no host") }
      guard !name.contains(":") else {
        throw refusal("'\(name)' has a colon, after which mpirun expects slots: give a host's name")
      }
      var slots = 1
      for word in words.dropFirst() {
        let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        switch parts.first {
        case "slots":
          guard parts.count == 2, let number = Int(parts[1]), number > 0 else {
            throw refusal("'\(word)' is no number of slots")
          }
          slots = number
        case "max_slots", "max-slots": break
        default: throw refusal("'\(word)' is not known")
        }
      }
      add(String(name), slots)
    }
    guard !isEmpty else {
      throw HostFileError(
        description: "\(path): there is no host; a line is a host and its slots, as in "
          + "'node01 slots=4'")
    }
  }

  /// The hosts of a Slurm job.
  ///
  /// - Parameters:
  ///   - names: The hosts, in Slurm's order.
  ///   - tasks: Slurm's tasks per node, such as `4(x2),3`; nil is one.
  package init?(slurmNames names: [String], tasksPerNode tasks: String?) {
    var counts: [Int] = []
    for part in (tasks ?? "1(x\(names.count))").split(separator: ",") {
      guard let match = part.wholeMatch(of: /(\d+)(?:\(x(\d+)\))?/), let tasks = Int(match.1)
      else { return nil }
      let repetitions = match.2.map { Int($0) } ?? 1
      guard let repetitions else { return nil }
      counts += [Int](repeating: tasks, count: repetitions)
    }
    guard !names.isEmpty, counts.count == names.count else { return nil }
    self = zip(names, counts).map { LaunchHost($0, slots: $1) }
  }

  private mutating func add(_ name: String, _ slots: Int) {
    if let index = firstIndex(where: { $0.name == name }) {
      self[index].slots += slots
    } else {
      append(LaunchHost(name, slots: slots))
    }
  }

  /// The host that goes by a name: the launcher's, that of the host itself, or one of them without its domain.
  ///
  /// - Parameters:
  ///   - name: The name in a message.
  ///   - ownNames: What hosts call themselves, by the launcher's name.
  package func host(called name: String, ownNames: [String: String]) -> String? {
    let names = map { ($0.name, [$0.name, ownNames[$0.name]].compactMap { $0 }) }
    if let host = names.first(where: { $0.1.contains(name) })?.0 { return host }
    guard !isAddress(name) else { return nil }
    return names.first { $0.1.contains { withoutDomain($0) == withoutDomain(name) } }?.0
  }
}
