import ArgumentParser
import Base
import Foundation
import Lockstep
import Logging

struct LaunchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "launch", abstract: "Starts ranks on hosts and restarts them after failures.",
    usage: "\(programName) launch [<options>] -- <command> [<arguments>]",
    discussion: """
      Runs the command after -- on all ranks, with mpirun, or srun in a Slurm job, or MPICH's mpiexec.hydra \
      where it is built with that. When a rank or a \
      host fails or stalls, it says in five lines what failed first, leaves out hosts that do not \
      answer, and resumes the training from its last checkpoint on those that are left.

        lockstep launch -- train configs/digits-mlp.yaml
        lockstep launch --hosts my-hosts --restarts 20 -- train CONFIG

      With distributed.fixedSlices the weights are those of a run without failures, bit for bit, also \
      on fewer hosts. Attempts are recorded in attempts.jsonl of the run's directory.

      TERM, HUP, USR1 and Ctrl-C save a checkpoint and stop with exit code 75; a second Ctrl-C stops at \
      once; USR2 saves a checkpoint, which mpiexec.hydra does not pass on. Errors that a restart would not help are not restarted: wrong \
      configurations, missing or damaged files, a non-finite loss.

      Exit codes: those of the command in its last attempt; 128 + a signal's number where one ended a rank.
      """)

  @Option(
    name: [.customShort("n"), .customLong("ranks")],
    help: ArgumentHelp(
      "The most ranks. Default: the slots of all hosts, or the cores of this one.",
      valueName: "ranks"))
  var ranks: Int?

  @Option(
    help: ArgumentHelp(
      "A host file with a line 'HOST slots=N' for each host. Without one, the hosts of the Slurm job, or this host.",
      valueName: "file"))
  var hosts: String?

  @Option(
    help: ArgumentHelp(
      "The cores, and so the threads, of each rank. Default: 1, or those of a task of the Slurm job.",
      valueName: "count"))
  var cores: Int?

  @Flag(
    name: .customLong("no-bind"),
    help:
      "Do not bind ranks to cores: for hosts that other jobs use too, and more slots than cores.")
  var withoutBinding = false

  @Option(
    help: ArgumentHelp(
      "How often a training is restarted after a failure.", valueName: "count"))
  var restarts = 10

  @Option(
    help: ArgumentHelp(
      "Time without progress after which the job ends and is restarted. Default: distributed.stallTimeout where it is set, else \(Int(LaunchedJob.stallTimeout)).",
      valueName: "seconds"))
  var stallTimeout: Double?

  @Option(
    help: ArgumentHelp(
      "Time in which a rank must have begun to train, or the attempt ends and the job is restarted. Default: \(Int(LaunchedJob.startTimeout)), or twice the time of --stall-timeout where that is longer.",
      valueName: "seconds"))
  var startTimeout: Double?

  @Option(
    help: ArgumentHelp(
      "What the launcher calls to reach a host, in place of ssh: it is given a host and a command.",
      valueName: "command"))
  var agent: String?

  @Option(
    help: ArgumentHelp(
      "mpirun, mpiexec.hydra or srun. Default: that of the MPI library that this program is built with; srun for Open MPI in a Slurm job whose srun has PMIx.",
      valueName: "program"))
  var launcher: LaunchPlan.Launcher?

  @Flag(
    name: .customLong("print"), help: "Print the command of the first attempt and start nothing.")
  var printsOnly = false

  @Argument(
    parsing: .postTerminator,
    help: ArgumentHelp(
      "A command of this program: train, doctor, bench ... Only train is restarted.",
      valueName: "command"))
  var command: [String] = []

  func validate() throws {
    if let launcher = LauncherEnvironment() {
      throw ValidationError(
        "launch starts its ranks itself: call it without \(launcher.launcher.rawValue)")
    }
    guard let name = command.first else {
      throw ValidationError(
        "there is no command for the ranks: give it after --, as in 'launch -n 4 -- train CONFIG'")
    }
    guard
      LockstepCommand.configuration.subcommands.contains(where: {
        $0.configuration.commandName == name
      }), name != LaunchCommand.configuration.commandName
    else {
      throw ValidationError("'\(name)' is no command of this program that ranks could run")
    }
    for (option, value) in [("-n", ranks), ("--cores", cores)] {
      if let value, !(1...65_536).contains(value) {
        throw ValidationError("\(option) must be 1 to 65536")
      }
    }
    guard (0...10_000).contains(restarts) else {
      throw ValidationError("--restarts must be 0 to 10000")
    }
    let timeouts = [("--stall-timeout", stallTimeout), ("--start-timeout", startTimeout)]
    for (option, value) in timeouts {
      if let value, !(value >= 0.2 && value < 1e6) {
        throw ValidationError("\(option) must be at least 0.2 seconds, and less than 1000000")
      }
    }
    if name == TrainCommand.configuration.commandName {
      do {
        _ = try TrainCommand.parse(Array(command.dropFirst()))
      } catch {
        throw ValidationError("train: " + TrainCommand.message(for: error))
      }
    } else if let (option, _) = timeouts.first(where: { $0.1 != nil }) {
      throw ValidationError("\(option) is for train only")
    }
  }

  func run() {
    StopSignals.observe(forChildren: true)
    var code: Int32 = 0
    do {
      code = try launch()
    } catch {
      logger.error("\(error)")
      code = ExitStatus(error).rawValue
    }
    Foundation.exit(code)
  }

  private func launch() throws -> Int32 {
    let job = try LaunchedJob(
      command, stallTimeout: stallTimeout, startTimeout: startTimeout)
    let (hosts, options) = try placement()
    let supervisor = Supervisor(job, hosts: hosts, limit: ranks, options, restarts: restarts)
    if printsOnly {
      printLine(shellCommand(try supervisor.firstCommand()))
      return 0
    }
    let program = options.launcher.rawValue
    guard isProgram(program) else {
      throw CommandError(
        "there is no program '\(program)' to start ranks with: install that of \(MPICommunicator.libraryVersion), or see --launcher",
        .programMissing)
    }
    // It would end by USR2.
    if options.launcher == .hydra { StopSignals.refuseToSave() }
    return try supervisor.run()
  }

  /// The hosts, and how ranks are started on them.
  private func placement() throws -> ([LaunchHost], LaunchPlan.Options) {
    let environment = ProcessInfo.processInfo.environment
    var options = LaunchPlan.Options()
    options.binds = !withoutBinding
    options.cores = cores ?? 1
    options.agent = agent ?? environment["OMPI_MCA_plm_rsh_agent"]
    options.forwarded = (["LD_LIBRARY_PATH"] + Environment.relevantVariables).filter {
      environment[$0] != nil && $0 != "OPENBLAS_NUM_THREADS" && !$0.hasPrefix("SLURM_")
    }
    let own: LaunchPlan.Launcher = MPICommunicator.isOpenMPI ? .mpirun : .hydra
    options.launcher = launcher ?? own
    if let mpirun = programPath("mpirun") { options.prefix = LaunchPlan.prefix(ofMPI: mpirun) }
    if let path = hosts {
      options.hasHosts = true
      guard let text = fileText(path) else {
        throw CommandError(
          "cannot read the host file '\(path)'; it has a line 'HOST slots=N' for each host",
          .inputMissing)
      }
      return (try [LaunchHost](hostFile: text, path: path), options)
    }
    if SlurmJob.isPresent {
      options.hasHosts = true
      options.cores = cores ?? SlurmJob.coresPerRank ?? 1
      // srun starts ranks of MPICH by an older interface than PMIx.
      options.launcher =
        try launcher ?? (own == .mpirun && SlurmJob.srunHasPMIx() ? .srun : own)
      // Slurm counts cores or hardware threads, mpirun perhaps the other: the job's limits hold anyway.
      if options.launcher != .srun { options.binds = false }
      return (try SlurmJob.hosts(), options)
    }
    let count = ranks ?? max(1, Cores.count / options.cores)
    options.oversubscribes = count * options.cores > Cores.count
    // Open MPI binds to any cores of the machine, also those that this process may not use.
    options.binds = options.binds && !options.oversubscribes && Cores.areAll
    return ([LaunchHost(hostName(), slots: count)], options)
  }
}

extension LaunchPlan.Launcher: ExpressibleByArgument {}
