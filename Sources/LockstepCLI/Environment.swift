import Base
import Foundation
import Lockstep
import Training

/// Host, libraries and ranks of a run, for its env.json.
enum Environment {
  /// Variables that change how a run computes.
  static let relevantVariables = [
    "LOCKSTEP_CONVOLUTION", "LOCKSTEP_ISA", "OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "SLURM_JOB_ID", "SLURM_RESTART_COUNT", "LOCKSTEP_JOB",
  ]

  /// Host, processor, libraries and ranks.
  ///
  /// No secrets: of the environment only the variables that matter here.
  static func description(_ run: RunDescription) -> JSONObject {
    let environment = ProcessInfo.processInfo.environment
    return [
      "version": Version.current,
      "command": CommandLine.arguments,
      "host": ProcessInfo.processInfo.hostName,
      "system": ProcessInfo.processInfo.operatingSystemVersionString,
      "processor": processor,
      "cores": Affinity.current.countingCoresOnce().cores.count,
      "instructionSet": Threads.instructionSet,
      "openBLAS": "\(BLAS.configuration) (core \(BLAS.coreName))",
      "mpi": MPICommunicator.libraryVersion,
      "ranks": run.worldSize,
      "machines": run.nodeCount,
      "overlap": run.overlap.rawValue,
      "allReduce": run.allReduce.map { $0.algorithm.name },
      "threadsPerRank": run.threads,
      "environment": environment.filter { relevantVariables.contains($0.key) },
    ]
  }

  /// The processor's name.
  static var processor: String {
    let text = fileText("/proc/cpuinfo") ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix("model name") }
    return line?.split(separator: ":").last?.trimmingCharacters(in: .whitespaces) ?? "unknown"
  }
}
