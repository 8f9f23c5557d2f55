import Foundation
import Lockstep
import Training

/// Host, libraries and ranks of a run, for its env.json.
enum Environment {
  /// Variables that change how a run computes.
  static let relevantVariables = [
    "LOCKSTEP_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE", "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "SLURM_JOB_ID", "SLURM_RESTART_COUNT",
  ]

  /// Host, processor, libraries and ranks.
  ///
  /// No secrets: of the environment only the variables that matter here.
  static func description(_ run: RunDescription) -> [String: JSONValue] {
    let environment = ProcessInfo.processInfo.environment
    let variables = relevantVariables.compactMap { name in
      environment[name].map { JSONValue.Member(name, .string($0)) }
    }
    return [
      "version": .string(Version.current),
      "command": .array(CommandLine.arguments.map { .string($0) }),
      "host": .string(ProcessInfo.processInfo.hostName),
      "system": .string(ProcessInfo.processInfo.operatingSystemVersionString),
      "processor": .string(processor),
      "cores": .integer(Affinity.current.cores.count),
      "instructionSet": .string(Threads.instructionSet),
      "openBLAS": .string("\(BLAS.configuration) (core \(BLAS.coreName))"),
      "mpi": .string(MPICommunicator.libraryVersion),
      "ranks": .integer(run.worldSize),
      "machines": .integer(run.nodeCount),
      "overlap": .string(run.overlap.rawValue),
      "threadsPerRank": .integer(run.threads),
      "environment": .object(variables),
    ]
  }

  /// The processor's name.
  static var processor: String {
    let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "unknown"
  }
}
