import LockstepCLI
import Testing

/// The texts are those of Open MPI 4.1.4, of the Hydra of MPICH 4 and Intel MPI, of Slurm, and of this program.
@Suite struct FirstCauseTests {
  private let dashes = String(repeating: "-", count: 74)

  private func openMPI(_ notice: String) -> String { "\(dashes)\n\(notice)\n\(dashes)\n" }

  private let primaryJob = """
    Primary job  terminated normally, but 1 process returned
    a non-zero exit code. Per user-direction, the job has been aborted.
    """

  private var plan: LaunchPlan {
    LaunchPlan(
      hosts: [LaunchHost("node01", slots: 2), LaunchHost("node02", slots: 2)], limit: nil, .init())!
  }

  // MARK: Open MPI

  @Test func namesTheRankThatASignalEnded() {
    let errors =
      "warning: slow disk\n" + openMPI(primaryJob)
      + "[node01][[21380,1],0][../../btl_tcp_frag.c:135:mca_btl_tcp_frag_send] writev failed: reset (104)\n"
      + openMPI(
        "mpirun noticed that process rank 2 with PID 17656 on node node02 exited on signal 9 (Killed)."
      ) + "[node01:17635] 2 more processes have sent help message help-mpi-btl-tcp.txt\n"
    let cause = FirstCause(exitCode: 137, errors: errors)
    #expect(cause.kind == .signal(9))
    #expect(cause.rank == 2)
    #expect(cause.host == "node02")
    #expect(cause.description == "rank 2 on node02 was ended by signal 9 (Killed)")
    #expect(cause.mayBeOfHost)
    #expect(cause.log == ["warning: slow disk"])
  }

  @Test func quotesTheFatalErrorOfATrap() {
    let errors =
      """
      Lockstep/Tensor.swift:692: Fatal error: Index out of range

      💣 \u{1B}[91mProgram crashed: Illegal instruction at 0x00007faaac56df7f\u{1B}[39m

      Thread 0 "lockstep" crashed:

        \u{1B}[90m0\u{1B}[39m  main + 647 in lockstep

      """ + openMPI(primaryJob)
      + openMPI(
        "mpirun noticed that process rank 1 with PID 0 on node vm exited on signal 4 (Illegal instruction)."
      )
    let cause = FirstCause(exitCode: 132, errors: errors)
    #expect(cause.description == "rank 1 on vm was ended by signal 4 (Illegal instruction)")
    #expect(cause.log == ["Lockstep/Tensor.swift:692: Fatal error: Index out of range"])
  }

  @Test func namesTheHostThatIsLost() {
    let errors =
      openMPI(
        """
        ORTE has lost communication with a remote daemon.

          HNP daemon   : [[21340,0],0] on node node01
          Remote daemon: [[21340,0],2] on node node02

        This is usually due to either a failure of the TCP network
        """)
      + openMPI(
        """
        WARNING: Open MPI failed to TCP connect to a peer MPI process.  This
        should not happen.
        """)
    let cause = FirstCause(exitCode: 205, errors: errors, plan: plan)
    #expect(cause.kind == .lostHost)
    #expect(cause.host == "node02")
    #expect(cause.description == "host node02 with rank 2 does not answer any more")
    #expect(cause.log.isEmpty)
  }

