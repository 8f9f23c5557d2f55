import Base
import Foundation
import Lockstep

/// The Slurm job in which this process runs, outside of its steps.
enum SlurmJob {
  /// Whether there is one.
  static var isPresent: Bool { environment["SLURM_JOB_ID"] != nil }

  private static var environment: [String: String] { ProcessInfo.processInfo.environment }

  /// The hosts of the job with the ranks that each is to get.
  static func hosts() throws -> [LaunchHost] {
    let list = environment["SLURM_JOB_NODELIST"] ?? ""
    let names = try lines(of: ["scontrol", "show", "hostnames", list])
    guard
      let hosts = [LaunchHost](
        slurmNames: names, tasksPerNode: environment["SLURM_TASKS_PER_NODE"])
    else {
      throw CommandError(
        "the hosts of Slurm job \(environment["SLURM_JOB_ID"] ?? "") cannot be told from "
          + "'\(list)' and '\(environment["SLURM_TASKS_PER_NODE"] ?? "")'; name them with --hosts",
        .configuration)
    }
    return hosts
  }

  /// The cores of each rank; nil if the job does not say.
  static var coresPerRank: Int? { environment["SLURM_CPUS_PER_TASK"].flatMap { Int($0) } }

  /// Whether srun can start the ranks: it needs PMIx, which Open MPI uses.
  static func srunHasPMIx() throws -> Bool {
    guard isProgram("srun") else { return false }
    let child = try ChildProcess(
      ["srun", "--mpi=list"], stopExitCode: ExitStatus.stoppedAndSaved.rawValue)
    _ = child.wait(seconds: 30)
    return (child.output + child.errors).contains(/(?:^|\s)pmix/)
  }

  /// The hosts of which Slurm says that they are down or do not respond.
  static func hostsThatAreDown(_ hosts: [String]) throws -> [String] {
    let states = try lines(of: [
      "sinfo", "--noheader", "--Node", "--nodes", hosts.joined(separator: ","), "--format", "%N %T",
    ])
    return downHosts(states)
  }

  /// The hosts that are down by lines `HOST STATE`; a star marks one that does not respond.
  static func downHosts(_ states: [String]) -> [String] {
    let down = states.compactMap { line -> String? in
      let words = line.split(separator: " ")
      guard words.count == 2 else { return nil }
      let isDown = ["down", "fail"].contains { words[1].lowercased().hasPrefix($0) }
      return isDown || words[1].hasSuffix("*") ? String(words[0]) : nil
    }
    return Set(down).sorted()
  }

  private static func lines(of command: [String]) throws -> [String] {
    let child = try ChildProcess(command, stopExitCode: ExitStatus.stoppedAndSaved.rawValue)
    guard child.wait(seconds: 30) == 0 else {
      throw CommandError(
        "'\(shellCommand(command))' failed: \(child.errors.split(separator: "\n").first ?? "no answer")",
        .configuration)
    }
    return child.output.split(separator: "\n").map(String.init)
  }
}
