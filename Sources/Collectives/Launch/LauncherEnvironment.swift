public import Base
public import Foundation

/// The launcher of this process and its rank, read from environment variables.
///
/// For decisions before MPI is initialized, such as which rank prints an error.
public struct LauncherEnvironment: Equatable, Sendable {
  /// A kind of launcher.
  public enum Launcher: String, Sendable {
    /// The `mpirun` of Open MPI.
    case mpirun
    /// Slurm's `srun`.
    case srun
    /// Flux's `flux run`.
    case flux = "flux run"
    /// The `mpiexec` of MPICH and Intel MPI.
    case mpiexec
    /// Another launcher that uses PMIx.
    case pmix = "a PMIx launcher"
  }

  /// The launcher that started this process.
  public let launcher: Launcher
  /// The rank of this process.
  public let rank: Int
  /// The number of ranks that the launcher promises, if it tells.
  public let worldSize: Int?

  /// Reads the environment; nil if no launcher started this process.
  public init?(_ environment: [String: String] = ProcessInfo.processInfo.environment) {
    func number(_ name: String) -> Int? { environment[name].flatMap { Int($0) } }

    if let size = number("OMPI_COMM_WORLD_SIZE"), let rank = number("OMPI_COMM_WORLD_RANK") {
      self.init(.mpirun, rank, size)
    } else if let size = number("OMPI_COMM_WORLD_SIZE") {
      self.init(.mpirun, number("PMIX_RANK") ?? 0, size)
    } else if let rank = number("SLURM_PROCID"), let size = Self.sizeOfSlurmStep(number),
      number("PMI_SIZE") ?? size == size
    {
      self.init(.srun, rank, size)
    } else if let size = number("FLUX_JOB_SIZE"), let rank = number("FLUX_TASK_RANK"),
      number("PMI_SIZE") ?? size == size
    {
      self.init(.flux, rank, size)
    } else if let size = number("PMI_SIZE"), let rank = number("PMI_RANK") {
      self.init(.mpiexec, rank, size)
    } else if let rank = number("PMIX_RANK") {
      self.init(.pmix, rank, nil)
    } else {
      return nil
    }
  }

  private init(_ launcher: Launcher, _ rank: Int, _ worldSize: Int?) {
    self.launcher = launcher
    self.rank = rank
    self.worldSize = worldSize
  }

  /// The number of tasks of this process's Slurm step; nil outside of steps.
  ///
  /// A shell of `sbatch` or `salloc` is one process, but has the variables of its job, including
  /// `SLURM_NTASKS` and even `SLURM_PROCID`. Only a step that `srun` started has a small step number:
  /// Slurm numbers its own steps (batch, interactive, extern) from 2^32 downwards.
  private static func sizeOfSlurmStep(_ number: (String) -> Int?) -> Int? {
    guard let step = number("SLURM_STEP_ID") ?? number("SLURM_STEPID"), step < 0xFFFF_FFF0 else {
      return nil
    }
    return number("SLURM_STEP_NUM_TASKS") ?? number("SLURM_NTASKS")
  }

  /// Throws if MPI finds another number of ranks than the launcher has started.
  public func check(worldSize actual: Int, library: String) throws(LaunchError) {
    guard let promised = worldSize, promised != actual else { return }
    if actual == 1 {
      throw LaunchError(
        description: """
          this job started \(promised) separate one-process runs instead of one \
          \(promised)-process run: \(launcher.rawValue) promised \(promised) ranks, MPI sees 1
          cause: \(launcher.rawValue) does not belong to the MPI library of this program \
          (\(library))
          fix: \(remedy(library))
          """)
    }
    throw LaunchError(
      description: """
        \(launcher.rawValue) promised \(promised) ranks, but MPI (\(library)) sees \(actual)
        cause: one launcher was started by another one, and both set their variables
        fix: \(remedy(library))
        """)
  }

  private func remedy(_ library: String) -> String {
    let isOpenMPI = library.hasPrefix("Open MPI")
    return switch launcher {
    case .mpirun where !isOpenMPI:
      "this launcher is Open MPI's; start with the mpiexec of \(library)"
    case .mpirun:
      "start with the mpirun that belongs to this library (compare `mpirun --version`), and unset "
        + "OMPI_COMM_WORLD_SIZE if it comes from an earlier shell"
    case .srun where !isOpenMPI:
      "use `srun --mpi=pmi2` (`srun --mpi=list` shows what this Slurm has), or call mpiexec in the "
        + "allocation instead of srun"
    case .srun:
      "use `srun --mpi=pmix` (`srun --mpi=list` shows what this Slurm has), or call mpirun in the "
        + "allocation instead of srun"
    case .flux:
      "with Open MPI 4 use one that has a component for Flux (`ompi_info` shows `MCA pmix: flux`), with "
        + "Open MPI 5 `flux run -o pmi=pmix`, which needs Flux's PMIx plugin"
    case .mpiexec where !isOpenMPI:
      "start with the mpiexec that belongs to this library (compare `mpiexec --version`), and unset "
        + "PMI_SIZE if it comes from an earlier shell"
    case .mpiexec:
      "this launcher belongs to another MPI (MPICH or Intel MPI); start with Open MPI's mpirun"
    case .pmix:
      "start with \(isOpenMPI ? "Open MPI's mpirun" : "the mpiexec of \(library)")"
    }
  }
}

/// A launch whose processes did not become one run.
public struct LaunchError: ExitStatusProviding, Equatable, Sendable, CustomStringConvertible {
  /// What happened, why, and what to do.
  public let description: String

  /// Creates an error with its message.
  public init(description: String) {
    self.description = description
  }

  /// The exit code 81.
  public var exitStatus: ExitStatus { .ranksDisagree }
}