  @Test func quotesTheErrorOfARank() {
    let errors =
      "error: rank 3: cannot write 'runs/a/metrics.jsonl': No space left on device\n"
      + openMPI(
        """
        MPI_ABORT was invoked on rank 3 in communicator MPI_COMM_WORLD
        with errorcode 74.
        """)
    let cause = FirstCause(exitCode: 74, errors: errors, plan: plan)
    #expect(cause.kind == .exit)
    #expect(
      cause.description
        == "rank 3 on node02 failed: cannot write 'runs/a/metrics.jsonl': No space left on device")
    #expect(!cause.mayBeOfHost)
    // The line is not repeated.
    #expect(cause.log.isEmpty)
  }

  @Test func namesTheRankThatExits() {
    let abort = openMPI(
      """
      MPI_ABORT was invoked on rank 1 in communicator MPI_COMM_WORLD
      with errorcode 42.

      NOTE: invoking MPI_ABORT causes Open MPI to kill all MPI processes.
      """)
    #expect(
      FirstCause(exitCode: 42, errors: abort, plan: plan).description
        == "rank 1 on node01 ended with exit code 42")
    let exit = openMPI(
      """
      mpirun detected that one or more processes exited with non-zero status, thus causing
      the job to be terminated. The first process to do so was:

        Process name: [[59438,1],3]
        Exit code:    70
      """)
    #expect(
      FirstCause(exitCode: 70, errors: openMPI(primaryJob) + exit, plan: plan).description
        == "rank 3 on node02 ended with exit code 70: a fault in this program")
  }

  @Test func quotesAnErrorThatRankZeroReportsForAll() {
    let errors = "note: a\nerror: key 'training.epoch' is unknown\n" + openMPI(primaryJob)
    let cause = FirstCause(exitCode: 78, errors: errors)
    #expect(cause.description == "key 'training.epoch' is unknown")
    #expect(!cause.mayBeOfHost)
  }

  @Test func quotesALauncherThatCannotStart() {
    let errors = openMPI(
      """
      There are not enough slots available in the system to satisfy the 64
      slots that were requested by the application:

        lockstep
      """)
    let cause = FirstCause(exitCode: 1, errors: errors)
    #expect(cause.kind == .launcher)
    #expect(
      cause.description
        == "the launcher says: There are not enough slots available in the system to satisfy the 64 "
        + "slots that were requested by the application")
  }

  @Test func namesAHostThatSSHDoesNotReach() {
    let errors =
      "ssh: connect to host node02 port 22: No route to host\n"
      + openMPI("ORTE was unable to reliably start one or more daemons.")
    let cause = FirstCause(exitCode: 255, errors: errors)
    #expect(cause.kind == .lostHost)
    #expect(cause.host == "node02")
  }

  @Test(arguments: [
    (
      """
      mpirun was unable to launch the specified application as it could not access
      or execute an executable:

      Executable: /opt/my lockstep/lockstep
      Node: node02

      while attempting to start process rank 2.
      """,
      "cannot start the program: '/opt/my lockstep/lockstep' is not there, or cannot be executed"
    ),
    (
      """
      mpirun was unable to launch the specified application as it could not
      change to the specified working directory:

      Working directory: /scratch/work
      Node: node02

      while attempting to start process rank 2.
      """,
      "cannot start the program: the working directory '/scratch/work' is not there"
    ),
    (
      """
      mpirun was unable to find the specified executable file, and therefore
      did not launch the job.  This error was first reported for process
      rank 2; it may have occurred for other processes as well.

      NOTE: A common cause for this error is misspelling a mpirun command
            line parameter option (remember that mpirun interprets the first
            unrecognized command line token as the executable).

      Node:       node02
      Executable: lockstep
      """,
      "cannot start the program: 'lockstep' is not there"
    ),
    (
      """
      Open MPI tried to fork a new process via the "execve" system call but
      failed.  Open MPI checks many things before attempting to launch a
      child process, but nothing is perfect. This error may be indicative
      of another problem on the target host, or even something as silly as
      having specified a directory for your application. Your job will now
      abort.

        Local host:        node02
        Working dir:       /home/me
        Application name:  /opt/lockstep
        Error:             Permission denied
      """,
      "cannot start the program: '/opt/lockstep': Permission denied"
    ),
  ])
  func blamesTheHostThatCannotStartRanks(_ notice: String, _ event: String) {
    let errors = openMPI(notice) + "2 total processes failed to start\n"
    let cause = FirstCause(exitCode: 132, errors: errors, plan: plan)
    #expect(cause.host == "node02")
    #expect(cause.mayBeOfHost)
    #expect(cause.description == "host node02 with rank 2 " + event)
  }

  @Test func blamesTheHostWithoutALibrary() {
    let loader =
      "/opt/lockstep: error while loading shared libraries: libopenblas.so.0: cannot open shared object file"
    let errors =
      loader + "\n" + openMPI(primaryJob)
      + openMPI(
        """
        mpirun detected that one or more processes exited with non-zero status, thus causing
        the job to be terminated. The first process to do so was:

          Process name: [[14351,1],2]
          Exit code:    127
        """)
    let cause = FirstCause(exitCode: 127, errors: errors, plan: plan)
    #expect(
      cause.description == "host node02 with rank 2 cannot start the program: exit code 127")
    #expect(cause.host == "node02" && cause.mayBeOfHost)
    #expect(cause.log == [loader])
  }

  @Test func doesNotTakeASurvivorForTheFirstCause() {
    let survivor =
      "lockstep: rank 0 on node01: MPI_Waitall failed: MPI_ERR_OTHER: known error not in list\n"
    let abort = openMPI(
      """
      MPI_ABORT was invoked on rank 0 in communicator MPI_COMM_WORLD
      with errorcode 70.
      """)
    let signal = openMPI(
      "mpirun noticed that process rank 2 with PID 176 on node node02 exited on signal 9 (Killed).")
    #expect(
      FirstCause(exitCode: 137, errors: survivor + abort + signal, plan: plan).description
        == "rank 2 on node02 was ended by signal 9 (Killed)")
    let unknown = FirstCause(exitCode: 70, errors: survivor + abort, plan: plan)
    #expect(
      unknown.description
        == "nothing says which rank failed first; rank 0 on node01 noticed it: MPI_Waitall failed: "
        + "MPI_ERR_OTHER: known error not in list")
    #expect(unknown.rank == nil && !unknown.mayBeOfHost)
    let common = "error: key 'training.epoch' is unknown\n"
    #expect(
      FirstCause(exitCode: 78, errors: common + survivor + abort, plan: plan).description
        == "key 'training.epoch' is unknown")
    // This one is the cause.
    let own =
      "lockstep: rank 3 on node02: this rank has called exit(0) in the middle of the run\n"
    #expect(
      FirstCause(exitCode: 70, errors: own + abort, plan: plan).description
        == "rank 3 on node02 failed: this rank has called exit(0) in the middle of the run")
  }

  // MARK: Stalls

  @Test func namesARankThatStalls() {
    let errors = """
      warning: no progress for 30 s on node02: rank 3 on node02 does not answer: it is stopped (SIGSTOP)
        rank 2 (process 11): step 14, training step, waits in all-reduce (call 106) for rank 3
      error: no progress for 60 s on node02: rank 3 on node02 does not answer: it is stopped (SIGSTOP)
        rank 2 (process 11): step 14, training step, waits in all-reduce (call 106) for rank 3
        rank 3 (process 12): step 13, training step, computes; it is stopped (SIGSTOP)

      """
    let cause = FirstCause(exitCode: 83, errors: errors, plan: plan)
    #expect(cause.kind == .stall)
    #expect(cause.rank == 3)
    #expect(cause.host == "node02")
    #expect(
      cause.description
        == "no progress for 60 s: rank 3 on node02 does not answer: it is stopped (SIGSTOP)")
    #expect(
      cause.log.last
        == "rank 3 (process 12): step 13, training step, computes; it is stopped (SIGSTOP)")
  }

  @Test func namesARankOfAnotherNodeThatStalls() {
    let errors =
      "error: no progress for 62 s on node01: the ranks of node01 wait for rank 1 (node02)\n"
    let cause = FirstCause(exitCode: 83, errors: errors)
    #expect(cause.rank == 1)
    #expect(cause.host == "node02")
    let many = "error: no progress for 62 s on node01: the ranks of node01 wait for each other\n"
    #expect(FirstCause(exitCode: 83, errors: many).host == nil)
  }

  // MARK: Others

  @Test func readsIntelsHydra() {
    let errors = """
      ===================================================================================
      =   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
      =   RANK 2 PID 29380 RUNNING AT node02
      =   KILLED BY SIGNAL: 9 (Killed)
      ===================================================================================

      """
    let cause = FirstCause(exitCode: 9, errors: errors)
    #expect(cause.description == "rank 2 on node02 was ended by signal 9 (Killed)")
  }

  @Test func readsMPICHsHydra() {
    let errors = """
      ===================================================================================
      =   BAD TERMINATION OF ONE OF YOUR APPLICATION PROCESSES
      =   PID 29380 RUNNING AT node02
      =   EXIT CODE: 11
      =   CLEANING UP REMAINING PROCESSES
      =   YOU CAN IGNORE THE BELOW CLEANUP MESSAGES
      ===================================================================================
      YOUR APPLICATION TERMINATED WITH THE EXIT STRING: Segmentation fault (signal 11)
      This typically refers to a problem with your application.
      Please see the FAQ page for debugging suggestions

      """
    let cause = FirstCause(exitCode: 139, errors: errors)
    #expect(cause.description == "a rank on node02 was ended by signal 11 (Segmentation fault)")
    let missing =
      "[proxy:0:1@node02] HYDU_create_process (utils/launch/launch.c:73): execvp error on file /opt/lockstep (No such file or directory)\n"
    #expect(
      FirstCause(exitCode: 255, errors: missing, plan: plan).description
        == "host node02 with rank 2 cannot start the program: '/opt/lockstep': No such file or directory"
    )
    let lost =
      "[mpiexec@node01] control_cb (pm/pmiserv/pmiserv_cb.c:208): assert (!closed) failed\n"
    #expect(FirstCause(exitCode: 255, errors: lost).kind == .lostHost)
  }

  @Test func readsTheExitCodeOfMPICHsHydra() throws {
    var options = LaunchPlan.Options()
    options.launcher = .hydra
    let here = try #require(
      LaunchPlan(hosts: [LaunchHost("node01", slots: 2)], limit: nil, options))
    let killed = FirstCause(exitCode: 9, errors: "", plan: here)
    #expect(killed.description == "a rank on node01 was ended by signal 9 (Killed)")
    #expect(killed.kind == .signal(9))
    // The program's own.
    #expect(FirstCause(exitCode: 1, errors: "", plan: here).kind == .unknown)
    #expect(FirstCause(exitCode: 9, errors: "", plan: plan).kind == .unknown)
  }

  @Test func readsSrun() {
    #expect(
      FirstCause(exitCode: 137, errors: "srun: error: node02: task 3: Killed\n").description
        == "rank 3 on node02 was ended by signal 9 (Killed)")
    #expect(
      FirstCause(exitCode: 83, errors: "srun: error: node02: task 1: Exited with exit code 83\n")
        .description
        == "rank 1 on node02 ended with exit code 83: a rank did not answer in time")
    let failure =
      "srun: error: Node failure on node02\nslurmstepd: error: *** STEP 1.0 CANCELLED ***\n"
    let cause = FirstCause(exitCode: 1, errors: failure, plan: plan)
    #expect(cause.description == "host node02 with rank 2 does not answer any more")
  }

  @Test func saysWhatItDoesNotKnow() {
    #expect(
      FirstCause(exitCode: 205, errors: "").description
        == "the launcher ended with exit code 205 and did not say why")
    #expect(
      FirstCause(exitCode: 137, errors: "").description == "the launcher was ended by signal 9")
    #expect(
      FirstCause(exitCode: 70, errors: openMPI(primaryJob)).description
        == "a fault in this program (exit code 70)")
  }

  // MARK: Lines

  @Test func takesLinesOfDashesOfARankForItsOwn() {
    // Of another length than Open MPI's, and of the same, which nothing closes.
    let short = String(repeating: "-", count: 60)
    var messages = LauncherMessages("\(short)\na table\n\(dashes)\n")
    #expect(messages.ranks == [short, "a table"])
    for line in 0..<100 { _ = messages.take("line \(line)") }
    #expect(messages.ranks.last == "line 99")
    let notice = [dashes, "mpirun noticed that"].map { messages.take($0) }
    #expect(notice == [false, false])
  }

  @Test func tellsLinesOfRanksFromThoseOfTheLauncher() {
    var messages = LauncherMessages()
    let lines = [
      "warning: a", dashes, "error: in a notice", dashes, "b",
      "[node01:17635] 2 more processes have sent help message", "[ranks 1-3] c",
    ]
    let areOfRanks = lines.map { messages.take($0) }
    #expect(areOfRanks == [true, false, false, false, true, false, true])
    #expect(messages.ranks == ["warning: a", "b", "[ranks 1-3] c"])
    #expect(!messages.showFailure)
    _ = messages.take("error: no progress for 4 s on vm: x")
    #expect(messages.showFailure)
  }
}
